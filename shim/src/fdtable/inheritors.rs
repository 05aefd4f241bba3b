//! Whose child an eventfd or a timerfd may come to, and be read and written there unseen.

use std::sync::atomic::{fence, AtomicBool, AtomicU32, Ordering};

use glasspoll_reactor::sys;
use glasspoll_reactor::watch::KernelFile;
use libc::c_int;

use super::flags::{all_fds, flags, EVENTFD, SEEN};
use super::get;
use super::provenance::{lost_sight, FdKind};
use crate::process;
use crate::thread::context;

/// This process has made an eventfd or a timerfd.
#[link_section = "glasspoll_fork"]
pub(super) static MADE_COUNTER: AtomicBool = AtomicBool::new(false);

/// Whose child an eventfd may come to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Inheritor {
    /// One that has all of this process's files.
    Child,
    /// A program that has those that are not closed on exec, or are copied.
    Program,
}

/// How many of each are being made just now: an eventfd that is made meanwhile may be theirs, too.
#[link_section = "glasspoll_fork"]
static UNDER_WAY: [AtomicU32; 2] = [const { AtomicU32::new(0) }; 2];
/// Counts those that were made: an eventfd that was made while one was may be its, too.
#[link_section = "glasspoll_fork"]
static MADE: [AtomicU32; 2] = [const { AtomicU32::new(0) }; 2];

/// How many inheritors there were.
pub fn inheritors() -> [u32; 2] {
    [Inheritor::Child, Inheritor::Program].map(|inheritor| MADE[inheritor as usize].load(Ordering::SeqCst))
}

/// Whether an eventfd made with `flags` since there were so many inheritors may be theirs, too. It is known by its number.
pub fn has_inheritor_since(before: [u32; 2], flags: c_int) -> bool {
    fence(Ordering::SeqCst);
    // In this order: who is made meanwhile is counted before he is under way no more.
    let under_way = [Inheritor::Child, Inheritor::Program]
        .map(|inheritor| UNDER_WAY[inheritor as usize].load(Ordering::SeqCst) != 0);
    let now = inheritors();
    let may = |inheritor: Inheritor| {
        under_way[inheritor as usize] || now[inheritor as usize] != before[inheritor as usize]
    };
    may(Inheritor::Child) || flags & libc::EFD_CLOEXEC == 0 && may(Inheritor::Program)
}

/// An inheritor is about to be made, and what is there is shared with it.
pub fn inheritor_begins(inheritor: Inheritor) {
    if process::is_vfork_child() {
        return;
    }
    UNDER_WAY[inheritor as usize].fetch_add(1, Ordering::SeqCst);
    fence(Ordering::SeqCst);
}

/// It is made, or has failed.
pub fn inheritor_made(inheritor: Inheritor) {
    if process::is_vfork_child() {
        return;
    }
    MADE[inheritor as usize].fetch_add(1, Ordering::SeqCst);
    // In a child this may have been forgotten before.
    let _ = UNDER_WAY[inheritor as usize]
        .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |count| count.checked_sub(1));
}

/// In a forked child, whose own inheritors count.
pub(super) fn forked() {
    UNDER_WAY.iter().for_each(|count| count.store(0, Ordering::SeqCst));
}

/// There is a child, or is about to be, that has all eventfds as well.
pub fn share_counters() {
    MADE[Inheritor::Child as usize].fetch_add(1, Ordering::SeqCst);
    if MADE_COUNTER.swap(false, Ordering::SeqCst) {
        all_fds().for_each(share_counter);
    }
}

/// Numbers of which a spawned program is to have a copy, closed on exec or not. They are not taken back: the actions that
/// say so may be used again.
static COPIED: [AtomicU32; 2048] = [const { AtomicU32::new(0) }; 2048];

fn copied(fd: c_int) -> Option<(&'static AtomicU32, u32)> {
    let fd = fd as u32;
    COPIED.get((fd / 32) as usize).map(|word| (word, 1 << (fd % 32)))
}

/// Programs that will be spawned may have a copy of this number.
pub fn will_be_copied(fd: c_int) {
    if let Some((word, bit)) = copied(fd) {
        word.fetch_or(bit, Ordering::SeqCst);
    }
}

/// Another program is about to start that has those eventfds as well that are not closed on exec, or are copied.
pub fn share_kept_counters() {
    MADE[Inheritor::Program as usize].fetch_add(1, Ordering::SeqCst);
    if MADE_COUNTER.load(Ordering::SeqCst) {
        let is_kept = |fd: &c_int| {
            is_counter(*fd)
                && (sys::fcntl(*fd, libc::F_GETFD, 0).is_ok_and(|all| all & libc::FD_CLOEXEC == 0)
                    // Of those above nobody keeps count.
                    || copied(*fd).is_none_or(|(word, bit)| word.load(Ordering::SeqCst) & bit != 0))
        };
        all_fds().filter(is_kept).for_each(share_counter);
    }
}

fn is_counter(fd: c_int) -> bool {
    let known = flags(fd);
    known & EVENTFD != 0 || known & SEEN != 0 && FdKind::of(known) == FdKind::Timerfd
}

/// Another process may have the file behind this number from now on. Only an eventfd or a timerfd changes by that.
pub fn share_counter(fd: c_int) {
    if !is_counter(fd) {
        return;
    }
    lost_sight(fd);
    if context::is_early_child() {
        // Once settled, this process counts all its files as shared.
        return;
    }
    if let Some(device) = get(fd).as_ref().and_then(|file| file.device_as::<KernelFile>()) {
        device.share_counter();
    }
}
