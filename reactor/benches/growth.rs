//! The cost of the calls as a set grows: it should be the same with 10 and with 100,000 items if the number of
//! active items is the same. If all items are used in turn, cache misses add to it.
//!
//! The files are fakes, so no system call is measured. `cargo bench -p glasspoll-reactor`.

#[path = "../tests/common/mod.rs"]
mod common;

use common::{Fake, Set};
use divan::counter::ItemsCount;
use divan::Bencher;
use glasspoll_reactor::uapi::*;

const SIZES: [usize; 5] = [10, 100, 1000, 10_000, 100_000];
/// How many files are used; the others are idle.
const ACTIVE: usize = 100;
const FIRST_FD: i32 = 10;

fn main() {
    divan::main();
}

/// A set of `count` idle files, and the files.
fn filled(count: usize, events: u32) -> (Set, Vec<Fake>) {
    let set = Set::new(3);
    let files: Vec<Fake> = (0..count as i32).map(|place| Fake::new(FIRST_FD + place)).collect();
    for fake in &files {
        set.add(&fake.file, events).expect("a new item");
    }
    (set, files)
}

/// Cycles through `active` of `count` places, spread over all of them, in leaps, so that neighbours in the set
/// and in memory do not follow each other.
fn leaps(count: usize, active: usize) -> impl FnMut() -> usize {
    let active = active.min(count);
    let mut place = 0;
    move || {
        place = (place + 61_803) % active;
        place * (count / active)
    }
}

/// EPOLL_CTL_ADD and EPOLL_CTL_DEL of one more file.
#[divan::bench(args = SIZES, sample_size = 1000)]
fn insert_and_remove(bencher: Bencher, count: usize) {
    let (set, _files) = filled(count, EPOLLIN);
    let one_more = Fake::new(FIRST_FD + count as i32);
    bencher.bench_local(|| {
        set.add(&one_more.file, EPOLLIN).expect("a new item");
        set.ctl(EPOLL_CTL_DEL, &one_more.file, 0).expect("it is there");
    });
}

/// EPOLL_CTL_MOD.
#[divan::bench(args = SIZES, sample_size = 1000)]
fn modify(bencher: Bencher, count: usize) {
    let (set, files) = filled(count, EPOLLIN);
    let mut next = leaps(count, ACTIVE);
    let mut bits = EPOLLIN;
    bencher.bench_local(|| {
        bits ^= EPOLLPRI;
        set.ctl(EPOLL_CTL_MOD, &files[next()].file, bits).expect("it is there");
    });
}

/// epoll_wait with no time, and nothing ready.
#[divan::bench(args = SIZES, sample_size = 1000)]
fn wait_for_nothing(bencher: Bencher, count: usize) {
    let (set, _files) = filled(count, EPOLLIN);
    bencher.bench_local(|| assert_eq!(set.take(64).len(), 0));
}

/// Callback, ready list, delivery: one file becomes ready, and is reported once.
#[divan::bench(args = SIZES, sample_size = 1000)]
fn wake_and_deliver_edge(bencher: Bencher, count: usize) {
    let (set, files) = filled(count, EPOLLIN | EPOLLET);
    let mut next = leaps(count, ACTIVE);
    bencher.bench_local(|| {
        files[next()].rise(EPOLLIN);
        assert_eq!(set.take(64).len(), 1);
    });
}

/// The same with all files in turn.
#[divan::bench(args = SIZES, sample_size = 1000)]
fn wake_and_deliver_each(bencher: Bencher, count: usize) {
    let (set, files) = filled(count, EPOLLIN | EPOLLET);
    let mut next = leaps(count, count);
    bencher.bench_local(|| {
        files[next()].rise(EPOLLIN);
        assert_eq!(set.take(64).len(), 1);
    });
}

/// An active level-triggered file: it is reported, then drained, then found idle.
#[divan::bench(args = SIZES, sample_size = 1000)]
fn wake_and_deliver_level(bencher: Bencher, count: usize) {
    let (set, files) = filled(count, EPOLLIN);
    let mut next = leaps(count, ACTIVE);
    bencher.bench_local(|| {
        let fake = &files[next()];
        fake.rise(EPOLLIN);
        assert_eq!(set.take(64).len(), 1);
        fake.set(0);
        assert_eq!(set.take(64).len(), 0);
    });
}

/// Batches of 64 from a set whose files are all ready all the time.
#[divan::bench(args = SIZES, sample_size = 1000)]
fn deliver_from_a_full_list(bencher: Bencher, count: usize) {
    let (set, files) = filled(count, EPOLLIN);
    files.iter().for_each(|fake| fake.rise(EPOLLIN));
    let batch = count.min(64);
    bencher.counter(ItemsCount::new(batch)).bench_local(|| assert_eq!(set.take(64).len(), batch));
}
