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
        script.ms(1).wait(&[(6, IN | OUT)]).read(6, 100, 10).read(6, 100, crate::doctor::script::EAGAIN);
    }
    assert_eq!(script.found(), []);
}

#[test]
fn data_that_is_never_read_is_found() {
    let mut script = Script::new();
    script.add(5, IN).add(6, IN);
    for _ in 0..300 {
        script.ms(4).wait(&[(5, IN), (6, IN)]).read(6, 100, 10);
    }
    assert_eq!(script.found(), [(18, Severity::Error)]);
    assert_eq!(script.findings()[0].fds, [5]);
}

#[test]
fn a_mod_that_keeps_the_event_and_a_pause_end_no_run() {
    for (events, class) in [(IN, 18), (HUP, 3), (OUT, 4)] {
        let mut script = Script::new();
        script.add(5, IN | OUT);
        for turn in 0..300 {
            script.ms(if turn % 100 == 0 { 900 } else { 2 }).wait(&[(5, events)]).modify(5, IN | OUT);
        }
        // The pauses are slow callbacks besides.
        assert!(script.found().contains(&(class, Severity::Error)), "{class}");
    }
}

#[test]
fn a_mod_that_takes_the_event_back_is_fine() {
    for (events, rest, fine) in [(IN, OUT, true), (OUT, IN, true), (HUP, 0, false)] {
        let mut script = Script::new();
        for _ in 0..300 {
            script.add(5, IN | OUT).ms(4).wait(&[(5, events)]).modify(5, rest).modify(5, IN | OUT);
        }
        assert_eq!(script.found().is_empty(), fine);
    }
}

#[test]
fn reads_that_fail_are_told() {
    let mut script = Script::new();
    script.add(5, IN);
    for _ in 0..300 {
        script.ms(4).wait(&[(5, IN)]).read(5, 16, -i64::from(libc::EINVAL));
    }
    let findings = script.findings();
    assert_eq!(script.found(), [(18, Severity::Error)]);
    assert!(findings[0].evidence.iter().any(|line| line.contains("EINVAL 300 times")), "{findings:?}");
}

#[test]
fn an_occasional_write_ends_no_run_of_room_and_regular_writes_do() {
    for (each, found) in [(50, vec![(4, Severity::Error)]), (2, vec![])] {
        let mut script = Script::new();
        script.add(5, IN | OUT);
        for turn in 0..1000 {
            script.ms(2).wait(&[(5, OUT)]);
            if turn % each == 0 {
                script.write(5, 10);
            }
        }
        assert_eq!(script.found(), found);
    }
}

#[test]
fn an_event_that_comes_anew_each_time_is_fine() {
    // A timerfd that the program sets anew, which no record has.
    let mut script = Script::new();
    script.add(5, IN);
    for _ in 0..1000 {
        script.enter(64, -1).ms(10).give(&[(5, IN)]);
    }
    assert_eq!(script.found(), []);
    // The same in a loop that never sleeps for other events.
    script.add(6, IN);
    for turn in 0..5000 {
        script.ms(1);
        match turn % 10 {
            0 => script.wait(&[(5, IN), (6, IN)]).read(6, 10, 10),
            _ => script.wait(&[(6, IN)]).read(6, 10, 10),
        };
    }
    assert_eq!(script.found(), []);
}

#[test]
fn data_that_another_process_takes_first_are_fine() {
    let mut script = Script::new();
    script.add(5, IN);
    for _ in 0..1000 {
        script.ms(2).wait(&[(5, IN)]).accept(5, crate::doctor::script::EAGAIN);
    }
    assert_eq!(script.found(), []);
}

#[test]
fn a_set_within_a_set_is_fine() {
    let mut script = Script::new();
    script.epoll = 2;
    script.event(Event::Create { epoll: 2, epfd: 9, inherited: false });
    script.add(9, IN);
    for _ in 0..1000 {
        script.ms(2).wait(&[(9, IN)]);
    }
    assert_eq!(script.found(), []);
}

#[test]
fn a_peer_that_has_closed_is_told() {
    let mut script = Script::new();
    script.add(5, IN).wait(&[(5, IN)]).read(5, 10, 0).modify(5, OUT);
    for _ in 0..300 {
        script.ms(4).wait(&[(5, OUT)]);
    }
    let findings = script.findings();
    assert_eq!(script.found(), [(4, Severity::Error)]);
    assert!(findings[0].evidence.iter().any(|line| line.contains("peer has closed")), "{findings:?}");
}

#[test]
fn a_oneshot_that_is_armed_again_without_a_read_is_found() {
    use crate::doctor::script::{ET, ONESHOT};
    for interest in [IN | ONESHOT, IN | ET | ONESHOT] {
        let mut script = Script::new();
        script.add(5, interest);
        for _ in 0..300 {
            script.ms(4).wait(&[(5, IN)]).modify(5, interest);
        }
        assert_eq!(script.found(), [(18, Severity::Error)]);
    }
}

#[test]
fn an_edge_that_is_asked_for_again_to_wake_the_loop_is_fine() {
    // An eventfd that is always readable wakes the loop at each MOD.
    let mut script = Script::new();
    script.add(5, IN | crate::doctor::script::ET);
    for _ in 0..1000 {
        script.ms(1).modify(5, IN | crate::doctor::script::ET).wait(&[(5, IN)]);
    }
    assert_eq!(script.found(), []);
}
