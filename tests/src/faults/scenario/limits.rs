//! At the limits: no fd left, no memory left, a hundred thousand descriptors, ten thousand threads.

use std::os::fd::{AsRawFd, RawFd};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use libc::{EPOLLET, EPOLLIN};

use super::os::{drain, eventfd, give_up, must, pipe, try_add, write, Epoll, Fd, LOST, PATIENCE, WRONG};

fn limit(resource: libc::__rlimit_resource_t, soft: u64, hard: u64) {
    let limit = libc::rlimit { rlim_cur: soft, rlim_max: hard };
    // SAFETY: a valid limit.
    must("setrlimit", unsafe { libc::setrlimit(resource, &limit) } as isize);
}

/// Raises the limit of descriptors to `wanted`, or as far as the hard limit allows; returns the new limit.
fn allow_fds(wanted: usize) -> usize {
    let mut now = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: a valid pointer.
    must("getrlimit", unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &mut now) } as isize);
    let all = wanted as u64 + 200;
    let raised = libc::rlimit { rlim_cur: all, rlim_max: all.max(now.rlim_max) };
    // SAFETY: a valid limit.
    if unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raised) } == 0 {
        return wanted;
    }
    limit(libc::RLIMIT_NOFILE, now.rlim_max, now.rlim_max);
    wanted.min(now.rlim_max as usize - 200)
}

/// The program uses up every fd: its sets and children go on, and an fd that becomes free goes to the program.
pub fn full() {
    limit(libc::RLIMIT_NOFILE, 64, 64);
    let [read, end] = pipe();
    let event = eventfd();
    let mut all = Vec::new();
    let copy = || {
        // SAFETY: a number.
        unsafe { libc::dup(read.as_raw_fd()) }
    };
    while let fd @ 0.. = copy() {
        all.push(Fd(fd));
    }
    // SAFETY: a plain call.
    if unsafe { libc::epoll_create1(0) } >= 0 {
        give_up(WRONG, "a set where no fd was left");
    }
    // One fd is free, and the set gets it.
    all.pop();
    let ep = Epoll::new();
    ep.add(&read, EPOLLIN | EPOLLET, 1);
    ep.add(&event, EPOLLIN | EPOLLET, 2);
    let round = |what: &str| {
        write(&end, 1);
        ep.expect(what, &[(1, EPOLLIN)]);
        drain(&read);
        write(&event, 8);
        ep.expect(what, &[(2, EPOLLIN)]);
        drain(&event);
        ep.expect_nothing(what);
    };
    round("with no fd left");
    // SAFETY: the child does what a process with one thread may.
    let child = must("fork", unsafe { libc::fork() } as isize) as i32;
    if child == 0 {
        round("in the child, with no fd left");
        std::process::exit(0);
    }
    let mut status = 0;
    // SAFETY: a valid pointer.
    must("waitpid", unsafe { libc::waitpid(child, &mut status, 0) } as isize);
    if status != 0 {
        give_up(LOST, "the child ended badly");
    }
    ep.wait(0);
    round("afterwards");
    drop(all);
    let another = Epoll::new();
    another.add(&ep, EPOLLIN, 3);
    write(&end, 1);
    another.expect("with fds again", &[(3, EPOLLIN)]);
}

fn address_space() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").expect("/proc is mounted");
    text.split(' ').next().and_then(|pages| pages.parse::<u64>().ok()).expect("a number") * 4096
}

/// At some point ADD returns ENOMEM, and no item that was added before is lost.
pub fn memory() {
    let most = allow_fds(60_000);
    let ep = Epoll::new();
    let event = eventfd();
    let mut copies: Vec<RawFd> = Vec::with_capacity(most);
    let mut told = vec![false; most];
    for _ in 0..most {
        // SAFETY: a number.
        copies.push(must("dup", unsafe { libc::dup(event.as_raw_fd()) } as isize) as RawFd);
    }
    ep.add(&event, EPOLLIN | EPOLLET, most as u64);
    let space = address_space() + (2 << 20);
    limit(libc::RLIMIT_AS, space, libc::RLIM_INFINITY);
    let mut added = 0;
    for (at, fd) in copies.iter().enumerate() {
        if !try_add(&ep, *fd, EPOLLIN | EPOLLET, at as u64) {
            break;
        }
        added = at + 1;
    }
    println!("added {added}");
    for round in 0..3 {
        told.fill(false);
        write(&event, 8);
        let end = Instant::now() + PATIENCE;
        let mut left = added;
        while left > 0 && Instant::now() < end {
            for (data, _) in ep.wait(1000) {
                if let Some(told) = told.get_mut(data as usize) {
                    left -= usize::from(!std::mem::replace(told, true));
                }
            }
        }
        if left > 0 {
            give_up(LOST, &format!("round {round}: {left} of {added} were not told"));
        }
    }
    limit(libc::RLIMIT_AS, libc::RLIM_INFINITY, libc::RLIM_INFINITY);
    for fd in &copies[..added] {
        ep.delete(fd);
    }
    drain(&event);
    write(&event, 8);
    ep.expect("with memory again", &[(most as u64, EPOLLIN)]);
}

