//! The list of the program's threads.

use std::cell::UnsafeCell;
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU32, AtomicUsize, Ordering};

use glasspoll_reactor::sys;

use crate::memory::lock::RawLock;
use crate::thread::state::Thread;

/// All threads that have ever been inside, and have not ended.
pub(super) struct Threads {
    pub(super) lock: RawLock,
    pub(super) list: UnsafeCell<Vec<*const Thread>>,
    /// How many of them are in `unregister`. Changed with `lock` held.
    pub(super) leaving: AtomicUsize,
}

/// Threads that ended while a fork held the lock. They stay on the list until the fork is over.
static DEPARTED: [AtomicPtr<Thread>; 64] = [const { AtomicPtr::new(ptr::null_mut()) }; 64];

// SAFETY: only the holder of `lock` touches the list. Other threads use a `Thread` only through atomics, and it
// lives until its thread has left the list.
unsafe impl Sync for Threads {}

#[link_section = "glasspoll_fork"]
pub(super) static THREADS: Threads =
    Threads { lock: RawLock::new(), list: UnsafeCell::new(Vec::new()), leaving: AtomicUsize::new(0) };

impl Threads {
    /// Takes the lock, unless `gives_up` says so while another thread has it. Returns whether it did.
    pub(super) fn acquire_unless(&self, gives_up: fn() -> bool) -> bool {
        while !self.lock.try_acquire() {
            if gives_up() {
                return false;
            }
            // A thread that forks holds it for long.
            let _ = sys::futex_wait(&AtomicU32::new(0), 0, Some(50_000));
        }
        true
    }

    /// A thread ends, and must not wait for a fork. `is_held`: a fork holds the lock, and looks at the list no more; it
    /// takes the thread off when it is over. False: the thread must try again.
    pub(super) fn depart(&self, thread: &Thread, is_held: fn() -> bool) -> bool {
        let thread = ptr::from_ref(thread).cast_mut();
        if !is_held() {
            let is_free = self.lock.try_acquire();
            if is_free {
                // SAFETY: we hold the lock.
                unsafe { &mut *self.list.get() }.retain(|other| !ptr::eq(*other, thread));
                self.lock.release();
            }
            return is_free;
        }
        let change = |place: &AtomicPtr<Thread>, from, to| {
            place.compare_exchange(from, to, Ordering::SeqCst, Ordering::SeqCst).is_ok()
        };
        let Some(place) = DEPARTED.iter().find(|place| change(place, ptr::null_mut(), thread)) else {
            return false;
        };
        // If a fork still holds the lock, its `sweep` comes later. Otherwise it may have come too early.
        is_held() || !change(place, thread, ptr::null_mut())
    }

    /// Takes the departed threads off the list. The caller holds the lock, and no other thread departs any more.
    pub(super) fn sweep(&self) {
        for place in DEPARTED.iter().filter(|place| !place.load(Ordering::SeqCst).is_null()) {
            let thread = place.swap(ptr::null_mut(), Ordering::SeqCst);
            // SAFETY: the caller holds the lock.
            unsafe { &mut *self.list.get() }.retain(|other| !ptr::eq(*other, thread));
        }
    }

    pub(super) fn with<T>(&self, work: impl FnOnce(&mut Vec<*const Thread>) -> T) -> T {
        self.lock.acquire();
        // SAFETY: we hold the lock, and `work` does not come back here.
        let result = work(unsafe { &mut *self.list.get() });
        self.lock.release();
        result
    }
}
