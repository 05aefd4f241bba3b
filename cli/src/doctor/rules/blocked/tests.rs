//! Blocking calls, from events made up.

use super::*;
use crate::doctor::script::{Script, EBADF, IN};

fn sleeps(script: &mut Script, call: Call, fd: i32, ms: u64) {
    let ns = ms * 1_000_000;
    script.ms(ms).event(Event::Blocked { fd, call, ns, result: 0, errno: 0 });
}

#[test]
fn a_call_that_makes_others_wait_is_found_and_told_once() {
    let mut script = Script::looping();
    for _ in 0..3 {
        script.wait(&[(9, IN)]).read(9, 10, 5);
        sleeps(&mut script, Call::Lock, 20, 150);
        script.enter(64, -1).give(&[(10, IN), (11, IN)]);
    }
    script.enter(64, -1);
    assert_eq!(script.found(), [(25, Severity::Warning)]);
    let finding = &script.findings()[0];
    assert_eq!(finding.fds, [20]);
    assert_eq!(finding.title, "a lock of fd 20 took 150 ms in the loop");
    assert!(finding.advice.contains("LOCK_NB"), "{}", finding.advice);
    assert!(finding.evidence[1].starts_with("6 events"), "{:?}", finding.evidence);
}

#[test]
fn seconds_are_an_error() {
    let mut script = Script::looping();
    script.wait(&[(9, IN)]);
    sleeps(&mut script, Call::Lookup, -1, 2000);
    script.enter(64, -1).give(&[(10, IN)]).enter(64, -1);
    assert_eq!(script.found(), [(25, Severity::Error)]);
    // Data that must be on the disk may be waited for.
    let mut script = Script::looping();
    script.wait(&[(9, IN)]);
    sleeps(&mut script, Call::Sync, 20, 2000);
    script.enter(64, -1).give(&[(10, IN)]).enter(64, -1);
    assert_eq!(script.found(), [(25, Severity::Warning)]);
}

#[test]
fn what_nobody_waits_for_is_a_note() {
    let mut script = Script::looping();
    script.wait(&[(9, IN)]);
    sleeps(&mut script, Call::Sleep, -1, 600);
    script.enter(64, -1);
    assert_eq!(script.found(), [], "it may be the end of the program");
    script.ms(10).event(Event::WaitReturn { epoll: 1, n: 0, waited_ns: 10_000_000 });
    assert_eq!(script.found(), [(25, Severity::Note)]);
}

#[test]
fn seconds_after_which_the_thread_does_not_wait_again_are_told() {
    for (call, severity) in [(Call::Write, Severity::Warning), (Call::Join, Severity::Note)] {
        let mut script = Script::looping();
        script.wait(&[(9, IN)]);
        sleeps(&mut script, call, 20, 6000);
        script.end();
        assert_eq!(script.found(), [(25, severity)]);
    }
}

#[test]
fn a_call_at_the_end_of_which_we_look_is_told_with_those_before_it() {
    let mut script = Script::looping();
    script.wait(&[(9, IN)]);
    sleeps(&mut script, Call::Lookup, -1, 1500);
    script.enter(64, -1).give(&[(10, IN)]);
    sleeps(&mut script, Call::Lookup, -1, 1500);
    script.end();
    assert_eq!(script.found(), [(25, Severity::Error)]);
}

#[test]
fn the_share_of_the_time_is_that_of_the_whole_look() {
    let mut script = Script::looping();
    for _ in 0..10 {
        script.wait(&[(9, IN)]);
        sleeps(&mut script, Call::Lock, 20, 100);
        script.enter(64, -1).give(&[(10, IN)]).ms(900);
        // Events are lost, and the thread has to be seen to have a loop once more.
        script.gap();
        for _ in 0..3 {
            script.wait(&[(10, IN)]).read(10, 10, 5);
        }
    }
    script.enter(64, -1);
    let finding = script.findings().into_iter().find(|finding| finding.class == 25).expect("a finding");
    assert!(finding.evidence[0].ends_with("stood still for 11% of the time"), "{:?}", finding.evidence);
}

