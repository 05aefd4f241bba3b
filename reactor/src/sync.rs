//! The locks and atomics that the reactor uses, in one place so that a model checker can stand in.
//!
//! A lock is four bytes, for every file has some, and is never poisoned: a panic that unwinds out of a
//! critical section is turned into an errno at the border to C, and the state it leaves is no worse than
//! what the panic saw.

pub use std::sync::atomic::{
    AtomicBool, AtomicI32, AtomicPtr, AtomicU16, AtomicU32, AtomicU64, AtomicU8, AtomicUsize, Ordering,
};
pub use std::sync::{Arc, Weak};

use std::cell::UnsafeCell;
use std::fmt;
use std::hint;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};

use crate::sys;

const FREE: u32 = 0;
const HELD: u32 = 1;
/// Held, and somebody sleeps.
const WANTED: u32 = 2;

/// A lock on a futex.
#[derive(Default)]
struct Lock(AtomicU32);

/// A mutex.
#[derive(Default)]
pub struct Mutex<T> {
    lock: Lock,
    value: UnsafeCell<T>,
}

/// What can be known of a value without its lock.
pub trait Count {
    /// A number that tells of it.
    fn count(&self) -> u32;
}

/// A mutex with a number beside its lock, in one word of memory, which is read without it: the `Count` of
/// the value when the lock was last released.
#[derive(Default)]
pub struct Counted<T> {
    lock: Lock,
    count: AtomicU32,
    value: UnsafeCell<T>,
}

// SAFETY: the value is reached by the holder of `lock` alone.
unsafe impl<T: Send> Send for Mutex<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for Mutex<T> {}

// SAFETY: as above.
unsafe impl<T: Send> Send for Counted<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for Counted<T> {}

impl<T> Mutex<T> {
    /// A new, unlocked mutex.
    pub const fn new(value: T) -> Self {
        Self { lock: Lock(AtomicU32::new(FREE)), value: UnsafeCell::new(value) }
    }

    /// Blocks until the lock is ours.
    #[inline]
    pub fn lock(&self) -> MutexGuard<'_, T> {
        self.lock.acquire();
        // SAFETY: the lock is held as long as the guard lives.
        let value = unsafe { &mut *self.value.get() };
        MutexGuard { lock: &self.lock, value, _of_this_thread: PhantomData }
    }
}

impl<T> Mutex<T> {
    /// Whether nobody holds the lock; what the last one did is seen.
    pub fn is_free(&self) -> bool {
        self.lock.0.load(Ordering::SeqCst) == FREE
    }
}

impl<T: Count> Counted<T> {
    /// Blocks until the lock is ours.
    #[inline]
    pub fn lock(&self) -> CountedGuard<'_, T> {
        self.lock.acquire();
        // SAFETY: the lock is held as long as the guard lives.
        let value = unsafe { &mut *self.value.get() };
        CountedGuard { lock: &self.lock, count: &self.count, value, _of_this_thread: PhantomData }
    }

    /// The number.
    #[inline]
    pub fn count(&self) -> u32 {
        self.count.load(Ordering::SeqCst)
    }
}

impl Lock {
    #[inline]
    fn acquire(&self) {
        if self.0.compare_exchange(FREE, HELD, Ordering::Acquire, Ordering::Relaxed).is_err() {
            self.sleep();
        }
    }

    #[inline]
    fn release(&self) {
        if self.0.swap(FREE, Ordering::Release) == WANTED {
            sys::futex_wake(&self.0, 1);
        }
    }

    #[cold]
    fn sleep(&self) {
        for _ in 0..100 {
            hint::spin_loop();
            if self.0.load(Ordering::Relaxed) == FREE
                && self.0.compare_exchange(FREE, HELD, Ordering::Acquire, Ordering::Relaxed).is_ok()
            {
                return;
            }
        }
        // Whoever has slept takes it as wanted: there may be others asleep.
        while self.0.swap(WANTED, Ordering::Acquire) != FREE {
            let _ = sys::futex_wait(&self.0, WANTED, None);
        }
    }
}

impl<T> fmt::Debug for Mutex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mutex").finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for Counted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Counted").finish_non_exhaustive()
    }
}

/// The mutex is locked until this is dropped.
pub struct MutexGuard<'a, T> {
    lock: &'a Lock,
    value: &'a mut T,
    _of_this_thread: PhantomData<*const ()>,
}

impl<T> Deref for MutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.value
    }
}

impl<T> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.value
    }
}

impl<T> Drop for MutexGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.lock.release();
    }
}

/// The mutex is locked until this is dropped.
pub struct CountedGuard<'a, T: Count> {
    lock: &'a Lock,
    count: &'a AtomicU32,
    value: &'a mut T,
    _of_this_thread: PhantomData<*const ()>,
}

impl<T: Count> Deref for CountedGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        self.value
    }
}

impl<T: Count> DerefMut for CountedGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        self.value
    }
}

impl<T: Count> Drop for CountedGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        let count = self.value.count();
        if self.count.load(Ordering::Relaxed) != count {
            self.count.store(count, Ordering::SeqCst);
        }
        self.lock.release();
    }
}
