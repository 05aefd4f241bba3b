//! What a lock protects, and who is at it: a model checker is told of each access.

#[cfg(not(loom))]
use std::cell::UnsafeCell;

#[cfg(loom)]
use loom::cell::{MutPtr, UnsafeCell};

/// A value that is reached by the holder of a lock alone.
#[derive(Default)]
pub(super) struct Value<T>(UnsafeCell<T>);

/// An access that is under way.
#[cfg(not(loom))]
pub(super) struct Access<T>(std::marker::PhantomData<T>);

#[cfg(loom)]
pub(super) struct Access<T>(Option<MutPtr<T>>);

#[cfg(not(loom))]
impl<T> Value<T> {
    pub(super) const fn new(value: T) -> Self {
        Self(UnsafeCell::new(value))
    }

    /// # Safety
    /// Nobody else is at it until the access ends.
    #[inline]
    #[allow(clippy::mut_from_ref, reason = "that is the caller's promise")]
    pub(super) unsafe fn get(&self) -> (&mut T, Access<T>) {
        // SAFETY: the caller's promise.
        (unsafe { &mut *self.0.get() }, Access(std::marker::PhantomData))
    }
}

#[cfg(loom)]
impl<T> Value<T> {
    pub(super) fn new(value: T) -> Self {
        Self(UnsafeCell::new(value))
    }

    /// # Safety
    /// As above.
    #[allow(clippy::mut_from_ref, reason = "that is the caller's promise")]
    pub(super) unsafe fn get(&self) -> (&mut T, Access<T>) {
        let pointer = self.0.get_mut();
        // SAFETY: the caller's promise, which the checker checks.
        (unsafe { &mut *(std::ptr::from_mut(pointer.deref())) }, Access(Some(pointer)))
    }
}

impl<T> Access<T> {
    /// It is over: the lock is about to be released.
    #[inline]
    pub(super) fn end(&mut self) {
        #[cfg(loom)]
        drop(self.0.take());
    }
}
