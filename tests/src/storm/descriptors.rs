//! The system calls that make watched files, and those that only few kinds have.

use std::ptr;
use std::time::Duration;

use libc::c_int;

use super::calls::checked;

pub fn eventfd(count: u32, flags: c_int) -> c_int {
    // SAFETY: numbers.
    unsafe { libc::eventfd(count, flags | libc::EFD_NONBLOCK | libc::EFD_CLOEXEC) }
}

pub fn timerfd() -> c_int {
    let flags = libc::TFD_NONBLOCK | libc::TFD_CLOEXEC;
    // SAFETY: numbers.
    unsafe { libc::timerfd_create(libc::CLOCK_MONOTONIC, flags) }
}

/// Sets a timer to expire, and then again after each `period` that is not zero.
pub fn set_timer(fd: c_int, after: Duration, period: Duration) -> isize {
    let spec = |time: Duration| libc::timespec { tv_sec: 0, tv_nsec: i64::from(time.subsec_nanos()) };
    let time = libc::itimerspec { it_interval: spec(period), it_value: spec(after) };
    // SAFETY: the time lives.
    checked(unsafe { libc::timerfd_settime(fd, 0, &time, ptr::null_mut()) } as isize)
}

/// An inotify, and a file without a name that it watches.
pub fn inotify() -> [c_int; 2] {
    // SAFETY: numbers, and names that live.
    unsafe {
        let pair = [
            libc::inotify_init1(libc::IN_NONBLOCK | libc::IN_CLOEXEC),
            libc::memfd_create(c"storm".as_ptr(), libc::MFD_CLOEXEC),
        ];
        if let Ok(path) = std::ffi::CString::new(format!("/proc/self/fd/{}", pair[1])) {
            libc::inotify_add_watch(pair[0], path.as_ptr(), libc::IN_MODIFY | libc::IN_ATTRIB);
        }
        pair
    }
}

/// Changes a file, or its mode.
pub fn change(fd: c_int, mode: bool) -> isize {
    // SAFETY: a byte that lives, and numbers.
    checked(unsafe {
        if mode {
            libc::fchmod(fd, 0o600) as isize + 1
        } else {
            libc::pwrite(fd, c"x".as_ptr().cast(), 1, 0)
        }
    })
}

pub fn pipe() -> [c_int; 2] {
    let mut pair = [-1; 2];
    // SAFETY: room for two numbers.
    unsafe { libc::pipe2(pair.as_mut_ptr(), libc::O_NONBLOCK | libc::O_CLOEXEC) };
    pair
}

pub fn unix_streams() -> [c_int; 2] {
    let mut pair = [-1; 2];
    let kind = libc::SOCK_STREAM | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
    // SAFETY: room for two numbers.
    unsafe { libc::socketpair(libc::AF_UNIX, kind, 0, pair.as_mut_ptr()) };
    pair
}

/// Two sockets connected over loopback; the first was accepted. A closed connection leaves no TIME_WAIT behind, because
/// there are many.
pub fn inet(stream: bool) -> [c_int; 2] {
    let kind = libc::SOCK_CLOEXEC | if stream { libc::SOCK_STREAM } else { libc::SOCK_DGRAM };
    let mut len = size_of::<libc::sockaddr_in>() as u32;
    // SAFETY: addresses and options live, and the calls get their lengths.
    unsafe {
        let mut addr: libc::sockaddr_in = std::mem::zeroed();
        addr.sin_family = libc::AF_INET as u16;
        addr.sin_addr.s_addr = u32::from_ne_bytes([127, 0, 0, 1]);
        let at = |addr: &mut libc::sockaddr_in| ptr::from_mut(addr).cast::<libc::sockaddr>();
        let a = libc::socket(libc::AF_INET, kind, 0);
        libc::bind(a, at(&mut addr), len);
        libc::getsockname(a, at(&mut addr), &mut len);
        let b = libc::socket(libc::AF_INET, kind, 0);
        let mut pair = [a, b];
        if stream {
            libc::listen(a, 1);
            if libc::connect(b, at(&mut addr), len) == 0 {
                pair[0] = libc::accept4(a, ptr::null_mut(), ptr::null_mut(), libc::SOCK_CLOEXEC);
            } else {
                pair[0] = -1;
            }
            libc::close(a);
            let (one, linger) = (1, libc::linger { l_onoff: 1, l_linger: 0 });
            for fd in pair {
                libc::setsockopt(fd, libc::IPPROTO_TCP, libc::TCP_NODELAY, ptr::from_ref(&one).cast(), 4);
                libc::setsockopt(fd, libc::SOL_SOCKET, libc::SO_LINGER, ptr::from_ref(&linger).cast(), 8);
            }
        } else {
            libc::connect(b, at(&mut addr), len);
            libc::getsockname(b, at(&mut addr), &mut len);
            libc::connect(a, at(&mut addr), len);
        }
        for fd in pair {
            libc::fcntl(fd, libc::F_SETFL, libc::fcntl(fd, libc::F_GETFL) | libc::O_NONBLOCK);
        }
        pair
    }
}
