//! Where a thread finds our state of it.
//!
//! Rust calls the loader to find a thread-local of a shared library. A word at a fixed distance from the thread pointer
//! costs only three loads: after the first call it holds the thread-local's address.
//!
//! The distance is fixed where the library came with the program, or where the loader has room left for it in the block
//! that each thread has from its start. The library asks for the distance at run time. If it asked the linker for it,
//! the loader would refuse to load the library late where no room is left.

use std::arch::global_asm;
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::state::{Thread, THREAD};
use crate::arch;

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

/// The distance of the word from the thread pointer. 0: not known, or not the same in all threads.
static DISTANCE: AtomicUsize = AtomicUsize::new(0);

/// The address of the calling thread's word.
#[inline]
fn word() -> *mut *const Thread {
    let distance = match DISTANCE.load(Ordering::Relaxed) {
        0 => ask_the_loader(),
        distance => distance,
    };
    ptr::with_exposed_provenance_mut(arch::thread_pointer().wrapping_add(distance))
}

/// The distance in the calling thread. If the loader's descriptor holds the distance itself, all threads have the same;
/// otherwise it holds the address of what the loader needs to find it.
#[cold]
#[inline(never)]
fn ask_the_loader() -> usize {
    let (distance, descriptor) = arch::thread_word();
    // SAFETY: the loader filled it in before our code ran.
    let [_, argument] = unsafe { descriptor.read() };
    if argument == distance {
        DISTANCE.store(distance, Ordering::Relaxed);
    }
    distance
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
