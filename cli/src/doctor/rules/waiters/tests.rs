//! Herds and imbalance, from events made up.

use super::*;
use crate::doctor::script::{Script, EAGAIN, IN, ONESHOT};

/// Connections come, and `woken` threads wake for each.
fn connections(script: &mut Script, connections: usize, woken: u32) {
    script.add(4, IN);
    for _ in 0..connections {
        for tid in 1..=woken {
            script.tid = tid;
            script.enter(64, -1);
        }
        for tid in 1..=woken {
            script.tid = tid;
            script.give(&[(4, IN)]);
        }
        for tid in 1..=woken {
            script.tid = tid;
            script.accept(4, if tid == 1 { 20 } else { EAGAIN });
        }
    }
}

#[test]
fn eight_that_are_woken_for_one_connection_are_found() {
    let mut script = Script::new();
    connections(&mut script, 50, 8);
    assert_eq!(script.found(), [(9, Severity::Warning)]);
    assert_eq!(script.findings()[0].title, "fd 4: 8 woken for each connection accepted");
}

#[test]
fn two_that_meet_are_fine_and_so_is_an_accept_until_eagain() {
    let mut script = Script::new();
    connections(&mut script, 500, 2);
    assert_eq!(script.found(), []);
    let mut script = Script::new();
    script.add(4, IN);
    for _ in 0..500 {
        for tid in 1..3 {
            script.tid = tid;
            script.wait(&[(4, IN)]).accept(4, 20).accept(4, EAGAIN).accept(4, EAGAIN);
        }
    }
    assert_eq!(script.found(), []);
}

#[test]
fn processes_that_are_woken_for_one_connection_are_found() {
    assert_eq!(workers(IN, Script::process).found(), [(9, Severity::Warning)]);
}

#[test]
fn a_herd_of_processes_that_ask_to_be_woken_one_at_a_time_is_our_own() {
    assert_eq!(workers(IN | EXCLUSIVE, Script::process).found(), []);
}

#[test]
fn a_herd_of_processes_that_the_kernel_wakes_is_found() {
    assert_eq!(workers(IN | EXCLUSIVE, Script::observed_process).found(), [(9, Severity::Warning)]);
}

/// Four workers that watch their parent's listener. `process` adds one of them.
fn workers(events: u32, process: fn(&mut Script, u32, u32, bool) -> usize) -> Script {
    let mut script = Script::new();
    let places: Vec<usize> = (0..4).map(|n| process(&mut script, 200 + n, 50, false)).collect();
    for n in 0..60 {
        for (worker, place) in places.iter().enumerate() {
            (script.place, script.tid) = (*place, 200 + worker as u32);
            if n == 0 {
                script.event(Event::Create { epoll: 1, epfd: 3, inherited: false }).add(4, events);
            }
            script.wait(&[(4, IN)]).accept(4, if worker == n % 4 { 20 } else { EAGAIN });
        }
    }
    script
}

#[test]
fn a_thread_that_hands_connections_over_does_not_compete_for_them() {
    let mut script = Script::new();
    script.add(4, IN);
    for n in 0..400 {
        script.tid = 1;
        script.wait(&[(4, IN)]).enter(64, -1);
        script.tid = if n % 3 == 0 { 3 } else { 2 };
        script.accept(4, 20).ms(2).enter(64, 0).give(&[]);
    }
    assert_eq!(script.found(), []);
}

/// Erlang: the poll thread's set has a busy listener as a disarmed one-shot item; two schedulers wait on another set.
#[test]
fn a_waiter_on_a_one_shot_item_does_not_compete_with_others() {
    for (events, found) in [(IN | ONESHOT, vec![]), (IN, vec![(10, Severity::Warning)])] {
        let mut script = Script::new();
        script.tid = 1;
        script.add(4, events).enter(64, -1);
        script.event(Event::Create { epoll: 2, epfd: 30, inherited: false });
        (script.epoll, script.tid) = (2, 2);
        script.event(Event::Ctl {
            epoll: 2,
            op: Some(Ctl::Add),
            fd: 4,
            events: IN,
            data: 4,
            errno: 0,
            item: 1000,
        });
        for n in 0..400 {
            script.tid = if n % 3 == 0 { 3 } else { 2 };
            script.wait(&[(4, IN)]).accept(4, 20).accept(4, EAGAIN).ms(2);
        }
        (script.epoll, script.tid) = (1, 1);
        script.give(&[]);
        assert_eq!(script.found(), found);
    }
}

/// Two threads with a set each; the first takes all, and is busy with it or not.
fn one_takes_all(busy_ms: u64) -> Script {
    let mut script = Script::new();
    script.event(Event::Create { epoll: 2, epfd: 30, inherited: false });
    (script.tid, script.epoll) = (2, 2);
    script.event(Event::Ctl {
        epoll: 2,
        op: Some(glasspoll_record::event::Ctl::Add),
        fd: 4,
        events: IN,
        data: 4,
        errno: 0,
        item: 1000,
    });
    script.enter(64, -1);
    (script.tid, script.epoll) = (1, 1);
    script.add(4, IN);
    for _ in 0..200 {
        script.enter(64, -1).ms(10 - busy_ms).give(&[(4, IN)]).accept(4, 20).ms(busy_ms);
    }
    (script.tid, script.epoll) = (2, 2);
    script.give(&[]).enter(64, -1);
    script
}

#[test]
fn one_that_has_all_connections_and_no_time_is_found() {
    let script = one_takes_all(9);
    assert_eq!(script.found(), [(10, Severity::Warning)]);
    assert_eq!(script.findings()[0].tids, [1, 2]);
}

#[test]
fn one_that_has_all_connections_and_time_is_fine() {
    assert_eq!(one_takes_all(1).found(), []);
}
