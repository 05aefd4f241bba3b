//! A place in which one thread at a time sleeps in ppoll, and from which it can be roused.
//!
//! While a thread is in ppoll the kernel holds on to the files it polls: a file that is about to be
//! closed must be taken out of the poller, and then the sleeper must have got up once (`quiesce`).

use crate::sync::{AtomicI32, AtomicU32, AtomicUsize, Ordering};
use crate::sys;

/// A place in which one thread at a time sleeps in ppoll.
#[derive(Debug)]
pub(super) struct Bed {
    /// Odd while the thread is in ppoll.
    serial: AtomicU32,
    /// An eventfd that ends the sleep.
    pub(super) kick: AtomicI32,
    /// The thread in ppoll, by an address of its own.
    sleeper: AtomicUsize,
    /// How many wait for it to get up.
    quiescing: AtomicU32,
}

thread_local! {
    static MARK: u8 = const { 0 };
}

/// A number that no other living thread has.
fn this_thread() -> usize {
    MARK.with(|mark| std::ptr::from_ref(mark) as usize)
}

impl Bed {
    pub(super) fn new() -> Self {
        Self {
            serial: AtomicU32::new(0),
            kick: AtomicI32::new(-1),
            sleeper: AtomicUsize::new(0),
            quiescing: AtomicU32::new(0),
        }
    }

    /// In a forked child nobody sleeps here.
    pub(super) fn forget(&self) {
        self.serial.store(0, Ordering::SeqCst);
        self.sleeper.store(0, Ordering::SeqCst);
        self.quiescing.store(0, Ordering::SeqCst);
    }

    pub(super) fn kick(&self) {
        let _ = sys::write(self.kick.load(Ordering::SeqCst), &1u64.to_ne_bytes());
    }

    /// The serial number, if somebody sleeps here.
    pub(super) fn asleep(&self) -> Option<u32> {
        let serial = self.serial.load(Ordering::SeqCst);
        (serial % 2 == 1).then_some(serial)
    }

    pub(super) fn lie_down(&self) {
        self.sleeper.store(this_thread(), Ordering::SeqCst);
        self.serial.fetch_add(1, Ordering::SeqCst);
    }

    pub(super) fn get_up(&self) {
        self.sleeper.store(0, Ordering::SeqCst);
        self.serial.fetch_add(1, Ordering::SeqCst);
        if self.quiescing.load(Ordering::SeqCst) != 0 {
            sys::futex_wake(&self.serial, i32::MAX);
        }
    }

    /// Returns once a sleep that is under way has ended.
    pub(super) fn quiesce(&self) {
        let Some(serial) = self.asleep() else { return };
        if self.sleeper.load(Ordering::SeqCst) == this_thread() {
            return;
        }
        self.quiescing.fetch_add(1, Ordering::SeqCst);
        while self.asleep() == Some(serial) {
            self.kick();
            sys::relax(&self.serial, serial);
        }
        self.quiescing.fetch_sub(1, Ordering::SeqCst);
    }
}
