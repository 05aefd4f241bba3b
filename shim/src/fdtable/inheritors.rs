//! Inheritors: children and programs that get an eventfd or a timerfd, and read and write it unseen.

use std::sync::atomic::{AtomicU32, Ordering};

use glasspoll_reactor::sys;
use glasspoll_reactor::watch::KernelFile;
use libc::c_int;

use super::fd_kind::FdKind;
use super::fd_ref::get;
use super::flags::{all_fds, flags, EVENTFD, SEEN};
use super::inheritor_count::{count, Inheritor};
use super::provenance::{lost_sight, MADE_COUNTER};
use crate::thread::context;

/// A child that has all eventfds exists, or is about to.
pub fn share_counters() {
    count(Inheritor::Child);
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
    count(Inheritor::Program);
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
