//! Memory apart from the heap, for the time after the heap's lock was abandoned (`reactor::sync::abandoned`): the threads
//! that are in a call of ours then need a little to get out. Nothing of it is freed.

use std::alloc::Layout;
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};

use glasspoll_reactor::sys;

/// Pages that are never written take no memory.
const BYTES: usize = 16 << 20;

/// Where it begins. 0: it is not mapped yet.
static START: AtomicUsize = AtomicUsize::new(0);
static USED: AtomicUsize = AtomicUsize::new(0);

/// Takes a piece. Null: there is no more.
#[cold]
pub fn take(layout: Layout) -> *mut u8 {
    let mut start = START.load(Ordering::Acquire);
    if start == 0 {
        let Ok(mapped) = sys::map(BYTES) else { return ptr::null_mut() };
        start = match START.compare_exchange(0, mapped, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => mapped,
            Err(other) => {
                sys::unmap(mapped, BYTES);
                other
            }
        };
    }
    let align = layout.align().max(16);
    let size = layout.size().next_multiple_of(align) + align;
    let at = USED.fetch_add(size, Ordering::Relaxed);
    if at.saturating_add(size) > BYTES {
        return ptr::null_mut();
    }
    ptr::with_exposed_provenance_mut((start + at).next_multiple_of(align))
}

/// Whether a piece is from here.
#[inline]
pub fn is_there(piece: *mut u8) -> bool {
    let start = START.load(Ordering::Relaxed);
    start != 0 && (start..start + BYTES).contains(&piece.addr())
}
