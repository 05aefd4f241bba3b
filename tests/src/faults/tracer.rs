//! Runs a program under ptrace(2), counts the system calls that the library makes for itself, and makes one of them
//! fail before the kernel sees it, or all of a kind from one of them on.
//!
//! A call is the library's own in two cases. Its instruction lies in the library, as with all raw calls; or it is one
//! of the calls that the library makes through libc, for its heap and its helper thread, and a frame of the library is
//! on the stack. A call that the program makes through a hook is the program's.

use std::collections::HashMap;
use std::io;
use std::ops::Range;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitStatus};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use super::call::Call;
use crate::run::scratch_output;

/// Which calls fail.
#[derive(Clone, Copy, Debug, Default)]
pub enum Fault {
    /// Nothing.
    #[default]
    None,
    /// One call: the first of this kind, counting from the call with this index (from 0).
    Once(usize, Call, i32),
    /// As many calls of this kind as the number says, from the first one on.
    First(usize, Call, i32),
    /// All calls of this kind, from the call with this index on.
    From(usize, Call, i32),
}

/// How a run ended.
#[derive(Debug)]
pub struct Run {
    /// The library's own calls, in order, at most `MOST_CALLS` of them.
    pub calls: Vec<Call>,
    /// How often the fault was injected.
    pub injected: usize,
    /// How many programs ran: one for each process, and one for each exec in them.
    pub programs: usize,
    /// The status of the program; that of its children does not matter.
    pub status: ExitStatus,
    /// It had to be killed.
    pub hung: bool,
    /// What it printed.
    pub stdout: String,
    /// What it, or the library, wrote to standard error.
    pub stderr: String,
}

/// How many calls are kept, in case a program never ends.
const MOST_CALLS: usize = 100_000;

/// Runs `command` to its end. It is killed after `limit`.
// The tracer reaps it, as every tracee.
#[allow(clippy::zombie_processes)]
pub fn run(mut command: Command, fault: Fault, limit: Duration) -> Run {
    let output = scratch_output(&mut command);
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
    let (ended, watched) = mpsc::channel::<()>();
    let hung = AtomicBool::new(false);
    let mut tracer = Tracer { fault, pid, ..Tracer::default() };
    let status = thread::scope(|scope| {
        let hung = &hung;
        scope.spawn(move || {
            if watched.recv_timeout(limit) == Err(mpsc::RecvTimeoutError::Timeout) {
                hung.store(true, Ordering::SeqCst);
                // SAFETY: two numbers; the group is our child's own.
                unsafe { libc::kill(-pid, libc::SIGKILL) };
            }
        });
        let status = tracer.trace();
        drop(ended);
        status
    });
    let (stdout, stderr) = output.text();
    let hung = hung.into_inner();
    Run {
        calls: tracer.calls,
        injected: tracer.injected,
        programs: 1 + tracer.more,
        status,
        hung,
        stdout,
        stderr,
    }
}

#[derive(Default)]
struct Thread {
    /// What the call in progress must return.
    errno: Option<i32>,
    /// The addresses of the library.
    mapping: Option<Range<u64>>,
}

#[derive(Default)]
struct Tracer {
    fault: Fault,
    pid: i32,
    calls: Vec<Call>,
    injected: usize,
    /// How many programs ran besides the first.
    more: usize,
    threads: HashMap<i32, Thread>,
    /// Tracees that stopped before their parent's event announced them.
    early: Vec<i32>,
}

fn request(what: libc::c_uint, pid: i32, data: usize) -> bool {
    // SAFETY: the requests used here take a number or a pointer to live memory; a thread that is gone is an error.
    unsafe { libc::ptrace(what, pid, 0, data) != -1 }
}

impl Tracer {
    /// Returns when every tracee has ended.
    fn trace(&mut self) -> ExitStatus {
        use std::os::unix::process::ExitStatusExt;
        let mut last = ExitStatus::from_raw(0);
        loop {
            let mut status = 0;
            // Only this thread's own tracees: other threads have theirs.
            // SAFETY: a valid pointer.
            let pid = unsafe { libc::waitpid(-1, &mut status, libc::__WALL | libc::__WNOTHREAD) };
            if pid < 0 {
                match io::Error::last_os_error().raw_os_error() {
                    Some(libc::EINTR) => continue,
                    _ => return last,
                }
            }
            if libc::WIFEXITED(status) || libc::WIFSIGNALED(status) {
                self.threads.remove(&pid);
                if pid == self.pid {
                    last = ExitStatus::from_raw(status);
                }
                continue;
            }
            let signal = self.stopped(pid, libc::WSTOPSIG(status), status >> 16);
            request(libc::PTRACE_SYSCALL, pid, signal as usize);
        }
    }

