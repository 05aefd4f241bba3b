//! How an fd that is open gets its file in the table: by its provenance, or by asking the kernel.

use glasspoll_reactor::file::File;
use glasspoll_reactor::sys::{self, Errno};
use glasspoll_reactor::watch::{KernelFile, Ownership};

use super::backing;
use super::closing::wait_for_close;
use super::entering::enter;
use super::fd_kind::FdKind;
use super::fd_ref::{FdRef, Held};
use super::flags::{
    word, BLOCKING, CLOSING, EPOLL, EVENTFD, INHERITED, IO, KERNEL_SET, NONBLOCK, OURS, SEEN, TRACKED,
};
use super::identity;
use super::leaving::forget;
use super::siblings::enter_siblings;

/// The file behind an open fd, held, which is tracked from now on.
///
/// # Errors
/// EBADF if the fd is not open.
pub fn track(fd: FdRef) -> Result<Held, Errno> {
    if fd.is(EPOLL | KERNEL_SET) {
        return fd.hold().ok_or(Errno::EBADF);
    }
    let fd = if fd.is(CLOSING) {
        wait_for_close(fd.fd());
        FdRef::of(fd.fd())
    } else {
        fd
    };
    track_seen(fd).map_or_else(|| track_unseen(fd), Ok)
}

/// An fd of known provenance: asks the kernel nothing.
fn track_seen(fd: FdRef) -> Option<Held> {
    if !fd.is(SEEN) {
        return None;
    }
    if fd.is(TRACKED) {
        return fd.hold();
    }
    let kind = fd.kind();
    let device = kind.device_kind()?;
    let file = File::new(fd.fd(), backing::of(fd, || KernelFile::of_kind(fd.fd(), device)));
    let bits = |now: u32| {
        let blocking = if kind.is_socket() && now & NONBLOCK == 0 { BLOCKING } else { 0 };
        let eventfd = if kind == FdKind::Eventfd { IO } else { 0 };
        // Otherwise another thread has closed the fd, and it stands for another file.
        (now & SEEN != 0 && FdKind::of(now) == kind).then_some(backing::noted(blocking | eventfd))
    };
    enter(fd.fd(), file, bits).ok()
}

fn track_unseen(fd: FdRef) -> Result<Held, Errno> {
    let number = fd.fd();
    let stat = match sys::fstat(number) {
        Err(errno) if errno != Errno::EBADF => return track_unknown(fd),
        stat => stat?,
    };
    let identity = (stat.st_dev, stat.st_ino);
    // Looked up again: asking the kernel took its time.
    let mut fd = FdRef::of(number);
    if let Some(held) = fd.hold() {
        match identity::get(number) {
            Some(known) if known != identity => {}
            known => {
                if known.is_none() {
                    identity::note(number, identity);
                }
                return Ok(held);
            }
        }
    }
    if fd.is(TRACKED) {
        // The program closed it unseen.
        forget(number);
        fd = FdRef::of(number);
    }
    if fd.is(OURS | CLOSING) || word(number).is_none() {
        return Err(Errno::EBADF);
    }
    let status = match sys::fcntl(number, libc::F_GETFL, 0) {
        // Refused (by seccomp, say): assume that it has both.
        Err(errno) if errno != Errno::EBADF => libc::O_ASYNC | libc::O_NONBLOCK,
        status => status?,
    };
    // With O_ASYNC the program itself takes signals from the file.
    let shared = fd.is(INHERITED) || status & libc::O_ASYNC != 0;
    let ownership = if shared { Ownership::Shared } else { Ownership::Alone };
    let kind = stat.st_mode & libc::S_IFMT;
    let eventfd = if kind == 0 && is_eventfd(fd) { EVENTFD | IO } else { 0 };
    let blocking = if kind == libc::S_IFSOCK && status & libc::O_NONBLOCK == 0 { BLOCKING } else { 0 };
    let watched = || {
        let device = KernelFile::new(number, ownership);
        if kind == libc::S_IFCHR {
            device.look_for_terminal();
        }
        device
    };
    let file = File::new(number, backing::of(fd, watched));
    let held = enter(number, file, |_| Some(backing::noted(eventfd | blocking)))?;
    if identity::get(number).is_none() {
        identity::note(number, identity);
    }
    if fd.is(INHERITED) {
        enter_siblings(number, identity);
    }
    Ok(held)
}

/// An fd about which the kernel refuses to say anything. It is polled, whatever it is.
fn track_unknown(fd: FdRef) -> Result<Held, Errno> {
    if let Some(held) = fd.hold() {
        return Ok(held);
    }
    if fd.is(OURS | CLOSING) || word(fd.fd()).is_none() {
        return Err(Errno::EBADF);
    }
    let eventfd = if is_eventfd(fd) { EVENTFD | IO } else { 0 };
    let watched = || KernelFile::new(fd.fd(), Ownership::Shared);
    let file = File::new(fd.fd(), backing::of(fd, watched));
    enter(fd.fd(), file, |_| Some(backing::noted(eventfd)))
}

fn is_eventfd(fd: FdRef) -> bool {
    if fd.is(EVENTFD) {
        return true;
    }
    let path = format!("/proc/self/fd/{}\0", fd.fd());
    let mut link = [0u8; 64];
    let read = sys::readlink(path.as_bytes(), &mut link).unwrap_or(0);
    link[..read].starts_with(b"anon_inode:[eventfd]")
}
