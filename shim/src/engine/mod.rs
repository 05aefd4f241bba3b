//! The two engines. With `emulate` our own epoll answers the epoll calls. With `observe` the kernel answers them, and we
//! record its answers. The choice is made here, and nowhere else: the calls come from `interpose`, which knows how a call
//! of libc and a raw system call differ.
//!
//! `GLASSPOLL_ENGINE` chooses. Where the emulation cannot start, `process::watch` turns to `observe`.

pub mod emulate;
pub mod observe;
mod outcome;

pub use outcome::Outcome;

use glasspoll_reactor::eventpoll::observed::KernelWait;
use glasspoll_reactor::eventpoll::timeout::Timeout;
use glasspoll_reactor::sys::Errno;
use libc::{c_int, c_long, epoll_event};

use crate::errno::answer;
use crate::process::{self, options::Engine, record};
use crate::thread::guarded::guarded;

/// A wait, as the program asks for it. `sigmask` may be null.
#[derive(Clone, Copy)]
pub struct Wait {
    pub epfd: c_int,
    pub events: *mut epoll_event,
    pub maxevents: c_int,
    pub timeout_ns: Option<u64>,
    pub sigmask: *const u64,
}

/// What becomes of a wait.
#[derive(Clone, Copy)]
pub enum Answer {
    /// It is over.
    Value(Result<i32, Errno>),
    /// The caller asks the kernel, and gives the result to `returned`.
    Kernel(Option<KernelWait>),
}

impl From<Outcome> for Answer {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Done(result) => Answer::Value(result),
            Outcome::Kernel => Answer::Kernel(None),
        }
    }
}

/// epoll_create1(2). `call` asks the kernel, and gives its result in libc's form; so for the others.
pub fn create(flags: c_int, call: &mut dyn FnMut() -> c_long) -> c_long {
    process::start();
    if process::engine() == Engine::Emulate {
        match emulate::create(flags) {
            Outcome::Done(result) => return answer(result).into(),
            // The emulation cannot start.
            Outcome::Kernel if process::engine() == Engine::Observe => {}
            Outcome::Kernel => return call(),
        }
    }
    observe::create(call)
}

/// epoll_create(2).
pub fn create_sized(size: c_int, call: &mut dyn FnMut() -> c_long) -> c_long {
    if size <= 0 {
        return answer(Err(Errno::EINVAL)).into();
    }
    create(0, call)
}

/// epoll_ctl(2).
pub fn ctl(
    epfd: c_int,
    op: c_int,
    fd: c_int,
    event: *const epoll_event,
    call: &mut dyn FnMut() -> c_long,
) -> c_long {
    match process::engine() {
        Engine::Emulate => match emulate::ctl(epfd, op, fd, event) {
            Outcome::Done(result) => answer(result).into(),
            Outcome::Kernel => call(),
        },
        Engine::Observe => observe::ctl(epfd, op, fd, event, call),
    }
}

/// A wait that is a cancellation point.
///
/// # Safety
/// May unwind by force: neither this frame nor its callers' frames have destructors.
pub unsafe fn wait(wait: Wait) -> Answer {
    match process::engine() {
        // SAFETY: the caller's promise.
        Engine::Emulate => unsafe {
            let outcome = emulate::point(wait.timeout_ns, &mut |timeout| emulate::wait(wait, timeout));
            if let Outcome::Done(Err(Errno::EBADF)) = outcome {
                wait_failed(wait.epfd, libc::EBADF);
            }
            outcome.into()
        },
        Engine::Observe => Answer::Kernel(observe::begins(wait)),
    }
}

/// A wait as a raw system call, which is no cancellation point.
pub fn raw_wait(wait: Wait) -> Answer {
    match process::engine() {
        Engine::Emulate => {
            guarded(Answer::Kernel(None), || emulate::wait(wait, &mut Timeout::new(wait.timeout_ns)).into())
        }
        Engine::Observe => Answer::Kernel(observe::begins(wait)),
    }
}

/// The kernel has answered a wait, with `result` in libc's form. Returns `result`.
#[inline]
pub fn returned(wait: Option<KernelWait>, epfd: c_int, events: *const epoll_event, result: c_long) -> c_long {
    match wait {
        Some(wait) => observe::returned(wait, epfd, events, result),
        None if result < 0 => wait_failed(epfd, crate::errno::errno()),
        None => {}
    }
    result
}

/// A wait on an fd that is no set, or none any more. The loop that calls it may call it for ever.
#[cold]
fn wait_failed(epfd: c_int, errno: c_int) {
    if matches!(errno, libc::EBADF | libc::EINVAL) {
        guarded((), || record::wait_failed(epfd, errno));
    }
}
