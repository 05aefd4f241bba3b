use glasspoll_record::event::{Ctl, Event};

use crate::doctor::finding::Severity;
use crate::doctor::script::{Script, EBADF, IN};

#[test]
fn a_second_close_in_vain_is_found() {
    let mut script = Script::new();
    script.add(8, IN).close(8).ms(5).close_fails(8).enter(64, -1);
    assert_eq!(script.found(), [(17, Severity::Warning)]);
    assert_eq!(script.findings()[0].fds, [8]);
}

#[test]
fn a_close_of_what_is_another_threads_by_now_is_found() {
    let mut script = Script::new();
    script.tid = 2;
    script.add(8, IN).close(8);
    script.tid = 1;
    script.accept(30, 8).add(8, IN).read(8, 10, 10);
    script.tid = 2;
    script.close(8);
    script.tid = 1;
    script.write(8, EBADF);
    let findings = script.findings();
    assert_eq!(script.found(), [(17, Severity::Error)]);
    assert_eq!(findings[0].tids, [1, 2]);
    assert!(findings[0].title.starts_with("fd 8 closed twice by thread 2"), "{}", findings[0].title);
}

#[test]
fn a_sweep_over_all_numbers_is_fine() {
    let mut script = Script::new();
    script.add(8, IN).close(8).add(10, IN).close(10);
    for fd in 3..20 {
        script.close_fails(fd);
    }
    script.close_fails(-1).enter(64, -1);
    assert_eq!(script.found(), []);
}

#[test]
fn a_close_of_a_number_that_is_not_known_is_fine() {
    let mut script = Script::new();
    script.close_fails(40).close_fails(-1).enter(64, -1);
    assert_eq!(script.found(), []);
}

/// A thread closes an fd of its own twice. Meanwhile another thread makes a file, which has that fd.
fn closed_twice(second_maker: u32) -> Script {
    let mut script = Script::new();
    script.tid = 2;
    script.event(Event::CloseUnwatched { fd: 9, maker: 2 }).ms(1);
    script.event(Event::CloseUnwatched { fd: 9, maker: second_maker }).ms(1);
    script.tid = 3;
    script
}

#[test]
fn a_double_close_of_what_is_in_no_set_is_found_if_its_owner_finds_it_bad() {
    let mut script = closed_twice(3);
    assert_eq!(script.found(), []);
    script.read(9, 1, EBADF);
    assert_eq!(script.found(), [(17, Severity::Error)]);
    assert_eq!(script.findings()[0].tids, [2, 3]);
    let mut script = closed_twice(3);
    script.close_fails(9);
    assert_eq!(script.found(), [(17, Severity::Error)]);
    // It closes a third thread's file in turn, and is not to blame.
    let mut script = closed_twice(3);
    script.event(Event::CloseUnwatched { fd: 9, maker: 4 });
    script.tid = 4;
    script.read(9, 1, EBADF);
    assert_eq!(script.found(), [], "threads may hand descriptors to each other");
    script.tid = 2;
    script.event(Event::CloseUnwatched { fd: 10, maker: 2 }).ms(1);
    script.event(Event::CloseUnwatched { fd: 10, maker: 3 }).ms(1);
    script.tid = 3;
    script.read(10, 1, EBADF);
    assert_eq!(script.found(), [(17, Severity::Error); 2]);
    assert!(script.findings().iter().all(|finding| finding.tids == [2, 3]));
}

/// Threads that take over connections from each other, as haproxy's and Erlang's do.
#[test]
fn descriptors_that_go_to_and_fro_between_threads_are_fine() {
    let mut script = Script::new();
    for n in 0..60 {
        script.tid = 2 + n % 2;
        script.accept(30, 9);
        let maker = script.tid;
        script.tid = 2 + n / 3 % 2;
        script.event(Event::CloseUnwatched { fd: 9, maker });
    }
    assert_eq!(script.found(), []);
    // The thread that accepts takes them out of its set after a worker has closed them, as slapd's does.
    for _ in 0..9 {
        script.tid = 1;
        script.accept(30, 8).add(8, IN).wait(&[(8, IN)]);
        script.tid = 2;
        script.close(8);
        script.tid = 1;
        script.ctl(Ctl::Del, 8, 0, libc::EBADF);
    }
    assert_eq!(script.found(), []);
}

#[test]
fn a_double_close_of_an_unknown_threads_file_is_a_warning() {
    let mut script = closed_twice(0);
    script.read(9, 1, EBADF);
    assert_eq!(script.found(), [(17, Severity::Warning)]);
    // The thread that closed finds it bad itself: it may have opened it, too.
    let mut script = closed_twice(0);
    script.tid = 2;
    script.read(9, 1, EBADF);
    assert_eq!(script.found(), []);
}

#[test]
fn a_thread_that_is_stopped_by_a_close_is_a_warning() {
    let mut script = Script::new();
    for maker in [3, 4] {
        script.tid = 2;
        script.event(Event::CloseUnwatched { fd: 9, maker });
        script.tid = maker;
        script.read(9, 1, EBADF);
    }
    assert_eq!(script.found(), [(17, Severity::Warning)]);
}

#[test]
fn files_that_are_closed_one_after_the_other_are_fine() {
    let mut script = closed_twice(2);
    script.read(9, 1, EBADF).close_fails(9).enter(64, -1);
    assert_eq!(script.found(), []);
    let mut script = closed_twice(3);
    script.event(Event::CloseUnwatched { fd: 9, maker: 3 }).read(9, 1, EBADF).enter(64, -1);
    assert_eq!(script.found(), []);
}

#[test]
fn a_descriptor_that_goes_from_thread_to_thread_is_fine() {
    let mut script = Script::new();
    for _ in 0..3 {
        script.tid = 1;
        script.accept(30, 8).add(8, IN);
        script.tid = 2;
        script.read(8, 10, 10).close(8);
    }
    script.enter(64, -1);
    assert_eq!(script.found(), []);
}
