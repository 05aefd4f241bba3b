//! Inheritors: children and programs that get an eventfd or a timerfd, and read and write it unseen.

use std::sync::atomic::{fence, AtomicU32, Ordering};

use glasspoll_reactor::sys;
use glasspoll_reactor::watch::KernelFile;
use libc::c_int;

use super::fd_kind::FdKind;
use super::fd_ref::get;
use super::flags::{all_fds, flags, EVENTFD, SEEN};
use super::provenance::{lost_sight, MADE_COUNTER};
use crate::process;
use crate::thread::context;

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

/// A child that has all eventfds exists, or is about to.
pub fn share_counters() {
    MADE[Inheritor::Child as usize].fetch_add(1, Ordering::SeqCst);
    if MADE_COUNTER.swap(false, Ordering::SeqCst) {
        all_fds().for_each(share_counter);
    }
}

/// The fds that a spawned program gets a copy of, with or without close-on-exec. They stay here: the program may use
/// the file actions again.
static COPIED: [AtomicU32; 2048] = [const { AtomicU32::new(0) }; 2048];

fn copied(fd: c_int) -> Option<(&'static AtomicU32, u32)> {
    let fd = fd as u32;
    COPIED.get((fd / 32) as usize).map(|word| (word, 1 << (fd % 32)))
}

/// Spawned programs may get a copy of this fd.
pub fn will_be_copied(fd: c_int) {
    if let Some((word, bit)) = copied(fd) {
        word.fetch_or(bit, Ordering::SeqCst);
    }
}

/// A program is about to start that gets the eventfds that are copied or have no close-on-exec.
pub fn share_kept_counters() {
    MADE[Inheritor::Program as usize].fetch_add(1, Ordering::SeqCst);
    if MADE_COUNTER.load(Ordering::SeqCst) {
        let is_kept = |fd: &c_int| {
            is_counter(*fd)
                && (sys::fcntl(*fd, libc::F_GETFD, 0).is_ok_and(|all| all & libc::FD_CLOEXEC == 0)
                    // Fds past the end of `COPIED` count as copied.
                    || copied(*fd).is_none_or(|(word, bit)| word.load(Ordering::SeqCst) & bit != 0))
        };
        all_fds().filter(is_kept).for_each(share_counter);
    }
}

fn is_counter(fd: c_int) -> bool {
    let known = flags(fd);
    known & EVENTFD != 0 || known & SEEN != 0 && FdKind::of(known) == FdKind::Timerfd
}

/// From now on another process may have the file behind this fd. Changes only eventfds and timerfds.
pub fn share_counter(fd: c_int) {
    if !is_counter(fd) {
        return;
    }
    lost_sight(fd);
    if context::is_early_child() {
        // When this child adopts, it counts all its files as shared.
        return;
    }
    if let Some(device) = get(fd).as_ref().and_then(|file| file.device_as::<KernelFile>()) {
        device.share_counter();
    }
}
