//! epoll_create(2), epoll_ctl(2), epoll_wait(2) and their kin: libc's functions, and the raw system calls. The `engine`
//! answers.

use std::ptr;

use glasspoll_reactor::sys::{Errno, NSEC_PER_SEC};
use libc::{c_int, epoll_event, sigset_t, timespec};

use crate::engine::{self, Answer, Wait};
use crate::interpose::{answer, guarded};
use crate::memory::user_memory::read_u64;

/// The time-out of epoll_wait(2) in nanoseconds. None: for ever.
pub fn milliseconds(timeout: c_int) -> Option<u64> {
    u64::try_from(timeout).ok().map(|ms| ms * 1_000_000)
}

/// Linux: `get_timespec64`, `poll_select_set_timeout`.
pub fn nanoseconds(timeout: *const timespec) -> Result<Option<u64>, Errno> {
    if timeout.is_null() {
        return Ok(None);
    }
    let sec = read_u64(timeout.cast())? as i64;
    let nsec = read_u64(timeout.cast::<u64>().wrapping_add(1))?;
    let sec = u64::try_from(sec).map_err(|_| Errno::EINVAL)?;
    if nsec >= NSEC_PER_SEC {
        return Err(Errno::EINVAL);
    }
    Ok(Some(sec.saturating_mul(NSEC_PER_SEC).saturating_add(nsec)))
}

crate::hook! {
    unsafe fn epoll_create(size: c_int) -> c_int => hooked_create {
        engine::create_sized(size, &mut || crate::real_call!(epoll_create(size)).into()) as c_int
    }
}

crate::hook! {
    unsafe fn epoll_create1(flags: c_int) -> c_int => hooked_create1 {
        engine::create(flags, &mut || crate::real_call!(epoll_create1(flags)).into()) as c_int
    }
}

crate::hook! {
    unsafe fn epoll_ctl(epfd: c_int, op: c_int, fd: c_int, event: *mut epoll_event) -> c_int => hooked_ctl {
        engine::ctl(epfd, op, fd, event, &mut || crate::real_call!(epoll_ctl(epfd, op, fd, event)).into()) as c_int
    }
}

crate::interpose! {
    /// epoll_wait(2).
    fn epoll_wait(epfd: c_int, events: *mut epoll_event, maxevents: c_int, timeout: c_int) -> c_int |real| {
        let wait = Wait { epfd, events, maxevents, timeout_ns: milliseconds(timeout), sigmask: ptr::null() };
        // SAFETY: no destructor in this frame.
        match unsafe { engine::wait(wait) } {
            Answer::Value(value) => answer(value),
            Answer::Kernel(wait) => {
                // SAFETY: libc's own function; no destructor in this frame.
                let sent = unsafe { real()(epfd, events, maxevents, timeout) };
                engine::returned(wait, epfd, events, sent.into()) as c_int
            }
        }
    }
}

crate::interpose! {
    /// epoll_pwait(2).
    fn epoll_pwait(epfd: c_int, events: *mut epoll_event, maxevents: c_int, timeout: c_int, sigmask: *const sigset_t) -> c_int |real| {
        let wait = Wait { epfd, events, maxevents, timeout_ns: milliseconds(timeout), sigmask: sigmask.cast() };
        // SAFETY: no destructor in this frame.
        match unsafe { engine::wait(wait) } {
            Answer::Value(value) => answer(value),
            Answer::Kernel(wait) => {
                // SAFETY: libc's own function; no destructor in this frame.
                let sent = unsafe { real()(epfd, events, maxevents, timeout, sigmask) };
                engine::returned(wait, epfd, events, sent.into()) as c_int
            }
        }
    }
}

crate::interpose! {
    /// epoll_pwait2(2).
    fn epoll_pwait2(epfd: c_int, events: *mut epoll_event, maxevents: c_int, timeout: *const timespec, sigmask: *const sigset_t) -> c_int |real| {
        let timeout_ns = match guarded(Err(Errno::EFAULT), || nanoseconds(timeout)) {
            Ok(ns) => ns,
            Err(errno) => return answer(Err(errno)),
        };
        let wait = Wait { epfd, events, maxevents, timeout_ns, sigmask: sigmask.cast() };
        // SAFETY: no destructor in this frame.
        match unsafe { engine::wait(wait) } {
            Answer::Value(value) => answer(value),
            Answer::Kernel(wait) => {
                // SAFETY: libc's own function; no destructor in this frame.
                let sent = unsafe { real()(epfd, events, maxevents, timeout, sigmask) };
                engine::returned(wait, epfd, events, sent.into()) as c_int
            }
        }
    }
}
