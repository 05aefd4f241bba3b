//! An echo server written as C programs are: plain calls of libc, one thread for each epoll set.

use super::net::check;
use super::system::allow_descriptors;
use std::io;
use std::net::TcpListener;
use std::os::fd::IntoRawFd;
use std::thread;
use std::time::{Duration, Instant};

/// More descriptors than any load opens.
const DESCRIPTORS: u64 = 20_000;
const BATCH: usize = 256;
/// What a sink does between its reads.
const ELSEWHERE: Duration = Duration::from_micros(100);

/// What a server does.
#[derive(Clone, Copy, Debug)]
pub struct Style {
    /// Edge-triggered: reads until nothing is left. Otherwise level-triggered: one read for each event.
    pub edge: bool,
    /// Answers nothing, and is busy elsewhere for a while after each read.
    pub sink: bool,
    /// How many threads serve, each with a set of its own. The first accepts for all, in turn.
    pub loops: usize,
}

/// Serves on `port` for ever.
pub fn serve(port: u16, style: Style) -> ! {
    allow_descriptors(DESCRIPTORS);
    let listener = TcpListener::bind(("127.0.0.1", port)).expect("a free port");
    listener.set_nonblocking(true).expect("a socket");
    let listener = listener.into_raw_fd();
    // SAFETY: listens again, with a longer queue.
    check(unsafe { libc::listen(listener, 4096) }).expect("a socket");
    let sets: Vec<i32> = (0..style.loops)
        // SAFETY: epoll_create1 takes a number.
        .map(|_| check(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) }).expect("an epoll set"))
        .collect();
    add(sets[0], listener, style);
    for set in sets[1..].iter().copied() {
        let none = [];
        thread::spawn(move || run(set, -1, &none, style));
    }
    run(sets[0], listener, &sets, style)
}

fn add(set: i32, fd: i32, style: Style) {
    let edge = if style.edge { libc::EPOLLET } else { 0 };
    let mut event = libc::epoll_event { events: (libc::EPOLLIN | edge) as u32, u64: fd as u64 };
    // SAFETY: the event is a local.
    check(unsafe { libc::epoll_ctl(set, libc::EPOLL_CTL_ADD, fd, &mut event) })
        .expect("a descriptor in the set");
}

fn run(set: i32, listener: i32, sets: &[i32], style: Style) -> ! {
    let mut events = [libc::epoll_event { events: 0, u64: 0 }; BATCH];
    let mut accepted = 0;
    loop {
        // SAFETY: the array has room for the events that the call may store.
        let count = unsafe { libc::epoll_wait(set, events.as_mut_ptr(), BATCH as i32, -1) };
        for event in &events[..check(count).expect("a wait") as usize] {
            match event.u64 as i32 {
                fd if fd == listener => accept_all(listener, sets, &mut accepted, style),
                fd if style.sink => swallow(fd, style.edge),
                fd => echo(fd, style.edge),
            }
        }
    }
}

fn accept_all(listener: i32, sets: &[i32], accepted: &mut usize, style: Style) {
    let flags = libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
    loop {
        // SAFETY: with null pointers the kernel stores no address.
        let fd = unsafe { libc::accept4(listener, std::ptr::null_mut(), std::ptr::null_mut(), flags) };
        if fd < 0 {
            return;
        }
        add(sets[*accepted % sets.len()], fd, style);
        *accepted += 1;
    }
}

/// Reads into `buffer`. None: there was nothing to read, or the connection was at its end and is closed now.
fn read(fd: i32, buffer: &mut [u8]) -> Option<usize> {
    // SAFETY: the call gets the buffer's length.
    let got = unsafe { libc::read(fd, buffer.as_mut_ptr().cast(), buffer.len()) };
    if got > 0 {
        return Some(got as usize);
    }
    if got == 0 || io::Error::last_os_error().kind() != io::ErrorKind::WouldBlock {
        // SAFETY: the descriptor is this connection's, and not used again.
        unsafe { libc::close(fd) };
    }
    None
}

fn echo(fd: i32, until_empty: bool) {
    let mut buffer = [0u8; 4096];
    while let Some(got) = read(fd, &mut buffer) {
        // SAFETY: `got` bytes of the buffer were read. An answer is short, and fits the socket's
        // buffer; if the client has gone, the next event says so.
        unsafe { libc::write(fd, buffer.as_ptr().cast(), got) };
        if !until_empty {
            return;
        }
    }
}

fn swallow(fd: i32, until_empty: bool) {
    let mut buffer = [0u8; 65536];
    while read(fd, &mut buffer).is_some() {
        let start = Instant::now();
        while start.elapsed() < ELSEWHERE {}
        if !until_empty {
            return;
        }
    }
}
