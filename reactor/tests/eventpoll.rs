//! The eventpoll on devices without a kernel: what is reported, when, and in which order.

mod common;

use common::{Fake, Set};
use glasspoll_reactor::eventpoll::release_file;
use glasspoll_reactor::sys::Errno;
use glasspoll_reactor::uapi::*;

#[test]
fn a_level_is_reported_as_long_as_it_lasts() {
    let (set, file) = (Set::new(3), Fake::new(4));
    set.add(&file.file, EPOLLIN).unwrap();
    assert_eq!(set.take(8), []);
    file.rise(EPOLLIN);
    assert_eq!(set.take(8), [(4, EPOLLIN)]);
    assert_eq!(set.take(8), [(4, EPOLLIN)]);
    file.set(0);
    assert_eq!(set.take(8), []);
}

#[test]
fn an_edge_is_reported_once_for_each_wakeup() {
    let (set, file) = (Set::new(3), Fake::new(4));
    set.add(&file.file, EPOLLIN | EPOLLET).unwrap();
    file.rise(EPOLLIN);
    assert_eq!(set.take(8), [(4, EPOLLIN)]);
    assert_eq!(set.take(8), []);
    file.rise(EPOLLIN);
    file.rise(EPOLLIN);
    assert_eq!(set.take(8), [(4, EPOLLIN)]);
    assert_eq!(set.take(8), []);
}

#[test]
fn a_wakeup_for_what_was_not_asked_is_no_edge() {
    let (set, file) = (Set::new(3), Fake::new(4));
    file.set(EPOLLOUT);
    set.add(&file.file, EPOLLOUT | EPOLLET).unwrap();
    assert_eq!(set.take(8), [(4, EPOLLOUT)]);
    file.set(EPOLLIN | EPOLLOUT);
    file.file.wake(READ_SIDE);
    assert_eq!(set.take(8), []);
    file.file.wake(WRITE_SIDE);
    assert_eq!(set.take(8), [(4, EPOLLOUT)]);
}

#[test]
fn oneshot_is_silent_until_it_is_modified() {
    let (set, file) = (Set::new(3), Fake::new(4));
    set.add(&file.file, EPOLLIN | EPOLLONESHOT).unwrap();
    file.rise(EPOLLIN);
    assert_eq!(set.take(8), [(4, EPOLLIN)]);
    file.rise(EPOLLIN | EPOLLHUP);
    assert_eq!(set.take(8), []);
    set.ctl(EPOLL_CTL_MOD, &file.file, EPOLLIN | EPOLLONESHOT).unwrap();
    assert_eq!(set.take(8), [(4, EPOLLIN | EPOLLHUP)]);
}

#[test]
fn what_is_no_longer_ready_is_not_delivered() {
    let (set, file) = (Set::new(3), Fake::new(4));
    set.add(&file.file, EPOLLIN).unwrap();
    file.rise(EPOLLIN);
    file.set(0);
    assert_eq!(set.take(8), []);
}

#[test]
fn hang_up_and_error_need_not_be_asked_for() {
    let (set, file) = (Set::new(3), Fake::new(4));
    set.add(&file.file, 0).unwrap();
    file.rise(EPOLLIN | EPOLLHUP | EPOLLERR);
    assert_eq!(set.take(8), [(4, EPOLLHUP | EPOLLERR)]);
}

#[test]
fn short_batches_go_round() {
    let set = Set::new(3);
    let files: Vec<Fake> = (10..13).map(Fake::new).collect();
    for file in &files {
        set.add(&file.file, EPOLLIN).unwrap();
        file.rise(EPOLLIN);
    }
    let order: Vec<u64> = (0..6).map(|_| set.take(1)[0].0).collect();
    assert_eq!(order, [10, 11, 12, 10, 11, 12]);
}

