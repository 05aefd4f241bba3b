//! The library's own descriptors: which they are, and how near the program's come to them.

use std::sync::atomic::{AtomicI32, Ordering};

use glasspoll_reactor::sys;

use super::flags::{set_ours, unset, OURS};

/// How many of them we protect from the program's closes by range, at most.
pub const MOST_OURS: usize = 1024;

/// An fd of the program from here on is near to ours.
static NEAR: AtomicI32 = AtomicI32::new(i32::MAX);

/// Marks a descriptor as ours.
pub fn protect(fd: i32) {
    set_ours(fd);
    are_at(fd);
}

/// Takes that mark off.
pub fn unprotect(fd: i32) {
    unset(fd, OURS);
}

/// A descriptor of ours is at `fd`.
pub fn are_at(fd: i32) {
    NEAR.fetch_min(fd - sys::GAP as i32, Ordering::Relaxed);
}

/// Whether an fd of the program is near to ours.
#[inline]
pub fn are_near(fd: i32) -> bool {
    fd >= NEAR.load(Ordering::Relaxed)
}

/// From now on nothing is near, until `are_at` says where ours are.
pub fn are_far() {
    NEAR.store(i32::MAX, Ordering::Relaxed);
}
