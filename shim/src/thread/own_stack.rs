//! Whether a pointer from the program lies in the calling thread's own stack, above the calling frame. That memory can
//! be read and written, so we need not ask the kernel.
//!
//! The stack's top is the thread's descriptor, which glibc puts at the upper end of the stack's mapping; for the main
//! thread it is what the kernel put above its first frame. From there down to the calling frame we read every page
//! once. The stack is one mapping, which lives as long as the thread and only grows downwards. So the result holds as
//! long as the calling frame lies within it. A frame on another stack (a coroutine, sigaltstack) lies outside, or the
//! search finds a gap below the thread's own stack.

use std::cell::Cell;
use std::ops::Range;

use glasspoll_reactor::sys;

/// Deeper stacks are not searched.
const MOST: usize = 1 << 20;
const PAGE: usize = 4096;

/// What a thread knows of its own stack.
pub struct OwnStack(Cell<Searched>);

#[derive(Clone, Copy)]
struct Searched {
    /// We have read every page from here ...
    low: usize,
    /// ... to here.
    top: usize,
    /// Below this there is a gap.
    gap: usize,
}

impl OwnStack {
    /// We have read no page of it.
    pub const fn unknown() -> Self {
        Self(Cell::new(Searched { low: usize::MAX, top: 0, gap: 0 }))
    }

    /// Whether `len` bytes at `addr` lie there. `self` belongs to the calling thread.
    #[inline]
    pub fn holds(&self, addr: usize, len: usize) -> bool {
        let frame = 0u8;
        let here = std::hint::black_box(&raw const frame) as usize;
        let Some(end) = addr.checked_add(len) else { return false };
        if addr < here {
            return false;
        }
        let known = self.0.get();
        if here >= known.low && end <= known.top {
            return true;
        }
        let found = look(known, here);
        self.0.set(found);
        here >= found.low && end <= found.top
    }

    /// What of it lies above the calling frame; empty if that frame is on another stack.
    #[inline(never)]
    pub fn above(&self) -> Range<usize> {
        let frame = 0u8;
        let here = std::hint::black_box(&raw const frame) as usize;
        let is_there = |known: Searched| here >= known.low && here < known.top;
        if !is_there(self.0.get()) {
            self.0.set(look(self.0.get(), here));
        }
        let known = self.0.get();
        if is_there(known) {
            here..known.top
        } else {
            0..0
        }
    }
}

/// Reads the pages between the calling frame and the top.
#[cold]
fn look(known: Searched, here: usize) -> Searched {
    let below = |top: &usize| here < *top && *top - here <= MOST;
    // SAFETY: neither has preconditions. AT_RANDOM is the address of bytes above the main thread's first
    // frame.
    let tops = unsafe { [libc::getauxval(libc::AT_RANDOM) as usize, libc::pthread_self() as usize] };
    let Some(top) = tops.into_iter().find(below) else { return known };
    let known = if known.top == top { known } else { Searched { low: top, top, gap: 0 } };
    if here < known.gap {
        return known;
    }
    let low = here & !(PAGE - 1);
    let mut page = (known.low - 1) & !(PAGE - 1);
    while page >= low {
        if !sys::can_read_8(page) {
            return Searched { gap: page + PAGE, ..known };
        }
        page -= PAGE;
    }
    Searched { low: low.min(known.low), ..known }
}