#[test]
fn the_rules_of_ctl() {
    let (set, file) = (Set::new(3), Fake::new(4));
    let absent = set.ctl(EPOLL_CTL_MOD, &file.file, EPOLLIN);
    assert_eq!(absent, Err(Errno::ENOENT));
    assert_eq!(set.ctl(EPOLL_CTL_DEL, &file.file, 0), Err(Errno::ENOENT));
    assert_eq!(set.ctl(99, &file.file, 0), Err(Errno::EINVAL));
    set.add(&file.file, EPOLLIN).unwrap();
    assert_eq!(set.add(&file.file, EPOLLIN), Err(Errno::EEXIST));
    assert_eq!(set.ep().ctl(EPOLL_CTL_ADD, &set.file, 3, EpollEvent::default()), Err(Errno::EINVAL));
}

#[test]
fn exclusive_has_rules_of_its_own() {
    let (set, inner, file) = (Set::new(3), Set::new(5), Fake::new(4));
    assert_eq!(set.add(&file.file, EPOLLEXCLUSIVE | EPOLLIN | EPOLLONESHOT), Err(Errno::EINVAL));
    assert_eq!(set.add(&inner.file, EPOLLEXCLUSIVE | EPOLLIN), Err(Errno::EINVAL));
    set.add(&file.file, EPOLLEXCLUSIVE | EPOLLIN | EPOLLET).unwrap();
    assert_eq!(set.ctl(EPOLL_CTL_MOD, &file.file, EPOLLIN), Err(Errno::EINVAL));
}

#[test]
fn a_released_file_leaves_every_set() {
    let (a, b, file) = (Set::new(3), Set::new(4), Fake::new(5));
    a.add(&file.file, EPOLLIN).unwrap();
    b.add(&file.file, EPOLLIN).unwrap();
    file.rise(EPOLLIN);
    assert_eq!(release_file(&file.file), 2);
    assert_eq!((a.take(8), b.take(8)), (vec![], vec![]));
    assert!(a.ep().is_empty() && b.ep().is_empty());
}

#[test]
fn an_outer_level_over_an_inner_level_lasts_until_the_inner_is_drained() {
    let (outer, inner, file) = (Set::new(3), Set::new(4), Fake::new(5));
    inner.add(&file.file, EPOLLIN).unwrap();
    outer.add(&inner.file, EPOLLIN).unwrap();
    file.rise(EPOLLIN);
    assert_eq!(outer.take(8), [(4, EPOLLIN)]);
    assert_eq!(inner.take(8), [(5, EPOLLIN)]);
    assert_eq!(outer.take(8), [(4, EPOLLIN)]);
    file.set(0);
    assert_eq!(outer.take(8), []);
}

#[test]
fn an_inner_edge_is_consumed_by_a_wait_on_the_inner() {
    let (outer, inner, file) = (Set::new(3), Set::new(4), Fake::new(5));
    inner.add(&file.file, EPOLLIN | EPOLLET).unwrap();
    outer.add(&inner.file, EPOLLIN).unwrap();
    file.rise(EPOLLIN);
    assert_eq!(outer.take(8), [(4, EPOLLIN)]);
    assert_eq!(inner.take(8), [(5, EPOLLIN)]);
    assert_eq!(outer.take(8), []);
}

#[test]
fn five_levels_nest_and_a_sixth_does_not() {
    let sets: Vec<Set> = (10..16).map(Set::new).collect();
    for pair in sets[..5].windows(2) {
        pair[1].add(&pair[0].file, EPOLLIN).unwrap();
    }
    assert_eq!(sets[5].add(&sets[4].file, EPOLLIN), Err(Errno::ELOOP));
    assert_eq!(sets[0].add(&sets[4].file, EPOLLIN), Err(Errno::ELOOP));
}

#[test]
#[cfg_attr(miri, ignore = "takes Miri minutes")]
fn too_many_wakeup_paths_are_refused() {
    let (inner, file) = (Set::new(3), Fake::new(4));
    inner.add(&file.file, EPOLLIN).unwrap();
    let outer: Vec<Set> = (0..501).map(|n| Set::new(100 + n)).collect();
    for outer in &outer[..500] {
        outer.add(&inner.file, EPOLLIN).unwrap();
    }
    assert_eq!(outer[500].add(&inner.file, EPOLLIN), Err(Errno::EINVAL));
    assert!(outer[500].ep().is_empty());
}
