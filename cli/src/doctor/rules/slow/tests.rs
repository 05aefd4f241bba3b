//! Slow callbacks, from events made up.

use super::*;
use crate::doctor::finding::Severity;
use crate::doctor::script::{Script, IN};

#[test]
fn a_callback_that_lets_others_wait_is_found() {
    let mut script = Script::new();
    script.add(9, IN).add(10, IN).add(11, IN);
    for _ in 0..3 {
        script.wait(&[(10, IN), (9, IN)]).read(10, 10, 5).read(9, 10, 5);
        script.ms(200).ready(11).ms(140).wait(&[(11, IN)]);
    }
    script.enter(64, -1);
    assert_eq!(script.found(), [(16, Severity::Warning)]);
    let finding = &script.findings()[0];
    assert_eq!(finding.fds, [9]);
    assert!(finding.title.starts_with("fd 9: 340 ms"), "{}", finding.title);
}

#[test]
fn waking_another_thread_is_done_for_who_is_served() {
    let mut script = Script::new();
    script.add(9, IN).add(11, IN).add(17, IN);
    script.wait(&[(11, IN), (9, IN)]).read(11, 10, 5).read(9, 10, 5).write(17, 8);
    script.ready(11).ms(540).write(9, 5).wait(&[(11, IN)]).enter(64, -1);
    assert_eq!(script.findings()[0].fds, [9]);
}

#[test]
fn a_callback_of_half_a_second_is_found_at_once() {
    let mut script = Script::new();
    script.add(9, IN).add(11, IN).wait(&[(9, IN)]).ready(11).ms(540).wait(&[(11, IN)]).enter(64, -1);
    assert_eq!(script.found(), [(16, Severity::Warning)]);
}

#[test]
fn a_callback_of_a_tenth_of_a_second_now_and_then_is_fine() {
    let mut script = Script::new();
    script.add(9, IN).add(11, IN);
    for _ in 0..2 {
        script.wait(&[(9, IN)]).ready(11).ms(110);
    }
    script.wait(&[(11, IN)]).enter(64, -1);
    assert_eq!(script.found(), []);
}

#[test]
fn long_work_for_the_only_one_that_asks_is_fine() {
    let mut script = Script::new();
    script.add(9, IN);
    for _ in 0..5 {
        script.enter(64, -1).ms(5).event(Event::WaitReturn { epoll: 1, n: 0, waited_ns: 5_000_000 });
        script.ms(800);
    }
    script.enter(64, -1);
    assert_eq!(script.found(), []);
}

#[test]
fn a_set_that_other_threads_wait_on_is_fine() {
    let mut script = Script::new();
    script.add(9, IN).add(11, IN);
    for _ in 0..5 {
        script.tid = 1;
        script.wait(&[(9, IN)]);
        script.tid = 2;
        script.enter(64, -1).ms(500).ready(11).give(&[(11, IN)]);
    }
    script.enter(64, -1);
    assert_eq!(script.found(), []);
}

#[test]
fn a_loop_that_has_not_come_back_is_found_while_the_process_lives() {
    let mut script = Script::new();
    script.add(9, IN).wait(&[(9, IN)]).wait(&[(9, IN)]).wait(&[(9, IN)]).read(9, 10, 10).ready(9).ms(5000);
    assert_eq!(script.found(), [(16, Severity::Warning)]);
    script.end();
    assert_eq!(script.found(), []);
}

#[test]
fn of_the_kernels_epoll_it_is_not_said_that_nothing_became_ready() {
    let mut script = Script::observed();
    script.add(9, IN).wait(&[(9, IN)]).wait(&[(9, IN)]).wait(&[(9, IN)]).read(9, 10, 10).ready(9).ms(5000);
    assert_eq!(script.found(), [(16, Severity::Note)]);
    assert!(
        script.findings()[0].evidence[0].ends_with("the kernel does not tell what became ready meanwhile")
    );
}

#[test]
fn a_program_that_looks_in_now_and_then_is_fine() {
    let mut script = Script::new();
    script.add(9, IN);
    for _ in 0..10 {
        script.enter(64, 0).give(&[]).ms(1500);
    }
    assert_eq!(script.found(), []);
}

#[test]
fn a_set_that_is_only_asked_is_slept_on_elsewhere() {
    let mut script = Script::new();
    script.add(9, IN).add(10, IN);
    for _ in 0..5 {
        script.ms(1000).enter(64, 0).give(&[(9, IN)]).read(9, 10, 5);
    }
    assert_eq!(script.found(), []);
}

