//! A futex lock that needs nothing of the program, and can be held across a fork.

use std::hint;
use std::sync::atomic::{AtomicU32, Ordering};

use glasspoll_reactor::sync::abandoned;
use glasspoll_reactor::sys;

const FREE: u32 = 0;
const HELD: u32 = 1;
/// Held, and a thread sleeps on it.
const WANTED: u32 = 2;

/// A lock without a guard, for holders that do not release it in the scope that took it.
pub struct RawLock(AtomicU32);

impl RawLock {
    pub const fn new() -> Self {
        Self(AtomicU32::new(FREE))
    }

    pub fn acquire(&self) {
        for _ in 0..100 {
            if self.0.compare_exchange(FREE, HELD, Ordering::Acquire, Ordering::Relaxed).is_ok() {
                return;
            }
            hint::spin_loop();
        }
        // A thread that has slept takes the lock as wanted: other threads may still sleep.
        while self.0.swap(WANTED, Ordering::Acquire) != FREE {
            let _ = sys::futex_wait(&self.0, WANTED, None);
        }
    }

    /// Takes the lock, unless its holder may never release it. Returns whether it did.
    pub fn acquire_unless_abandoned(&self) -> bool {
        for _ in 0..100 {
            if self.try_acquire() {
                return true;
            }
            hint::spin_loop();
        }
        while self.0.swap(WANTED, Ordering::Acquire) != FREE {
            if abandoned::is_so() {
                return false;
            }
            let _ = sys::futex_wait(&self.0, WANTED, abandoned::LOOK_NS);
        }
        true
    }

    /// Takes the lock if it is free. Returns whether it did.
    pub fn try_acquire(&self) -> bool {
        self.0.compare_exchange(FREE, HELD, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    /// Only the holder, or a child that it forked, may call this.
    pub fn release(&self) {
        if self.0.swap(FREE, Ordering::Release) == WANTED {
            sys::futex_wake(&self.0, 1);
        }
    }
}
