//! The system calls that glasspoll makes beyond those without which no program runs, each with arguments that do
//! nothing: a kernel that has the call, and a sandbox that lets it through, answer otherwise than by ENOSYS or EPERM.

use super::child::{in_child, Tried};

/// A call, and whose it is.
struct Call {
    name: &'static str,
    number: i64,
    arguments: [i64; 4],
}

const fn call(name: &'static str, number: i64, arguments: [i64; 4]) -> Call {
    Call { name, number, arguments }
}

/// No descriptor, no process.
const NONE: i64 = -1;
/// Flags that no call has.
const ODD: i64 = 0x7fff_0000;

/// Those of the library: docs/faults.md says what each is for, and what happens without it.
const LIBRARY: [Call; 33] = [
    call("clock_gettime", libc::SYS_clock_gettime, [0x7fff, 0, 0, 0]),
    call("connect", libc::SYS_connect, [NONE, 0, 0, 0]),
    call("eventfd2", libc::SYS_eventfd2, [0, ODD, 0, 0]),
    call("fallocate", libc::SYS_fallocate, [NONE, 0, 0, 1]),
    call("fcntl", libc::SYS_fcntl, [NONE, 1, 0, 0]),
    call("fstatfs", libc::SYS_fstatfs, [NONE, 0, 0, 0]),
    call("ftruncate", libc::SYS_ftruncate, [NONE, 0, 0, 0]),
    call("futex", libc::SYS_futex, [0, 129, 0, 0]),
    call("getcpu", libc::SYS_getcpu, [0, 0, 0, 0]),
    call("getdents64", libc::SYS_getdents64, [NONE, 0, 0, 0]),
    call("getresuid", libc::SYS_getresuid, [0, 0, 0, 0]),
    call("getsockopt", libc::SYS_getsockopt, [NONE, 0, 0, 0]),
    call("ioctl", libc::SYS_ioctl, [NONE, 0, 0, 0]),
    call("kcmp", libc::SYS_kcmp, [NONE, NONE, 0, 0]),
    call("madvise", libc::SYS_madvise, [0, 0, 4, 0]),
    call("memfd_create", libc::SYS_memfd_create, [0, ODD, 0, 0]),
    call("mremap", libc::SYS_mremap, [1, 0, 0, 0]),
    call("openat", libc::SYS_openat, [NONE, 0, 0, 0]),
    call("ppoll", libc::SYS_ppoll, [0, i64::MAX, 0, 0]),
    call("prlimit64", libc::SYS_prlimit64, [0, 0x7fff, 0, 0]),
    call("pselect6", libc::SYS_pselect6, [NONE, 0, 0, 0]),
    call("readlinkat", libc::SYS_readlinkat, [NONE, 0, 0, 0]),
    call("rt_sigpending", libc::SYS_rt_sigpending, [0, 0x7fff, 0, 0]),
    call("rt_sigprocmask", libc::SYS_rt_sigprocmask, [0, 0, 0, 0]),
    call("rt_sigtimedwait", libc::SYS_rt_sigtimedwait, [0, 0, 0, 0]),
    call("rt_tgsigqueueinfo", libc::SYS_rt_tgsigqueueinfo, [NONE, NONE, 0, 0]),
    call("sched_getaffinity", libc::SYS_sched_getaffinity, [0, 0, 0, 0]),
    call("sendmsg", libc::SYS_sendmsg, [NONE, 0, 0, 0]),
    call("sigaltstack", libc::SYS_sigaltstack, [0, 0, 0, 0]),
    call("signalfd4", libc::SYS_signalfd4, [NONE, 0, 0, ODD]),
    call("socket", libc::SYS_socket, [NONE, 0, 0, 0]),
    call("tgkill", libc::SYS_tgkill, [NONE, NONE, 0, 0]),
    call("timerfd_create", libc::SYS_timerfd_create, [NONE, ODD, 0, 0]),
];

/// Those of the command, when it looks into another process.
const COMMAND: [Call; 5] = [
    call("pidfd_getfd", libc::SYS_pidfd_getfd, [NONE, 0, 0, 0]),
    call("pidfd_open", libc::SYS_pidfd_open, [NONE, 0, 0, 0]),
    call("process_vm_readv", libc::SYS_process_vm_readv, [0x7fff_ffff, 0, 0, 0]),
    call("process_vm_writev", libc::SYS_process_vm_writev, [0x7fff_ffff, 0, 0, 0]),
    call("ptrace", libc::SYS_ptrace, [16, 0x7fff_ffff, 0, 0]),
];

/// Those of the library that are refused here.
pub fn of_the_library() -> Vec<&'static str> {
    refused(&LIBRARY)
}

/// Those of the command that are refused here.
pub fn of_the_command() -> Vec<&'static str> {
    refused(&COMMAND)
}

fn refused(calls: &[Call]) -> Vec<&'static str> {
    let is_refused = |call: &&Call| {
        let [one, two, three, four] = call.arguments;
        let tried = in_child(|| {
            // SAFETY: every pointer is null, every descriptor and process none: the call does nothing.
            match unsafe { libc::syscall(call.number, one, two, three, four, 0, 0) } {
                -1 => Err(super::child::errno()),
                _ => Ok(()),
            }
        });
        matches!(tried, Tried::Killed | Tried::Refused(libc::ENOSYS | libc::EPERM))
    };
    calls.iter().filter(is_refused).map(|call| call.name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_without_a_sandbox_refuses_none() {
        assert_eq!((of_the_library(), of_the_command()), (vec![], vec![]));
    }

    #[test]
    fn each_is_named_once_and_in_order() {
        for calls in [&LIBRARY[..], &COMMAND] {
            assert!(calls.windows(2).all(|pair| pair[0].name < pair[1].name));
        }
    }
}
