//! What /proc says of a thread at a moment. No thread stops for that.

use syscalls::Sysno;

#[cfg(target_arch = "x86_64")]
use crate::attach::target;
use crate::attach::threads;
use crate::procfs::names;

/// What a thread does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Look {
    /// As in `/proc/PID/stat`.
    pub state: u8,
    /// The system call that it sleeps in.
    pub call: Option<Call>,
    pub times: Times,
}

/// A system call that a thread sleeps in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call {
    pub number: Sysno,
    /// Its first argument, where that is an fd.
    pub fd: Option<i32>,
    /// The stack pointer and where it goes on.
    pub sp: u64,
    pub pc: u64,
}

/// How long a thread has run, and had no processor, since it began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Times {
    pub ran: u64,
    pub waited: u64,
}

impl Look {
    /// Looks at a thread. None: it has ended, or may not be looked at.
    pub fn at(pid: u32, tid: u32) -> Option<Self> {
        let call = call(pid, tid);
        let state = state(pid, tid)?;
        let sleeps = matches!(state, b'S' | b'D');
        Some(Self { state, call: call.filter(|_| sleeps), times: times(pid, tid).unwrap_or_default() })
    }

    /// Whether it sleeps in a wait on a set: it is back.
    pub fn is_back(&self) -> bool {
        let waits = [Sysno::epoll_pwait, Sysno::epoll_pwait2];
        self.call.is_some_and(|call| waits.contains(&call.number) || call.number.name() == "epoll_wait")
    }
}

/// R, S, D or T (for t, too).
pub fn state(pid: u32, tid: u32) -> Option<u8> {
    let stat = names::read(format!("/proc/{pid}/task/{tid}/stat"))?;
    match stat.rsplit(')').next()?.trim_start().bytes().next()? {
        b'Z' | b'X' | b'x' => None,
        b't' => Some(b'T'),
        b'I' => Some(b'S'),
        state => Some(state),
    }
}

/// The thread of another process that traces it; 0: none. None: it has ended.
#[cfg(target_arch = "x86_64")]
pub fn tracer(pid: u32, tid: u32) -> Option<u32> {
    state(pid, tid)?;
    let status = names::read(format!("/proc/{pid}/task/{tid}/status"))?;
    Some(target::tracer(&status).unwrap_or(0))
}

/// Whether it runs, or could run.
#[cfg(target_arch = "x86_64")]
pub fn runs(pid: u32, tid: u32) -> bool {
    names::read(format!("/proc/{pid}/task/{tid}/syscall")).is_some_and(|text| text.starts_with("running"))
}

/// How long it has run, and could have run.
pub fn times(pid: u32, tid: u32) -> Option<Times> {
    let text = names::read(format!("/proc/{pid}/task/{tid}/schedstat"))?;
    let mut words = text.split_ascii_whitespace().map(|word| word.parse().ok());
    Some(Times { ran: words.next()??, waited: words.next()?? })
}

/// The system call that it sleeps in; None: in none, or it may not be looked at.
pub fn call(pid: u32, tid: u32) -> Option<Call> {
    let text = names::read(format!("/proc/{pid}/task/{tid}/syscall"))?;
    let (number, arguments) = threads::parse(&text)?;
    let number = Sysno::new(usize::try_from(number).ok()?)?;
    let mut rest = text.split_ascii_whitespace().skip(7).map(|word| {
        word.strip_prefix("0x").and_then(|digits| u64::from_str_radix(digits, 16).ok()).unwrap_or(0)
    });
    let (sp, pc) = (rest.next().unwrap_or(0), rest.next().unwrap_or(0));
    let fd = i32::try_from(arguments[0]).ok().filter(|_| has_fd(number));
    Some(Call { number, fd, sp, pc })
}

/// Whether the first argument of a call that may sleep is an fd.
fn has_fd(number: Sysno) -> bool {
    const NAMES: [&str; 40] = [
        "read",
        "write",
        "readv",
        "writev",
        "pread64",
        "pwrite64",
        "preadv",
        "pwritev",
        "preadv2",
        "pwritev2",
        "recvfrom",
        "recvmsg",
        "recvmmsg",
        "sendto",
        "sendmsg",
        "sendmmsg",
        "connect",
        "accept",
        "accept4",
        "flock",
        "fcntl",
        "ioctl",
        "fsync",
        "fdatasync",
        "sync_file_range",
        "fallocate",
        "ftruncate",
        "sendfile",
        "splice",
        "tee",
        "vmsplice",
        "close",
        "epoll_wait",
        "epoll_pwait",
        "epoll_pwait2",
        "io_uring_enter",
        "getdents64",
        "lseek",
        "shutdown",
        "copy_file_range",
    ];
    NAMES.contains(&number.name())
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::os::fd::AsRawFd;
    use std::sync::mpsc;

    use super::*;

    fn own_tid() -> u32 {
        let link = std::fs::read_link("/proc/thread-self").unwrap();
        link.file_name().unwrap().to_str().unwrap().parse().unwrap()
    }

    #[test]
    fn a_thread_that_sleeps_in_a_read_is_seen_there() {
        let (mut reader, writer) = std::io::pipe().unwrap();
        let (fd, me) = (reader.as_raw_fd(), std::process::id());
        let (send, receive) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            send.send(own_tid()).unwrap();
            let _ = reader.read(&mut [0]);
        });
        let tid = receive.recv().unwrap();
        let look = loop {
            let look = Look::at(me, tid).unwrap();
            if look.call.is_some_and(|call| call.number == Sysno::read) {
                break look;
            }
            std::thread::yield_now();
        };
        assert_eq!((look.state, look.call.unwrap().fd, look.is_back()), (b'S', Some(fd), false));
        assert!(look.call.unwrap().sp != 0 && look.call.unwrap().pc != 0);
        drop(writer);
        thread.join().unwrap();
        assert_eq!(Look::at(me, u32::MAX), None);
        // We run.
        assert_eq!(Look::at(me, own_tid()).map(|look| (look.state, look.call)), Some((b'R', None)));
    }
}
