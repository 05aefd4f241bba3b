//! A server that the test stops whenever it is about to wait, and whose system calls are counted.
//!
//! What a server does for fifty requests depends on how many of them it finds at once, and on how long it had nothing
//! to do before. If server and client run in parallel, the scheduler decides both. Here they take turns: ptrace(2)
//! stops the server at its next wait that may sleep, the client writes its requests, and the server goes on.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

use crate::processes;
use crate::run::scratch_output;
use crate::syscall_names;

/// How often each system call was made, by name.
pub type Counts = BTreeMap<String, u64>;

/// The traced processes. All are killed when it is dropped. It must stay on the thread that started it.
pub struct Lockstep {
    /// The process that was started; it leads their process group.
    pid: i32,
    threads: BTreeSet<i32>,
    /// The thread that is stopped before its wait.
    held: Option<i32>,
    counts: BTreeMap<i64, u64>,
}

impl Lockstep {
    /// Starts `command`, and lets it run until its first wait.
    // `drop` reaps every tracee.
    #[allow(clippy::zombie_processes)]
    pub fn start(mut command: Command) -> Lockstep {
        scratch_output(&mut command);
        command.process_group(0);
        // SAFETY: ptrace with these arguments touches nothing, and is safe after fork.
        unsafe {
            command.pre_exec(|| match libc::ptrace(libc::PTRACE_TRACEME, 0, 0, 0) {
                -1 => Err(io::Error::last_os_error()),
                _ => Ok(()),
            });
        }
        let child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let pid = child.id() as i32;
        let mut server =
            Lockstep { pid, threads: BTreeSet::from([pid]), held: None, counts: BTreeMap::new() };
        let (stopped, status) = server.next_stop();
        assert!(stopped == pid && libc::WIFSTOPPED(status), "{command:?} does not stop at its start");
        let options = libc::PTRACE_O_TRACESYSGOOD
            | libc::PTRACE_O_TRACEFORK
            | libc::PTRACE_O_TRACEVFORK
            | libc::PTRACE_O_TRACECLONE
            | libc::PTRACE_O_TRACEEXEC
            | libc::PTRACE_O_EXITKILL;
        assert!(request(libc::PTRACE_SETOPTIONS, pid, options as usize), "{}", io::Error::last_os_error());
        server.held = Some(pid);
        server.run_to_wait();
        server
    }

    /// Lets the server run until one of its threads is about to wait again.
    pub fn run_to_wait(&mut self) {
        let held = self.held.take().expect("it is held between two calls");
        request(libc::PTRACE_SYSCALL, held, 0);
        while self.held.is_none() {
            let (pid, status) = self.next_stop();
            if libc::WIFSTOPPED(status) {
                self.stopped(pid, libc::WSTOPSIG(status), status >> 16);
            } else {
                self.threads.remove(&pid);
                assert!(pid != self.pid, "the server ended: {status:#x}");
            }
        }
    }

    /// The calls since the start.
    pub fn counts(&self) -> Counts {
        let name = |number| syscall_names::name(number).map_or(format!("call {number}"), str::to_owned);
        self.counts.iter().map(|(number, count)| (name(*number), *count)).collect()
    }

    /// How many kernel epolls its processes hold.
    pub fn kernel_epolls(&self) -> usize {
        self.threads.iter().map(|pid| processes::kernel_epolls(*pid as u32)).sum()
    }

    /// The next stop of any of its threads.
    fn next_stop(&self) -> (i32, i32) {
        loop {
            let mut status = 0;
            // Only this thread's own tracees: other tests have theirs.
            // SAFETY: a valid pointer.
            let pid = unsafe { libc::waitpid(-1, &mut status, libc::__WALL | libc::__WNOTHREAD) };
            if pid > 0 {
                return (pid, status);
            }
            let error = io::Error::last_os_error();
            assert!(error.kind() == io::ErrorKind::Interrupted, "nothing is left to trace: {error}");
        }
    }

    /// Handles the stop of a thread: continues it, unless it is about to wait.
    fn stopped(&mut self, pid: i32, signal: i32, event: i32) {
        let is_new = self.threads.insert(pid);
        let mut pass_on = signal;
        if signal == libc::SIGTRAP | 0x80 {
            pass_on = 0;
            if let Some((number, arguments)) = entry(pid) {
                *self.counts.entry(number).or_default() += 1;
                if may_sleep(pid, number, arguments) {
                    self.held = Some(pid);
                    return;
                }
            }
        } else if event != 0 || is_new && signal == libc::SIGSTOP {
            // A fork or clone, or the first stop of the new process or thread.
            pass_on = 0;
        }
        request(libc::PTRACE_SYSCALL, pid, pass_on as usize);
    }
}

impl Drop for Lockstep {
    fn drop(&mut self) {
        // SAFETY: kill takes two numbers; the group is that of our child, which is not waited for yet.
        unsafe { libc::kill(-self.pid, libc::SIGKILL) };
        // SAFETY: a null pointer asks for no status.
        while unsafe { libc::waitpid(-1, std::ptr::null_mut(), libc::__WALL | libc::__WNOTHREAD) } > 0 {}
    }
}

fn request(what: libc::c_uint, pid: i32, data: usize) -> bool {
    // SAFETY: the requests used here take a number or a pointer to live memory; a thread that is gone is an error.
    unsafe { libc::ptrace(what, pid, 0, data) != -1 }
}

/// The call that a thread is about to make, and its arguments. None: the thread has just made one.
fn entry(pid: i32) -> Option<(i64, [u64; 6])> {
    // SAFETY: all-zero bytes are a valid value.
    let mut info: libc::ptrace_syscall_info = unsafe { std::mem::zeroed() };
    let (size, info_at) = (size_of_val(&info), &raw mut info);
    // SAFETY: room for the size that is given; the kernel writes no more.
    let written = unsafe { libc::ptrace(libc::PTRACE_GET_SYSCALL_INFO, pid, size, info_at) };
    if written <= 0 || info.op != libc::PTRACE_SYSCALL_INFO_ENTRY {
        return None;
    }
    // SAFETY: this is the variant for an entry.
    let entry = unsafe { info.u.entry };
    Some((entry.nr as i64, entry.args))
}

/// Whether this call waits for files and may sleep.
fn may_sleep(pid: i32, number: i64, arguments: [u64; 6]) -> bool {
    match number {
        #[cfg(target_arch = "x86_64")]
        libc::SYS_epoll_wait => arguments[3] as i32 != 0,
        libc::SYS_epoll_pwait => arguments[3] as i32 != 0,
        libc::SYS_epoll_pwait2 => !is_zero(pid, arguments[3]),
        libc::SYS_ppoll => !is_zero(pid, arguments[2]),
        _ => false,
    }
}

/// Whether the timespec at `at` is readable and zero.
fn is_zero(pid: i32, at: u64) -> bool {
    let mut time = [u64::MAX; 2];
    let local = libc::iovec { iov_base: time.as_mut_ptr().cast(), iov_len: size_of_val(&time) };
    let remote = libc::iovec { iov_base: at as *mut libc::c_void, iov_len: size_of_val(&time) };
    // SAFETY: room for as much as is asked for; a bad remote address is an error.
    unsafe { libc::process_vm_readv(pid, &local, 1, &remote, 1, 0) };
    time == [0, 0]
}
