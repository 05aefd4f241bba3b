//! A private allocator: the library runs inside the program's malloc, fork and signal handlers, and must
//! not depend on the program's allocator being re-entrant.
//!
//! Doug Lea's malloc over anonymous mappings, behind one lock. The lock is taken only inside
//! `context`, so no signal handler of the program runs and no fork happens while it is held.
//!
//! Rust aborts the process when memory runs out. So we keep a reserve (`spare`) for what must not fail: waits, wakeups,
//! closes. A call that would make the heap grow permanently first asks whether there is enough (`has_room`). If not, it
//! fails with ENOMEM, as the kernel's would.
//!
//! With the feature `libc-heap` this allocator is not used.

#![cfg_attr(feature = "libc-heap", allow(dead_code))]

mod apart;
mod spare;

use std::alloc::{GlobalAlloc, Layout};
use std::cell::UnsafeCell;
use std::ptr;

use dlmalloc::Dlmalloc;

use crate::memory::lock::RawLock;
pub use spare::has_room;
use spare::Memory;

struct Private {
    lock: RawLock,
    heap: UnsafeCell<Dlmalloc<Memory>>,
}

// SAFETY: `heap` is touched by the holder of `lock` alone.
unsafe impl Sync for Private {}

impl Private {
    /// None: the lock is abandoned (`reactor::sync::abandoned`).
    fn with<T>(&self, work: impl FnOnce(&mut Dlmalloc<Memory>) -> T) -> Option<T> {
        if !self.lock.acquire_unless_abandoned() {
            return None;
        }
        // SAFETY: we hold the lock, and `work` does not come back here.
        let result = work(unsafe { &mut *self.heap.get() });
        self.lock.release();
        Some(result)
    }
}

// SAFETY: dlmalloc keeps the contract of an allocator; the lock serialises it.
unsafe impl GlobalAlloc for Private {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise on `layout`.
        self.with(|heap| unsafe { heap.malloc(layout.size(), layout.align()) })
            .unwrap_or_else(|| apart::take(layout))
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above.
        self.with(|heap| unsafe { heap.calloc(layout.size(), layout.align()) })
            .unwrap_or_else(|| apart::take(layout))
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        if !apart::is_there(ptr) {
            // If the lock is abandoned, the piece is lost.
            // SAFETY: the caller's promise that `ptr` came from here with `layout`.
            self.with(|heap| unsafe { heap.free(ptr, layout.size(), layout.align()) });
        }
    }

    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let moved = || {
            let fresh = apart::take(Layout::from_size_align(size, layout.align()).unwrap_or(layout));
            if !fresh.is_null() {
                // SAFETY: both are pieces of at least that size, and different ones.
                unsafe { ptr::copy_nonoverlapping(ptr, fresh, layout.size().min(size)) };
            }
            fresh
        };
        if apart::is_there(ptr) {
            return moved();
        }
        // SAFETY: as above.
        self.with(|heap| unsafe { heap.realloc(ptr, layout.size(), layout.align(), size) })
            .unwrap_or_else(moved)
    }
}

#[cfg(not(feature = "libc-heap"))]
#[global_allocator]
static HEAP: Private =
    Private { lock: RawLock::new(), heap: UnsafeCell::new(Dlmalloc::new_with_allocator(Memory)) };
