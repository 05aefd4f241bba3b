//! Why a process was not attached to, or not detached from: in words, with what to do.

use std::fmt;

use crate::procfs::names;
use crate::program::elf::Version;

/// The process goes on as before in each case, unless the words say otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    NoProcess,
    /// This machine is not x86-64.
    #[cfg(not(target_arch = "x86_64"))]
    NotHere,
    /// The process is the one that asks.
    Ourselves,
    /// The pid is a thread of this process.
    Thread(u32),
    Kernel,
    Zombie,
    Stopped,
    /// By this process, which is called so.
    Traced(u32, String),
    /// For this reason.
    Forbidden(Forbidden),
    /// The machine of the program, and ours.
    Machine(String, String),
    Static,
    /// The path of its libc.
    Musl(String),
    NoLibc,
    SeveralLibcs,
    /// The glibc that it has, and the one that the library needs.
    Glibc(Version, Version),
    /// A seccomp filter forbids these calls, or may do so.
    Seccomp(Seccomp),
    /// There is no room for our code in its pages.
    NoRoom,
    /// Its libc lacks this function, or it has too many.
    NoFunction(&'static str),
    /// No thread came to a place at which it may be asked; how many threads there are.
    NoSafeThread(usize),
    /// It is at its limit of descriptors, and we may not raise that.
    NoDescriptor,
    /// A thread waits for the loader's lock. All was put back.
    LoaderIsBusy,
    /// The thread was asked, and has not come back in time. It goes on by itself.
    TooSlow,
    /// The target's loader does not take the library: its own words.
    Loader(String),
    /// The code of the library crashed in the target, by this signal. The thread was put back.
    Crashed(i32),
    /// The process ended meanwhile.
    Ended,
    /// It runs on glasspoll already.
    Preloaded,
    NothingToPatch,
    NotAttached,
    /// The library has answered with this error.
    Library(i32),
    /// A call of the kernel's that should not fail.
    Trouble(String),
}

/// Why ptrace(2) is not permitted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Forbidden {
    /// The process is this user's.
    User(u32),
    /// It has capabilities that we do not have.
    Capabilities,
    /// It has said that it may not be dumped, or was set-user-ID.
    NotDumpable,
    /// The value of `kernel.yama.ptrace_scope`.
    Yama(u8),
    /// None of these.
    Unknown,
}

/// What is known of a seccomp filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seccomp {
    /// Strict mode: read, write and exit are all it may do.
    Strict,
    /// It forbids these.
    Forbids(Vec<&'static str>),
    /// It could not be read.
    Unread,
}

impl Refusal {
    /// What fails because the process has ended meanwhile is no more than that.
    pub fn or_ended(self, pid: u32) -> Self {
        let stat = names::read(format!("/proc/{pid}/stat")).unwrap_or_default();
        // The name in parentheses may have any characters.
        match stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().next()) {
            None | Some("Z" | "X") if matches!(self, Self::Trouble(_)) => Self::Ended,
            _ => self,
        }
    }
}

impl fmt::Display for Forbidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(user) => {
                write!(f, "it is a process of the user {user}: be that user, or root")
            }
            Self::Capabilities => f.write_str("it has capabilities that you do not have: be root"),
            Self::NotDumpable => f.write_str(
                "it protects itself (it was set-user-ID, or is set not to be dumped): be root",
            ),
            Self::Yama(3) => f.write_str(
                "kernel.yama.ptrace_scope is 3: nobody may trace until the next boot. Start it with \
                 'glasspoll run -- PROGRAM'",
            ),
            Self::Yama(scope @ 2) => write!(f, "kernel.yama.ptrace_scope is {scope}: be root"),
            Self::Yama(scope) => write!(
                f,
                "kernel.yama.ptrace_scope is {scope}: be root, or let your own processes be traced: \
                 sudo sysctl kernel.yama.ptrace_scope=0"
            ),
            Self::Unknown => f.write_str(
                "the kernel forbids it (a security module, or a container without CAP_SYS_PTRACE): be root outside",
            ),
        }
    }
}

