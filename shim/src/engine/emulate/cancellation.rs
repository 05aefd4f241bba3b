//! Waits as cancellation points: pthread_cancel ends a wait before and during its sleep.
//!
//! A wait sleeps in a raw system call, beneath frames that must not be unwound by force (`interpose::guarded`). So our
//! pthread_cancel ends the sleep, and the thread acts on the cancellation when those frames have returned.
//!
//! From 2.41 on glibc sends the signal SIGCANCEL to a cancelled thread that has cancellation enabled. The sleep then
//! ends with EINTR before we have marked the thread. So each EINTR asks libc.

use glasspoll_reactor::eventpoll::timeout::Timeout;
use glasspoll_reactor::sys::Errno;

use crate::engine::Outcome;
use crate::thread::context;
use crate::thread::guarded::guarded;

extern "C-unwind" {
    fn pthread_testcancel();
}

/// Runs `wait`, with the time that is left, until it ends for another reason than a cancellation that
/// the thread has disabled.
///
/// # Safety
/// May unwind by force: neither this frame nor its callers' frames have destructors.
pub unsafe fn point(timeout_ns: Option<u64>, wait: &mut dyn FnMut(&mut Timeout) -> Outcome) -> Outcome {
    // First the thread gets on the list, then it asks libc: a later pthread_cancel finds it on the list.
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
        // Also if the thread is not marked: SIGCANCEL may be faster. glibc does the same after its own system calls
        // (nptl/cancellation.c:__internal_syscall_cancel).
        // SAFETY: the caller's promise.
        unsafe { pthread_testcancel() };
        if !marked {
            return outcome;
        }
    }
}
