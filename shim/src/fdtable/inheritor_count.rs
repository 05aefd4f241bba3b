//! How many children and programs this process has made, which may have its files.

use std::sync::atomic::{fence, AtomicU32, Ordering};

use libc::c_int;

use crate::process;

/// What may get an eventfd of this process.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Inheritor {
    /// A child, which gets all of this process's files.
    Child,
    /// A program, which gets the files that are copied or have no close-on-exec.
    Program,
}

/// How many of each are under way: they may also get an eventfd that is made meanwhile.
#[link_section = "glasspoll_fork"]
static UNDER_WAY: [AtomicU32; 2] = [const { AtomicU32::new(0) }; 2];
/// Counts those that were made: they may also have an eventfd that was made at that time.
#[link_section = "glasspoll_fork"]
static MADE: [AtomicU32; 2] = [const { AtomicU32::new(0) }; 2];

/// How many inheritors there were, of each kind.
pub fn inheritors() -> [u32; 2] {
    [Inheritor::Child, Inheritor::Program].map(|inheritor| MADE[inheritor as usize].load(Ordering::SeqCst))
}

/// Whether an inheritor may also have an eventfd that was made with `flags` since `before`. Its fd is known.
pub fn has_inheritor_since(before: [u32; 2], flags: c_int) -> bool {
    fence(Ordering::SeqCst);
    // In this order: an inheritor that finishes in between is counted before it stops being under way.
    let under_way = [Inheritor::Child, Inheritor::Program]
        .map(|inheritor| UNDER_WAY[inheritor as usize].load(Ordering::SeqCst) != 0);
    let now = inheritors();
    let may = |inheritor: Inheritor| {
        under_way[inheritor as usize] || now[inheritor as usize] != before[inheritor as usize]
    };
    may(Inheritor::Child) || flags & libc::EFD_CLOEXEC == 0 && may(Inheritor::Program)
}

/// Called before an inheritor is made. It gets what exists now.
pub fn inheritor_begins(inheritor: Inheritor) {
    if process::is_vfork_child() {
        return;
    }
    UNDER_WAY[inheritor as usize].fetch_add(1, Ordering::SeqCst);
    fence(Ordering::SeqCst);
}

/// The inheritor exists, or the call failed.
pub fn inheritor_made(inheritor: Inheritor) {
    if process::is_vfork_child() {
        return;
    }
    MADE[inheritor as usize].fetch_add(1, Ordering::SeqCst);
    // A forked child may have reset the count already.
    let _ = UNDER_WAY[inheritor as usize]
        .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |count| count.checked_sub(1));
}

/// In a forked child. Only its own inheritors count.
pub(super) fn forked() {
    UNDER_WAY.iter().for_each(|count| count.store(0, Ordering::SeqCst));
}

/// Counts an inheritor that exists, or is about to.
pub(super) fn count(inheritor: Inheritor) {
    MADE[inheritor as usize].fetch_add(1, Ordering::SeqCst);
}
