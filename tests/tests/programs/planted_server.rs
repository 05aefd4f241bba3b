//! `planted_server PORT FAULT`: answers `echo` lines on plain epoll. If glasspoll is loaded, it does one thing wrong,
//! as if the library had that fault. The soak must notice each fault.

use glasspoll_tests::soak::{Kind, Planted};
use std::collections::HashMap;
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsRawFd, RawFd};
use std::process::abort;
use std::thread;
use std::time::Duration;

/// How much memory a connection leaks.
const LEAK: usize = 64 << 10;
/// One connection in this many leaks a descriptor or a thread, because both are limited.
const SOME: u64 = 10;
/// One answer in this many goes wrong.
const SELDOM: u64 = 300;

struct Server {
    set: RawFd,
    fault: Planted,
    conns: HashMap<RawFd, (TcpStream, Vec<u8>)>,
    answers: u64,
    connections: u64,
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, port, fault] = &arguments[..] else { panic!("usage: planted_server PORT FAULT") };
    let Some(Kind::Planted(fault)) = Kind::of(fault) else { panic!("no such fault: {fault}") };
    let preloaded = std::env::var("LD_PRELOAD").is_ok_and(|value| value.contains("glasspoll"));
    let fault = if preloaded { fault } else { Planted::None };
    let port: u16 = port.parse().expect("a port");
    let listener = TcpListener::bind(("127.0.0.1", port)).expect("a free port");
    listener.set_nonblocking(true).expect("a socket");
    // SAFETY: epoll_create1 takes a number.
    let set = unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) };
    assert!(set >= 0, "an epoll set");
    let mut server = Server { set, fault, conns: HashMap::new(), answers: 0, connections: 0 };
    server.add(listener.as_raw_fd());
    let timeout = if fault == Planted::Ticks { 100 } else { -1 };
    let mut events = [libc::epoll_event { events: 0, u64: 0 }; 64];
    loop {
        // SAFETY: the array holds as many events as said.
        let count = unsafe { libc::epoll_wait(set, events.as_mut_ptr(), 64, timeout) };
        for event in &events[..count.max(0) as usize] {
            if event.u64 as RawFd == listener.as_raw_fd() {
                server.accept(&listener);
            } else {
                server.serve(event.u64 as RawFd);
            }
        }
    }
}

impl Server {
    fn add(&self, fd: RawFd) {
        let mut event = libc::epoll_event { events: libc::EPOLLIN as u32, u64: fd as u64 };
        // SAFETY: the event is a local.
        let result = unsafe { libc::epoll_ctl(self.set, libc::EPOLL_CTL_ADD, fd, &mut event) };
        assert_eq!(result, 0, "a descriptor in the set");
    }

    fn accept(&mut self, listener: &TcpListener) {
        while let Ok((stream, _)) = listener.accept() {
            self.connections += 1;
            match self.fault {
                Planted::Memory => std::mem::forget(vec![1u8; LEAK]),
                Planted::Descriptors if self.connections.is_multiple_of(SOME) => {
                    std::mem::forget(stream.try_clone())
                }
                Planted::Threads if self.connections.is_multiple_of(SOME) => {
                    drop(thread::spawn(|| thread::sleep(Duration::from_secs(3600))))
                }
                Planted::Loses if self.connections.is_multiple_of(50) => continue,
                _ => {}
            }
            stream.set_nonblocking(true).expect("a socket");
            // A write to a client that does not read must not stop the others for good: it blocks only for a while.
            self.add(stream.as_raw_fd());
            self.conns.insert(stream.as_raw_fd(), (stream, Vec::new()));
        }
    }

    fn serve(&mut self, fd: RawFd) {
        let Some((stream, line)) = self.conns.get_mut(&fd) else { return };
        let mut buffer = [0; 16_384];
        match stream.read(&mut buffer) {
            Ok(count @ 1..) => line.extend_from_slice(&buffer[..count]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return,
            Ok(0) | Err(_) => return drop(self.conns.remove(&fd)),
        }
        while let Some(end) = line.iter().position(|byte| *byte == b'\n') {
            let mut answer: Vec<u8> = line.drain(..=end).skip("echo ".len()).collect();
            self.answers += 1;
            if self.answers.is_multiple_of(SELDOM) {
                match self.fault {
                    Planted::Hangs => {
                        let null = std::ptr::null_mut();
                        // SAFETY: no event is needed.
                        unsafe { libc::epoll_ctl(self.set, libc::EPOLL_CTL_DEL, fd, null) };
                        return;
                    }
                    Planted::Wrong => answer[0] ^= 1,
                    Planted::Crashes => abort(),
                    _ => {}
                }
            }
            // Short enough for the buffer of a client that reads.
            if stream.write_all(&answer).is_err() {
                return drop(self.conns.remove(&fd));
            }
        }
    }
}
