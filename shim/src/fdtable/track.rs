//! How an fd that is open gets its file in the table: by its provenance, or by asking the kernel.

use std::sync::Arc;

use glasspoll_reactor::file::{self, File};
use glasspoll_reactor::sys::{self, Errno};
use glasspoll_reactor::watch::{KernelFile, Ownership};

use super::closing::wait_for_close;
use super::entering::enter;
use super::fd_kind::FdKind;
use super::fd_ref::get;
use super::flags::{
    flags, word, BLOCKING, CLOSING, EPOLL, EVENTFD, INHERITED, IO, NONBLOCK, OURS, SEEN, TRACKED,
};
use super::identity;
use super::leaving::forget;
use super::siblings::enter_siblings;

/// The file behind an open fd, which is tracked from now on.
///
/// # Errors
/// EBADF if the fd is not open.
pub fn track(fd: i32) -> Result<Arc<File>, Errno> {
    if flags(fd) & EPOLL != 0 {
        return get(fd).ok_or(Errno::EBADF);
    }
    wait_for_close(fd);
    track_seen(fd).map_or_else(|| track_unseen(fd), Ok)
}

/// An fd of known provenance: asks the kernel nothing.
fn track_seen(fd: i32) -> Option<Arc<File>> {
    let known = flags(fd);
    if known & SEEN == 0 {
        return None;
    }
    if known & TRACKED != 0 {
        return get(fd);
    }
    let kind = FdKind::of(known);
    let device = KernelFile::of_kind(fd, kind.device_kind()?);
    let file = File::new(fd, file::Backing::Kernel(device));
    let bits = |now: u32| {
        let blocking = if kind.is_socket() && now & NONBLOCK == 0 { BLOCKING } else { 0 };
        let eventfd = if kind == FdKind::Eventfd { IO } else { 0 };
        (now & SEEN != 0).then_some(blocking | eventfd)
    };
    enter(fd, file, bits).ok()
}

fn track_unseen(fd: i32) -> Result<Arc<File>, Errno> {
    let stat = match sys::fstat(fd) {
        Err(errno) if errno != Errno::EBADF => return track_unknown(fd),
        stat => stat?,
    };
    let identity = (stat.st_dev, stat.st_ino);
    if let Some(file) = get(fd) {
        match identity::get(fd) {
            Some(known) if known != identity => {}
            known => {
                if known.is_none() {
                    identity::note(fd, identity);
                }
                return Ok(file);
            }
        }
    }
    if flags(fd) & TRACKED != 0 {
        // It was closed unseen.
        forget(fd);
    }
    if flags(fd) & (OURS | CLOSING) != 0 || word(fd).is_none() {
        return Err(Errno::EBADF);
    }
    let status = match sys::fcntl(fd, libc::F_GETFL, 0) {
        // Refused (by seccomp, say): assume that it has both.
        Err(errno) if errno != Errno::EBADF => libc::O_ASYNC | libc::O_NONBLOCK,
        status => status?,
    };
    // With O_ASYNC the program takes signals from it itself.
    let shared = flags(fd) & INHERITED != 0 || status & libc::O_ASYNC != 0;
    let ownership = if shared { Ownership::Shared } else { Ownership::Alone };
    let kind = stat.st_mode & libc::S_IFMT;
    let eventfd = if kind == 0 && is_eventfd(fd) { EVENTFD | IO } else { 0 };
    let blocking = if kind == libc::S_IFSOCK && status & libc::O_NONBLOCK == 0 { BLOCKING } else { 0 };
    let device = KernelFile::new(fd, ownership);
    if kind == libc::S_IFCHR {
        device.look_for_terminal();
    }
    let file = File::new(fd, file::Backing::Kernel(device));
    let file = enter(fd, file, |_| Some(eventfd | blocking))?;
    if identity::get(fd).is_none() {
        identity::note(fd, identity);
    }
    if flags(fd) & INHERITED != 0 {
        enter_siblings(fd, identity);
    }
    Ok(file)
}

/// An fd about which the kernel refuses to say anything. It is polled, whatever it is.
fn track_unknown(fd: i32) -> Result<Arc<File>, Errno> {
    if let Some(file) = get(fd) {
        return Ok(file);
    }
    if flags(fd) & (OURS | CLOSING) != 0 || word(fd).is_none() {
        return Err(Errno::EBADF);
    }
    let eventfd = if is_eventfd(fd) { EVENTFD | IO } else { 0 };
    let file = File::new(fd, file::Backing::Kernel(KernelFile::new(fd, Ownership::Shared)));
    enter(fd, file, |_| Some(eventfd))
}

fn is_eventfd(fd: i32) -> bool {
    if flags(fd) & EVENTFD != 0 {
        return true;
    }
    let path = format!("/proc/self/fd/{fd}\0");
    let mut link = [0u8; 64];
    let read = sys::readlink(path.as_bytes(), &mut link).unwrap_or(0);
    link[..read].starts_with(b"anon_inode:[eventfd]")
}
