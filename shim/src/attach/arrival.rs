//! Whether the library came with the program or late.
//!
//! If the program's loader loaded it (LD_PRELOAD, or the program is linked with it), it stands before libc in the
//! loader's list, so its names come before libc's. If the program called dlopen(3) for it, it stands at the list's end:
//! no name leads to it, and it sleeps until `glasspoll_attach`. In a static program it sleeps for ever: the program's
//! calls do not come through slots, and its threads lack what the library's thread-locals need.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use super::glibc;
use super::objects;

const UNKNOWN: u8 = 0;
const WITH_THE_PROGRAM: u8 = 1;
const LATE: u8 = 2;
const IN_A_STATIC_PROGRAM: u8 = 3;

static ARRIVAL: AtomicU8 = AtomicU8::new(UNKNOWN);

/// Whether the library came late.
#[inline]
pub fn is_late() -> bool {
    match ARRIVAL.load(Ordering::Relaxed) {
        UNKNOWN => find() != WITH_THE_PROGRAM,
        known => known != WITH_THE_PROGRAM,
    }
}

/// Whether a static program called dlopen(3) for the library.
pub fn is_in_a_static_program() -> bool {
    is_late() && ARRIVAL.load(Ordering::Relaxed) == IN_A_STATIC_PROGRAM
}

/// Whether a library that came late is attached.
static IS_ATTACHED: AtomicBool = AtomicBool::new(false);

/// Whether the library is attached.
#[inline]
pub fn is_attached() -> bool {
    IS_ATTACHED.load(Ordering::Acquire)
}

/// Called at an attach and at its end.
pub(super) fn set_attached(now: bool) {
    IS_ATTACHED.store(now, Ordering::Release);
}

#[cold]
fn find() -> u8 {
    let (mut found, mut is_first) = (IN_A_STATIC_PROGRAM, true);
    objects::each(None, &mut |object| {
        // The program is the first.
        let is_static = is_first && !object.has_interpreter();
        is_first = false;
        if !is_static {
            if object.is_ours() {
                found = WITH_THE_PROGRAM;
            } else if glibc::is_libc(object) {
                found = LATE;
            } else {
                return ControlFlow::Continue(());
            }
        }
        ControlFlow::Break(())
    });
    ARRIVAL.store(found, Ordering::Relaxed);
    found
}
