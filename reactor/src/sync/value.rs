//! The value that a lock protects. A model checker learns of each access.

#[cfg(not(loom))]
use std::cell::UnsafeCell;

#[cfg(loom)]
use loom::cell::{MutPtr, UnsafeCell};

/// A value that only the holder of a lock accesses.
#[derive(Default)]
pub(super) struct Value<T>(UnsafeCell<T>);

/// An access under way.
#[cfg(not(loom))]
pub(super) struct Access<T>(std::marker::PhantomData<T>);

#[cfg(loom)]
pub(super) struct Access<T>(Option<MutPtr<T>>);

#[cfg(not(loom))]
impl<T> Value<T> {
    pub(super) const fn new(value: T) -> Self {
        Self(UnsafeCell::new(value))
    }

    /// Begins an access.
    #[inline]
    pub(super) fn get(&self) -> (*mut T, Access<T>) {
        (self.0.get(), Access(std::marker::PhantomData))
    }
}

#[cfg(loom)]
impl<T> Value<T> {
    pub(super) fn new(value: T) -> Self {
        Self(UnsafeCell::new(value))
    }

    /// Begins an access.
    pub(super) fn get(&self) -> (*mut T, Access<T>) {
        let pointer = self.0.get_mut();
        // SAFETY: the checker fails the model if another access is under way.
        (std::ptr::from_mut(unsafe { pointer.deref() }), Access(Some(pointer)))
    }
}

impl<T> Access<T> {
    /// Ends the access: the lock is about to be released.
    #[inline]
    pub(super) fn end(&mut self) {
        #[cfg(loom)]
        drop(self.0.take());
    }
}
