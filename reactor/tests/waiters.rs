//! Threads that wait on one eventpoll: which one a wakeup wakes, and that each one is woken in the end.

mod common;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::Arc;
use std::thread;

use common::{Fake, Set};
use glasspoll_reactor::uapi::*;

const SECOND: u64 = 1_000_000_000;

#[test]
fn a_wait_ends_with_the_time_and_not_before() {
    let set = Set::new(3);
    let start = std::time::Instant::now();
    assert_eq!(set.wait(1, Some(SECOND / 50)).unwrap(), []);
    assert!(start.elapsed().as_millis() >= 20);
}

#[test]
fn an_add_of_a_ready_file_wakes_a_waiter() {
    let (set, file) = (Arc::new(Set::new(3)), Fake::new(4));
    file.set(EPOLLIN);
    let waiter = {
        let set = set.clone();
        thread::spawn(move || set.wait(1, None).unwrap())
    };
    set.add(&file.file, EPOLLIN).unwrap();
    assert_eq!(waiter.join().unwrap(), [(4, EPOLLIN)]);
}

#[test]
fn every_edge_is_taken_by_exactly_one_of_many_waiters() {
    const ROUNDS: usize = if cfg!(miri) { 20 } else { 2000 };
    let set = Arc::new(Set::new(3));
    let file = Arc::new(Fake::new(4));
    set.add(&file.file, EPOLLIN | EPOLLET).unwrap();
    let taken = Arc::new(AtomicUsize::new(0));
    let over = Arc::new(AtomicBool::new(false));
    let work = |_| {
        let (set, taken, file, over) = (set.clone(), taken.clone(), file.clone(), over.clone());
        thread::spawn(move || loop {
            assert_eq!(set.wait(1, Some(10 * SECOND)).unwrap().len(), 1, "an edge was lost");
            if over.load(Ordering::SeqCst) {
                // Passes the end on to the next.
                file.rise(EPOLLIN);
                return;
            }
            taken.fetch_add(1, Ordering::SeqCst);
        })
    };
    let waiters: Vec<_> = (0..3).map(work).collect();
    for round in 0..ROUNDS {
        file.rise(EPOLLIN);
        while taken.load(Ordering::SeqCst) <= round {
            thread::yield_now();
        }
        assert_eq!(taken.load(Ordering::SeqCst), round + 1, "an edge was reported twice");
    }
    over.store(true, Ordering::SeqCst);
    file.rise(EPOLLIN);
    for waiter in waiters {
        waiter.join().unwrap();
    }
}

#[test]
fn a_level_wakes_one_waiter_after_the_other() {
    let set = Arc::new(Set::new(3));
    let file = Fake::new(4);
    set.add(&file.file, EPOLLIN).unwrap();
    let waiters: Vec<_> = (0..4)
        .map(|_| {
            let set = set.clone();
            thread::spawn(move || set.wait(1, Some(10 * SECOND)).unwrap())
        })
        .collect();
    file.rise(EPOLLIN);
    for waiter in waiters {
        assert_eq!(waiter.join().unwrap(), [(4, EPOLLIN)]);
    }
}

#[test]
fn rearming_a_oneshot_item_against_its_delivery_loses_nothing() {
    const ROUNDS: usize = if cfg!(miri) { 20 } else { 5000 };
    let set = Arc::new(Set::new(3));
    let file = Arc::new(Fake::new(4));
    file.set(EPOLLIN);
    set.add(&file.file, EPOLLIN | EPOLLONESHOT).unwrap();
    let workers: Vec<_> = (0..2)
        .map(|_| {
            let (set, file) = (set.clone(), file.clone());
            thread::spawn(move || {
                for _ in 0..ROUNDS {
                    assert_eq!(set.wait(1, Some(10 * SECOND)).unwrap().len(), 1);
                    set.ctl(EPOLL_CTL_MOD, &file.file, EPOLLIN | EPOLLONESHOT).unwrap();
                }
            })
        })
        .collect();
    for worker in workers {
        worker.join().unwrap();
    }
}
