//! Signals that are read from a signalfd while a program runs, and the end by a signal.

use std::io;
use std::mem;
use std::os::fd::{FromRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::ptr;

use rustix::process::{setrlimit, Resource, Rlimit};

fn check(result: i32) -> io::Result<i32> {
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result)
    }
}

fn set_of(signals: &[i32]) -> libc::sigset_t {
    // SAFETY: `set` lives; sigemptyset makes it valid.
    unsafe {
        let mut set = mem::zeroed();
        libc::sigemptyset(&mut set);
        for signal in signals {
            libc::sigaddset(&mut set, *signal);
        }
        set
    }
}

/// Signals that are blocked and read as long as this lives.
pub struct Signals {
    fd: OwnedFd,
    /// The mask before: a program that is started gets it back.
    before: libc::sigset_t,
    /// The action of SIGCHLD before: if it is ignored, the status of a child is lost.
    at_child: libc::sighandler_t,
    /// Whether signals that were not read take effect when this is dropped.
    suffers: bool,
}

impl Signals {
    /// Blocks and reads these.
    pub fn take(signals: &[i32]) -> io::Result<Self> {
        let set = set_of(signals);
        let mut before = set_of(&[]);
        // SAFETY: both sets live; the descriptor is nobody else's.
        unsafe {
            let fd = check(libc::signalfd(-1, &set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK))?;
            let fd = OwnedFd::from_raw_fd(fd);
            check(libc::sigprocmask(libc::SIG_BLOCK, &set, &mut before))?;
            let at_child = libc::signal(libc::SIGCHLD, libc::SIG_DFL);
            Ok(Self { fd, before, at_child, suffers: false })
        }
    }

    /// The signalfd, to wait on.
    pub fn fd(&self) -> &OwnedFd {
        &self.fd
    }

    /// Lets signals that are not read take effect when this is dropped.
    pub fn suffer_what_is_left(&mut self) {
        self.suffers = true;
    }

    /// Lets a command start with the mask and action from before.
    pub fn give_back(&self, command: &mut Command) {
        let (before, at_child) = (self.before, self.at_child);
        // SAFETY: both may be called between fork and exec.
        unsafe {
            command.pre_exec(move || {
                libc::signal(libc::SIGCHLD, at_child);
                check(libc::sigprocmask(libc::SIG_SETMASK, &before, ptr::null_mut())).map(drop)
            })
        };
    }

    /// The next signal, and whether a process sent it. If not, the kernel did, for the terminal.
    pub fn next(&self) -> Option<(i32, bool)> {
        let mut info = [0u8; mem::size_of::<libc::signalfd_siginfo>()];
        let read = rustix::io::read(&self.fd, &mut info).ok()?;
        let word = |at: usize| info[at..].first_chunk().map(|bytes| i32::from_ne_bytes(*bytes));
        let signal = word(mem::offset_of!(libc::signalfd_siginfo, ssi_signo))?;
        let code = word(mem::offset_of!(libc::signalfd_siginfo, ssi_code))?;
        (read == info.len()).then_some((signal, code <= 0))
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        // A signal that came while the program was ending was meant for it.
        while !self.suffers && self.next().is_some() {}
        // SAFETY: the set is one that sigprocmask gave, and the action one that signal gave.
        unsafe {
            libc::signal(libc::SIGCHLD, self.at_child);
            libc::sigprocmask(libc::SIG_SETMASK, &self.before, ptr::null_mut());
        }
    }
}

/// Ends us by a signal, without a core of our own.
pub fn die_by(signal: i32) {
    // Our core would overwrite the program's.
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    let set = set_of(&[signal]);
    // SAFETY: `set` lives; the rest are numbers.
    unsafe {
        libc::signal(signal, libc::SIG_DFL);
        libc::raise(signal);
        libc::sigprocmask(libc::SIG_UNBLOCK, &set, ptr::null_mut());
    }
}
