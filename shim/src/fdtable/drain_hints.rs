//! Drain hints: what the program's reads say about a file that is polled instead of signalled (`reactor::hot`), or that
//! was just delivered (`reactor::eventpoll::rest`).
//!
//! A hint costs two stores, and nothing on other descriptors. A missing hint costs only speed.

use std::sync::atomic::{AtomicU8, Ordering};

use glasspoll_reactor::watch::DrainHint;
use libc::{c_int, size_t, ssize_t};

use super::tables::NR_OPEN;
use crate::errno::errno;
use crate::thread::with_thread;

/// A read got less than it asked for.
const SHORT: u8 = 1;
/// A read got EAGAIN.
const AGAIN: u8 = 2;

static HINTS: [AtomicU8; NR_OPEN] = [const { AtomicU8::new(0) }; NR_OPEN];

fn leave(fd: c_int, bit: u8) {
    if let Some(hint) = usize::try_from(fd).ok().and_then(|fd| HINTS.get(fd)) {
        hint.fetch_or(bit, Ordering::AcqRel);
    }
    with_thread(|thread| thread.emptied.set(fd + 1));
}

/// Forgets which file the calling thread has emptied.
pub fn forget() {
    with_thread(|thread| thread.emptied.set(0));
}

/// Whether a read of `fd` is the last one by which the calling thread has emptied a file since `forget`.
pub fn has_emptied(fd: c_int) -> bool {
    with_thread(|thread| thread.emptied.get() == fd + 1)
}

/// Takes the hint that reads have left since the last call.
pub fn take(fd: c_int) -> DrainHint {
    let hint = usize::try_from(fd).ok().and_then(|fd| HINTS.get(fd));
    let Some(hint) = hint.filter(|hint| hint.load(Ordering::Acquire) != 0) else {
        return DrainHint::default();
    };
    let hint = hint.swap(0, Ordering::AcqRel);
    let [short, again] = [SHORT, AGAIN].map(|bit| hint & bit != 0);
    DrainHint { short, again }
}

/// Called after a read of up to `wanted` bytes. `flags` are those of recv(2).
#[inline]
pub fn read(fd: c_int, got: ssize_t, wanted: size_t, flags: c_int) {
    if flags & (libc::MSG_PEEK | libc::MSG_OOB | libc::MSG_ERRQUEUE) != 0 {
        return;
    }
    // 0 bytes are end of file, which stays.
    if got > 0 && (got as size_t) < wanted {
        leave(fd, SHORT);
    } else if got < 0 && errno() == libc::EAGAIN {
        leave(fd, AGAIN);
    }
}
