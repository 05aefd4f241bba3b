//! `delays ROUNDS MICROSECONDS`: a loop is busy elsewhere for that time, and in the middle of it another thread makes
//! the loop's pipe readable. Prints two moments for each round, right before and right after that (CLOCK_MONOTONIC,
//! nanoseconds).

use std::time::{Duration, Instant};

fn now() -> u64 {
    let mut ts = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `ts` lives.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut ts) };
    ts.tv_sec as u64 * 1_000_000_000 + ts.tv_nsec as u64
}

fn main() {
    let number = |at: usize| std::env::args().nth(at).and_then(|arg| arg.parse::<u64>().ok());
    let (Some(rounds), Some(busy)) = (number(1), number(2)) else {
        eprintln!("usage: delays ROUNDS MICROSECONDS");
        std::process::exit(2);
    };
    let busy = Duration::from_micros(busy);
    let mut ends = [0; 2];
    let mut event = libc::epoll_event { events: libc::EPOLLIN as u32, u64: 1 };
    // SAFETY: plain calls on live memory.
    let set = unsafe {
        assert_eq!(libc::pipe2(ends.as_mut_ptr(), libc::O_NONBLOCK), 0);
        let set = libc::epoll_create1(libc::EPOLL_CLOEXEC);
        assert_eq!(libc::epoll_ctl(set, libc::EPOLL_CTL_ADD, ends[0], &mut event), 0);
        set
    };
    let (go, turns) = std::sync::mpsc::channel::<()>();
    let writer = std::thread::spawn(move || {
        let mut written = Vec::new();
        for () in turns {
            std::thread::sleep(busy / 2);
            let before = now();
            // SAFETY: one byte of a constant.
            assert_eq!(unsafe { libc::write(ends[1], b"x".as_ptr().cast(), 1) }, 1);
            written.push((before, now()));
        }
        written
    });
    for _ in 0..rounds {
        go.send(()).expect("the writer lives");
        let end = Instant::now() + busy;
        while Instant::now() < end {
            std::hint::spin_loop();
        }
        let mut byte = [0u8; 8];
        // SAFETY: room for one event, and for some bytes.
        unsafe {
            assert_eq!(libc::epoll_wait(set, &mut event, 1, 10_000), 1);
            assert_eq!(libc::read(ends[0], byte.as_mut_ptr().cast(), byte.len()), 1);
        }
    }
    drop(go);
    for (before, after) in writer.join().expect("the writer ends") {
        println!("{before} {after}");
    }
    // The record must exist until the reader has looked at it.
    let _ = std::io::Read::read(&mut std::io::stdin(), &mut [0; 1]);
}