#[test]
fn a_process_that_serves_one_client_at_a_time_is_a_note() {
    let mut script = Script::new();
    script.add(9, IN);
    for _ in 0..5 {
        script.wait(&[(9, IN)]).accept(9, 20).ms(400).read(20, 10, 0);
    }
    script.enter(64, -1);
    assert_eq!(script.found(), [(16, Severity::Note)]);
}

#[test]
fn a_loop_that_has_always_more_to_do_is_found() {
    let mut script = Script::new();
    script.add(9, IN).add(10, IN);
    for _ in 0..5 {
        script.enter(64, 0).give(&[(9, IN)]).read(9, 10, 5).ms(200).write(9, 5);
        script.enter(64, 0).give(&[(10, IN)]).read(10, 10, 5);
    }
    script.enter(64, 0);
    assert_eq!(script.found(), [(16, Severity::Warning)]);
}

/// One wait after which the thread is away for 540 ms, and seen to do something.
fn away(state: u8, call: &str, starved: bool) -> Script {
    let mut script = Script::new();
    script.add(9, IN).add(11, IN).wait(&[(9, IN)]).ready(11).ms(540).seen(540, state, call, starved);
    script.wait(&[(11, IN)]).enter(64, -1);
    script
}

#[test]
fn what_the_thread_was_seen_to_do_is_told() {
    let script = away(b'S', "flock", false);
    assert_eq!(script.found(), [(16, Severity::Warning)]);
    let finding = &script.findings()[0];
    assert!(finding.title.ends_with("the next wait, asleep in flock(fd 7)"), "{}", finding.title);
    assert_eq!((finding.unknown.as_ref(), finding.advice.contains("does not block")), (None, true));
    let working = away(b'R', "", false);
    assert!(working.findings()[0].title.ends_with(", at work"));
}

#[test]
fn a_thread_without_a_processor_is_a_note() {
    let script = away(b'R', "", true);
    assert_eq!(script.found(), [(16, Severity::Note)]);
    assert!(script.findings()[0].title.ends_with(", without a processor"));
}

/// A tenth of a second of work is a tenth of a second on any machine.
#[test]
fn a_thread_that_works_long_enough_by_itself_is_slow_though_it_waits_longer_for_a_processor() {
    for (ran, severity) in [(30, Severity::Warning), (10, Severity::Note)] {
        let mut script = Script::new();
        script.add(9, IN).add(11, IN).wait(&[(9, IN)]).ready(11).ms(540).seen_to_run(540, b'R', "", ran);
        script.wait(&[(11, IN)]).enter(64, -1);
        assert_eq!(script.found(), [(16, severity)]);
        assert_eq!(script.findings()[0].title.ends_with(", at work"), ran == 30);
    }
}

#[test]
fn times_with_and_without_a_processor_count_together() {
    let most = [
        ([10, 10, 90, 90], Severity::Note),
        ([10, 90, 10, 10], Severity::Note),
        ([90, 10, 90, 90], Severity::Warning),
    ];
    for (ran, severity) in most {
        let mut script = Script::new();
        script.add(9, IN).add(11, IN);
        for ran in ran {
            script.wait(&[(9, IN)]).ready(11).ms(200).seen_to_run(200, b'R', "", ran).wait(&[(11, IN)]);
        }
        script.enter(64, -1);
        assert_eq!(script.found(), [(16, severity)]);
    }
}

#[test]
fn a_thread_that_is_stopped_is_fine() {
    assert_eq!(away(b'T', "", false).found(), []);
    let mut script = Script::new();
    script.add(9, IN).wait(&[(9, IN)]).wait(&[(9, IN)]).wait(&[(9, IN)]).ready(9).ms(5000);
    script.seen(5000, b'T', "", false);
    assert_eq!(script.found(), []);
}

#[test]
fn a_time_that_was_not_looked_at_is_a_note_if_threads_had_no_processor_at_others() {
    for (state, starved, severity) in [(b'R', true, Severity::Note), (b'R', false, Severity::Warning)] {
        let mut script = away(state, "", starved);
        script.add(12, IN).wait(&[(12, IN)]).read(12, 10, 5).ready(9).ms(540).wait(&[(9, IN)]).enter(64, -1);
        let of_12 = script.findings().into_iter().find(|finding| finding.fds == [12]);
        assert_eq!(of_12.map(|finding| finding.severity), Some(severity));
    }
}
