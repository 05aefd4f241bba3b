//! What stands in for a function that this libc does not have yet. The library brings the name into the process, so a
//! program that looks for it (by dlsym, or weakly) finds it, and calls it.
//!
//! | function | glibc has it from |
//! |---|---|
//! | `close_range`, `_Fork`, `execveat` | 2.34 |
//! | `closefrom` | 2.34: ours calls `close_range` |
//! | `epoll_pwait2` | 2.35 |

use std::ffi::{c_char, c_int, c_uint};

use glasspoll_reactor::sys;
use libc::{epoll_event, pid_t, sigset_t, timespec};
use syscalls::Sysno;

use crate::errno::answer;

/// The function with this name, which ends with a NUL; None: nothing stands in for it.
pub fn of(name: &str) -> Option<*const u8> {
    let function = match name.trim_end_matches('\0') {
        "close_range" => close_range as *const u8,
        "execveat" => execveat as *const u8,
        "epoll_pwait2" => epoll_pwait2 as *const u8,
        "_Fork" => bare_fork as *const u8,
        _ => return None,
    };
    Some(function)
}

fn call(nr: Sysno, args: [usize; 6]) -> c_int {
    // SAFETY: the program's own arguments, for the call that it asks for.
    answer(unsafe { sys::syscall(nr as usize, args) }.map(|result| result as c_int))
}

extern "C-unwind" fn close_range(first: c_uint, last: c_uint, flags: c_int) -> c_int {
    call(Sysno::close_range, [first as usize, last as usize, flags as usize, 0, 0, 0])
}

extern "C-unwind" fn execveat(
    dir: c_int,
    path: *const c_char,
    argv: *const *const c_char,
    envp: *const *const c_char,
    flags: c_int,
) -> c_int {
    call(Sysno::execveat, [dir as usize, path as usize, argv as usize, envp as usize, flags as usize, 0])
}

/// It is no cancellation point.
extern "C-unwind" fn epoll_pwait2(
    epfd: c_int,
    events: *mut epoll_event,
    maxevents: c_int,
    timeout: *const timespec,
    sigmask: *const sigset_t,
) -> c_int {
    const SIGSET_SIZE: usize = 8;
    let args =
        [epfd as usize, events as usize, maxevents as usize, timeout as usize, sigmask as usize, SIGSET_SIZE];
    call(Sysno::epoll_pwait2, args)
}

/// libc's fork, which runs the handlers of pthread_atfork too: without libc's help a child of threads has stale ids.
extern "C-unwind" fn bare_fork() -> pid_t {
    // SAFETY: the name ends with a NUL, and every libc has a symbol of that name and this type.
    unsafe {
        let fork = libc::dlsym(libc::RTLD_NEXT, c"fork".as_ptr());
        std::mem::transmute::<*mut libc::c_void, extern "C-unwind" fn() -> pid_t>(fork)()
    }
}
