//! The system calls of the storm, through libc as a program makes them.

use std::io::Error;
use std::ptr;

use libc::{c_int, epoll_event, pollfd};

use super::signals;

/// The errno of the last call.
pub fn errno() -> c_int {
    Error::last_os_error().raw_os_error().unwrap_or(0)
}

/// The result, or the errno as a negative number.
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

/// This thread's id.
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
    // SAFETY: the call gets the buffer's length; masks and times live.
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

/// poll(2). The number of ready descriptors, or a negative errno.
pub fn poll(fds: &mut [pollfd], timeout: c_int) -> isize {
    // SAFETY: the call gets the list's length.
    checked(unsafe { libc::poll(fds.as_mut_ptr(), fds.len() as libc::nfds_t, timeout) } as isize)
}

/// The bits that poll(2) reports for one descriptor now.
pub fn readiness(fd: c_int, events: u32) -> u32 {
    let mut fds = [pollfd { fd, events: events as i16, revents: 0 }];
    poll(&mut fds, 0);
    fds[0].revents as u16 as u32
}

/// Bytes, or a negative errno.
pub fn read(fd: c_int, buf: &mut [u8]) -> isize {
    // SAFETY: the call gets the buffer's length.
    checked(unsafe { libc::read(fd, buf.as_mut_ptr().cast(), buf.len()) })
}

/// Bytes, or a negative errno.
pub fn write(fd: c_int, buf: &[u8]) -> isize {
    // SAFETY: the call gets the buffer's length.
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
