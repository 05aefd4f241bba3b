//! Parkers: in a parker one thread at a time sleeps in ppoll, and another thread can unpark it.
//!
//! While a thread is in ppoll the kernel holds the polled files open. So before a file is closed it is taken
//! out of the poller, and then the sleeper must wake once (`quiesce`).

use crate::sync::{AtomicBool, AtomicI32, AtomicU32, AtomicUsize, Ordering};
use crate::sys;

/// One thread at a time sleeps in it, in ppoll.
#[derive(Debug)]
pub struct Parker {
    /// Odd while the thread is in ppoll.
    serial: AtomicU32,
    /// An eventfd that ends the sleep.
    pub(super) wake_fd: AtomicI32,
    /// The thread in ppoll, as `this_thread` identifies it.
    sleeper: AtomicUsize,
    /// How many threads wait for the sleeper to wake.
    quiescing: AtomicU32,
    /// The sleeper's list has files of the poller's, so it must wake when the poller changes.
    pub(super) follows_poller: AtomicBool,
}

#[cfg(not(loom))]
thread_local! {
    static MARK: u8 = const { 0 };
}

#[cfg(loom)]
loom::thread_local! {
    static MARK: u8 = 0;
}

/// An address that no other living thread has.
fn this_thread() -> usize {
    MARK.with(|mark| std::ptr::from_ref(mark) as usize)
}

impl Parker {
    pub(super) fn new() -> Self {
        Self {
            serial: AtomicU32::new(0),
            wake_fd: AtomicI32::new(-1),
            sleeper: AtomicUsize::new(0),
            quiescing: AtomicU32::new(0),
            follows_poller: AtomicBool::new(false),
        }
    }

    /// In a forked child: forgets the sleeper, which exists in the parent only.
    pub(super) fn forget(&self) {
        self.serial.store(0, Ordering::SeqCst);
        self.sleeper.store(0, Ordering::SeqCst);
        self.quiescing.store(0, Ordering::SeqCst);
        self.follows_poller.store(false, Ordering::SeqCst);
        self.wake_fd.store(-1, Ordering::SeqCst);
    }

    /// Whether a sleeper can be unparked. If not, it wakes from time to time by itself.
    pub(super) fn has_wake_fd(&self) -> bool {
        self.wake_fd.load(Ordering::SeqCst) >= 0
    }

    /// The fd of the eventfd that ends the sleep; negative: there is none. It changes when the eventfd moves.
    pub fn wake_fd(&self) -> &AtomicI32 {
        &self.wake_fd
    }

    pub(super) fn unpark(&self) {
        let _ = sys::write(self.wake_fd.load(Ordering::SeqCst), &1u64.to_ne_bytes());
    }

    /// The serial number, if a thread sleeps here.
    pub(super) fn asleep(&self) -> Option<u32> {
        let serial = self.serial.load(Ordering::SeqCst);
        (serial % 2 == 1).then_some(serial)
    }

    pub(super) fn begin_park(&self) {
        self.sleeper.store(this_thread(), Ordering::SeqCst);
        self.serial.fetch_add(1, Ordering::SeqCst);
    }

    pub(super) fn end_park(&self) {
        self.sleeper.store(0, Ordering::SeqCst);
        self.serial.fetch_add(1, Ordering::SeqCst);
        if self.quiescing.load(Ordering::SeqCst) != 0 {
            sys::futex_wake(&self.serial, i32::MAX);
        }
    }

    /// Returns once the sleep has ended that is under way, if there is one.
    pub(super) fn quiesce(&self) {
        let Some(serial) = self.asleep() else { return };
        if self.sleeper.load(Ordering::SeqCst) == this_thread() {
            return;
        }
        self.quiescing.fetch_add(1, Ordering::SeqCst);
        while self.asleep() == Some(serial) {
            self.unpark();
            sys::relax(&self.serial, serial);
        }
        self.quiescing.fetch_sub(1, Ordering::SeqCst);
    }
}
