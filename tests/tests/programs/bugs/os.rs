//! The calls of libc that the loops make, with results.

use std::fs::File;
use std::io;
use std::net::{TcpListener, TcpStream};
use std::os::fd::IntoRawFd;
use std::time::{Duration, Instant};

pub const IN: u32 = libc::EPOLLIN as u32;
pub const OUT: u32 = libc::EPOLLOUT as u32;
pub const HUP: u32 = libc::EPOLLHUP as u32;
pub const ET: u32 = libc::EPOLLET as u32;
pub const ONESHOT: u32 = libc::EPOLLONESHOT as u32;
pub const EXCLUSIVE: u32 = libc::EPOLLEXCLUSIVE as u32;

/// The result of a call, or the error.
fn check(result: isize) -> io::Result<usize> {
    usize::try_from(result).map_err(|_| io::Error::last_os_error())
}

/// An epoll instance.
#[derive(Clone, Copy)]
pub struct Set(pub i32);

impl Set {
    pub fn new() -> Set {
        // SAFETY: a number.
        Set(check(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) } as isize).expect("an epoll") as i32)
    }

    fn ctl(self, op: i32, fd: i32, events: u32, data: u64) -> io::Result<()> {
        let mut event = libc::epoll_event { events, u64: data };
        // SAFETY: `event` lives.
        check(unsafe { libc::epoll_ctl(self.0, op, fd, &mut event) } as isize).map(|_| ())
    }

    pub fn add(self, fd: i32, events: u32) -> io::Result<()> {
        self.ctl(libc::EPOLL_CTL_ADD, fd, events, fd as u64)
    }

    pub fn modify(self, fd: i32, events: u32) -> io::Result<()> {
        self.ctl(libc::EPOLL_CTL_MOD, fd, events, fd as u64)
    }

    pub fn del(self, fd: i32) -> io::Result<()> {
        self.ctl(libc::EPOLL_CTL_DEL, fd, 0, 0)
    }

    /// Waits; returns descriptors and their events.
    pub fn wait(self, maxevents: usize, timeout_ms: i32) -> io::Result<Vec<(i32, u32)>> {
        let mut events = vec![libc::epoll_event { events: 0, u64: 0 }; maxevents];
        // SAFETY: the buffer has room for the events.
        let n =
            check(unsafe { libc::epoll_wait(self.0, events.as_mut_ptr(), maxevents as i32, timeout_ms) }
                as isize)?;
        Ok(events[..n].iter().map(|event| (event.u64 as i32, event.events)).collect())
    }
}

pub fn read(fd: i32, buffer: &mut [u8]) -> io::Result<usize> {
    // SAFETY: the buffer lives, and the call gets its length.
    check(unsafe { libc::read(fd, buffer.as_mut_ptr().cast(), buffer.len()) })
}

pub fn write(fd: i32, bytes: &[u8]) -> io::Result<usize> {
    // SAFETY: as above. With MSG_NOSIGNAL a peer that is gone is an error, not a signal.
    check(unsafe { libc::send(fd, bytes.as_ptr().cast(), bytes.len(), libc::MSG_NOSIGNAL) })
}

/// Writes to a file that is not a socket.
pub fn put(fd: i32, bytes: &[u8]) -> io::Result<usize> {
    // SAFETY: as above.
    check(unsafe { libc::write(fd, bytes.as_ptr().cast(), bytes.len()) })
}

pub fn close(fd: i32) -> io::Result<()> {
    // SAFETY: the fd is the caller's, or wrong on purpose.
    check(unsafe { libc::close(fd) } as isize).map(|_| ())
}

/// Two descriptors of a new file, of which each can lock the other one out.
pub fn file_opened_twice() -> [i32; 2] {
    // SAFETY: the name ends with a NUL.
    let fd = check(unsafe { libc::memfd_create(c"file".as_ptr(), 0) } as isize).expect("a file") as i32;
    let again = File::options().read(true).write(true).open(format!("/proc/self/fd/{fd}")).expect("a file");
    [fd, again.into_raw_fd()]
}

pub fn lock(fd: i32, how: i32) -> io::Result<()> {
    // SAFETY: numbers.
    check(unsafe { libc::flock(fd, how) } as isize).map(|_| ())
}

pub fn dup(fd: i32) -> i32 {
    // SAFETY: a number.
    check(unsafe { libc::dup(fd) } as isize).expect("a descriptor") as i32
}

/// A pipe whose ends do not block: the end to read, the end to write.
pub fn pipe() -> (i32, i32) {
    let mut fds = [0; 2];
    // SAFETY: `fds` has room for two numbers.
    check(unsafe { libc::pipe2(fds.as_mut_ptr(), libc::O_NONBLOCK | libc::O_CLOEXEC) } as isize)
        .expect("a pipe");
    (fds[0], fds[1])
}

/// A listener that does not block, and its port.
pub fn listener() -> (i32, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.set_nonblocking(true).expect("a socket");
    let port = listener.local_addr().expect("a socket").port();
    (listener.into_raw_fd(), port)
}

pub fn accept(listener: i32) -> io::Result<i32> {
    let flags = libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
    // SAFETY: numbers; with null pointers the kernel stores no address.
    let fd = unsafe { libc::accept4(listener, std::ptr::null_mut(), std::ptr::null_mut(), flags) };
    check(fd as isize).map(|fd| fd as i32)
}

/// A client that blocks.
pub fn connect(port: u16) -> TcpStream {
    TcpStream::connect(("127.0.0.1", port)).expect("the listener is there")
}

/// A connection over TCP: the server's end, which does not block, and the client's.
pub fn connection(listener: i32, port: u16) -> (i32, TcpStream) {
    let client = connect(port);
    loop {
        match accept(listener) {
            Ok(fd) => return (fd, client),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => std::thread::yield_now(),
            Err(error) => panic!("accept: {error}"),
        }
    }
}

/// Tells whether a length of time is over.
pub struct Clock(Instant);

impl Clock {
    pub fn runs(ms: u64) -> Clock {
        Clock(Instant::now() + Duration::from_millis(ms))
    }

    pub fn is_running(&self) -> bool {
        Instant::now() < self.0
    }
}

pub fn sleep_ms(ms: u64) {
    std::thread::sleep(Duration::from_millis(ms));
}

/// Busy work for `micros` microseconds.
pub fn work(micros: u64) {
    let end = Instant::now() + Duration::from_micros(micros);
    while Instant::now() < end {
        std::hint::spin_loop();
    }
}