    /// Handles the stop of a thread. Returns the signal to continue it with.
    fn stopped(&mut self, pid: i32, signal: i32, event: i32) -> i32 {
        if signal == libc::SIGTRAP | 0x80 {
            self.call(pid);
            return 0;
        }
        match event {
            libc::PTRACE_EVENT_FORK | libc::PTRACE_EVENT_VFORK | libc::PTRACE_EVENT_CLONE => {
                self.more += usize::from(event != libc::PTRACE_EVENT_CLONE);
                let mut child = 0u64;
                request(libc::PTRACE_GETEVENTMSG, pid, (&raw mut child).addr());
                let library = self.threads.get(&pid).and_then(|thread| thread.mapping.clone());
                self.threads.insert(child as i32, Thread { mapping: library, ..Thread::default() });
                return 0;
            }
            libc::PTRACE_EVENT_EXEC => {
                let thread = self.threads.entry(pid).or_default();
                thread.mapping = None;
                self.more += 1;
                return 0;
            }
            0 => {}
            _ => return 0,
        }
        if pid == self.pid && self.threads.is_empty() && signal == libc::SIGTRAP {
            let options = libc::PTRACE_O_TRACESYSGOOD
                | libc::PTRACE_O_TRACEFORK
                | libc::PTRACE_O_TRACEVFORK
                | libc::PTRACE_O_TRACECLONE
                | libc::PTRACE_O_TRACEEXEC
                | libc::PTRACE_O_EXITKILL;
            assert!(
                request(libc::PTRACE_SETOPTIONS, pid, options as usize),
                "{}",
                io::Error::last_os_error()
            );
            self.threads.insert(pid, Thread::default());
            return 0;
        }
        // The first stop of a thread or child; it may come before the parent's event.
        if signal == libc::SIGSTOP && !self.early.contains(&pid) {
            self.early.push(pid);
            return 0;
        }
        signal
    }

    fn call(&mut self, pid: i32) {
        // SAFETY: all-zero bytes are valid registers.
        let mut registers: libc::user_regs_struct = unsafe { std::mem::zeroed() };
        if !request(libc::PTRACE_GETREGS, pid, (&raw mut registers).addr()) {
            return;
        }
        let thread = self.threads.entry(pid).or_default();
        if !is_entry(pid) {
            if let Some(errno) = thread.errno.take() {
                registers.rax = (-i64::from(errno)) as u64;
                request(libc::PTRACE_SETREGS, pid, (&raw const registers).addr());
            }
            return;
        }
        let Some(call) = own_call(pid, thread, &registers) else { return };
        let number = self.calls.len();
        let errno = match self.fault {
            Fault::Once(at, kind, errno) if number >= at && kind == call && self.injected == 0 => errno,
            Fault::First(count, kind, errno) if kind == call && self.injected < count => errno,
            Fault::From(at, kind, errno) if number >= at && kind == call => errno,
            _ => 0,
        };
        if number < MOST_CALLS {
            self.calls.push(call);
        }
        if errno != 0 {
            self.injected += 1;
            thread.errno = Some(errno);
            registers.orig_rax = u64::MAX;
            request(libc::PTRACE_SETREGS, pid, (&raw const registers).addr());
        }
    }
}

/// Whether the thread stopped before a call (not after it).
fn is_entry(pid: i32) -> bool {
    const PTRACE_GET_SYSCALL_INFO: libc::c_uint = 0x420e;
    const ENTRY: u8 = 1;
    let mut info = [0u64; 16];
    // SAFETY: room for the size that is given; the kernel writes no more.
    let size = unsafe { libc::ptrace(PTRACE_GET_SYSCALL_INFO, pid, size_of_val(&info), info.as_mut_ptr()) };
    size > 0 && info[0].to_ne_bytes()[0] == ENTRY
}

/// The call that a thread is about to make, if it is the library's own.
fn own_call(pid: i32, thread: &mut Thread, registers: &libc::user_regs_struct) -> Option<Call> {
    if thread.mapping.is_none() {
        thread.mapping = find_library(pid);
    }
    let library = thread.mapping.as_ref()?;
    let args = [registers.rdi, registers.rsi, registers.rdx, registers.r10, registers.r8, registers.r9];
    if library.contains(&registers.rip) {
        return Some(Call::new(registers.orig_rax as i64, args));
    }
    let depth = match registers.orig_rax as i64 {
        libc::SYS_mmap | libc::SYS_mremap => 8,
        libc::SYS_clone3 => {
            // Linux: `struct clone_args`; the helper's stack is smaller than that of the program's threads.
            let arguments = words(pid, args[0], 7);
            let is_thread = arguments.first()? & libc::CLONE_THREAD as u64 != 0;
            let is_small = *arguments.get(6)? <= 256 << 10;
            if !is_thread || !is_small {
                return None;
            }
            256
        }
        _ => return None,
    };
    let stack = words(pid, registers.rsp, depth);
    // Called by the library itself: the program's own mmap, which goes through the library.
    let of_program = stack.first().is_some_and(|caller| library.contains(caller));
    let is_ours = !of_program && stack.iter().any(|word| library.contains(word));
    is_ours.then(|| Call::through_libc(registers.orig_rax as i64))
}

/// Words of a process's memory, as many as can be read.
fn words(pid: i32, at: u64, count: usize) -> Vec<u64> {
    let mut words = vec![0u64; count];
    let local = libc::iovec { iov_base: words.as_mut_ptr().cast(), iov_len: count * 8 };
    let remote = libc::iovec { iov_base: at as *mut libc::c_void, iov_len: count * 8 };
    // SAFETY: room for as much as is asked for; a bad remote address is an error.
    let read = unsafe { libc::process_vm_readv(pid, &local, 1, &remote, 1, 0) };
    words.truncate(usize::try_from(read).unwrap_or(0) / 8);
    words
}

fn find_library(pid: i32) -> Option<Range<u64>> {
    let maps = std::fs::read_to_string(format!("/proc/{pid}/maps")).ok()?;
    let mut found: Option<Range<u64>> = None;
    for line in maps.lines().filter(|line| line.ends_with("libglasspoll.so") && line.contains(" r-xp ")) {
        let (start, rest) = line.split_once('-')?;
        let end = rest.split_once(' ')?.0;
        let parse = |text| u64::from_str_radix(text, 16).ok();
        let (start, end) = (parse(start)?, parse(end)?);
        found = Some(found.map_or(start..end, |found| found.start.min(start)..found.end.max(end)));
    }
    found
}
