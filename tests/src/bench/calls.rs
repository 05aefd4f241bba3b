//! What one call of epoll costs, in a program with one thread.

use super::net::check;
use super::system::allow_descriptors;
use std::time::{Duration, Instant};

const IDLE: usize = 1000;
const WARM_UP: usize = 2000;
const TIME: Duration = Duration::from_millis(300);

/// Nanoseconds for each call of `kind`: `add-del` (both), `mod`, `wait-idle`, `wait-one`. `once` makes a set, adds and
/// waits, and measures no time.
pub fn measure(kind: &str, limit: Option<usize>) -> Option<f64> {
    allow_descriptors(2 * IDLE as u64 + 100);
    // SAFETY: epoll_create1 takes a number.
    let set = check(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) }).expect("an epoll set");
    Some(match kind {
        "add-del" => {
            let [fd, _] = pair();
            each(limit, || {
                ctl(set, libc::EPOLL_CTL_ADD, fd, libc::EPOLLIN);
                ctl(set, libc::EPOLL_CTL_DEL, fd, 0);
            })
        }
        "mod" => {
            let [fd, _] = pair();
            ctl(set, libc::EPOLL_CTL_ADD, fd, libc::EPOLLIN);
            let mut urgent = 0;
            each(limit, || {
                urgent ^= libc::EPOLLPRI;
                ctl(set, libc::EPOLL_CTL_MOD, fd, libc::EPOLLIN | urgent);
            })
        }
        "wait-idle" => {
            fill(set);
            each(limit, || wait(set, 0))
        }
        "wait-one" => {
            let peers = fill(set);
            // SAFETY: one byte of a constant is written.
            assert_eq!(unsafe { libc::write(peers[IDLE / 2], b"x".as_ptr().cast(), 1) }, 1);
            each(limit, || wait(set, 1))
        }
        "once" => {
            ctl(set, libc::EPOLL_CTL_ADD, pair()[0], libc::EPOLLIN);
            wait(set, 0);
            0.0
        }
        _ => return None,
    })
}

/// Puts a thousand idle sockets into the set; returns their peers.
fn fill(set: i32) -> Vec<i32> {
    let add = |_| {
        let [fd, peer] = pair();
        ctl(set, libc::EPOLL_CTL_ADD, fd, libc::EPOLLIN);
        peer
    };
    (0..IDLE).map(add).collect()
}

fn pair() -> [i32; 2] {
    let mut pair = [0; 2];
    let kind = libc::SOCK_STREAM | libc::SOCK_NONBLOCK;
    // SAFETY: the array has room for two numbers.
    check(unsafe { libc::socketpair(libc::AF_UNIX, kind, 0, pair.as_mut_ptr()) }).expect("a socket pair");
    pair
}

fn ctl(set: i32, op: i32, fd: i32, events: i32) {
    let mut event = libc::epoll_event { events: events as u32, u64: fd as u64 };
    // SAFETY: the event is a local.
    let result = unsafe { libc::epoll_ctl(set, op, fd, &mut event) };
    assert_eq!(result, 0, "epoll_ctl");
}

fn wait(set: i32, expected: i32) {
    let mut events = [libc::epoll_event { events: 0, u64: 0 }; 64];
    // SAFETY: the array has room for the events that the call may store.
    let count = unsafe { libc::epoll_wait(set, events.as_mut_ptr(), 64, 0) };
    assert_eq!(count, expected, "epoll_wait");
}

/// Calls it for a while, or `limit` times; returns the mean.
fn each(limit: Option<usize>, mut call: impl FnMut()) -> f64 {
    if let Some(limit) = limit {
        (0..limit).for_each(|_| call());
        return 0.0;
    }
    (0..WARM_UP).for_each(|_| call());
    let (start, mut count) = (Instant::now(), 0);
    while start.elapsed() < TIME {
        (0..1000).for_each(|_| call());
        count += 1000;
    }
    start.elapsed().as_nanos() as f64 / f64::from(count)
}
