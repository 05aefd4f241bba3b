//! The calls that the scenarios make, with checks of every result.

use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::process::exit;
use std::time::{Duration, Instant};

use libc::{c_int, epoll_event};

/// The exit status of a program that got an errno for a shortage, as the kernel may return it.
pub const REFUSED: i32 = 77;
/// The exit status of a program that got a wrong result.
pub const WRONG: i32 = 3;
/// The exit status of a program that did not get an event in time.
pub const LOST: i32 = 4;
/// How long to wait for what must come. It comes milliseconds late if there can be no helper thread.
pub const PATIENCE: Duration = Duration::from_secs(300);

/// Ends the program.
pub fn give_up(status: i32, what: &str) -> ! {
    println!("{what}");
    exit(status)
}

fn errno() -> i32 {
    io::Error::last_os_error().raw_os_error().unwrap_or(0)
}

/// Retries: epoll_create and ADD may report a shortage at any time, and it may be over at the next attempt.
fn unless_scarce(what: &str, mut call: impl FnMut() -> c_int) -> c_int {
    for _ in 0..3 {
        let done = call();
        if done >= 0 {
            return done;
        }
        match errno() {
            libc::ENOMEM | libc::EMFILE | libc::ENFILE => {}
            errno => give_up(WRONG, &format!("{what}: errno {errno}")),
        }
    }
    give_up(REFUSED, &format!("{what}: errno {}", errno()))
}

/// A call that must succeed.
pub fn must(what: &str, result: isize) -> isize {
    if result < 0 {
        give_up(WRONG, &format!("{what}: errno {}", errno()));
    }
    result
}

/// An epoll instance, closed when dropped.
#[derive(Debug)]
pub struct Epoll(pub RawFd);

impl Drop for Epoll {
    fn drop(&mut self) {
        close(self.0);
    }
}

/// An event as it was reported: the data, and the bits.
pub type Told = (u64, u32);

impl Epoll {
    /// epoll_create1(2).
    pub fn new() -> Self {
        // SAFETY: a plain call.
        Self(unless_scarce("epoll_create1", || unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) }))
    }

    fn ctl(&self, op: c_int, fd: &impl AsRawFd, events: c_int, data: u64) -> c_int {
        let mut event = epoll_event { events: events as u32, u64: data };
        // SAFETY: a valid event.
        unsafe { libc::epoll_ctl(self.0, op, fd.as_raw_fd(), &mut event) }
    }

    /// ADD.
    pub fn add(&self, fd: &impl AsRawFd, events: c_int, data: u64) {
        unless_scarce("ADD", || self.ctl(libc::EPOLL_CTL_ADD, fd, events, data));
    }

    /// MOD.
    pub fn modify(&self, fd: &impl AsRawFd, events: c_int, data: u64) {
        must("MOD", self.ctl(libc::EPOLL_CTL_MOD, fd, events, data) as isize);
    }

    /// DEL.
    pub fn delete(&self, fd: &impl AsRawFd) {
        must("DEL", self.ctl(libc::EPOLL_CTL_DEL, fd, 0, 0) as isize);
    }

    /// epoll_wait(2), repeated if a signal ended it.
    pub fn wait(&self, timeout_ms: c_int) -> Vec<Told> {
        self.wait_for(8, timeout_ms)
    }

    /// The same for `most` events at most.
    pub fn wait_for(&self, most: usize, timeout_ms: c_int) -> Vec<Told> {
        let mut events = [epoll_event { events: 0, u64: 0 }; 8];
        let began = Instant::now();
        loop {
            // SAFETY: the buffer has room for the events that the call may store.
            let count = unsafe { libc::epoll_wait(self.0, events.as_mut_ptr(), most as c_int, timeout_ms) };
            if count < 0 && errno() == libc::EINTR && timeout_ms != 0 {
                continue;
            }
            let count = must("epoll_wait", count as isize) as usize;
            let early = Duration::from_millis(timeout_ms.max(0) as u64).saturating_sub(began.elapsed());
            if count == 0 && (timeout_ms < 0 || !early.is_zero()) {
                give_up(WRONG, "a wait ended early, with nothing");
            }
            return events[..count].iter().map(|event| (event.u64, event.events)).collect();
        }
    }

    /// Waits until each of these was reported with at least these bits; other items may be reported if they are ready.
    pub fn expect(&self, what: &str, wanted: &[(u64, c_int)]) {
        let mut missing = wanted.to_vec();
        let end = Instant::now() + PATIENCE;
        while !missing.is_empty() {
            let left = end.saturating_duration_since(Instant::now()).as_millis() as c_int;
            if left == 0 {
                give_up(LOST, &format!("{what}: not told of {missing:?}"));
            }
            for (data, events) in self.wait(left) {
                missing.retain(|(wanted, bits)| *wanted != data || events & *bits as u32 != *bits as u32);
            }
        }
    }

    /// Nothing must be ready, now and after some milliseconds. Room that was reported before may be reported again: on
    /// a polled file, data that arrives while the program drains the file looks like an edge.
    pub fn expect_nothing(&self, what: &str) {
        for timeout in [0, 5] {
            let mut told = self.wait(timeout);
            told.retain(|(_, events)| *events != libc::EPOLLOUT as u32);
            if !told.is_empty() {
                give_up(WRONG, &format!("{what}: told of {told:x?}"));
            }
        }
    }
}

