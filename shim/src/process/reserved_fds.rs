//! Our own descriptors. If the program puts a descriptor on the fd of one, that one moves aside. If the program's fds
//! come near, all of ours move up. So the program gets the fds that it would get without us.

use glasspoll_reactor::sys;
use libc::c_int;

use crate::fdtable::{self, ours, OURS};
use crate::process::{self, logs, record};
use crate::thread::context;
use crate::thread::guarded::guarded;

/// Moves our descriptor at `fd` to another fd.
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
    logs::moved(from, to);
    record::moved(from, to);
}

/// The program has changed its limit of descriptors. Those of ours that could not move may be able to now.
pub fn limit_changed() {
    process::descriptors().into_iter().for_each(ours::are_at);
}

/// The program got `fd`. If it is near to ours, ours move up.
#[inline]
pub fn keep_clear_of(fd: c_int) {
    if ours::are_near(fd) {
        guarded((), || move_on(fd));
    }
}

/// Called before the program gets the first free fd from `least` on.
pub fn keep_clear_from(least: usize) {
    let Ok(fd) = c_int::try_from(least) else { return };
    let is_possible = || sys::descriptor_limits().is_none_or(|[soft, _]| (least as u64) < soft);
    if ours::are_near(fd) && !process::is_vfork_child() && is_possible() {
        keep_clear_of(fd);
    }
}

#[cold]
fn move_on(fd: c_int) {
    let Some(_guard) = context::enter_as_is() else { return };
    let floor = sys::stay_above(fd);
    ours::are_far();
    if context::is_early_child() {
        // They are the parent's. This child will make its own above them.
        return;
    }
    for own in process::descriptors().into_iter().filter(|own| *own < floor) {
        let Some(other) = sys::with_raised_limit(|| sys::duplicate_high(own)) else { continue };
        let higher = other > own;
        if higher {
            moved(own, other);
        }
        let _ = sys::close(if higher { own } else { other });
    }
    if process::descriptors().into_iter().any(|own| own < floor) {
        // They are at the limit, and cannot go higher.
        ours::are_far();
    }
}

/// The first of our own fds from `from` to `to`.
pub fn first_from(from: u32, to: u32) -> Option<u32> {
    let _guard = context::enter_as_is();
    let own = process::descriptors().into_iter().filter(|fd| fdtable::flags(*fd) & OURS != 0);
    own.filter_map(|fd| u32::try_from(fd).ok()).filter(|fd| (from..=to).contains(fd)).min()
}
