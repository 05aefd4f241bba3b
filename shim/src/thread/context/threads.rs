//! The list of the program's threads.

use std::cell::UnsafeCell;
use std::sync::atomic::AtomicUsize;

use crate::memory::lock::RawLock;
use crate::thread::state::Thread;

/// All threads that have ever been inside, and have not ended.
pub(super) struct Threads {
    pub(super) lock: RawLock,
    pub(super) list: UnsafeCell<Vec<*const Thread>>,
    /// How many of them are in `unregister`. Changed with `lock` held.
    pub(super) leaving: AtomicUsize,
}

// SAFETY: only the holder of `lock` touches the list. Other threads use a `Thread` only through atomics, and it
// lives until its thread has left the list.
unsafe impl Sync for Threads {}

#[link_section = "glasspoll_fork"]
pub(super) static THREADS: Threads =
    Threads { lock: RawLock::new(), list: UnsafeCell::new(Vec::new()), leaving: AtomicUsize::new(0) };

impl Threads {
    pub(super) fn with<T>(&self, work: impl FnOnce(&mut Vec<*const Thread>) -> T) -> T {
        self.lock.acquire();
        // SAFETY: we hold the lock, and `work` does not come back here.
        let result = work(unsafe { &mut *self.list.get() });
        self.lock.release();
        result
    }
}
