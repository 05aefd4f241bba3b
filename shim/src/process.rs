//! fork, exec, spawn and cancellation.
//!
//! Fork itself is in `runtime`. Before exec the files that would go on to signal the new program are
//! disarmed and our signal is unblocked; should the exec fail, all is mended at the next call of ours.
//! A child that shares the parent's memory (vfork, posix_spawn) changes its own mask alone.

use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicPtr, Ordering};

use glasspoll_reactor::sys;
use libc::{
    c_char, c_int, c_short, pid_t, posix_spawn_file_actions_t, posix_spawnattr_t, pthread_t, sigset_t,
};

use crate::arch::exec_trampoline;
use crate::context;
use crate::real::guarded;
use crate::runtime::{self, SIGNAL};

const OURS: u64 = 1 << (SIGNAL - 1);

/// The exec family, each jumped to with the arguments it was called with, however many.
const NAMES: [&str; 9] = [
    "execve\0",
    "execv\0",
    "execvp\0",
    "execvpe\0",
    "execl\0",
    "execlp\0",
    "execle\0",
    "fexecve\0",
    "execveat\0",
];

static REAL: [AtomicPtr<u8>; NAMES.len()] = [const { AtomicPtr::new(std::ptr::null_mut()) }; NAMES.len()];

/// Called by the trampolines; returns where to jump.
pub extern "C" fn before_exec(which: usize) -> *const u8 {
    guarded((), || {
        if !runtime::uses_signals() {
            return;
        }
        if !runtime::is_vfork_child() {
            let _guard = context::enter();
            if let Some(watch) = runtime::WATCH.get() {
                watch.before_exec();
                context::on_trouble(exec_failed);
            }
        }
        if !context::with_thread(|thread| thread.blocks_ours.get()) {
            sys::sigprocmask(libc::SIG_UNBLOCK, OURS);
        }
    });
    let known = REAL[which].load(Ordering::Relaxed);
    if !known.is_null() {
        return known;
    }
    // SAFETY: the name ends with a NUL.
    let found = unsafe { redhook::ld_preload::dlsym_next(NAMES[which]) };
    REAL[which].store(found.cast_mut(), Ordering::Relaxed);
    found
}

/// We are still here.
fn exec_failed() {
    sys::sigprocmask(libc::SIG_BLOCK, OURS);
    if let Some(watch) = runtime::WATCH.get() {
        watch.exec_failed();
    }
}

exec_trampoline!(execve, 0);
exec_trampoline!(execv, 1);
exec_trampoline!(execvp, 2);
exec_trampoline!(execvpe, 3);
exec_trampoline!(execl, 4);
exec_trampoline!(execlp, 5);
exec_trampoline!(execle, 6);
exec_trampoline!(fexecve, 7);
exec_trampoline!(execveat, 8);

/// Attributes for a spawned program in which our signal is not blocked.
unsafe fn clean_attributes(
    given: *const posix_spawnattr_t,
    room: &mut MaybeUninit<posix_spawnattr_t>,
) -> *const posix_spawnattr_t {
    if !runtime::uses_signals() || context::with_thread(|thread| thread.blocks_ours.get()) {
        return given;
    }
    let attributes = room.as_mut_ptr();
    // SAFETY: `given` is the program's, by the contract of posix_spawn; a copy of it holds no
    // resource and needs no destruction.
    unsafe {
        if given.is_null() {
            libc::posix_spawnattr_init(attributes);
        } else {
            std::ptr::copy_nonoverlapping(given, attributes, 1);
        }
        let mut flags: c_short = 0;
        libc::posix_spawnattr_getflags(attributes, &mut flags);
        let mut mask = MaybeUninit::<sigset_t>::zeroed();
        if flags & libc::POSIX_SPAWN_SETSIGMASK as c_short != 0 {
            libc::posix_spawnattr_getsigmask(attributes, mask.as_mut_ptr());
        } else {
            *mask.as_mut_ptr().cast::<u64>() = sys::sigmask() & !OURS;
        }
        libc::posix_spawnattr_setsigmask(attributes, mask.as_ptr());
        libc::posix_spawnattr_setflags(attributes, flags | libc::POSIX_SPAWN_SETSIGMASK as c_short);
    }
    attributes
}

macro_rules! spawn {
    ($name:ident, $hook:ident) => {
        redhook::hook! {
            unsafe fn $name(
                pid: *mut pid_t,
                path: *const c_char,
                actions: *const posix_spawn_file_actions_t,
                attributes: *const posix_spawnattr_t,
                argv: *const *mut c_char,
                envp: *const *mut c_char
            ) -> c_int => $hook {
                let mut room = MaybeUninit::uninit();
                // SAFETY: the program's attributes, by the contract of the call.
                let attributes = unsafe { clean_attributes(attributes, &mut room) };
                crate::real_call!($name(pid, path, actions, attributes, argv, envp))
            }
        }
    };
}

spawn!(posix_spawn, hooked_posix_spawn);
spawn!(posix_spawnp, hooked_posix_spawnp);

redhook::hook! {
    unsafe fn pthread_cancel(thread: pthread_t) -> c_int => hooked_pthread_cancel {
        let result = crate::real_call!(pthread_cancel(thread));
        if result == 0 {
            let _guard = context::enter();
            context::cancel(thread as u64);
        }
        result
    }
}
