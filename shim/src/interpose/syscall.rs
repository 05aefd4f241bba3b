//! syscall(2): the system calls of epoll, of closing and duplicating, of reading and writing go to our functions;
//! every other call goes to the kernel.

use libc::{c_int, c_long, c_void, epoll_event, iovec};
use syscalls::{Errno, Sysno};

use crate::fdtable;
use crate::interpose::epoll::{self, Outcome};
use crate::interpose::read_write::{self, pthread_setcancelstate, PTHREAD_CANCEL_DISABLE};
use crate::interpose::{
    close_dup, fcntl_ioctl, fork_clone, guarded, io_uring, messages, mqueue, poll_select, prctl, set_errno,
    splice,
};
use crate::memory::user_memory;
use crate::process::record;
use crate::thread::signal::trampoline;
use glasspoll_reactor::eventpoll::timeout::Timeout;

type Args = [usize; 6];

/// Linux: `include/uapi/linux/sched.h`. Only for clone3(2).
const CLONE_CLEAR_SIGHAND: usize = 1 << 32;

/// Bytes in the kernel's signal set.
const SIGSET: usize = 8;

fn answer(outcome: Outcome, nr: usize, args: Args) -> c_long {
    match outcome {
        Outcome::Done(Ok(value)) => c_long::from(value),
        Outcome::Done(Err(errno)) => {
            set_errno(errno);
            -1
        }
        Outcome::Kernel => to_kernel(nr, args),
    }
}

fn to_kernel(nr: usize, args: Args) -> c_long {
    // SAFETY: the program's own call.
    match unsafe { glasspoll_reactor::sys::syscall(nr, args) } {
        Ok(value) => value as c_long,
        Err(errno) => {
            set_errno(errno);
            -1
        }
    }
}

/// fork(2), vfork(2), clone(2) or clone3(2) with these flags.
fn cloned(flags: usize, nr: c_long, args: Args) -> c_long {
    if flags & libc::CLONE_VM as usize != 0 {
        // The child returns through here as well, on the same stack: nothing may follow the call.
        match flags & libc::CLONE_FILES as usize {
            0 => fork_clone::note_clone(flags),
            _ => fork_clone::clone_begins(flags),
        }
        return to_kernel(nr as usize, args);
    }
    fork_clone::clone_begins(flags);
    let made = if fork_clone::is_plain_copy(flags) {
        fork_clone::forking(|| to_kernel(nr as usize, args))
    } else {
        to_kernel(nr as usize, args)
    };
    fork_clone::clone_made(flags, made < 0);
    if made == 0 && flags & CLONE_CLEAR_SIGHAND != 0 {
        guarded((), trampoline::cleared);
    }
    made
}

fn pwait(args: Args, timeout: Result<Option<u64>, Errno>) -> Outcome {
    let [epfd, events, maxevents, _, sigmask, size] = args;
    if sigmask != 0 && size != SIGSET {
        return Outcome::Done(Err(Errno::EINVAL));
    }
    match timeout {
        Ok(ns) => epoll::wait(
            epfd as c_int,
            events as *mut epoll_event,
            maxevents as c_int,
            &mut Timeout::new(ns),
            sigmask as *const u64,
        ),
        Err(errno) => Outcome::Done(Err(errno)),
    }
}

fn milliseconds(arg: usize) -> Option<u64> {
    u64::try_from(arg as c_int).ok().map(|ms| ms * 1_000_000)
}

