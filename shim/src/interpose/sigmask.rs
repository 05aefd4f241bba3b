//! Keeps our signal blocked and hidden, whatever the program does with its masks.
//!
//! Wakeups are a process-directed real-time signal (`thread::signal::ours`). Every thread blocks it, and only our
//! signalfd reads it. We interpose the functions that could unblock or take it, as glibc does for its two internal
//! signals: SIGRTMAX is one less than the kernel's.

use std::mem::MaybeUninit;

use libc::{c_int, sigset_t};

use crate::process;
use crate::thread::signal::ours;
use crate::thread::with_thread;

/// A copy of a signal set with its first word changed; null stays null.
pub struct Masked(Option<MaybeUninit<sigset_t>>);

impl Masked {
    /// Adds our signal: for masks that the kernel applies.
    pub fn new(set: *const sigset_t) -> Self {
        Self::change(set, ours::with_ours)
    }

    /// Removes our signal: for sets of signals that the program takes.
    pub fn without(set: *const sigset_t) -> Self {
        Self::change(set, |word| if ours::is_used() { word & !ours::mask() } else { word })
    }

    fn change(set: *const sigset_t, change: impl FnOnce(u64) -> u64) -> Self {
        if set.is_null() {
            return Self(None);
        }
        let mut copy = MaybeUninit::<sigset_t>::uninit();
        // SAFETY: the program's set, by the contract of the call; the first word holds signals 1 to 64.
        unsafe {
            std::ptr::copy_nonoverlapping(set, copy.as_mut_ptr(), 1);
            let word = copy.as_mut_ptr().cast::<u64>();
            *word = change(*word);
        }
        Self(Some(copy))
    }

    /// The set, as libc's functions take it.
    pub fn as_ptr(&self) -> *const sigset_t {
        self.0.as_ref().map_or(std::ptr::null(), MaybeUninit::as_ptr)
    }
}

/// sigprocmask(2) and pthread_sigmask(3); returns what they return.
unsafe fn change_mask(
    how: c_int,
    set: *const sigset_t,
    old: *mut sigset_t,
    real: impl FnOnce(*const sigset_t) -> c_int,
) -> c_int {
    if !ours::is_used() {
        return real(set);
    }
    // SAFETY: the program's set, by the contract of the call.
    let asks_for_ours = !set.is_null() && unsafe { *set.cast::<u64>() } & ours::mask() != 0;
    let masked = if how == libc::SIG_UNBLOCK { Masked::without(set) } else { Masked::new(set) };
    let result = real(masked.as_ptr());
    if result != 0 {
        return result;
    }
    with_thread(|thread| {
        let believed = thread.blocks_ours.get();
        if !old.is_null() {
            // SAFETY: libc has just filled it in.
            unsafe {
                let word = old.cast::<u64>();
                *word = if believed { *word | ours::mask() } else { *word & !ours::mask() };
            }
        }
        if !set.is_null() {
            let now = match how {
                libc::SIG_BLOCK => believed || asks_for_ours,
                libc::SIG_UNBLOCK => believed && !asks_for_ours,
                _ => asks_for_ours,
            };
            thread.blocks_ours.set(now);
        }
    });
    result
}

crate::interpose! {
    /// sigprocmask(2).
    fn sigprocmask(how: c_int, set: *const sigset_t, old: *mut sigset_t) -> c_int |real| {
        // SAFETY: the program's pointers, by the contract of the call.
        unsafe { change_mask(how, set, old, |set| real()(how, set, old)) }
    }
}

crate::interpose! {
    /// pthread_sigmask(3).
    fn pthread_sigmask(how: c_int, set: *const sigset_t, old: *mut sigset_t) -> c_int |real| {
        // SAFETY: the program's pointers, by the contract of the call.
        unsafe { change_mask(how, set, old, |set| real()(how, set, old)) }
    }
}

crate::hook! {
    unsafe fn sigpending(set: *mut sigset_t) -> c_int => hooked_sigpending {
        let result = crate::real_call!(sigpending(set));
        if result == 0 && ours::is_used() {
            // SAFETY: libc has just filled it in.
            unsafe { *set.cast::<u64>() &= !ours::mask() };
        }
        result
    }
}

/// The program takes the signals of this set itself. If SIGIO is among them, we stop reading it.
fn leave_sigio(set: *const sigset_t) {
    // SAFETY: the program's set, by the contract of the call.
    if !set.is_null() && unsafe { *set.cast::<u64>() } >> (libc::SIGIO - 1) & 1 != 0 {
        if let Some(watch) = process::WATCH.get() {
            watch.take_sigio(false);
        }
    }
}

/// The program took `signal`. If it is SIGIO, the kernel's signal queue may have been full.
fn taken(signal: c_int) {
    if signal == libc::SIGIO {
        if let Some(watch) = process::WATCH.get() {
            watch.overflowed();
        }
    }
}

crate::hook! {
    unsafe fn signalfd(fd: c_int, set: *const sigset_t, flags: c_int) -> c_int => hooked_signalfd {
        leave_sigio(set);
        let set = Masked::without(set);
        crate::real_call!(signalfd(fd, set.as_ptr(), flags))
    }
}

redhook::hook! {
    unsafe fn __libc_current_sigrtmax() -> c_int => hooked_sigrtmax {
        let real = crate::real_call!(__libc_current_sigrtmax());
        if ours::is_used() { real.min(ours::signal() - 1) } else { real }
    }
}

crate::interpose! {
    /// sigsuspend(2).
    fn sigsuspend(set: *const sigset_t) -> c_int |real| {
        let set = Masked::new(set);
        // SAFETY: libc's own function; no destructor in this frame.
        unsafe { real()(set.as_ptr()) }
    }
}

crate::interpose! {
    /// sigwait(3).
    fn sigwait(set: *const sigset_t, signal: *mut c_int) -> c_int |real| {
        leave_sigio(set);
        let set = Masked::without(set);
        // SAFETY: as above.
        let got = unsafe { real()(set.as_ptr(), signal) };
        if got == 0 {
            // SAFETY: libc has just stored the signal there.
            taken(unsafe { *signal });
        }
        got
    }
}

crate::interpose! {
    /// sigwaitinfo(2).
    fn sigwaitinfo(set: *const sigset_t, info: *mut libc::siginfo_t) -> c_int |real| {
        leave_sigio(set);
        let set = Masked::without(set);
        // SAFETY: as above.
        let got = unsafe { real()(set.as_ptr(), info) };
        taken(got);
        got
    }
}

crate::interpose! {
    /// sigtimedwait(2).
    fn sigtimedwait(set: *const sigset_t, info: *mut libc::siginfo_t, timeout: *const libc::timespec) -> c_int |real| {
        leave_sigio(set);
        let set = Masked::without(set);
        // SAFETY: as above.
        let got = unsafe { real()(set.as_ptr(), info, timeout) };
        taken(got);
        got
    }
}
