//! Where a thread finds our state of it.
//!
//! Rust calls the loader to find a thread-local of a shared library. A word at a fixed distance from the thread pointer
//! costs only two loads: after the first call it holds the thread-local's address.

use std::arch::global_asm;
use std::ptr;

use super::state::{Thread, THREAD};
use crate::arch::thread_word;

global_asm!(
    ".pushsection .tbss.glasspoll_thread,\"awT\",%nobits",
    ".balign 8",
    ".hidden glasspoll_thread",
    ".globl glasspoll_thread",
    ".type glasspoll_thread, %object",
    ".size glasspoll_thread, 8",
    "glasspoll_thread:",
    ".zero 8",
    ".popsection",
);

/// The address of the calling thread's word.
#[inline]
fn word() -> *mut *const Thread {
    thread_word().cast()
}

/// Our state of the calling thread.
#[inline]
fn this() -> *const Thread {
    // SAFETY: a word of this thread's own.
    let known = unsafe { word().read() };
    if known.is_null() {
        find()
    } else {
        known
    }
}

#[cold]
#[inline(never)]
fn find() -> *const Thread {
    let found = THREAD.with(ptr::from_ref);
    // SAFETY: as above. A thread-local without a destructor stays at its address as long as the thread lives.
    unsafe { word().write(found) };
    found
}

/// Runs `work` with the calling thread's state.
pub fn with_thread<T>(work: impl FnOnce(&Thread) -> T) -> T {
    // SAFETY: it lives as long as the thread.
    work(unsafe { &*this() })
}
