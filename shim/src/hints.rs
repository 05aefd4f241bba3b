//! What the program's reads tell of a file whose readiness is asked for, not told (`reactor::hot`).
//!
//! Costs a store where there is something to tell, and nothing on other descriptors. Nothing depends on
//! a hint that is missing but speed.

use std::sync::atomic::{AtomicU32, AtomicU8, Ordering};

use glasspoll_reactor::watch::Told;
use libc::{c_int, size_t, ssize_t};

use crate::real::errno;
use crate::table;

/// A read got less than it asked for.
const SHORT: u8 = 1;
/// A read got EAGAIN.
const AGAIN: u8 = 2;
/// Something was read.
const TOOK: u8 = 4;

static TOLD: [AtomicU8; table::NUMBERS] = [const { AtomicU8::new(0) }; table::NUMBERS];

static TAKEN: [AtomicU32; table::NUMBERS] = [const { AtomicU32::new(0) }; table::NUMBERS];

fn tell(fd: c_int, bit: u8) {
    if let Some(told) = usize::try_from(fd).ok().and_then(|fd| TOLD.get(fd)) {
        told.fetch_or(bit, Ordering::AcqRel);
    }
}

/// What was told since the last time.
pub fn take(fd: c_int) -> Told {
    let told = usize::try_from(fd).ok().and_then(|fd| Some((TOLD.get(fd)?, TAKEN.get(fd)?)));
    let Some((told, taken)) = told.filter(|(told, _)| told.load(Ordering::Acquire) != 0) else {
        return Told::default();
    };
    let taken = taken.swap(0, Ordering::AcqRel);
    let told = told.swap(0, Ordering::AcqRel);
    let [short, again] = [SHORT, AGAIN].map(|bit| told & bit != 0);
    Told { short, again, taken }
}

/// A read, with `flags` as recv(2) takes them, of up to `wanted` bytes.
#[inline]
pub fn read(fd: c_int, got: ssize_t, wanted: size_t, flags: c_int) {
    if flags & (libc::MSG_PEEK | libc::MSG_OOB | libc::MSG_ERRQUEUE) != 0 {
        return;
    }
    match got {
        // The end: it stays.
        0 => {}
        1.. if (got as size_t) < wanted => tell(fd, SHORT),
        1.. => {
            if let Some(taken) = usize::try_from(fd).ok().and_then(|fd| TAKEN.get(fd)) {
                taken.fetch_add(got as u32, Ordering::AcqRel);
            }
            tell(fd, TOOK);
        }
        _ if errno() == libc::EAGAIN => tell(fd, AGAIN),
        _ => {}
    }
}
