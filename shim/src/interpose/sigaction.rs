//! The interposed names of sigaction(2) and signal(2).

use libc::{c_int, sigaction as Action};

use crate::thread::signal::trampoline::{set_action, zeroed};

crate::hook! {
    unsafe fn sigaction(signum: c_int, new: *const Action, old: *mut Action) -> c_int => hooked_sigaction {
        // SAFETY: the program's pointers, by the contract of the call.
        unsafe { set_action(signum, new, old) }
    }
}

/// signal(2) with the flags of one of its variants.
unsafe fn set_handler(
    signum: c_int,
    handler: libc::sighandler_t,
    flags: c_int,
    block_itself: bool,
) -> libc::sighandler_t {
    let mut new = zeroed();
    let mut old = zeroed();
    new.sa_sigaction = handler;
    new.sa_flags = flags;
    if block_itself && (1..=64).contains(&signum) {
        // SAFETY: the first word of a set holds signals 1 to 64.
        unsafe { *std::ptr::from_mut(&mut new.sa_mask).cast::<u64>() = 1 << (signum - 1) };
    }
    // SAFETY: valid actions.
    match unsafe { set_action(signum, &new, &mut old) } {
        0 => old.sa_sigaction,
        _ => libc::SIG_ERR,
    }
}

crate::hook! {
    unsafe fn signal(signum: c_int, handler: libc::sighandler_t) -> libc::sighandler_t => hooked_signal {
        // SAFETY: valid actions.
        unsafe { set_handler(signum, handler, libc::SA_RESTART, true) }
    }
}

crate::hook! {
    unsafe fn bsd_signal(signum: c_int, handler: libc::sighandler_t) -> libc::sighandler_t => hooked_bsd_signal {
        // SAFETY: valid actions.
        unsafe { set_handler(signum, handler, libc::SA_RESTART, true) }
    }
}

crate::hook! {
    unsafe fn sysv_signal(signum: c_int, handler: libc::sighandler_t) -> libc::sighandler_t => hooked_sysv_signal {
        // SAFETY: valid actions.
        unsafe { set_handler(signum, handler, libc::SA_RESETHAND | libc::SA_NODEFER, false) }
    }
}

crate::hook! {
    unsafe fn __sysv_signal(signum: c_int, handler: libc::sighandler_t) -> libc::sighandler_t => hooked_internal_sysv_signal {
        // SAFETY: valid actions.
        unsafe { set_handler(signum, handler, libc::SA_RESETHAND | libc::SA_NODEFER, false) }
    }
}

crate::hook! {
    unsafe fn __sigaction(signum: c_int, new: *const Action, old: *mut Action) -> c_int => hooked_internal_sigaction {
        // SAFETY: the program's pointers, by the contract of the call.
        unsafe { set_action(signum, new, old) }
    }
}

/// Linux: `SIG_HOLD` of <signal.h>.
const SIG_HOLD: libc::sighandler_t = 2;

crate::hook! {
    unsafe fn sigset(signum: c_int, handler: libc::sighandler_t) -> libc::sighandler_t => hooked_sigset {
        let mut set = std::mem::MaybeUninit::<libc::sigset_t>::zeroed();
        let mut old = std::mem::MaybeUninit::<libc::sigset_t>::zeroed();
        let how = if handler == SIG_HOLD { libc::SIG_BLOCK } else { libc::SIG_UNBLOCK };
        // SAFETY: valid sets, here and below.
        unsafe { libc::sigaddset(set.as_mut_ptr(), signum) };
        let mut was = zeroed();
        // SAFETY: as above.
        let before = unsafe {
            if handler == SIG_HOLD {
                set_action(signum, std::ptr::null(), &mut was);
                was.sa_sigaction
            } else {
                set_handler(signum, handler, 0, false)
            }
        };
        if before == libc::SIG_ERR {
            return before;
        }
        // SAFETY: as above.
        let held = unsafe {
            libc::pthread_sigmask(how, set.as_ptr(), old.as_mut_ptr());
            libc::sigismember(old.as_ptr(), signum) == 1
        };
        if held { SIG_HOLD } else { before }
    }
}

crate::hook! {
    unsafe fn sigignore(signum: c_int) -> c_int => hooked_sigignore {
        // SAFETY: valid actions.
        let before = unsafe { set_handler(signum, libc::SIG_IGN, 0, false) };
        if before == libc::SIG_ERR { -1 } else { 0 }
    }
}