/// ADD, unless there is no memory.
pub fn try_add(ep: &Epoll, fd: RawFd, events: c_int, data: u64) -> bool {
    let mut event = epoll_event { events: events as u32, u64: data };
    // SAFETY: a valid event.
    let done = unsafe { libc::epoll_ctl(ep.0, libc::EPOLL_CTL_ADD, fd, &mut event) };
    if done < 0 && errno() == libc::ENOMEM {
        return false;
    }
    must("ADD", done as isize);
    true
}

/// A descriptor, closed when dropped.
#[derive(Debug)]
pub struct Fd(pub RawFd);

impl Drop for Fd {
    fn drop(&mut self) {
        close(self.0);
    }
}

impl AsRawFd for Fd {
    fn as_raw_fd(&self) -> RawFd {
        self.0
    }
}

impl AsRawFd for Epoll {
    fn as_raw_fd(&self) -> RawFd {
        self.0
    }
}

fn close(fd: RawFd) {
    // SAFETY: an fd of ours.
    must("close", unsafe { libc::close(fd) } as isize);
}

/// pipe2(2): the end to read, the end to write.
pub fn pipe() -> [Fd; 2] {
    let mut pair = [0; 2];
    // SAFETY: room for two numbers.
    must("pipe2", unsafe { libc::pipe2(pair.as_mut_ptr(), libc::O_NONBLOCK | libc::O_CLOEXEC) } as isize);
    pair.map(Fd)
}

/// A pair of unix sockets.
pub fn socketpair() -> [Fd; 2] {
    let mut pair = [0; 2];
    let kind = libc::SOCK_STREAM | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
    // SAFETY: room for two numbers.
    must("socketpair", unsafe { libc::socketpair(libc::AF_UNIX, kind, 0, pair.as_mut_ptr()) } as isize);
    pair.map(Fd)
}

/// An eventfd.
pub fn eventfd() -> Fd {
    // SAFETY: a plain call.
    Fd(must("eventfd", unsafe { libc::eventfd(0, libc::EFD_NONBLOCK | libc::EFD_CLOEXEC) } as isize) as RawFd)
}

/// write(2) of `count` bytes.
pub fn write(fd: &impl AsRawFd, count: usize) {
    let bytes = 1u64.to_ne_bytes().repeat(count.div_ceil(8));
    // SAFETY: as many bytes as there are.
    let done = unsafe { libc::write(fd.as_raw_fd(), bytes.as_ptr().cast(), count) };
    if must("write", done) != count as isize {
        give_up(WRONG, "a write was cut short");
    }
}

/// Reads until nothing is left; returns how much there was.
pub fn drain(fd: &impl AsRawFd) -> usize {
    let mut bytes = [0u8; 256];
    let mut all = 0;
    loop {
        // SAFETY: the call gets the buffer's length.
        let done = unsafe { libc::read(fd.as_raw_fd(), bytes.as_mut_ptr().cast(), bytes.len()) };
        match done {
            1.. => all += done as usize,
            0 => return all,
            _ if errno() == libc::EAGAIN => return all,
            _ => {
                must("read", done);
            }
        }
    }
}

/// One byte, if there is one.
pub fn read_byte(fd: &impl AsRawFd) -> Option<u8> {
    let mut byte = [0u8];
    // SAFETY: room for one.
    let done = unsafe { libc::read(fd.as_raw_fd(), byte.as_mut_ptr().cast(), 1) };
    (done == 1).then_some(byte[0])
}
