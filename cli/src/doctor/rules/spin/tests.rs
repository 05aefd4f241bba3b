//! Spins, from events made up.

use super::*;
use crate::doctor::script::{Script, ERR, HUP, IN, OUT};

#[test]
fn a_hang_up_that_is_never_handled_is_found() {
    let mut script = Script::new();
    script.add(5, IN);
    for _ in 0..200 {
        script.ms(6).wait(&[(5, IN | HUP)]);
    }
    assert_eq!(script.found(), [(3, Severity::Error)]);
    let finding = &script.findings()[0];
    assert_eq!((finding.fds.as_slice(), finding.count), (&[5][..], 200));
    // Closed late: still found.
    script.close(5).enter(64, -1).ms(5000);
    assert_eq!(script.found(), [(3, Severity::Error)]);
}

#[test]
fn a_spin_is_found_between_gaps_and_what_comes_seldom_is_not() {
    for (between, found) in [(200, vec![(3, Severity::Error)]), (90, vec![])] {
        let mut script = Script::new();
        script.add(5, IN);
        for _ in 0..100 {
            for _ in 0..between {
                script.wait(&[(5, HUP)]);
            }
            script.gap();
            script.ms(10);
        }
        assert_eq!(script.found(), found);
    }
}

#[test]
fn an_end_of_stream_that_is_read_for_ever_is_found() {
    let mut script = Script::new();
    script.add(5, IN);
    for _ in 0..5001 {
        script.wait(&[(5, IN)]).read(5, 100, 0);
    }
    assert_eq!(script.found(), [(3, Severity::Error)]);
}

#[test]
fn hang_ups_of_items_that_are_not_known_are_no_finding() {
    let mut script = Script::observed();
    for _ in 0..200 {
        let (epoll, known) = (1, glasspoll_record::event::Known::Exactly);
        let event = Event::Deliver { epoll, fd: -1, item: 0, events: HUP, nth: 0, ready_ns: 0, known };
        script.ms(6).enter(64, -1).event(event).back(1);
    }
    assert_eq!(script.found(), []);
}

#[test]
fn a_hang_up_that_is_closed_soon_is_fine() {
    let mut script = Script::new();
    script.add(5, IN);
    for _ in 0..99 {
        script.ms(2).wait(&[(5, HUP)]);
    }
    script.close(5);
    assert_eq!(script.found(), []);
}

#[test]
fn errors_that_are_taken_each_time_are_fine() {
    let mut script = Script::new();
    script.add(5, IN);
    for _ in 0..6000 {
        // Such as the time stamps of sent packets, by MSG_ERRQUEUE.
        script.ms(1).wait(&[(5, ERR)]).read(5, 100, 40);
    }
    assert_eq!(script.found(), []);
}

#[test]
fn errors_that_may_be_taken_unseen_are_no_more_than_a_warning() {
    let mut script = Script::new();
    script.add(5, IN);
    for _ in 0..6000 {
        script.ms(1).wait(&[(5, ERR)]);
    }
    assert_eq!(script.found(), [(3, Severity::Warning)]);
}

#[test]
fn room_without_a_write_is_found_and_with_writes_is_fine() {
    let mut script = Script::new();
    script.add(6, IN | OUT).add(7, OUT);
    for _ in 0..1100 {
        script.ms(1).wait(&[(6, OUT), (7, OUT)]).write(7, 100);
    }
    let findings = script.findings();
    assert_eq!(script.found(), [(4, Severity::Error)]);
    assert_eq!(findings[0].fds, [6]);
}

#[test]
fn room_of_an_edge_triggered_item_is_fine() {
    let mut script = Script::new();
    script.add(6, IN | OUT | crate::doctor::script::ET);
    for _ in 0..6000 {
        script.ms(1).wait(&[(6, IN | OUT)]).read(6, 100, 10);
    }
    assert_eq!(script.found(), []);
}
