//! Refusals: one more descriptor, a regular file, one more connection.

use std::fs::File;
use std::io::Read;
use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsRawFd;
use std::thread;
use std::time::Duration;

use crate::os::{self, accept, close, connect, listener, Clock, Set, IN};

/// 12: there are more clients than descriptors, and the loop retries at once.
pub fn no_descriptors(mended: bool) -> Vec<i32> {
    let (set, (listener, port)) = (Set::new(), listener());
    // SAFETY: there is one thread.
    let clients = unsafe { libc::fork() };
    assert!(clients >= 0, "fork");
    if clients == 0 {
        let all: Vec<_> = (0..20).map(|_| connect(port)).collect();
        os::sleep_ms(1500);
        drop(all);
        // SAFETY: ends the child without the parent's exit handlers.
        unsafe { libc::_exit(0) };
    }
    limit_descriptors(listener as u64 + 8);
    set.add(listener, IN).expect("a socket");
    let clock = Clock::runs(1400);
    let mut open = Vec::new();
    while clock.is_running() {
        let events = set.wait(16, 200).expect("a wait");
        if events.is_empty() && mended {
            // The oldest connections have had their time; closing them makes room.
            open.drain(..).for_each(|fd| close(fd).expect("it is open"));
            let _ = set.add(listener, IN);
        }
        for _ in events {
            match accept(listener) {
                Ok(fd) => open.push(fd),
                Err(error) if error.raw_os_error() == Some(libc::EMFILE) && mended => {
                    set.del(listener).expect("it is there");
                }
                Err(_) => {}
            }
        }
    }
    // SAFETY: our child; no status is wanted.
    unsafe { libc::waitpid(clients, std::ptr::null_mut(), 0) };
    vec![listener]
}

/// 26: the loop takes one connection each time, and serves it before it comes back; the queue is short.
pub fn short_queue(mended: bool) -> Vec<i32> {
    let (set, (listener, port)) = (Set::new(), listener());
    if !mended {
        // SAFETY: numbers.
        assert_eq!(unsafe { libc::listen(listener, 16) }, 0);
    }
    // SAFETY: there is one thread.
    let clients = unsafe { libc::fork() };
    assert!(clients >= 0, "fork");
    if clients == 0 {
        for _ in 0..60 {
            thread::spawn(move || loop {
                let address = SocketAddr::from(([127, 0, 0, 1], port));
                if let Ok(mut client) = TcpStream::connect_timeout(&address, Duration::from_millis(100)) {
                    let _ = client.read(&mut [0; 8]);
                }
                os::sleep_ms(20);
            });
        }
        os::sleep_ms(1800);
        // SAFETY: ends the child with its threads.
        unsafe { libc::_exit(0) };
    }
    set.add(listener, IN).expect("a socket");
    let clock = Clock::runs(2000);
    while clock.is_running() {
        for _ in set.wait(16, 50).expect("a wait") {
            while let Ok(fd) = accept(listener) {
                os::work(if mended { 50 } else { 10_000 });
                close(fd).expect("it is open");
                if !mended {
                    break;
                }
            }
        }
    }
    // SAFETY: our child; no status is wanted.
    unsafe { libc::waitpid(clients, std::ptr::null_mut(), 0) };
    vec![listener]
}

fn limit_descriptors(count: u64) {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` lives.
    let done = unsafe {
        libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit);
        limit.rlim_cur = count;
        libc::setrlimit(libc::RLIMIT_NOFILE, &limit)
    };
    assert_eq!(done, 0, "setrlimit");
}

/// 13: the loop reads a regular file, as after `< FILE`.
pub fn regular_file(mended: bool) -> Vec<i32> {
    let file = File::open("/proc/self/exe").expect("this program");
    let (set, fd) = (Set::new(), file.as_raw_fd());
    let (reader, writer) = os::pipe();
    set.add(reader, IN).expect("a pipe");
    let is_regular = file.metadata().expect("an open file").is_file();
    if mended && is_regular {
        os::read(fd, &mut [0; 64]).expect("a file can be read at any time");
    } else {
        let _ = set.add(fd, IN);
    }
    os::put(writer, b"x").expect("a pipe");
    for (ready, _) in set.wait(16, 100).expect("a wait") {
        os::read(ready, &mut [0; 64]).expect("a pipe");
    }
    vec![fd]
}

/// 24: each request has an epoll instance of its own, and nobody closes it.
pub fn piling(mended: bool) -> Vec<i32> {
    let mut sets = Vec::new();
    for _ in 0..40 {
        let (set, (reader, writer)) = (Set::new(), os::pipe());
        set.add(reader, IN).expect("a pipe");
        os::put(writer, b"request").expect("a pipe");
        for (ready, _) in set.wait(16, 100).expect("a wait") {
            os::read(ready, &mut [0; 64]).expect("a pipe");
        }
        close(reader).expect("it is open");
        close(writer).expect("it is open");
        if mended {
            close(set.0).expect("it is open");
        }
        sets.push(set.0);
        os::sleep_ms(10);
    }
    sets
}

/// 27: a handler that returns early leaves each connection that it has accepted as it is.
pub fn untouched(mended: bool) -> Vec<i32> {
    let (set, (listener, port)) = (Set::new(), listener());
    set.add(listener, IN).expect("a socket");
    let clock = Clock::runs(2400);
    let (mut clients, mut left) = (Vec::new(), Vec::new());
    while clock.is_running() {
        if clients.len() < 12 {
            clients.push(connect(port));
        }
        for _ in set.wait(16, 50).expect("a wait") {
            let fd = accept(listener).expect("a connection");
            if mended {
                close(fd).expect("it is open");
            }
            left.push(fd);
        }
    }
    left
}
