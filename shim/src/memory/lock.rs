//! A futex lock that needs nothing of the program and can be held over fork.

use std::hint;
use std::sync::atomic::{AtomicU32, Ordering};

use glasspoll_reactor::sys;

const FREE: u32 = 0;
const HELD: u32 = 1;
/// Held, and somebody sleeps.
const WANTED: u32 = 2;

/// A lock without a guard: for where the holder's scope is not a scope of the language.
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
        // Whoever has slept takes it as wanted: there may be others asleep.
        while self.0.swap(WANTED, Ordering::Acquire) != FREE {
            let _ = sys::futex_wait(&self.0, WANTED, None);
        }
    }

    /// Only by the holder, or in a child forked by it.
    pub fn release(&self) {
        if self.0.swap(FREE, Ordering::Release) == WANTED {
            sys::futex_wake(&self.0, 1);
        }
    }
}
