//! Threads that wait together, on one set and on several: each wakeup goes to one of them.
//!
//! They report through a pipe and not through a channel. A channel sleeps by `syscall(2)`, which the library passes on,
//! so its calls would look like the library's own.

use std::io;
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::thread::{self, sleep, JoinHandle};
use std::time::Duration;

use libc::{EPOLLET, EPOLLIN, EPOLLONESHOT};

use super::os::{
    drain, eventfd, give_up, must, pipe, read_byte, socketpair, write, Epoll, Fd, LOST, PATIENCE,
};

/// A pipe through which threads report their events.
struct Tell([Fd; 2]);

impl Tell {
    fn say(&self, data: u64) {
        let byte = [data as u8];
        // SAFETY: one byte.
        must("write", unsafe { libc::write(self.0[1].as_raw_fd(), byte.as_ptr().cast(), 1) });
    }

    /// The next report.
    fn hear(&self) -> Option<u64> {
        let mut fds = [libc::pollfd { fd: self.0[0].as_raw_fd(), events: libc::POLLIN, revents: 0 }];
        // SAFETY: one descriptor.
        let ready = unsafe { libc::poll(fds.as_mut_ptr(), 1, PATIENCE.as_millis() as i32) };
        if ready == 1 {
            read_byte(&self.0[0]).map(u64::from)
        } else {
            None
        }
    }

    fn expect(&self, what: &str, data: u64) {
        loop {
            match self.hear() {
                Some(found) if found == data => return,
                Some(_) => {}
                None => give_up(LOST, &format!("{what}: nobody was told of {data}")),
            }
        }
    }
}

fn join(threads: Vec<JoinHandle<()>>) {
    for thread in threads {
        if thread.join().is_err() {
            give_up(LOST, "a thread panicked");
        }
    }
}

struct Shared {
    sets: [Epoll; 2],
    pipes: [[Fd; 2]; 3],
    event: Fd,
    over: AtomicBool,
    tell: Tell,
}

impl Shared {
    fn serve(&self, set: &Epoll) {
        while !self.over.load(Ordering::SeqCst) {
            for (data, _) in set.wait_for(1, -1) {
                if self.over.load(Ordering::SeqCst) {
                    return;
                }
                match data {
                    3 => drain(&self.event),
                    at => drain(&self.pipes[at as usize][0]),
                };
                if data == 1 {
                    set.modify(&self.pipes[1][0], EPOLLIN | EPOLLONESHOT, 1);
                }
                self.tell.say(data);
            }
        }
    }
}

/// Two threads wait on one set, one on another.
pub fn run() {
    let shared = Arc::new(Shared {
        sets: [Epoll::new(), Epoll::new()],
        pipes: [pipe(), socketpair(), pipe()],
        event: eventfd(),
        over: AtomicBool::new(false),
        tell: Tell(pipe()),
    });
    let ([set, own], pipes) = (&shared.sets, &shared.pipes);
    set.add(&pipes[0][0], EPOLLIN | EPOLLET, 0);
    set.add(&pipes[1][0], EPOLLIN | EPOLLONESHOT, 1);
    set.add(&shared.event, EPOLLIN | EPOLLET, 3);
    own.add(&pipes[2][0], EPOLLIN, 2);
    let serve = |which: usize| {
        let shared = shared.clone();
        thread::spawn(move || shared.serve(&shared.sets[which]))
    };
    let threads = [0, 0, 1].map(serve);
    for round in 0..4 {
        for data in [0, 2, 3, 1] {
            if round % 2 == 0 {
                // All of them asleep.
                sleep(Duration::from_millis(3));
            }
            match data {
                3 => write(&shared.event, 8),
                at => write(&pipes[at as usize][1], 1),
            }
            shared.tell.expect("threads", data);
        }
    }
    shared.over.store(true, Ordering::SeqCst);
    // An event that no thread drains wakes them one after another.
    let ends = [eventfd(), eventfd()];
    for (set, end) in shared.sets.iter().zip(&ends) {
        write(end, 8);
        set.add(end, EPOLLIN, 9);
    }
    join(threads.into());
}

/// A thread in poll(2) on the descriptor of a set.
pub fn pollers() {
    let ep = Epoll::new();
    let [read, end] = pipe();
    let event = eventfd();
    ep.add(&read, EPOLLIN, 1);
    ep.add(&event, EPOLLIN | EPOLLET, 2);
    let all = Arc::new((ep, read, event, Tell(pipe())));
    let rounds = all.clone();
    let thread = thread::spawn(move || {
        let (ep, read, event, tell) = &*rounds;
        for _ in 0..6 {
            let mut fds = [libc::pollfd { fd: ep.0, events: libc::POLLIN, revents: 0 }];
            // SAFETY: one descriptor.
            let ready = unsafe { libc::poll(fds.as_mut_ptr(), 1, -1) };
            if ready < 0 && io::Error::last_os_error().raw_os_error() == Some(libc::EINTR) {
                continue;
            }
            must("poll", ready as isize);
            for (data, _) in ep.wait(0) {
                match data {
                    1 => drain(read),
                    _ => drain(event),
                };
                tell.say(data);
            }
        }
        tell.say(9);
    });
    let (ep, _, event, tell) = &*all;
    for data in [1, 2, 1, 2] {
        sleep(Duration::from_millis(3));
        if data == 1 {
            write(&end, 1);
        } else {
            write(event, 8);
        }
        tell.expect("a poller", data);
    }
    // What its rounds left.
    ep.delete(event);
    loop {
        write(&end, 1);
        match tell.hear() {
            Some(9) => break,
            Some(_) => {}
            None => give_up(LOST, "a poller was not told of the last ones"),
        }
    }
    join(vec![thread]);
}
/// A set, a file and a thread are added while another thread sleeps already.
pub fn latecomer() {
    let tell = Arc::new(Tell(pipe()));
    let wait = |ep: Epoll, file: Fd, data: u64| {
        ep.add(&file, EPOLLIN, data);
        let tell = tell.clone();
        let thread = thread::spawn(move || {
            for (data, _) in ep.wait_for(1, -1) {
                tell.say(data);
            }
            drop(file);
        });
        // The thread sleeps before anything else happens.
        sleep(Duration::from_millis(100));
        thread
    };
    let ([early, first], [late, second]) = (pipe(), pipe());
    let threads = vec![wait(Epoll::new(), early, 1), wait(Epoll::new(), late, 2)];
    for (end, data) in [(second, 2), (first, 1)] {
        write(&end, 1);
        tell.expect("who came late, and who was there", data);
    }
    join(threads);
}

/// Two threads wait; the one that watches for both gets its event, and does not wait again.
pub fn leaver() {
    let all = Arc::new(([Epoll::new(), Epoll::new()], [pipe(), socketpair()], Tell(pipe())));
    let (sets, pipes, tell) = &*all;
    for at in [0, 1] {
        sets[at].add(&pipes[at][0], EPOLLIN | EPOLLET, at as u64);
    }
    let wait = |at: usize| {
        let all = all.clone();
        thread::spawn(move || {
            for (data, _) in all.0[at].wait_for(1, -1) {
                all.2.say(data);
            }
        })
    };
    let mut threads = Vec::new();
    for at in [0, 1] {
        threads.push(wait(at));
        // The thread falls asleep before the next step.
        sleep(Duration::from_millis(5));
    }
    for at in [0, 1] {
        write(&pipes[at][1], 1);
        tell.expect("who waits beside one that leaves", at as u64);
    }
    join(threads);
}
