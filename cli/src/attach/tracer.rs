//! ptrace(2) of one thread, in plain steps. The thread that calls these is the tracer; when it ends, the kernel lets
//! all that it traces go on, whatever they are doing.

use std::io;
use std::mem;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::ptrace::{self, Options};
use nix::unistd::Pid;

use super::arch::Registers;
use super::memory::{Memory, Process};
use super::refusal::Refusal;
use super::target::field;
use crate::procfs::names;

/// The pause between two looks at a thread.
const PAUSE: Duration = Duration::from_micros(30);
/// Linux: `PTRACE_EVENT_STOP`.
const EVENT_STOP: i32 = 128;
/// Linux: `include/uapi/linux/ptrace.h`.
const PTRACE_SECCOMP_GET_FILTER: libc::c_uint = 0x420c;
/// The size of the largest state of vector registers that there is today, with room to spare.
const VECTORS: usize = 1 << 14;

/// What a thread has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// It was interrupted by us.
    Interrupted,
    /// It stops with all of its process.
    Group,
    /// It begins or ends a system call.
    Call,
    /// A signal is about to be delivered.
    Signal(i32),
    /// It is no more.
    Ended,
}

/// A thread that we trace.
pub struct Tracee {
    pid: u32,
    tid: u32,
    at: Pid,
}

impl Tracee {
    /// Begins to trace; the thread does not stop for that, and lives on if we die.
    pub fn seize(pid: u32, tid: u32) -> Result<Self, Errno> {
        let at = Pid::from_raw(i32::try_from(tid).map_err(|_| Errno::ESRCH)?);
        ptrace::seize(at, Options::PTRACE_O_TRACESYSGOOD)?;
        Ok(Self { pid, tid, at })
    }

    pub fn interrupt(&self) -> Result<(), Refusal> {
        ptrace::interrupt(self.at).map_err(trouble)
    }

    /// Lets it go on; with a signal that is then delivered.
    pub fn go_on(&self, signal: i32) -> Result<(), Refusal> {
        self.request(libc::PTRACE_CONT, 0, signal as usize)
    }

    /// The same, up to the beginning or end of a system call.
    pub fn go_on_to_call(&self, signal: i32) -> Result<(), Refusal> {
        self.request(libc::PTRACE_SYSCALL, 0, signal as usize)
    }

    /// It stays stopped with its process, until that goes on.
    pub fn listen(&self) -> Result<(), Refusal> {
        self.request(libc::PTRACE_LISTEN, 0, 0)
    }

    /// Lets it go on, untraced.
    pub fn release(&self, signal: i32) -> Result<(), Refusal> {
        self.request(libc::PTRACE_DETACH, 0, signal as usize)
    }

    fn request(&self, what: libc::c_uint, address: usize, data: usize) -> Result<(), Refusal> {
        // SAFETY: the requests of this file take numbers, or a pointer to memory that lives.
        let result = unsafe { libc::ptrace(what, self.at.as_raw(), address, data) };
        (result != -1).then_some(()).ok_or_else(|| trouble(Errno::last()))
    }

    /// What it has come to, if it has stopped.
    pub fn stopped(&self) -> Option<Stop> {
        let mut status = 0;
        // SAFETY: the pointer is valid.
        let result = unsafe { libc::waitpid(self.at.as_raw(), &mut status, libc::__WALL | libc::WNOHANG) };
        match result {
            0 => None,
            -1 if Errno::last() == Errno::EINTR => None,
            -1 => Some(Stop::Ended),
            _ if !libc::WIFSTOPPED(status) => Some(Stop::Ended),
            _ => Some(match (status >> 16, libc::WSTOPSIG(status)) {
                (EVENT_STOP, libc::SIGTRAP) => Stop::Interrupted,
                (EVENT_STOP, _) => Stop::Group,
                (_, signal) if signal == libc::SIGTRAP | 0x80 => Stop::Call,
                (_, signal) => Stop::Signal(signal),
            }),
        }
    }

    /// Where it stands, if it does; with `waits` when it does. Unlike `stopped` this never takes the end of a process, which may be a child of ours
    /// that another part of us waits for.
    pub fn stands(&self, waits: bool) -> Option<Stop> {
        // SAFETY: an all-zero `siginfo_t` is valid, and the kernel fills it.
        let mut info: libc::siginfo_t = unsafe { mem::zeroed() };
        let hang = if waits { 0 } else { libc::WNOHANG };
        let flags = libc::WSTOPPED | libc::__WALL | hang;
        // SAFETY: the pointer is valid.
        let result = unsafe { libc::waitid(libc::P_PID, self.tid, &mut info, flags) };
        // SAFETY: the kernel has filled the fields of a child, or they are 0 still.
        let (pid, status) = unsafe { (info.si_pid(), info.si_status()) };
        let stop = match (status >> 8, status & 0x7f) {
            (EVENT_STOP, libc::SIGTRAP) => Stop::Interrupted,
            (EVENT_STOP, _) => Stop::Group,
            (_, signal) => Stop::Signal(signal),
        };
        Some(stop).filter(|_| result == 0 && pid != 0)
    }

