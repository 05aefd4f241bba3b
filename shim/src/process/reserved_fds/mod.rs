//! Our own descriptors step aside when the program puts one of its own on their number, and move on when its numbers
//! come near: it gets those that it would get without us. `parker_pool` are the eventfds of threads in poll(2).
//!
//! Locks: `parker_pool::POOL`, for a look-up only.

pub mod parker_pool;

use std::sync::atomic::{AtomicI32, Ordering};

use glasspoll_reactor::sys;
use libc::c_int;

use crate::fdtable;
use crate::interpose::guarded;
use crate::process::{self, logs, record};
use crate::thread::context;

/// From this number on the program's are near to ours.
static NEAR: AtomicI32 = AtomicI32::new(i32::MAX);

/// Gives the descriptor of ours at `fd` another number.
pub fn make_way(fd: c_int) {
    let Some(_guard) = context::enter() else { return };
    let other = sys::duplicate_high(fd).or_else(|| sys::fcntl(fd, libc::F_DUPFD_CLOEXEC, 64).ok());
    if let Some(other) = other {
        moved(fd, other);
    }
}

fn moved(from: c_int, to: c_int) {
    fdtable::protect(to);
    fdtable::unprotect(from);
    if let Some(watch) = process::WATCH.get() {
        watch.moved(from, to);
    }
    parker_pool::moved(from, to);
    logs::moved(from, to);
    record::moved(from, to);
}

/// There is a descriptor of ours at `fd`.
pub fn is_at(fd: c_int) {
    NEAR.fetch_min(fd - sys::GAP as c_int, Ordering::Relaxed);
}

/// The program has changed its limit of descriptors: what could not move may be able to now.
pub fn limit_changed() {
    process::descriptors().into_iter().for_each(is_at);
}

/// The program got the number `fd`: if it is near to ours, they move on.
#[inline]
pub fn keep_clear_of(fd: c_int) {
    if fd >= NEAR.load(Ordering::Relaxed) {
        guarded((), || move_on(fd));
    }
}

/// The program is about to get the first free number from `least` on.
pub fn keep_clear_from(least: usize) {
    let Ok(fd) = c_int::try_from(least) else { return };
    let is_possible = || sys::descriptor_limits().is_none_or(|[soft, _]| (least as u64) < soft);
    if fd >= NEAR.load(Ordering::Relaxed) && !process::is_vfork_child() && is_possible() {
        keep_clear_of(fd);
    }
}

#[cold]
fn move_on(fd: c_int) {
    let Some(_guard) = context::enter_as_is() else { return };
    let floor = sys::stay_above(fd);
    NEAR.store(i32::MAX, Ordering::Relaxed);
    if context::is_early_child() {
        // They are the parent's. This child's own will be above.
        return;
    }
    for ours in process::descriptors().into_iter().filter(|ours| *ours < floor) {
        let Some(other) = sys::with_raised_limit(|| sys::duplicate_high(ours)) else { continue };
        let higher = other > ours;
        if higher {
            moved(ours, other);
        }
        let _ = sys::close(if higher { ours } else { other });
    }
    if process::descriptors().into_iter().any(|ours| ours < floor) {
        // They are where the limit of numbers is. There is no further.
        NEAR.store(i32::MAX, Ordering::Relaxed);
    }
}
