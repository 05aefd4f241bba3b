//! What is behind a file that a set gets: a device that reports its wakeups, or one that does nothing, because the kernel
//! watches the file.

use std::sync::atomic::{AtomicBool, Ordering};

use glasspoll_reactor::eventpoll::observed::Unwatched;
use glasspoll_reactor::file::{Backing, File};
use glasspoll_reactor::sys;
use glasspoll_reactor::watch::KernelFile;

use super::fd_ref::{get, FdRef};
use super::flags::INHERITED;
use super::inheritor_count::inheritors;

/// No file has a device that watches it.
static UNWATCHED: AtomicBool = AtomicBool::new(false);

/// From now on the kernel watches all files.
pub fn watch_nothing() {
    UNWATCHED.store(true, Ordering::Relaxed);
}

/// Whether the kernel watches all files.
pub(super) fn watches_nothing() -> bool {
    UNWATCHED.load(Ordering::Relaxed)
}

/// What is behind `fd`'s file; `watched` makes the device that watches it.
pub(super) fn of(fd: FdRef, watched: impl FnOnce() -> KernelFile) -> Backing {
    if !watches_nothing() {
        return Backing::Kernel(watched());
    }
    let device = Unwatched::new(inheritors());
    if fd.is(INHERITED) {
        device.share();
    }
    Backing::Device(Box::new(device))
}

/// Called before an fd leaves a file that the kernel watches: finds out whether another process may have the file.
pub(super) fn note_sharers(fd: i32, file: &File) {
    let Some(device) = file.device_as::<Unwatched>() else { return };
    if file.wait_head().is_empty() {
        return;
    }
    let [children, programs] = inheritors();
    let [children_then, programs_then] = device.inheritors_then();
    let is_kept = || sys::fcntl(fd, libc::F_GETFD, 0).is_ok_and(|all| all & libc::FD_CLOEXEC == 0);
    if children != children_then || programs != programs_then && is_kept() {
        device.share();
    }
}

/// The flags of a file that is watched. In a file that is not, no read or write is noted for its device.
pub(super) fn noted(bits: u32) -> u32 {
    if watches_nothing() {
        0
    } else {
        bits
    }
}

/// From now on another process may have the file behind `fd`. Changes only files that the kernel watches.
pub(super) fn share(fd: i32) {
    if let Some(device) = get(fd).as_ref().and_then(|file| file.device_as::<Unwatched>()) {
        device.share();
    }
}
