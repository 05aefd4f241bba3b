//! Edges that are left, from events made up.

use super::*;
use crate::doctor::script::{Script, EAGAIN, ET, IN};

fn told(script: &mut Script) -> &mut Script {
    script.add(8, IN | ET).wait(&[(8, IN)])
}

#[test]
fn a_read_that_got_all_it_asked_for_before_a_long_wait_is_found() {
    let mut script = Script::new();
    told(&mut script).read(8, 128, 128).enter(64, -1).ms(500);
    assert_eq!(script.found(), []);
    script.ms(600);
    assert_eq!(script.found(), [(2, Severity::Warning)]);
    assert_eq!(script.findings()[0].fds, [8]);
    // A further edge shows it as well.
    script.give(&[(8, IN)]).read(8, 128, 20).enter(64, -1).ms(2000);
    assert_eq!(script.found(), [(2, Severity::Warning)]);
}

#[test]
fn a_listener_that_accepts_one_for_an_edge_is_found() {
    let mut script = Script::new();
    told(&mut script).accept(8, 20).enter(64, -1).ms(1500);
    assert_eq!(script.found(), [(2, Severity::Warning)]);
}

#[test]
fn what_was_read_to_the_end_is_fine() {
    for last in [EAGAIN, 0, 100] {
        let mut script = Script::new();
        told(&mut script).read(8, 128, 128).read(8, 128, last).enter(64, -1).ms(5000);
        assert_eq!(script.found(), [], "{last}");
    }
}

#[test]
fn what_was_never_read_is_fine() {
    // A waker's eventfd.
    let mut script = Script::new();
    told(&mut script).enter(64, -1).ms(5000);
    assert_eq!(script.found(), []);
}

#[test]
fn a_counter_that_was_read_whole_is_fine() {
    let mut script = Script::new();
    told(&mut script).read(8, 8, 8).enter(64, -1).ms(5000);
    assert_eq!(script.found(), []);
}

#[test]
fn a_program_that_comes_back_by_itself_is_fine() {
    let mut script = Script::new();
    told(&mut script).read(8, 128, 128).enter(64, 2000).ms(2000).give(&[]);
    // Its timer ran out, and it reads on.
    script.read(8, 128, 128).enter(64, -1).ms(5000);
    assert_eq!(script.found(), []);
}

#[test]
fn a_loop_that_never_sleeps_is_found() {
    let mut script = Script::new();
    script.add(6, IN);
    told(&mut script).read(8, 128, 128);
    for _ in 0..150 {
        script.ms(10).wait(&[(6, IN)]).read(6, 10, 10);
    }
    assert_eq!(script.found(), [(2, Severity::Warning)]);
    assert_eq!(script.findings()[0].fds, [8]);
}

#[test]
fn one_accept_for_each_edge_is_found_and_accepts_to_the_end_are_fine() {
    for drains in [false, true] {
        let mut script = Script::new();
        script.add(8, IN | ET);
        for turn in 0..40 {
            script.enter(64, -1).ms(50).give(&[(8, IN)]).accept(8, 20 + turn);
            if drains {
                script.accept(8, EAGAIN);
            }
        }
        script.enter(64, -1);
        assert_eq!(script.found().is_empty(), drains);
    }
}

#[test]
fn two_accepts_for_each_edge_are_too_few_too() {
    let mut script = Script::new();
    script.add(8, IN | ET);
    for turn in 0..40 {
        script.enter(64, -1).ms(50).give(&[(8, IN)]).accept(8, 20 + turn).accept(8, 60 + turn);
    }
    script.enter(64, -1);
    assert_eq!(script.found(), [(2, Severity::Warning)]);
}

#[test]
fn a_batch_of_datagrams_that_is_short_is_the_end() {
    let mut script = Script::new();
    script.add(8, IN | ET);
    for _ in 0..40 {
        script.enter(64, -1).ms(50).give(&[(8, IN)]).read(8, 32, 5);
    }
    script.enter(64, -1);
    assert_eq!(script.found(), []);
}

#[test]
fn one_short_read_for_each_edge_is_too_few_for_datagrams_only() {
    let mut script = Script::new();
    script.add(8, IN | ET);
    for _ in 0..40 {
        script.enter(64, -1).ms(50).give(&[(8, IN)]).read(8, 512, 40);
    }
    script.enter(64, -1);
    let only = script.findings()[0].only.expect("it depends on the file");
    assert!(only("udp 127.0.0.1:53") && !only("tcp 127.0.0.1:80 listening"));
}

#[test]
fn a_loop_that_does_not_wait_is_fine() {
    let mut script = Script::new();
    told(&mut script).read(8, 128, 128).ms(5000);
    assert_eq!(script.findings().iter().filter(|finding| finding.class == 2).count(), 0);
}

#[test]
fn a_level_triggered_item_is_fine() {
    let mut script = Script::new();
    script.add(8, IN).wait(&[(8, IN)]).read(8, 128, 128).enter(64, -1).ms(5000);
    assert_eq!(script.found(), []);
}

#[test]
fn what_came_before_a_gap_is_not_judged() {
    let mut script = Script::new();
    told(&mut script).read(8, 128, 128).enter(64, -1);
    script.gap();
    script.ms(5000);
    assert_eq!(script.found(), []);
}
