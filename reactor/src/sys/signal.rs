//! Signals and signalfds.

use std::ptr;

use super::{args_of, getpid, gettid, syscall, Errno, Sysno};

/// Makes a signalfd, or gives an existing one another mask.
pub fn signalfd(fd: i32, mask: u64, flags: i32) -> Result<i32, Errno> {
    call!(signalfd4, fd, ptr::from_ref(&mask), 8, flags).map(|fd| fd as i32)
}

/// Changes this thread's signal mask and returns the old one. `how` as in `sigprocmask(2)`.
pub fn sigprocmask(how: i32, set: u64) -> u64 {
    let mut old = 0u64;
    let _ = call!(rt_sigprocmask, how, ptr::from_ref(&set), ptr::from_mut(&mut old), 8);
    old
}

/// This thread's signal mask.
pub fn sigmask() -> u64 {
    let mut old = 0u64;
    let _ = call!(rt_sigprocmask, 0, 0, ptr::from_mut(&mut old), 8);
    old
}

/// The signals that are pending for this thread or for the process, among those that the thread blocks. All
/// signals if the kernel does not say.
pub fn pending_signals() -> u64 {
    let mut pending = 0u64;
    match call!(rt_sigpending, ptr::from_mut(&mut pending), 8) {
        Ok(_) => pending,
        Err(_) => u64::MAX,
    }
}

/// Queues a signal to this thread, with the `siginfo_t` that it had before.
///
/// # Errors
/// EAGAIN if the queue is full. Other processes of the user share the queue's limit.
///
/// # Safety
/// `info` points to a `siginfo_t`.
pub unsafe fn queue_to_self(signal: i32, info: *const u8) -> Result<(), Errno> {
    call!(rt_tgsigqueueinfo, getpid(), gettid(), signal, info).map(drop)
}

/// Sends a signal to this thread.
pub fn signal_self(signal: i32) -> Result<(), Errno> {
    call!(tgkill, getpid(), gettid(), signal).map(drop)
}