/// The epoll calls, and polls of an epoll descriptor.
fn epoll_call(nr: usize, args: Args) -> Option<Outcome> {
    let [a, b, c, d, ..] = args;
    let nr = Sysno::new(nr)?;
    let outcome = match nr {
        #[cfg(target_arch = "x86_64")]
        Sysno::epoll_create if a as c_int <= 0 => Outcome::Done(Err(Errno::EINVAL)),
        #[cfg(target_arch = "x86_64")]
        Sysno::epoll_create => epoll::create(0),
        #[cfg(target_arch = "x86_64")]
        Sysno::epoll_wait => pwait([a, b, c, d, 0, 0], Ok(milliseconds(d))),
        Sysno::epoll_create1 => epoll::create(a as c_int),
        Sysno::epoll_ctl => epoll::ctl(a as c_int, b as c_int, c as c_int, d as *const epoll_event),
        Sysno::epoll_pwait => pwait(args, Ok(milliseconds(d))),
        Sysno::epoll_pwait2 => pwait(args, epoll::nanoseconds(d as *const libc::timespec)),
        _ => Outcome::Done(poll_select::raw(nr, args)?),
    };
    Some(outcome)
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
    let fd = a as c_int;
    match nr {
        libc::SYS_futex => to_kernel(nr as usize, args),
        // An unknown fd goes straight to the kernel.
        libc::SYS_close | libc::SYS_fcntl | libc::SYS_ioctl if fdtable::flags(fd) == 0 => {
            to_kernel(nr as usize, args)
        }
        libc::SYS_read | libc::SYS_write if fdtable::flags(fd) & !fdtable::PROVENANCE == 0 => {
            to_kernel(nr as usize, args)
        }
        // SAFETY: as the function of that name.
        libc::SYS_close => uncancelled(|| c_long::from(unsafe { close_dup::close(fd) })),
        // SAFETY: as the function of that name.
        libc::SYS_fcntl => uncancelled(|| c_long::from(unsafe { fcntl_ioctl::fcntl(fd, b as c_int, c) })),
        // SAFETY: as the function of that name.
        libc::SYS_ioctl => c_long::from(unsafe { fcntl_ioctl::ioctl(fd, b as libc::c_ulong, c) }),
        libc::SYS_close_range => {
            // SAFETY: as the function of that name.
            c_long::from(unsafe { close_dup::close_range(a as u32, b as u32, c as c_int) })
        }
        // SAFETY: as the function of that name.
        libc::SYS_prctl => c_long::from(unsafe { prctl::prctl(fd, b, c, d, e) }),
        // SECCOMP_SET_MODE_STRICT is 0.
        libc::SYS_seccomp if prctl::forbids_the_counter(libc::PR_SET_SECCOMP as usize, a.wrapping_add(1)) => {
            let done = to_kernel(nr as usize, args);
            if done == 0 {
                record::end();
            }
            done
        }
        // SAFETY: as the function of that name.
        libc::SYS_dup => c_long::from(unsafe { close_dup::hooked_dup(fd) }),
        #[cfg(target_arch = "x86_64")]
        // SAFETY: as the function of that name.
        libc::SYS_dup2 => c_long::from(unsafe { close_dup::hooked_dup2(fd, b as c_int) }),
        // SAFETY: as the function of that name.
        libc::SYS_dup3 => c_long::from(unsafe { close_dup::hooked_dup3(fd, b as c_int, c as c_int) }),
        // SAFETY: as the function of that name.
        libc::SYS_read => uncancelled(|| unsafe { read_write::read(fd, b as *mut c_void, c) as c_long }),
        // SAFETY: as the function of that name.
        libc::SYS_write => uncancelled(|| unsafe { read_write::write(fd, b as *const c_void, c) as c_long }),
        libc::SYS_writev
        | libc::SYS_sendto
        | libc::SYS_readv
        | libc::SYS_recvfrom
        | libc::SYS_shutdown
        | libc::SYS_preadv2
        | libc::SYS_pwritev2
        | libc::SYS_vmsplice
            if fdtable::flags(fd) & !fdtable::PROVENANCE == 0 =>
        {
            to_kernel(nr as usize, args)
        }
        libc::SYS_writev => uncancelled(|| {
            // SAFETY: as the function of that name.
            unsafe { read_write::writev(fd, b as *const iovec, c as c_int) as c_long }
        }),
        libc::SYS_sendto => uncancelled(|| {
            let address = e as *const libc::sockaddr;
            // SAFETY: as the function of that name.
            unsafe { read_write::sendto(fd, b as *const c_void, c, d as c_int, address, f as u32) as c_long }
        }),
        libc::SYS_sendmsg => uncancelled(|| {
            // SAFETY: as the function of that name.
            unsafe { messages::sendmsg(fd, b as *const libc::msghdr, c as c_int) as c_long }
        }),
        libc::SYS_readv => uncancelled(|| {
            // SAFETY: as the function of that name.
            unsafe { read_write::readv(fd, b as *const iovec, c as c_int) as c_long }
        }),
        libc::SYS_preadv2 => uncancelled(|| {
            // SAFETY: as the function of that name. Only 32-bit systems use the upper half of the offset.
            unsafe { read_write::preadv2(fd, b as *const iovec, c as c_int, d as i64, f as c_int) as c_long }
        }),
        libc::SYS_pwritev2 => uncancelled(|| {
            // SAFETY: as the function of that name.
            unsafe { read_write::pwritev2(fd, b as *const iovec, c as c_int, d as i64, f as c_int) as c_long }
        }),
        libc::SYS_splice => uncancelled(|| {
            let (from, to) = (b as *mut libc::loff_t, d as *mut libc::loff_t);
            // SAFETY: as the function of that name.
            unsafe { splice::splice(fd, from, c as c_int, to, e, f as u32) as c_long }
        }),
        // SAFETY: as the function of that name.
        libc::SYS_tee => uncancelled(|| unsafe { splice::tee(fd, b as c_int, c, d as u32) as c_long }),
        libc::SYS_vmsplice => uncancelled(|| {
            // SAFETY: as the function of that name.
            unsafe { splice::vmsplice(fd, b as *const iovec, c, d as u32) as c_long }
        }),
        libc::SYS_mq_timedreceive => uncancelled(|| {
            let (message, until) = (b as *mut libc::c_char, e as *const libc::timespec);
            // SAFETY: as the function of that name.
            unsafe { mqueue::mq_timedreceive(fd, message, c, d as *mut u32, until) as c_long }
        }),
        libc::SYS_mq_timedsend => uncancelled(|| {
            let (message, until) = (b as *const libc::c_char, e as *const libc::timespec);
            // SAFETY: as the function of that name.
            unsafe { c_long::from(mqueue::mq_timedsend(fd, message, c, d as u32, until)) }
        }),
        libc::SYS_recvfrom => uncancelled(|| {
            let (address, length) = (e as *mut libc::sockaddr, f as *mut libc::socklen_t);
            // SAFETY: as the function of that name.
            unsafe { read_write::recvfrom(fd, b as *mut c_void, c, d as c_int, address, length) as c_long }
        }),
        libc::SYS_recvmsg => uncancelled(|| {
            // SAFETY: as the function of that name.
            unsafe { messages::recvmsg(fd, b as *mut libc::msghdr, c as c_int) as c_long }
        }),
        // SAFETY: as the function of that name.
        libc::SYS_shutdown => c_long::from(unsafe { read_write::shutdown(fd, b as c_int) }),
        #[cfg(target_arch = "x86_64")]
        libc::SYS_fork => cloned(0, nr, args),
        #[cfg(target_arch = "x86_64")]
        libc::SYS_vfork => cloned(libc::CLONE_VM as usize, nr, args),
        libc::SYS_clone => cloned(a, nr, args),
        libc::SYS_clone3 => {
            // Linux: `struct clone_args`. If it cannot be read, the kernel refuses the call.
            cloned(user_memory::read_u64(a as *const u64).unwrap_or(0) as usize, nr, args)
        }
        libc::SYS_io_uring_setup => {
            let ring = to_kernel(nr as usize, args);
            // SAFETY: what the kernel was given and has filled in.
            unsafe { io_uring::made(ring, b) };
            ring
        }
        libc::SYS_io_uring_enter => {
            io_uring::before_enter(fd, b, d);
            to_kernel(nr as usize, args)
        }
        _ => match guarded(None, || epoll_call(nr as usize, args)) {
            Some(outcome) => answer(outcome, nr as usize, args),
            None => to_kernel(nr as usize, args),
        },
    }
}
