//! The epoll calls as raw system calls. The waits are no cancellation points, and their mask comes with its size.

use libc::{c_int, c_long, epoll_event};
use syscalls::Errno;

use crate::engine::{self, Answer, Wait};
use crate::interpose::epoll::{milliseconds, nanoseconds};
use crate::interpose::{answer, guarded};

/// A raw call's arguments.
type Args = [usize; 6];

/// epoll_create(2). `call` asks the kernel; so for the others.
pub fn create_sized(args: Args, call: &mut dyn FnMut() -> c_long) -> c_long {
    guarded(-1, || engine::create_sized(args[0] as c_int, call))
}

/// epoll_create1(2).
pub fn create(args: Args, call: &mut dyn FnMut() -> c_long) -> c_long {
    guarded(-1, || engine::create(args[0] as c_int, call))
}

/// epoll_ctl(2).
pub fn ctl(args: Args, call: &mut dyn FnMut() -> c_long) -> c_long {
    let [epfd, op, fd, event, ..] = args;
    guarded(-1, || engine::ctl(epfd as c_int, op as c_int, fd as c_int, event as *const epoll_event, call))
}

/// epoll_wait(2).
pub fn wait(args: Args, call: &mut dyn FnMut() -> c_long) -> c_long {
    let timeout = milliseconds(args[3] as c_int);
    raw_wait(args, Ok(timeout), [0, 0], call)
}

/// epoll_pwait(2).
pub fn pwait(args: Args, call: &mut dyn FnMut() -> c_long) -> c_long {
    let timeout = milliseconds(args[3] as c_int);
    raw_wait(args, Ok(timeout), [args[4], args[5]], call)
}

/// epoll_pwait2(2).
pub fn pwait2(args: Args, call: &mut dyn FnMut() -> c_long) -> c_long {
    let timeout = guarded(Err(Errno::EFAULT), || nanoseconds(args[3] as *const libc::timespec));
    raw_wait(args, timeout, [args[4], args[5]], call)
}

/// Bytes in the kernel's signal set.
const SIGSET: usize = 8;

fn raw_wait(
    args: Args,
    timeout: Result<Option<u64>, Errno>,
    [sigmask, size]: [usize; 2],
    call: &mut dyn FnMut() -> c_long,
) -> c_long {
    let [epfd, events, maxevents, ..] = args;
    let timeout_ns = match timeout {
        _ if sigmask != 0 && size != SIGSET => return answer(Err(Errno::EINVAL)).into(),
        Ok(ns) => ns,
        Err(errno) => return answer(Err(errno)).into(),
    };
    let (epfd, events) = (epfd as c_int, events as *mut epoll_event);
    let wait =
        Wait { epfd, events, maxevents: maxevents as c_int, timeout_ns, sigmask: sigmask as *const u64 };
    match engine::raw_wait(wait) {
        Answer::Value(value) => answer(value).into(),
        Answer::Kernel(wait) => engine::returned(wait, epfd, events, call()),
    }
}
