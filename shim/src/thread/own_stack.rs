//! Whether a pointer from the program lies in the calling thread's own stack, above the frame that asks:
//! what lies there can be read and written, and the kernel need not be asked.
//!
//! The stack's top is the thread's descriptor, which glibc puts at the upper end of the mapping that is
//! the stack, or for the main thread what the kernel put above its first frame. From there down to the
//! frame that asks every page is read once. The thread's stack is one mapping, which lasts as long as the
//! thread and only grows downwards; so what was found stays true while the frame that asks lies within it.
//! A frame on another stack (a coroutine, sigaltstack) lies outside, or there is a gap below the thread's
//! own, which the look finds.

use glasspoll_reactor::sys;

use crate::thread::context::with_thread;

/// A deeper stack is not looked through.
const MOST: usize = 1 << 20;
const PAGE: usize = 4096;

/// What a thread knows of its own stack.
#[derive(Clone, Copy)]
pub struct OwnStack {
    /// Every page from here ...
    low: usize,
    /// ... to here was read.
    top: usize,
    /// Below this there is a gap.
    gap: usize,
}

impl OwnStack {
    pub const UNKNOWN: Self = Self { low: usize::MAX, top: 0, gap: 0 };
}

/// Whether `len` bytes at `addr` do.
#[inline]
pub fn holds(addr: usize, len: usize) -> bool {
    let frame = 0u8;
    let here = std::hint::black_box(&raw const frame) as usize;
    let Some(end) = addr.checked_add(len) else { return false };
    if addr < here {
        return false;
    }
    with_thread(|thread| {
        let stack = thread.stack.get();
        if here >= stack.low && end <= stack.top {
            return true;
        }
        let looked = look(stack, here);
        thread.stack.set(looked);
        here >= looked.low && end <= looked.top
    })
}

/// Looks at what lies between the frame and the top.
#[cold]
fn look(known: OwnStack, here: usize) -> OwnStack {
    let below = |top: &usize| here < *top && *top - here <= MOST;
    // SAFETY: neither has preconditions. AT_RANDOM is the address of bytes above the main thread's first
    // frame.
    let tops = unsafe { [libc::getauxval(libc::AT_RANDOM) as usize, libc::pthread_self() as usize] };
    let Some(top) = tops.into_iter().find(below) else { return known };
    let known = if known.top == top { known } else { OwnStack { low: top, top, gap: 0 } };
    if here < known.gap {
        return known;
    }
    let low = here & !(PAGE - 1);
    let mut page = (known.low - 1) & !(PAGE - 1);
    while page >= low {
        if !sys::can_read_8(page) {
            return OwnStack { gap: page + PAGE, ..known };
        }
        page -= PAGE;
    }
    OwnStack { low: low.min(known.low), ..known }
}
