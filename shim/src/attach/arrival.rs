//! Whether the library came with the program or late.
//!
//! If the program's loader loaded it (LD_PRELOAD, or the program is linked with it), it stands before libc in the
//! loader's list, so its names come before libc's. If the program called dlopen(3) for it, it stands at the list's end:
//! no name leads to it, and it sleeps until `glasspoll_attach`.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use super::glibc;
use super::objects;

const UNKNOWN: u8 = 0;
const WITH_THE_PROGRAM: u8 = 1;
const LATE: u8 = 2;

static ARRIVAL: AtomicU8 = AtomicU8::new(UNKNOWN);

/// Whether the library came late.
#[inline]
pub fn is_late() -> bool {
    match ARRIVAL.load(Ordering::Relaxed) {
        UNKNOWN => find(),
        known => known == LATE,
    }
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
fn find() -> bool {
    let mut is_late = false;
    objects::each(None, &mut |object| {
        if object.is_ours() {
            return ControlFlow::Break(());
        }
        is_late = glibc::is_libc(object);
        if is_late {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    });
    ARRIVAL.store(if is_late { LATE } else { WITH_THE_PROGRAM }, Ordering::Relaxed);
    is_late
}
