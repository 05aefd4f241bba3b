//! The waits as raw system calls: no cancellation points, and the mask comes with its size.

use glasspoll_reactor::eventpoll::timeout::Timeout;
use libc::{c_int, epoll_event, timespec};
use syscalls::Errno;

use crate::interpose::epoll::{milliseconds, nanoseconds, wait};
use crate::interpose::outcome::Outcome;

/// epoll_wait(2) and epoll_pwait(2) as system calls.
pub fn raw_wait(
    epfd: c_int,
    events: *mut epoll_event,
    maxevents: c_int,
    timeout: c_int,
    sigmask: usize,
    size: usize,
) -> Outcome {
    raw_wait_for(epfd, events, maxevents, Ok(milliseconds(timeout)), [sigmask, size])
}

/// epoll_pwait2(2) as a system call.
pub fn raw_wait2(
    epfd: c_int,
    events: *mut epoll_event,
    maxevents: c_int,
    timeout: *const timespec,
    sigmask: usize,
    size: usize,
) -> Outcome {
    raw_wait_for(epfd, events, maxevents, nanoseconds(timeout), [sigmask, size])
}

/// Bytes in the kernel's signal set.
const SIGSET: usize = 8;

fn raw_wait_for(
    epfd: c_int,
    events: *mut epoll_event,
    maxevents: c_int,
    timeout: Result<Option<u64>, Errno>,
    [sigmask, size]: [usize; 2],
) -> Outcome {
    if sigmask != 0 && size != SIGSET {
        return Outcome::Done(Err(Errno::EINVAL));
    }
    match timeout {
        Ok(ns) => wait(epfd, events, maxevents, &mut Timeout::new(ns), sigmask as *const u64),
        Err(errno) => Outcome::Done(Err(errno)),
    }
}
