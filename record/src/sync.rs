//! The words of the memory that writers and readers share, in one place so that a model checker can replace
//! them.

#[cfg(loom)]
pub(crate) use crate::memory::{fence, thread, word32, word64, Word32};
#[cfg(not(loom))]
pub(crate) use plain::{thread, word32, word64, Word32};
#[cfg(not(loom))]
pub(crate) use std::sync::atomic::fence;

#[cfg(not(loom))]
mod plain {
    use std::sync::atomic::{AtomicU32, AtomicU64};

    pub(crate) type Word32 = AtomicU32;

    /// # Safety
    /// `at` is aligned and lies in the memory.
    #[inline]
    pub(crate) unsafe fn word64<'a>(memory: *mut u8, at: usize) -> &'a AtomicU64 {
        // SAFETY: the caller's promise; the memory stays for ever.
        unsafe { AtomicU64::from_ptr(memory.add(at).cast()) }
    }

    /// # Safety
    /// As above.
    #[inline]
    pub(crate) unsafe fn word32<'a>(memory: *mut u8, at: usize) -> &'a AtomicU32 {
        // SAFETY: as above.
        unsafe { AtomicU32::from_ptr(memory.add(at).cast()) }
    }

    /// The thread id of the calling thread.
    pub(crate) fn thread() -> u32 {
        // SAFETY: gettid takes nothing.
        unsafe { libc::gettid() as u32 }
    }
}
