//! The ready list, its overflow list and the scans; the threads that wait for it.

use super::world::{Count, Fake, Set};
use super::{model, spawn};
use crate::sys::Errno;
use crate::uapi::*;

const LATE: Option<u64> = Some(1000);

model!(
    a_wakeup_during_a_scan_is_neither_lost_nor_doubled,
    Some(3),
    [
        a_scan_is_not_seen => "a wakeup was lost",
        ovflist_forgets => "a wakeup was lost",
        ovflist_keeps_what_it_gave => "more events than wakeups",
    ],
    || {
        let count = Count::new();
        let (set, file) = (Set::new(&count), Fake::new(4));
        set.add(&file.file, EPOLLIN | EPOLLOUT | EPOLLET);
        file.rise(EPOLLIN);
        let other = {
            let file = file.clone();
            spawn(move || file.rise(EPOLLIN | EPOLLOUT))
        };
        let mut events = set.take();
        other.join().expect("no panic");
        events.extend(set.take());
        events.extend(set.take());
        assert!(events.iter().any(|(_, events)| events & EPOLLOUT != 0), "a wakeup was lost");
        assert!(events.len() <= 2, "more events than wakeups");
        assert!(!set.ep.lock.lock().list.events_available());
    }
);

model!(
    two_scans_and_two_wakeups_lose_nothing,
    Some(2),
    [a_scan_is_not_seen => "a wakeup was lost", ovflist_forgets => "a wakeup was lost"],
    || {
        let count = Count::new();
        let (set, a, b) = (Set::new(&count), Fake::new(4), Fake::new(5));
        for file in [&a, &b] {
            set.add(&file.file, EPOLLIN | EPOLLOUT | EPOLLET);
        }
        a.rise(EPOLLIN);
        let scan = {
            let set = set.clone();
            spawn(move || set.take())
        };
        let other = spawn(move || {
            b.rise(EPOLLIN);
            a.rise(EPOLLIN | EPOLLOUT);
        });
        let mut events = set.take();
        other.join().expect("no panic");
        events.extend(scan.join().expect("no panic"));
        events.extend(set.take());
        let of = |fd| events.iter().filter(|(data, _)| *data == fd).count();
        let is_last = |event: &&(u64, u32)| event.0 == 4 && event.1 & EPOLLOUT != 0;
        assert!(of(5) == 1 && events.iter().any(|event| is_last(&event)), "a wakeup was lost");
        assert!(of(4) <= 2, "more events than wakeups");
    }
);

model!(
    /// poll(2) on the epoll descriptor and a wait on an outer set ask the set in this way.
    to_ask_the_set_itself_hides_no_wakeup,
    Some(3),
    [a_scan_is_not_seen => "a wakeup was lost", ovflist_forgets => "a wakeup was lost"],
    || {
        let count = Count::new();
        let (set, file) = (Set::new(&count), Fake::new(4));
        set.add(&file.file, EPOLLIN);
        file.file.wake(EPOLLIN);
        let other = {
            let file = file.clone();
            spawn(move || file.rise(EPOLLIN))
        };
        set.ep.poll(0);
        other.join().expect("no panic");
        assert_eq!(set.take().len(), 1, "a wakeup was lost");
    }
);

model!(
    a_wakeup_between_the_look_and_the_sleep_ends_the_sleep,
    Some(3),
    [a_waiter_sleeps_without_a_look => "deadlock"],
    || {
        let count = Count::new();
        let (set, file) = (Set::new(&count), Fake::new(4));
        set.add(&file.file, EPOLLIN | EPOLLET);
        let other = spawn(move || file.rise(EPOLLIN));
        assert_eq!(set.wait(&set.waiter(), None).expect("no interruption").len(), 1);
        other.join().expect("no panic");
        assert!(!count.get().any());
    }
);

model!(
    while_a_level_lasts_one_waiter_wakes_the_next,
    Some(2),
    [a_scan_wakes_nobody_on => "deadlock"],
    || {
        let count = Count::new();
        let (set, file) = (Set::new(&count), Fake::new(4));
        set.add(&file.file, EPOLLIN);
        let waiters = [set.clone(), set.clone()].map(|set| spawn(move || set.wait(&set.waiter(), None)));
        file.rise(EPOLLIN);
        for waiter in waiters {
            assert_eq!(waiter.join().expect("no panic").expect("no interruption").len(), 1);
        }
    }
);

model!(
    an_edge_that_meets_a_timeout_goes_to_another_waiter,
    Some(2),
    [a_waiter_that_times_out_does_not_look => "deadlock"],
    || {
        let count = Count::new();
        let (set, file) = (Set::new(&count), Fake::new(4));
        set.add(&file.file, EPOLLIN | EPOLLET);
        let patient = {
            let set = set.clone();
            spawn(move || set.wait(&set.waiter(), None).expect("no interruption").len())
        };
        let hasty = {
            let set = set.clone();
            spawn(move || set.wait(&set.waiter(), LATE).expect("no interruption").len())
        };
        file.rise(EPOLLIN);
        if hasty.join().expect("no panic") == 1 {
            file.rise(EPOLLIN);
        }
        assert_eq!(patient.join().expect("no panic"), 1);
        assert!(set.take().is_empty(), "one edge, two events");
    }
);

model!(
    an_edge_that_meets_an_interruption_goes_to_another_waiter,
    Some(2),
    [a_waiter_that_is_interrupted_does_not_look => "deadlock"],
    || {
        let count = Count::new();
        let (set, file) = (Set::new(&count), Fake::new(4));
        set.add(&file.file, EPOLLIN | EPOLLET);
        let patient = {
            let set = set.clone();
            spawn(move || set.wait(&set.waiter(), None).expect("no interruption").len())
        };
        let waiter = set.waiter();
        let roused = {
            let (set, waiter) = (set.clone(), waiter.clone());
            spawn(move || set.wait(&waiter, None))
        };
        file.rise(EPOLLIN);
        waiter.interrupt();
        match roused.join().expect("no panic") {
            Ok(events) => {
                assert_eq!(events.len(), 1);
                file.rise(EPOLLIN);
            }
            Err(errno) => assert_eq!(errno, Errno::EINTR),
        }
        assert_eq!(patient.join().expect("no panic"), 1);
    }
);

model!(
    a_oneshot_that_is_armed_again_wakes_a_waiter,
    Some(3),
    [a_changed_item_wakes_nobody => "deadlock"],
    || {
        let count = Count::new();
        let (set, file) = (Set::new(&count), Fake::new(4));
        file.set(EPOLLIN);
        set.add(&file.file, EPOLLIN | EPOLLONESHOT);
        assert_eq!(set.take().len(), 1);
        let other = {
            let set = set.clone();
            spawn(move || set.ctl(EPOLL_CTL_MOD, &file.file, EPOLLIN | EPOLLONESHOT))
        };
        assert_eq!(set.wait(&set.waiter(), None).expect("no interruption").len(), 1);
        other.join().expect("no panic");
    }
);