/// A set has the ends of a hundred thousand pipes, or as many as the limit allows: it reports those that are written
/// to, and no others.
pub fn many() {
    const ITEMS: usize = 100_000;
    let count = allow_fds(ITEMS) / 2;
    let sets: Vec<Epoll> = (0..ITEMS.div_ceil(2 * count)).map(|_| Epoll::new()).collect();
    println!("{} descriptors in {} sets", 2 * count, sets.len());
    let pipes: Vec<[Fd; 2]> = (0..count).map(|_| pipe()).collect();
    for ep in &sets {
        for (at, [read, end]) in pipes.iter().enumerate() {
            ep.add(read, EPOLLIN | EPOLLET, at as u64);
            // Asks for nothing, so only its hang-up is reported.
            ep.add(end, 0, (count + at) as u64);
        }
    }
    for round in 0..3 {
        let wanted: Vec<usize> = (0..count).filter(|at| at % 1000 == round).collect();
        for at in &wanted {
            write(&pipes[*at][1], 1);
        }
        for ep in &sets {
            let mut told = Vec::new();
            while told.len() < wanted.len() {
                let some = ep.wait(3000);
                if some.is_empty() {
                    give_up(LOST, &format!("{} of {}", told.len(), wanted.len()));
                }
                told.extend(some.into_iter().map(|(data, _)| data as usize));
            }
            told.sort_unstable();
            if told != wanted {
                give_up(WRONG, "others were told");
            }
        }
        for at in &wanted {
            drain(&pipes[*at][0]);
        }
        sets.iter().for_each(|ep| ep.expect_nothing("drained"));
    }
}

/// Ten thousand threads wait for one set; each event wakes one of them, and at the end all wake.
pub fn herd() {
    const THREADS: usize = 10_000;
    let shared = Arc::new((Epoll::new(), eventfd(), AtomicUsize::new(0), AtomicUsize::new(0)));
    let (ep, event, waiting, done) = &*shared;
    ep.add(event, EPOLLIN | EPOLLET, 1);
    let mut threads = Vec::new();
    for _ in 0..THREADS {
        let shared = shared.clone();
        let run = move || {
            shared.2.fetch_add(1, Ordering::SeqCst);
            while shared.0.wait_for(1, -1).is_empty() {}
            shared.3.fetch_add(1, Ordering::SeqCst);
        };
        match thread::Builder::new().stack_size(32 << 10).spawn(run) {
            Ok(thread) => threads.push(thread),
            // This is as many threads as the machine allows.
            Err(_) => break,
        }
    }
    println!("{} threads", threads.len());
    while waiting.load(Ordering::SeqCst) < threads.len() {
        thread::sleep(Duration::from_millis(10));
    }
    thread::sleep(Duration::from_millis(200));
    for woken in 1..=100 {
        write(event, 8);
        let end = Instant::now() + PATIENCE;
        while done.load(Ordering::SeqCst) < woken {
            if Instant::now() > end {
                give_up(LOST, &format!("event {woken} woke nobody"));
            }
            thread::sleep(Duration::from_micros(100));
        }
    }
    thread::sleep(Duration::from_millis(100));
    let woken = done.load(Ordering::SeqCst);
    // An edge wakes one thread; a thread that starts to wait later may find another event.
    if woken > 110 {
        give_up(WRONG, &format!("100 events woke {woken}"));
    }
    ep.modify(event, EPOLLIN, 1);
    for thread in threads {
        if thread.join().is_err() {
            give_up(LOST, "a thread panicked");
        }
    }
}
