//! The locks and atomics that the reactor uses, in one place so that a model checker can stand in.
//!
//! A lock has four bytes, because every file has some. It is never poisoned: a panic that unwinds out of a
//! critical section becomes an errno at the border to C, and leaves a state no worse than the one in which it
//! occurred.

pub mod abandoned;
#[cfg(loom)]
mod checked;
mod value;

#[cfg(loom)]
pub use checked::*;
#[cfg(not(loom))]
pub use once_cell::sync::OnceCell;
pub use std::sync::atomic::Ordering;
#[cfg(not(loom))]
pub use std::sync::atomic::{
    AtomicBool, AtomicI32, AtomicPtr, AtomicU16, AtomicU32, AtomicU64, AtomicU8, AtomicUsize,
};
pub use std::sync::{Arc, Weak};

use std::fmt;
use std::hint;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};

use crate::mutation::is;
use crate::sys;
use value::{Access, Value};

/// Atomics of statics: options and counters that do not depend on each other. They are not modelled.
pub mod global {
    pub use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize};
}

/// Makes a function const where that is possible: a model checker's atomics are made at run time.
macro_rules! const_unless_modelled {
    ($(#[$about:meta])* $vis:vis fn $name:ident($($arg:ident: $type:ty),*) -> $result:ty $body:block) => {
        $(#[$about])*
        #[cfg(not(loom))]
        $vis const fn $name($($arg: $type),*) -> $result $body

        $(#[$about])*
        #[cfg(loom)]
        $vis fn $name($($arg: $type),*) -> $result $body
    };
}
pub(crate) use const_unless_modelled;

/// A lock that is a static.
macro_rules! static_lock {
    ($(#[$about:meta])* $vis:vis static $name:ident) => {
        $(#[$about])*
        #[cfg(not(loom))]
        $vis static $name: $crate::sync::Mutex<()> = $crate::sync::Mutex::new(());

        #[cfg(loom)]
        loom::lazy_static! { $(#[$about])* pub static ref $name: $crate::sync::Mutex<()> = $crate::sync::Mutex::new(()); }
    };
}
pub(crate) use static_lock;

const FREE: u32 = 0;
const HELD: u32 = 1;
/// Held, and a thread may sleep on it.
const WANTED: u32 = 2;

/// How often `lock` tries again before it sleeps. In a model one try is as good as a hundred.
const SPINS: u32 = if cfg!(loom) { 0 } else { 100 };

/// A lock on a futex.
#[derive(Default)]
struct Lock(AtomicU32);

/// A mutex.
#[derive(Default)]
pub struct Mutex<T> {
    lock: Lock,
    value: Value<T>,
}

/// A value of which a number can be read without its lock.
pub trait Count {
    /// The number.
    fn count(&self) -> u32;
}

/// A mutex with a number in the same word of memory as the lock, which is read without locking: the `Count` of
/// the value when the lock was last released.
#[derive(Default)]
pub struct Counted<T> {
    lock: Lock,
    count: AtomicU32,
    value: Value<T>,
}

// SAFETY: the value is reached by the holder of `lock` alone.
unsafe impl<T: Send> Send for Mutex<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for Mutex<T> {}

// SAFETY: as above.
unsafe impl<T: Send> Send for Counted<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for Counted<T> {}

#[cfg(not(loom))]
impl<T> Mutex<T> {
    /// A new, unlocked mutex.
    pub const fn new(value: T) -> Self {
        Self { lock: Lock(AtomicU32::new(FREE)), value: Value::new(value) }
    }
}

#[cfg(loom)]
impl<T> Mutex<T> {
    /// A new, unlocked mutex.
    pub fn new(value: T) -> Self {
        Self { lock: Lock(AtomicU32::new(FREE)), value: Value::new(value) }
    }
}

impl<T> Mutex<T> {
    /// Blocks until the calling thread has the lock.
    #[inline]
    pub fn lock(&self) -> MutexGuard<'_, T> {
        self.lock.acquire();
        let (value, access) = self.value.get();
        MutexGuard { lock: &self.lock, value, access, _of_this_thread: PhantomData }
    }

    /// Whether no thread holds the lock. If so, the caller sees all that the last holder did.
    pub fn is_free(&self) -> bool {
        self.lock.0.load(Ordering::SeqCst) == FREE
    }
}

impl<T: Count> Counted<T> {
    /// A new, unlocked mutex.
    pub fn new(value: T) -> Self {
        let count = AtomicU32::new(value.count());
        Self { lock: Lock::default(), count, value: Value::new(value) }
    }

    /// Blocks until the calling thread has the lock.
    #[inline]
    pub fn lock(&self) -> CountedGuard<'_, T> {
        self.lock.acquire();
        let (value, access) = self.value.get();
        CountedGuard { lock: &self.lock, count: &self.count, value, access, _of_this_thread: PhantomData }
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
        let order = if is("a_lock_is_released_relaxed") { Ordering::Relaxed } else { Ordering::Release };
        if self.0.swap(FREE, order) == WANTED {
            sys::futex_wake(&self.0, 1);
        }
    }

    #[cold]
    fn sleep(&self) {
        for _ in 0..SPINS {
            hint::spin_loop();
            if self.0.load(Ordering::Relaxed) == FREE
                && self.0.compare_exchange(FREE, HELD, Ordering::Acquire, Ordering::Relaxed).is_ok()
            {
                return;
            }
        }
        // A thread that has slept sets `WANTED`, because other threads may still sleep.
        let held = if is("a_sleeper_forgets_the_others") { HELD } else { WANTED };
        while self.0.swap(held, Ordering::Acquire) != FREE {
            let _ = sys::futex_wait(&self.0, held, abandoned::LOOK_NS);
            abandoned::leave_if_so();
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
    /// A pointer and not a reference: a function that takes the guard may drop it before it returns, but a
    /// reference would have to be the only one until the return.
    value: *mut T,
    access: Access<T>,
    _of_this_thread: PhantomData<*const ()>,
}

impl<T> Deref for MutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: the lock is held as long as the guard lives.
        unsafe { &*self.value }
    }
}

impl<T> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: the lock is held as long as the guard lives.
        unsafe { &mut *self.value }
    }
}

impl<T> Drop for MutexGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.access.end();
        self.lock.release();
    }
}

/// The mutex is locked until this is dropped.
pub struct CountedGuard<'a, T: Count> {
    lock: &'a Lock,
    count: &'a AtomicU32,
    /// A pointer and not a reference: a function that takes the guard may drop it before it returns, but a
    /// reference would have to be the only one until the return.
    value: *mut T,
    access: Access<T>,
    _of_this_thread: PhantomData<*const ()>,
}

impl<T: Count> Deref for CountedGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: the lock is held as long as the guard lives.
        unsafe { &*self.value }
    }
}

impl<T: Count> DerefMut for CountedGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: the lock is held as long as the guard lives.
        unsafe { &mut *self.value }
    }
}

impl<T: Count> Drop for CountedGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        let count = (**self).count();
        if self.count.load(Ordering::Relaxed) != count {
            let order = if is("a_count_is_relaxed") { Ordering::Relaxed } else { Ordering::SeqCst };
            self.count.store(count, order);
        }
        self.access.end();
        self.lock.release();
    }
}