impl fmt::Display for Seccomp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Strict => f.write_str("it is in seccomp's strict mode, and may load nothing"),
            Self::Forbids(calls) => write!(
                f,
                "its seccomp filter forbids what loading the library needs ({}), and may kill it for that: start it \
                 without the filter, or with one that allows these, or look at its sets from outside, by 'glasspoll ls'",
                calls.join(", ")
            ),
            Self::Unread => f.write_str(
                "it has a seccomp filter, which only root may read: a call that it forbids may kill the process. \
                 Be root, or say --force if you know that it may open and map libraries",
            ),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoProcess => f.write_str("there is no such process"),
            #[cfg(not(target_arch = "x86_64"))]
            Self::NotHere => f.write_str("attaching is there for x86-64 only, so far"),
            Self::Ourselves => f.write_str("that is this command itself"),
            Self::Thread(pid) => write!(f, "that is a thread: attach to its process, {pid}"),
            Self::Kernel => f.write_str("it is a thread of the kernel, and has no epoll sets"),
            Self::Zombie => f.write_str("it has ended, and its parent has not waited for it: it is a zombie"),
            Self::Stopped => f.write_str("it is stopped: continue it first (kill -CONT, or fg in its shell)"),
            Self::Traced(pid, name) => {
                write!(f, "it is traced already, by {name} {pid}: a process has one tracer; end that first")
            }
            Self::Forbidden(why) => why.fmt(f),
            Self::Machine(its, ours) => {
                write!(f, "it is a program for {its}, and this glasspoll is for {ours}: use one built for {its}")
            }
            Self::Static => f.write_str("it is linked statically: it has no libc to load a library with"),
            Self::Musl(path) => {
                write!(f, "its libc is musl ({path}), and the library needs glibc")
            }
            Self::NoLibc => f.write_str("it has mapped no glibc"),
            Self::SeveralLibcs => f.write_str(
                "it has mapped several glibcs (LD_AUDIT, or dlmopen): which one its program uses cannot be told",
            ),
            Self::Glibc(its, needed) => write!(
                f,
                "its glibc is {}.{}, and the library needs {}.{} or later",
                its.0, its.1, needed.0, needed.1
            ),
            Self::Seccomp(why) => why.fmt(f),
            Self::NoRoom => f.write_str("none of its objects has room for 530 bytes behind its code"),
            Self::NoFunction("dlopen") => f.write_str(
                "its libc has no function dlopen, as no glibc before 2.34 has: start it with 'glasspoll run -- PROGRAM'",
            ),
            Self::NoFunction(name) => write!(f, "its libc has no function {name}"),
            Self::NoSafeThread(1) => f.write_str(
                "in 2 s its thread came to no system call at which it may be asked (a wait, or a read of a socket \
                 or pipe): it computes, or waits for a disk; try again",
            ),
            Self::NoSafeThread(count) => write!(
                f,
                "in 2 s none of its {count} threads came to a system call at which it may be asked (a wait, or a \
                 read of a socket or pipe): it computes, or waits for a disk; try again"
            ),
            Self::NoDescriptor => f.write_str(
                "it has no descriptor left, and needs one to load the library: raise its limit first (prlimit \
                 --nofile=NUMBER --pid PID), or be root",
            ),
            Self::LoaderIsBusy => f.write_str(
                "another thread of it has held the loader's lock for 2 s (a library that is being loaded): all was \
                 put back; try again",
            ),
            Self::TooSlow => f.write_str(
                "its thread has not come back in 2 s, and goes on loading by itself: try again, and 'glasspoll \
                 detach' it when you are done",
            ),
            Self::Loader(words) if words.contains("static TLS") => write!(
                f,
                "its loader has no room left for the library's thread-local storage ({words}): start it with \
                 'glasspoll run --observe -- PROGRAM'"
            ),
            Self::Loader(words) => write!(f, "its loader does not take the library: {words}"),
            Self::Crashed(signal) => write!(
                f,
                "the library caught signal {signal} in it while it was loaded; the thread was put back where it was"
            ),
            Self::Ended => f.write_str("it has ended meanwhile"),
            Self::Preloaded => f.write_str("it runs on glasspoll already: nothing has to be attached"),
            Self::NothingToPatch => {
                f.write_str("no object of it calls a function of libc that has to do with epoll")
            }
            Self::NotAttached => f.write_str("nothing is attached to it"),
            Self::Library(errno) => {
                let name = syscalls::Errno::new(*errno).name().unwrap_or("an unknown error");
                write!(f, "the library refused: {name}")
            }
            Self::Trouble(what) => f.write_str(what),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trouble_with_a_process_that_has_ended_is_its_end() {
        let trouble = || Refusal::Trouble("/proc/1/mem: No such process".into());
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let pid = child.id();
        child.wait().unwrap();
        assert_eq!(trouble().or_ended(pid), Refusal::Ended);
        assert_eq!(trouble().or_ended(std::process::id()), trouble());
        assert_eq!(Refusal::NotAttached.or_ended(pid), Refusal::NotAttached);
    }

    #[test]
    fn what_a_filter_forbids_it_forbids_a_program_that_is_started_with_the_library_too() {
        let words = Refusal::Seccomp(Seccomp::Forbids(vec!["openat", "futex"])).to_string();
        assert!(words.contains("(openat, futex)") && words.contains("without the filter"), "{words}");
        assert!(words.contains("'glasspoll ls'") && !words.contains("glasspoll run"), "{words}");
    }

    #[test]
    fn yama_is_told_with_what_to_do() {
        let words = |scope| Refusal::Forbidden(Forbidden::Yama(scope)).to_string();
        assert_eq!(
            words(1),
            "kernel.yama.ptrace_scope is 1: be root, or let your own processes be traced: sudo sysctl \
             kernel.yama.ptrace_scope=0"
        );
        assert_eq!(words(2), "kernel.yama.ptrace_scope is 2: be root");
        assert!(words(3).contains("nobody may trace until the next boot"));
    }
}
