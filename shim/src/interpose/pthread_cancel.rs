//! Waits as cancellation points: pthread_cancel ends them, before they sleep and while they do.
//!
//! A wait sleeps in a raw system call under frames that must not be left by force (`interpose::guarded`). So
//! the interposed pthread_cancel ends the sleep, and the thread acts on it when those frames are gone.
//!
//! From 2.41 on glibc sends a signal, SIGCANCEL, to a thread that is cancelled and lets it happen, and the
//! sleep ends with EINTR before we have marked the thread. So each EINTR asks libc.

use glasspoll_reactor::eventpoll::timeout::Timeout;
use glasspoll_reactor::sys::Errno;
use libc::{c_int, pthread_t};

use crate::interpose::epoll::Outcome;
use crate::interpose::guarded;
use crate::thread::context;

extern "C-unwind" {
    fn pthread_testcancel();
}

/// Runs `wait`, which is told how much time is left, until it ends by something else than a cancellation that
/// the thread does not let happen now.
///
/// # Safety
/// May unwind by force: this frame and its callers' have no destructors.
pub unsafe fn point(timeout_ns: Option<u64>, wait: &mut dyn FnMut(&mut Timeout) -> Outcome) -> Outcome {
    // On the list before the question: a pthread_cancel after it finds the thread there.
    context::be_known();
    // SAFETY: the caller's promise.
    unsafe { pthread_testcancel() };
    let mut timeout = Timeout::new(timeout_ns);
    loop {
        let outcome = guarded(Outcome::Done(Err(Errno::EINTR)), || wait(&mut timeout));
        if !matches!(outcome, Outcome::Done(Err(Errno::EINTR))) {
            return outcome;
        }
        let marked = context::take_cancelled();
        // Not for the marked alone: SIGCANCEL is faster. As glibc does after its own system calls
        // (nptl/cancellation.c:__internal_syscall_cancel).
        // SAFETY: the caller's promise.
        unsafe { pthread_testcancel() };
        if !marked {
            return outcome;
        }
    }
}

crate::interpose! {
    /// pthread_cancel(3). May cancel the calling thread.
    fn pthread_cancel(thread: pthread_t) -> c_int |real| {
        // SAFETY: libc's own function; no destructor in this frame.
        let result = unsafe { real()(thread) };
        if result == 0 {
            guarded((), || {
                let _guard = context::enter();
                context::cancel(thread as u64);
            });
        }
        result
    }
}
