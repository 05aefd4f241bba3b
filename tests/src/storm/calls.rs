//! The system calls of the storm, through libc as a program makes them.

use std::io::Error;
use std::ptr;
use std::time::Duration;

use libc::{c_int, epoll_event, pollfd};

use super::signals;

/// The errno of the last call.
pub fn errno() -> c_int {
    Error::last_os_error().raw_os_error().unwrap_or(0)
}

/// A number, or the errno as a negative one.
pub fn checked(result: isize) -> isize {
    if result < 0 {
        -errno() as isize
    } else {
        result
    }
}

/// SIGUSR1 does nothing but interrupt.
pub fn handle_signals() {
    extern "C" fn nothing(_: c_int) {}
    // SAFETY: all-zero bytes are a valid sigaction; the handler does nothing.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = nothing as extern "C" fn(c_int) as usize;
        libc::sigaction(libc::SIGUSR1, &action, ptr::null_mut());
    }
}

/// This thread's number.
pub fn gettid() -> c_int {
    // SAFETY: no preconditions.
    unsafe { libc::gettid() }
}

/// Interrupts a thread of ours.
pub fn interrupt(tid: c_int) {
    // SAFETY: numbers; a thread that has gone gives ESRCH.
    unsafe { libc::syscall(libc::SYS_tgkill, libc::getpid(), tid, libc::SIGUSR1) };
}

/// A new epoll.
pub fn epoll_create() -> c_int {
    // SAFETY: a number.
    unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) }
}

/// 0 or a negative errno.
pub fn epoll_ctl(epfd: c_int, op: c_int, fd: c_int, events: u32, data: u64) -> isize {
    let mut event = epoll_event { events, u64: data };
    // SAFETY: the event lives.
    checked(unsafe { libc::epoll_ctl(epfd, op, fd, &mut event) } as isize)
}

/// Which of the three.
#[derive(Clone, Copy, Debug)]
pub enum Call {
    Wait,
    Pwait,
    Pwait2,
}

/// Waits for `timeout` milliseconds, -1 for ever. The number of events, or a negative errno.
pub fn epoll_wait(call: Call, epfd: c_int, events: &mut [epoll_event], timeout: c_int) -> isize {
    let (at, most) = (events.as_mut_ptr(), events.len() as c_int);
    // SAFETY: the buffer is as long as is said; masks and times live.
    checked(unsafe {
        match call {
            Call::Wait => libc::epoll_wait(epfd, at, most, timeout),
            Call::Pwait => {
                let mut mask = signals::all();
                libc::sigaddset(&mut mask, libc::SIGUSR2);
                libc::epoll_pwait(epfd, at, most, timeout, &mask)
            }
            Call::Pwait2 => {
                let time = libc::timespec {
                    tv_sec: i64::from(timeout / 1000),
                    tv_nsec: i64::from(timeout % 1000) * 1_000_000,
                };
                let time = if timeout < 0 { ptr::null() } else { ptr::from_ref(&time) };
                libc::epoll_pwait2(epfd, at, most, time, ptr::null())
            }
        }
    } as isize)
}

/// poll(2). The number of ready ones, or a negative errno.
pub fn poll(fds: &mut [pollfd], timeout: c_int) -> isize {
    // SAFETY: the list is as long as is said.
    checked(unsafe { libc::poll(fds.as_mut_ptr(), fds.len() as libc::nfds_t, timeout) } as isize)
}

/// What poll(2) says of one descriptor now.
pub fn readiness(fd: c_int, events: u32) -> u32 {
    let mut fds = [pollfd { fd, events: events as i16, revents: 0 }];
    poll(&mut fds, 0);
    fds[0].revents as u16 as u32
}

/// Bytes, or a negative errno.
pub fn read(fd: c_int, buf: &mut [u8]) -> isize {
    // SAFETY: the buffer is as long as is said.
    checked(unsafe { libc::read(fd, buf.as_mut_ptr().cast(), buf.len()) })
}

/// Bytes, or a negative errno.
pub fn write(fd: c_int, buf: &[u8]) -> isize {
    // SAFETY: the buffer is as long as is said.
    checked(unsafe { libc::write(fd, buf.as_ptr().cast(), buf.len()) })
}

pub fn close(fd: c_int) -> isize {
    // SAFETY: a number of our own.
    checked(unsafe { libc::close(fd) } as isize)
}

pub fn dup(fd: c_int) -> c_int {
    // SAFETY: a number.
    unsafe { libc::fcntl(fd, libc::F_DUPFD_CLOEXEC, 0) }
}

pub fn dup2(fd: c_int, onto: c_int) -> c_int {
    // SAFETY: numbers of our own.
    unsafe { libc::dup2(fd, onto) }
}

pub fn shutdown_write(fd: c_int) {
    // SAFETY: a number.
    unsafe { libc::shutdown(fd, libc::SHUT_WR) };
}

pub fn eventfd(count: u32, flags: c_int) -> c_int {
    // SAFETY: numbers.
    unsafe { libc::eventfd(count, flags | libc::EFD_NONBLOCK | libc::EFD_CLOEXEC) }
}

pub fn timerfd() -> c_int {
    let flags = libc::TFD_NONBLOCK | libc::TFD_CLOEXEC;
    // SAFETY: numbers.
    unsafe { libc::timerfd_create(libc::CLOCK_MONOTONIC, flags) }
}

/// Has a timer expire, and then again with a period that is not zero.
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

/// Two sockets connected over loopback; the first was accepted. A closed connection leaves nothing
/// behind (TIME_WAIT), for there are many.
pub fn inet(stream: bool) -> [c_int; 2] {
    let kind = libc::SOCK_CLOEXEC | if stream { libc::SOCK_STREAM } else { libc::SOCK_DGRAM };
    let mut len = size_of::<libc::sockaddr_in>() as u32;
    // SAFETY: addresses and options of the length that is told.
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

/// How a child is made and ends.
#[derive(Clone, Copy, Debug)]
pub enum Child {
    Exits,
    Closes,
    Execs,
    Spawned,
}

/// A child from begin to end. True: it ended well.
pub fn child(way: Child) -> bool {
    let path = c"/bin/true".as_ptr();
    let argv = [path.cast_mut(), ptr::null_mut()];
    let mut status = -1;
    // SAFETY: after fork the child only makes calls that are safe there; the strings and lists live.
    unsafe {
        extern "C" {
            static environ: *const *mut libc::c_char;
        }
        let mut pid = 0;
        if let Child::Spawned = way {
            if libc::posix_spawn(&mut pid, path, ptr::null(), ptr::null(), argv.as_ptr(), environ) != 0 {
                return false;
            }
        } else {
            pid = libc::fork();
        }
        if pid == 0 {
            match way {
                Child::Execs => {
                    libc::execve(path, argv.as_ptr().cast(), environ.cast());
                    libc::_exit(9);
                }
                Child::Closes => (3..64).for_each(|fd| {
                    libc::close(fd);
                }),
                _ => {}
            }
            libc::_exit(0);
        }
        while libc::waitpid(pid, &mut status, 0) < 0 && errno() == libc::EINTR {}
    }
    status == 0
}
