//! socket(2), socketpair(2), pipe(2) and inotify_init(2): the provenance of these files is known, so a set can watch
//! them without asking the kernel about them.
//!
//! accept(2) is in `read_write`, eventfd(2) and timerfd_create(2) are in `eventfd_timerfd`.

use libc::c_int;

use crate::fdtable::{kind_of, note_made, untouched, FdKind, Made};
use crate::process::reserved_fds;

/// The program made an fd. If it is near to ours, ours move up.
#[inline]
pub fn made(fd: c_int, kind: FdKind, nonblocking: bool) {
    if note_made(fd, kind, nonblocking) == Made::Noted {
        reserved_fds::keep_clear_of(fd);
    }
}

crate::interpose! {
    /// socket(2).
    fn socket(domain: c_int, kind: c_int, protocol: c_int) -> c_int |real| {
        // SAFETY: libc's own function; no destructor in this frame.
        let fd = unsafe { real()(domain, kind, protocol) };
        if fd >= 0 {
            made(fd, FdKind::of_socket(domain, kind), kind & libc::SOCK_NONBLOCK != 0);
        }
        fd
    }
}

/// Notes both ends of a pair.
///
/// # Safety
/// On success the kernel has just stored both fds.
unsafe fn both(result: c_int, fds: *const c_int, kind: FdKind, nonblocking: bool) -> c_int {
    if result == 0 {
        // SAFETY: the caller's promise.
        let fds = unsafe { [fds.read_unaligned(), fds.add(1).read_unaligned()] };
        for fd in fds {
            made(fd, kind, nonblocking);
        }
    }
    result
}

crate::interpose! {
    /// socketpair(2).
    fn socketpair(domain: c_int, kind: c_int, protocol: c_int, fds: *mut c_int) -> c_int |real| {
        // SAFETY: libc's own function; no destructor in this frame.
        let result = unsafe { real()(domain, kind, protocol, fds) };
        // SAFETY: what the call has stored.
        unsafe { both(result, fds, FdKind::of_socket(domain, kind), kind & libc::SOCK_NONBLOCK != 0) }
    }
}

crate::interpose! {
    /// pipe(2).
    fn pipe(fds: *mut c_int) -> c_int |real| {
        // SAFETY: libc's own function; no destructor in this frame.
        let result = unsafe { real()(fds) };
        // SAFETY: as above.
        unsafe { both(result, fds, FdKind::Pipe, false) }
    }
}

crate::interpose! {
    /// pipe2(2).
    fn pipe2(fds: *mut c_int, flags: c_int) -> c_int |real| {
        // SAFETY: libc's own function; no destructor in this frame.
        let result = unsafe { real()(fds, flags) };
        // Linux: `O_NOTIFICATION_PIPE` is O_EXCL, and makes another kind of pipe.
        let kind = if flags & libc::O_EXCL == 0 { FdKind::Pipe } else { FdKind::Other };
        // SAFETY: as above.
        unsafe { both(result, fds, kind, flags & libc::O_NONBLOCK != 0) }
    }
}

crate::interpose! {
    /// inotify_init1(2). Noted so that a forked child knows the file as its own, not its parent's.
    fn inotify_init1(flags: c_int) -> c_int |real| {
        // SAFETY: libc's own function; no destructor in this frame.
        let fd = unsafe { real()(flags) };
        if fd >= 0 {
            made(fd, FdKind::Other, flags & libc::IN_NONBLOCK != 0);
        }
        fd
    }
}

crate::interpose! {
    /// inotify_init(2).
    fn inotify_init() -> c_int |_real| {
        // SAFETY: no destructor in this frame.
        unsafe { inotify_init1(0) }
    }
}

/// Called after accept(2).
#[inline]
pub fn accepted(listener: c_int, flags: c_int, fd: c_int) {
    if fd >= 0 {
        made(fd, kind_of(listener), flags & libc::SOCK_NONBLOCK != 0);
        untouched::accepted(listener, fd);
    }
}