    /// Waits for a stop until then.
    pub fn wait(&self, until: Instant) -> Option<Stop> {
        loop {
            let stop = self.stopped();
            if stop.is_some() || Instant::now() >= until {
                return stop;
            }
            std::thread::sleep(PAUSE);
        }
    }

    pub fn registers(&self) -> Result<Registers, Refusal> {
        ptrace::getregs(self.at).map(Registers).map_err(trouble)
    }

    pub fn set_registers(&self, registers: &Registers) -> Result<(), Refusal> {
        ptrace::setregs(self.at, registers.0).map_err(trouble)
    }

    /// The vector registers, as the kernel has them.
    pub fn vectors(&self) -> Result<Vec<u8>, Refusal> {
        let mut bytes = vec![0u8; VECTORS];
        let mut place = libc::iovec { iov_base: bytes.as_mut_ptr().cast(), iov_len: bytes.len() };
        self.request(libc::PTRACE_GETREGSET, super::arch::VECTORS, (&raw mut place) as usize)?;
        bytes.truncate(place.iov_len);
        Ok(bytes)
    }

    pub fn set_vectors(&self, bytes: &[u8]) -> Result<(), Refusal> {
        let mut place = libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
        self.request(libc::PTRACE_SETREGSET, super::arch::VECTORS, (&raw mut place) as usize)
    }

    /// Sets the signals that it blocks.
    pub fn set_mask(&self, mask: u64) -> Result<(), Refusal> {
        self.request(libc::PTRACE_SETSIGMASK, size_of::<u64>(), (&raw const mask) as usize)
    }

    /// Whether a signal that is about to be delivered comes from the thread's own code: a fault, or abort().
    pub fn is_own_fault(&self, signal: i32) -> bool {
        let fault =
            [libc::SIGSEGV, libc::SIGBUS, libc::SIGILL, libc::SIGFPE, libc::SIGTRAP].contains(&signal);
        let Ok(info) = ptrace::getsiginfo(self.at) else { return false };
        // SAFETY: for these codes the kernel has filled the field.
        let sender = || unsafe { info.si_pid() };
        fault && info.si_code > 0
            || signal == libc::SIGABRT && info.si_code == libc::SI_TKILL && sender() == self.pid as i32
    }

    /// Whether it ends a system call; the other stop of the kind is the beginning.
    pub fn ends_call(&self) -> bool {
        // nix 0.30 asks for 0 bytes of this, and returns what was in its memory.
        let mut info = [0u8; size_of::<libc::ptrace_syscall_info>()];
        let asked = self.request(libc::PTRACE_GET_SYSCALL_INFO, info.len(), info.as_mut_ptr() as usize);
        asked.is_ok()
            && info[mem::offset_of!(libc::ptrace_syscall_info, op)] == libc::PTRACE_SYSCALL_INFO_EXIT
    }

    /// Writes to memory that it may only read and run: whole words.
    pub fn write_code(&self, address: u64, bytes: &[u8]) -> Result<(), Refusal> {
        for (at, word) in (address..).step_by(8).zip(bytes.chunks(8)) {
            let mut whole = [0; 8];
            if word.len() < 8 && !Process(self.at).read(at, &mut whole) {
                return Err(trouble(Errno::EFAULT));
            }
            whole[..word.len()].copy_from_slice(word);
            ptrace::write(self.at, at as ptrace::AddressType, i64::from_ne_bytes(whole)).map_err(trouble)?;
        }
        Ok(())
    }

    /// Its seccomp filter of this number; None: it has none. An error: it cannot be read.
    pub fn filter(&self, number: usize) -> Result<Option<Vec<libc::sock_filter>>, ()> {
        let get = |to: usize| {
            // SAFETY: with 0 the kernel says how many instructions there are; else there is room for as many.
            let count = unsafe { libc::ptrace(PTRACE_SECCOMP_GET_FILTER, self.at.as_raw(), number, to) };
            usize::try_from(count).map_err(|_| Errno::last())
        };
        let count = match get(0) {
            Ok(count) => count,
            Err(Errno::ENOENT) => return Ok(None),
            Err(_) => return Err(()),
        };
        let mut filter = vec![libc::sock_filter { code: 0, jt: 0, jf: 0, k: 0 }; count];
        get(filter.as_mut_ptr() as usize).map(|_| Some(filter)).map_err(drop)
    }

    /// Whether a signal waits that it does not block.
    pub fn has_signal(&self) -> bool {
        let status = names::read(format!("/proc/{}/task/{}/status", self.pid, self.tid)).unwrap_or_default();
        let set =
            |name| field(&status, name).and_then(|text| u64::from_str_radix(text, 16).ok()).unwrap_or(0);
        (set("SigPnd") | set("ShdPnd")) & !set("SigBlk") != 0
    }
}

fn trouble(errno: Errno) -> Refusal {
    match errno {
        Errno::ESRCH => Refusal::Ended,
        errno => Refusal::Trouble(format!("ptrace: {}", io::Error::from(errno))),
    }
}
