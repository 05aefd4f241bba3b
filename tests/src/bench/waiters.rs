//! Several threads wait on one set of as many edge-triggered eventfds, which are all written at once: how long it takes
//! until all threads are awake. Linux: `tools/testing/selftests/filesystems/epoll/epoll_wakeup_test.c:epoll60`.

use super::figure::{Figure, Judge};
use super::net::check;
use super::rows::{Row, Work, GLASSPOLL, KERNEL};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

const FIGURES: &[Figure] = &[
    Figure { name: "2", unit: "µs", judge: Judge::Latency(1.10) },
    Figure { name: "4", unit: "µs", judge: Judge::Latency(1.10) },
    Figure { name: "10", unit: "µs", judge: Judge::Latency(1.10) },
    Figure { name: "50", unit: "µs", judge: Judge::Latency(1.10) },
];

/// The row.
pub(super) const MANY: Row = Row {
    name: "many-waiters",
    what: "threads that wait on one set, until all are awake:",
    programs: &[],
    figures: FIGURES,
    work: Work::Waiters(&[2, 4, 10, 50]),
    sides: [KERNEL, GLASSPOLL],
};

const ROUNDS: usize = 300;
/// Until then all threads sleep again.
const PAUSE: Duration = Duration::from_millis(2);

/// The median time of many rounds with `count` threads, in microseconds.
///
/// # Panics
/// If a call fails.
pub fn measure(count: usize) -> f64 {
    // SAFETY: numbers.
    let set = check(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) }).expect("an epoll set");
    let files: Vec<i32> = (0..count).map(|_| eventfd_in(set)).collect();
    let begin = Instant::now();
    let (awake, last) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicU64::new(0)));
    let all_awake = Arc::new(Barrier::new(count + 1));
    for _ in 0..count {
        let (awake, last, all_awake) = (awake.clone(), last.clone(), all_awake.clone());
        thread::spawn(move || loop {
            let mut event = libc::epoll_event { events: 0, u64: 0 };
            // SAFETY: the event is a local.
            let ready = check(unsafe { libc::epoll_wait(set, &mut event, 1, -1) }).expect("a wait");
            assert_eq!(ready, 1);
            let mut number = [0u8; 8];
            // SAFETY: the buffer is a local.
            let got = unsafe { libc::read(event.u64 as i32, number.as_mut_ptr().cast(), number.len()) };
            assert_eq!(got, 8, "each thread has an eventfd of its own");
            last.fetch_max(begin.elapsed().as_nanos() as u64, Ordering::SeqCst);
            awake.fetch_add(1, Ordering::SeqCst);
            all_awake.wait();
        });
    }
    let mut times: Vec<u64> = (0..ROUNDS).map(|_| round(&files, begin, &last, &all_awake)).collect();
    assert_eq!(awake.load(Ordering::SeqCst), count * ROUNDS);
    times.sort_unstable();
    times[ROUNDS / 2] as f64 / 1000.0
}

/// Writes all, and returns after how many nanoseconds the last thread was awake.
fn round(files: &[i32], begin: Instant, last: &AtomicU64, all_awake: &Barrier) -> u64 {
    thread::sleep(PAUSE);
    let start = begin.elapsed().as_nanos() as u64;
    for file in files {
        let one = 1u64.to_ne_bytes();
        // SAFETY: the buffer is a local.
        let put = unsafe { libc::write(*file, one.as_ptr().cast(), one.len()) };
        assert_eq!(put, 8);
    }
    all_awake.wait();
    last.load(Ordering::SeqCst) - start
}

/// An edge-triggered eventfd in the set, with its fd as data.
fn eventfd_in(set: i32) -> i32 {
    // SAFETY: numbers.
    let file =
        check(unsafe { libc::eventfd(0, libc::EFD_NONBLOCK | libc::EFD_CLOEXEC) }).expect("an eventfd");
    let events = (libc::EPOLLIN | libc::EPOLLET) as u32;
    let mut event = libc::epoll_event { events, u64: file as u64 };
    // SAFETY: the event is a local.
    check(unsafe { libc::epoll_ctl(set, libc::EPOLL_CTL_ADD, file, &mut event) }).expect("an item");
    file
}
