//! A process in a sandbox: one that dies at its first epoll or io_uring call, or is refused other calls.
//!
//! A classic BPF program compares the number of each system call with a list. The filter stays in place over exec and
//! fork.

use crate::Mode;
use std::ffi::OsStr;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// Every number of epoll and io_uring on this architecture. The newer calls have the same number on every architecture.
const FORBIDDEN: &[libc::c_long] = &[
    #[cfg(target_arch = "x86_64")]
    libc::SYS_epoll_create,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_epoll_wait,
    libc::SYS_epoll_create1,
    libc::SYS_epoll_ctl,
    libc::SYS_epoll_pwait,
    libc::SYS_epoll_pwait2,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
];

/// Offset of `nr` in `struct seccomp_data`.
const NUMBER: u32 = 0;

/// A command for `program` in `mode`. Preloaded, its first epoll or io_uring call kills it.
pub fn command(mode: Mode, program: impl AsRef<OsStr>) -> Command {
    let mut command = mode.command(program);
    if mode == Mode::Preloaded {
        let mut filter = filter();
        // SAFETY: two system calls between fork and exec; the filter was made before.
        unsafe { command.pre_exec(move || install(&mut filter)) };
    }
    command
}

/// Forbids epoll and io_uring to this process, permanently: the kernel kills it at such a call.
pub fn forbid_epoll() -> io::Result<()> {
    install(&mut filter())
}

/// Puts a command into a sandbox: what the kernel does with each listed call, and with all others.
pub fn confine(command: &mut Command, listed: &[(libc::c_long, u32)], others: u32) {
    let mut filter = filter_of(listed, others);
    // SAFETY: two system calls between fork and exec; the filter was made before.
    unsafe { command.pre_exec(move || install(&mut filter)) };
}

/// The kernel refuses the call with this errno.
pub fn refusal(errno: i32) -> u32 {
    libc::SECCOMP_RET_ERRNO | u32::try_from(errno).expect("an errno")
}

fn filter() -> Vec<libc::sock_filter> {
    let listed: Vec<_> = FORBIDDEN.iter().map(|number| (*number, libc::SECCOMP_RET_KILL_PROCESS)).collect();
    filter_of(&listed, libc::SECCOMP_RET_ALLOW)
}

fn filter_of(listed: &[(libc::c_long, u32)], others: u32) -> Vec<libc::sock_filter> {
    let mut filter = vec![statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, NUMBER)];
    for (number, action) in listed {
        let number = u32::try_from(*number).expect("a system call number");
        // Equal: go on with the next instruction, which decides. Otherwise: jump over it.
        filter.push(libc::sock_filter {
            jf: 1,
            ..statement(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, number)
        });
        filter.push(statement(libc::BPF_RET, *action));
    }
    filter.push(statement(libc::BPF_RET, others));
    filter
}

fn statement(code: u32, k: u32) -> libc::sock_filter {
    let code = u16::try_from(code).expect("a BPF code");
    libc::sock_filter { code, jt: 0, jf: 0, k }
}

fn install(filter: &mut [libc::sock_filter]) -> io::Result<()> {
    let program = libc::sock_fprog {
        len: u16::try_from(filter.len()).expect("a short filter"),
        filter: filter.as_mut_ptr(),
    };
    // SAFETY: prctl takes five numbers. Without this call only root may install a filter.
    let result = unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: `program` and the filter it points to live until the call
    // returns; the kernel copies them.
    let result = unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &program) };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}
