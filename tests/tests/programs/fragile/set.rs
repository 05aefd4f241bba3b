//! An epoll instance, and what is watched in it.

use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;

pub const IN: u32 = libc::EPOLLIN as u32;
pub const OUT: u32 = libc::EPOLLOUT as u32;
pub const ET: u32 = libc::EPOLLET as u32;

/// An epoll instance.
pub struct Set(i32);

impl Set {
    pub fn new() -> Self {
        // SAFETY: it takes a flag.
        let fd = unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) };
        assert!(fd >= 0, "epoll_create1: {}", io::Error::last_os_error());
        Self(fd)
    }

    pub fn add(&self, file: &impl AsRawFd, events: u32, data: u64) {
        let mut event = libc::epoll_event { events, u64: data };
        // SAFETY: `event` lives through the call.
        let added = unsafe { libc::epoll_ctl(self.0, libc::EPOLL_CTL_ADD, file.as_raw_fd(), &mut event) };
        assert_eq!(added, 0, "epoll_ctl: {}", io::Error::last_os_error());
    }

    /// The data and events of one wait.
    pub fn wait(&self, timeout_ms: i32) -> io::Result<Vec<(u64, u32)>> {
        let mut events = [libc::epoll_event { events: 0, u64: 0 }; 16];
        // SAFETY: there is room for 16.
        let n = unsafe { libc::epoll_wait(self.0, events.as_mut_ptr(), 16, timeout_ms) };
        let n = usize::try_from(n).map_err(|_| io::Error::last_os_error())?;
        Ok(events[..n].iter().map(|event| (event.u64, event.events)).collect())
    }

    /// Waits as a careful program does: an interruption does not end the wait.
    pub fn wait_on(&self, timeout_ms: i32) -> Vec<(u64, u32)> {
        loop {
            match self.wait(timeout_ms) {
                Ok(events) => return events,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => panic!("epoll_wait: {error}"),
            }
        }
    }
}

/// A socket pair whose ends do not block.
pub fn pair() -> (UnixStream, UnixStream) {
    let (ours, theirs) = UnixStream::pair().expect("a pair of sockets");
    for end in [&ours, &theirs] {
        end.set_nonblocking(true).expect("a socket");
    }
    (ours, theirs)
}

pub fn send(end: &UnixStream, bytes: &[u8]) {
    let mut end = end;
    end.write_all(bytes).expect("there is room");
}

/// Returns the length of one read; 0 if there is nothing.
pub fn receive(end: &UnixStream, most: usize) -> usize {
    let mut end = end;
    match end.read(&mut vec![0; most]) {
        Ok(n) => n,
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
        Err(error) => panic!("read: {error}"),
    }
}

/// Reads until there is nothing more.
pub fn drain(end: &UnixStream) -> usize {
    let mut all = 0;
    loop {
        match receive(end, 4096) {
            0 => return all,
            n => all += n,
        }
    }
}
