//! syscall(2): calls that concern a set go to our functions (`routes`), every other call goes to the kernel.

use libc::{c_int, c_long};

use crate::arch::numbers::*;
use crate::engine::Outcome;
use crate::errno::to_kernel;
use crate::fdtable::{self, PROVENANCE};
use crate::interpose::read_write::{self, pthread_setcancelstate, PTHREAD_CANCEL_DISABLE};
use crate::interpose::routes::for_routes;
use crate::interpose::{
    close_dup, eventfd_timerfd, fcntl_ioctl, fork_clone, guarded, io_uring as rings, messages, mmap, mqueue,
    poll_select, prctl, raw_epoll, set_errno, setsockopt, splice,
};
use crate::memory::user_memory;
use crate::process::record;
use crate::thread::signal::trampoline;

type Args = [usize; 6];

/// Linux: `include/uapi/linux/sched.h`. Only for clone3(2).
const CLONE_CLEAR_SIGHAND: usize = 1 << 32;

fn answer(outcome: Outcome, nr: c_long, args: Args) -> c_long {
    match outcome {
        Outcome::Done(Ok(value)) => c_long::from(value),
        Outcome::Done(Err(errno)) => {
            set_errno(errno);
            -1
        }
        Outcome::Kernel => to_kernel(nr, args),
    }
}

/// When a call goes to its hook, by its fd.
#[derive(Clone, Copy)]
enum When {
    Always,
    Known,
    Noted,
}

impl When {
    #[inline]
    fn holds(self, fd: usize) -> bool {
        let flags = || fdtable::flags(fd as c_int);
        match self {
            When::Always => true,
            When::Known => flags() != 0,
            When::Noted => flags() & !PROVENANCE != 0,
        }
    }
}

/// How a hook runs.
#[derive(Clone, Copy)]
enum How {
    Plain,
    Uncancelled,
}

impl How {
    #[inline]
    fn run(self, call: impl FnOnce() -> c_long) -> c_long {
        match self {
            How::Plain => call(),
            How::Uncancelled => uncancelled(call),
        }
    }
}

/// Runs a call with cancellation disabled: a raw system call is no cancellation point, but the function of its name is.
fn uncancelled(call: impl FnOnce() -> c_long) -> c_long {
    let mut before = 0;
    // SAFETY: a valid pointer, and the state that was there before.
    unsafe { pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &mut before) };
    let result = call();
    // SAFETY: as above.
    unsafe { pthread_setcancelstate(before, std::ptr::null_mut()) };
    result
}

/// fork(2), vfork(2), clone(2) or clone3(2) with these flags.
fn cloned(flags: usize, nr: c_long, args: Args) -> c_long {
    if flags & libc::CLONE_VM as usize != 0 {
        // The child also returns through here, on the same stack: nothing may follow the call.
        match flags & libc::CLONE_FILES as usize {
            0 => fork_clone::note_clone(flags),
            _ => fork_clone::clone_begins(flags),
        }
        return to_kernel(nr, args);
    }
    fork_clone::clone_begins(flags);
    let made = if fork_clone::is_plain_copy(flags) {
        fork_clone::forking(|| to_kernel(nr, args))
    } else {
        to_kernel(nr, args)
    };
    fork_clone::clone_made(flags, made < 0);
    if made == 0 && flags & CLONE_CLEAR_SIGHAND != 0 {
        guarded((), trampoline::cleared);
    }
    made
}

fn fork(nr: c_long, args: Args) -> c_long {
    cloned(0, nr, args)
}

fn vfork(nr: c_long, args: Args) -> c_long {
    cloned(libc::CLONE_VM as usize, nr, args)
}

fn clone(nr: c_long, args: Args) -> c_long {
    cloned(args[0], nr, args)
}

fn clone3(nr: c_long, args: Args) -> c_long {
    // Linux: `struct clone_args`. If it cannot be read, the kernel refuses the call.
    cloned(user_memory::read_u64(args[0] as *const u64).unwrap_or(0) as usize, nr, args)
}

fn seccomp(nr: c_long, args: Args) -> c_long {
    // SECCOMP_SET_MODE_STRICT is 0.
    let forbids = prctl::forbids_the_counter(libc::PR_SET_SECCOMP as usize, args[0].wrapping_add(1));
    let done = to_kernel(nr, args);
    if forbids && done == 0 {
        record::end();
    }
    done
}

fn io_uring_setup(nr: c_long, args: Args) -> c_long {
    let ring = to_kernel(nr, args);
    // SAFETY: what the kernel was given and has filled in.
    unsafe { rings::made(ring, args[1]) };
    ring
}

fn io_uring_enter(nr: c_long, args: Args) -> c_long {
    rings::before_enter(args[0] as c_int, args[1], args[3]);
    to_kernel(nr, args)
}

/// The epoll calls. Each asks the kernel where the engine does not answer.
macro_rules! epoll_calls {
    ($($name:ident => $call:path;)*) => {
        $(
            fn $name(nr: c_long, args: Args) -> c_long {
                $call(args, &mut || to_kernel(nr, args))
            }
        )*
    };
}

epoll_calls! {
    raw_create_sized => raw_epoll::create_sized;
    raw_create => raw_epoll::create;
    raw_ctl => raw_epoll::ctl;
    raw_wait => raw_epoll::wait;
    raw_pwait => raw_epoll::pwait;
    raw_pwait2 => raw_epoll::pwait2;
}

macro_rules! dispatch {
    (
        hooks { $($hook_nr:ident($($hook_arg:ident),*) $when:ident $how:ident => $hook:path[$($hook_value:expr),*];)* }
        outcomes { $($outcome_nr:ident($($arg:ident),*) => $outcome:path[$($value:expr),*];)* }
        specials { $($special_nr:ident => $special:path;)* }
    ) => {
        #[inline]
        #[allow(non_upper_case_globals)]
        fn dispatch(nr: c_long, args: Args) -> c_long {
            match nr {
                $($hook_nr if When::$when.holds(args[0]) => {
                    let [$($hook_arg,)* ..] = args;
                    // SAFETY: as the function of that name.
                    How::$how.run(|| unsafe { $hook($($hook_value),*) as c_long })
                })*
                $($outcome_nr => {
                    let [$($arg,)* ..] = args;
                    answer(guarded(Outcome::Kernel, || $outcome($($value),*)), nr, args)
                })*
                $($special_nr => $special(nr, args),)*
                _ => to_kernel(nr, args),
            }
        }
    };
}

for_routes!(dispatch);

/// syscall(2). Variadic in C; we take all six arguments, whether or not the caller passed them.
///
/// # Safety
/// As the system call.
#[no_mangle]
pub unsafe extern "C-unwind" fn syscall(
    nr: c_long,
    a: usize,
    b: usize,
    c: usize,
    d: usize,
    e: usize,
    f: usize,
) -> c_long {
    let args = [a, b, c, d, e, f];
    // The reactor and Rust's own locks come through here as well: for them it is one comparison.
    if nr == SYS_futex {
        return to_kernel(nr, args);
    }
    dispatch(nr, args)
}
