//! Where the heap gets its memory from, and the reserve for the time when there is no more.
//!
//! | from | when |
//! |---|---|
//! | the beginning of `FIRST` | as long as it lasts |
//! | mmap | then, if it can be had |
//! | the spare mapping | if mmap fails; `has_room` makes it when the rest of `FIRST` is too small, and again after it was used |
//! | the rest of `FIRST` | if there is no spare mapping |
//!
//! `FIRST` lies among the library's variables: a fork copies no mapping for it.

use std::cell::UnsafeCell;
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};

use dlmalloc::Allocator;
use glasspoll_reactor::sys;

use crate::memory::lock::RawLock;

/// The smallest reserve.
const LEAST: usize = 256 << 10;
/// The largest reserve. In between it equals what the heap has taken: a list that grows takes twice its old size.
const MOST: usize = 16 << 20;
/// The beginning of `FIRST`, for a small heap.
const SMALL: usize = 128 << 10;
const FIRST_BYTES: usize = SMALL + LEAST;
const PAGE: usize = 4096;

#[repr(C, align(4096))]
struct First(UnsafeCell<[u8; FIRST_BYTES]>);

// SAFETY: each part is handed out once, under the heap's lock.
unsafe impl Sync for First {}

static FIRST: First = First(UnsafeCell::new([0; FIRST_BYTES]));
static FIRST_USED: AtomicUsize = AtomicUsize::new(0);

/// The spare mapping: its start and its length.
struct Spare {
    lock: RawLock,
    start: AtomicUsize,
    len: AtomicUsize,
}

static SPARE: Spare = Spare { lock: RawLock::new(), start: AtomicUsize::new(0), len: AtomicUsize::new(0) };
/// How much memory the heap has from the system.
static TAKEN: AtomicUsize = AtomicUsize::new(0);

impl Spare {
    /// Cuts off a piece.
    fn take(&self, size: usize) -> *mut u8 {
        self.lock.acquire();
        let (start, len) = (self.start.load(Ordering::Relaxed), self.len.load(Ordering::Relaxed));
        let enough = size <= len;
        if enough {
            self.start.store(start + size, Ordering::Relaxed);
            self.len.store(len - size, Ordering::Relaxed);
        }
        self.lock.release();
        if enough {
            ptr::with_exposed_provenance_mut(start)
        } else {
            ptr::null_mut()
        }
    }

    /// Makes the mapping `wanted` bytes long. What is left of the old one goes back to the system.
    fn renew(&self, wanted: usize) -> bool {
        let Ok(fresh) = sys::map(wanted) else { return false };
        self.lock.acquire();
        let old = (self.start.load(Ordering::Relaxed), self.len.load(Ordering::Relaxed));
        self.start.store(fresh, Ordering::Relaxed);
        self.len.store(wanted, Ordering::Relaxed);
        self.lock.release();
        if old.1 > 0 {
            sys::unmap(old.0, old.1);
        }
        true
    }
}

/// Takes a piece of `FIRST` that ends within its first `most` bytes. Null: it does not fit.
///
/// Preconditions: the heap's lock is held.
fn take_first(size: usize, most: usize) -> *mut u8 {
    let used = FIRST_USED.load(Ordering::Relaxed);
    let end = used.saturating_add(size.next_multiple_of(PAGE));
    if end > most {
        return ptr::null_mut();
    }
    FIRST_USED.store(end, Ordering::Relaxed);
    FIRST.0.get().cast::<u8>().wrapping_add(used)
}

fn is_first(piece: *mut u8) -> bool {
    let first = FIRST.0.get().addr();
    (first..first + FIRST_BYTES).contains(&piece.addr())
}

/// Whether the heap may grow by an item, a set or the like: the reserve is large enough, or can be made so.
#[inline]
pub fn has_room() -> bool {
    let wanted = TAKEN.load(Ordering::Relaxed).clamp(LEAST, MOST);
    let spare = SPARE.len.load(Ordering::Relaxed).max(FIRST_BYTES - FIRST_USED.load(Ordering::Relaxed));
    spare >= wanted / 2 || renew(wanted)
}

#[cold]
fn renew(wanted: usize) -> bool {
    SPARE.renew(wanted.next_multiple_of(PAGE))
}

/// The system's memory, as dlmalloc asks for it.
pub struct Memory;

// SAFETY: what is handed out is mapped, belongs to nobody else, and stays until it is given back.
unsafe impl Allocator for Memory {
    fn alloc(&self, size: usize) -> (*mut u8, usize, u32) {
        let small = take_first(size, SMALL);
        if !small.is_null() {
            return (small, size, 0);
        }
        let mapped = match sys::map(size) {
            Ok(start) => ptr::with_exposed_provenance_mut(start),
            Err(_) => SPARE.take(size.next_multiple_of(PAGE)),
        };
        if !mapped.is_null() {
            TAKEN.fetch_add(size, Ordering::Relaxed);
            return (mapped, size, 0);
        }
        let rest = take_first(size, FIRST_BYTES);
        if rest.is_null() {
            return (ptr::null_mut(), 0, 0);
        }
        (rest, size, 0)
    }

    fn remap(&self, start: *mut u8, old: usize, new: usize, can_move: bool) -> *mut u8 {
        if is_first(start) {
            return ptr::null_mut();
        }
        match sys::remap(start.expose_provenance(), old, new, can_move) {
            Ok(start) => {
                TAKEN.fetch_add(new.wrapping_sub(old), Ordering::Relaxed);
                ptr::with_exposed_provenance_mut(start)
            }
            Err(_) => ptr::null_mut(),
        }
    }

    fn free_part(&self, start: *mut u8, old: usize, new: usize) -> bool {
        if is_first(start) {
            return false;
        }
        let freed = sys::unmap(start.addr() + new, old - new);
        if freed {
            TAKEN.fetch_sub(old - new, Ordering::Relaxed);
        }
        freed
    }

    fn free(&self, start: *mut u8, size: usize) -> bool {
        self.free_part(start, size, 0)
    }

    fn can_release_part(&self, _flags: u32) -> bool {
        true
    }

    fn allocates_zeros(&self) -> bool {
        true
    }

    fn page_size(&self) -> usize {
        PAGE
    }
}