#[test]
fn short_calls_and_few_are_fine() {
    let mut script = Script::looping();
    for ms in [150, 10, 10, 10] {
        script.wait(&[(9, IN)]);
        sleeps(&mut script, Call::Write, 20, ms);
        script.enter(64, -1).give(&[(10, IN)]);
    }
    script.enter(64, -1);
    assert_eq!(script.found(), []);
}

#[test]
fn a_server_of_one_client_at_a_time_is_fine() {
    for others in [&[9][..], &[9, 11][..]] {
        let mut script = Script::new();
        for fd in others {
            script.add(*fd, IN);
        }
        for _ in 0..6 {
            script.wait(&[(9, IN)]).accept(9, 20);
            sleeps(&mut script, Call::Read, 20, 90);
            script.read(20, 10, EBADF);
        }
        script.enter(64, -1);
        assert_eq!(script.found(), [], "{others:?}");
    }
}

/// A worker of uwsgi or apache polls its client's descriptor beside the set, and looks names up for it.
#[test]
fn what_a_worker_does_for_its_client_is_not_to_be_put_into_the_set() {
    let turns = |calls: &[Call], closes: bool| {
        let mut script = Script::looping();
        for _ in 0..6 {
            script.wait(&[(9, IN)]).accept(9, 20);
            for call in calls {
                sleeps(&mut script, *call, -1, 550);
            }
            script.read(20, 10, 5).write(20, 5);
            if closes {
                script.event(Event::CloseUnwatched { fd: 20, maker: 100 });
            } else {
                script.add(20, IN);
            }
            script.enter(64, -1).give(&[(9, IN)]);
        }
        script.enter(64, -1);
        script
    };
    assert_eq!(turns(&[Call::Poll, Call::Lookup], true).found(), []);
    // A server that keeps the client in its set has others, too.
    let kept = turns(&[Call::Lookup], false);
    assert_eq!(kept.found(), [(25, Severity::Error)]);
    assert!(kept.findings()[0].advice.contains("Look names up"), "{}", kept.findings()[0].advice);
}

#[test]
fn a_worker_whose_client_says_nothing_is_fine() {
    for (fd, call) in [(20, Call::Poll), (-1, Call::Poll), (20, Call::Read)] {
        let mut script = Script::looping();
        script.wait(&[(9, IN)]).accept(9, 20);
        sleeps(&mut script, call, fd, 3000);
        script.end();
        assert_eq!(script.found(), [], "{fd} {call:?}");
    }
}

#[test]
fn a_worker_that_makes_others_wait_is_told_of_its_next_client() {
    let mut script = Script::looping();
    for _ in 0..3 {
        script.wait(&[(9, IN)]).accept(9, 20);
        sleeps(&mut script, Call::Poll, -1, 150);
        script.close(20).enter(64, -1).give(&[(9, IN), (10, IN)]);
    }
    script.enter(64, -1);
    let finding = &script.findings()[0];
    assert_eq!((finding.class, finding.severity), (25, Severity::Warning));
    assert_eq!(finding.advice, crate::doctor::cause::ONE_AT_A_TIME);
}

#[test]
fn a_program_that_sleeps_between_its_looks_is_fine() {
    let mut script = Script::new();
    script.add(9, IN).add(10, IN);
    for _ in 0..50 {
        script.enter(64, 0).give(&[(9, IN)]).read(9, 10, 5);
        sleeps(&mut script, Call::Sleep, -1, 25);
    }
    assert_eq!(script.found(), []);
}

#[test]
fn calls_of_a_thread_pool_and_before_the_loop_are_fine() {
    let mut script = Script::new();
    script.add(9, IN).add(10, IN).wait(&[(9, IN)]);
    sleeps(&mut script, Call::Lookup, -1, 900);
    script.enter(64, -1).give(&[(10, IN)]).enter(64, -1);
    assert!(script.found().iter().all(|(class, _)| *class != 25));
    let mut script = Script::looping();
    script.wait(&[(9, IN)]);
    script.tid = 2;
    script.enter(64, -1);
    script.tid = 100;
    sleeps(&mut script, Call::Lookup, -1, 900);
    script.enter(64, -1).give(&[(10, IN)]).enter(64, -1);
    assert_eq!(script.found(), []);
}
