//! The atomics under loom.
//!
//! For loom, the initial value of an atomic is not in the total order of SeqCst operations, so a SeqCst load
//! could still return it after another SeqCst store. Here the initial value is a SeqCst store.

use std::ops::Deref;
use std::sync::atomic::Ordering;

macro_rules! checked {
    ($($name:ident of $type:ty),*) => {$(
        /// As in `std`.
        #[derive(Debug)]
        pub struct $name(loom::sync::atomic::$name);

        impl $name {
            /// A new one.
            pub fn new(value: $type) -> Self {
                let atomic = loom::sync::atomic::$name::new(value);
                atomic.store(value, Ordering::SeqCst);
                Self(atomic)
            }
        }

        impl Deref for $name {
            type Target = loom::sync::atomic::$name;

            fn deref(&self) -> &Self::Target {
                &self.0
            }
        }

        impl Default for $name {
            fn default() -> Self {
                Self::new(Default::default())
            }
        }
    )*};
}

checked!(
    AtomicBool of bool, AtomicI32 of i32, AtomicU8 of u8, AtomicU16 of u16, AtomicU32 of u32, AtomicU64 of u64,
    AtomicUsize of usize
);

/// As in `std`.
#[derive(Debug)]
pub struct AtomicPtr<T>(loom::sync::atomic::AtomicPtr<T>);

impl<T> AtomicPtr<T> {
    /// A new one.
    pub fn new(value: *mut T) -> Self {
        let atomic = loom::sync::atomic::AtomicPtr::new(value);
        atomic.store(value, Ordering::SeqCst);
        Self(atomic)
    }
}

impl<T> Deref for AtomicPtr<T> {
    type Target = loom::sync::atomic::AtomicPtr<T>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

/// A static that is set once in each execution. All threads of an execution run on one thread of the system.
#[derive(Debug)]
pub struct OnceCell<T>(std::sync::atomic::AtomicPtr<T>);

impl<T> OnceCell<T> {
    /// A cell without a value.
    pub const fn new() -> Self {
        Self(std::sync::atomic::AtomicPtr::new(std::ptr::null_mut()))
    }

    /// The value, once it is set.
    pub fn get(&self) -> Option<&'static T> {
        // SAFETY: what was put there lives as long as the execution.
        unsafe { self.0.load(Ordering::SeqCst).as_ref() }
    }

    /// The value, which has been set.
    pub fn wait(&self) -> &'static T {
        self.get().expect("a value")
    }

    /// Sets the value; returns the one before.
    pub fn put(&self, value: *mut T) -> *mut T {
        self.0.swap(value, Ordering::SeqCst)
    }
}
