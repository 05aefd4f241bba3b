//! The waiter of a thread.

use super::world::Count;
use super::{kernel, model, spawn};
use crate::eventpoll::wait_queue::Waiter;
use crate::sync::{AtomicI32, Ordering};
use crate::sys;

model!(
    a_wakeup_ends_a_sleep_in_ppoll_whenever_it_comes,
    Some(4),
    [a_sleep_begins_over_a_wakeup => "deadlock"],
    || {
        let count = Count::new();
        let waiter = Waiter::new(count.get());
        let raw = Box::into_raw(Box::new(AtomicI32::new(sys::eventfd(0).expect("an eventfd"))));
        // SAFETY: it lives until the other thread has ended.
        let wake_fd: &'static AtomicI32 = unsafe { &*raw };
        let other = {
            let waiter = waiter.clone();
            spawn(move || waiter.wake())
        };
        let fd = wake_fd.load(Ordering::SeqCst);
        if waiter.begin_ppoll(wake_fd) {
            let mut fds = [libc::pollfd { fd, events: libc::POLLIN, revents: 0 }];
            assert_eq!(sys::ppoll(&mut fds, None, None), Ok(1));
            assert!(waiter.end_ppoll(), "no other thread writes to it");
        }
        other.join().expect("no panic");
        assert!(waiter.is_woken());
        // SAFETY: no other thread has it any more.
        drop(unsafe { Box::from_raw(raw) });
    }
);

model!(
    the_count_of_sleepers_is_never_too_low_and_exact_when_all_are_awake,
    Some(3),
    [a_waker_does_not_count => "somebody is said to sleep", a_sleeper_is_counted_late => "a wrong count"],
    || {
        let count = Count::new();
        let sleepers = count.get();
        let waiter = Waiter::new(sleepers);
        let other = {
            let waiter = waiter.clone();
            spawn(move || {
                waiter.wake();
                // At most one thread sleeps, and it has been woken.
                assert!(sleepers.number() <= 1, "a wrong count");
            })
        };
        if waiter.begin_futex() {
            let _ = waiter.sleep_futex(Some(1000));
            waiter.end_futex();
        }
        other.join().expect("no panic");
        assert!(!sleepers.any(), "somebody is said to sleep");
        kernel::now();
    }
);
