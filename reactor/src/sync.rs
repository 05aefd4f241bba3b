//! The locks and atomics that the reactor uses, in one place so that a model checker can stand in.
//!
//! A lock is never poisoned: a panic that unwinds out of a critical section is turned into an
//! errno at the border to C, and the state it leaves is no worse than what the panic saw.

pub use std::sync::atomic::{AtomicBool, AtomicI32, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering};
pub use std::sync::{Arc, MutexGuard, Weak};

/// A mutex whose `lock` ignores poisoning.
#[derive(Debug, Default)]
pub struct Mutex<T>(std::sync::Mutex<T>);

impl<T> Mutex<T> {
    /// A new, unlocked mutex.
    pub const fn new(value: T) -> Self {
        Self(std::sync::Mutex::new(value))
    }

    /// Blocks until the lock is ours.
    pub fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
