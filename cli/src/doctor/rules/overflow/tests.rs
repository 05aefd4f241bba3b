//! Queues that fill, from looks made up.

use glasspoll_record::event::Call;

use super::*;
use crate::doctor::script::Script;

/// A loop takes a connection each 100 ms, and a look each 200 ms finds the queue so.
fn looks(script: &mut Script, looks: u32, mut queue: impl FnMut(u32) -> (u32, u32, u32)) -> Vec<Finding> {
    script.add(4, IN);
    for look in 0..looks {
        for _ in 0..2 {
            script.enter(64, -1).give(&[(4, IN)]).accept(4, 20).ms(95);
        }
        let (waiting, most, drops) = queue(look);
        script.queue(4, waiting, most, drops);
    }
    script.findings()
}

fn kinds(findings: &[Finding]) -> Vec<(u8, Severity)> {
    findings.iter().map(|finding| (finding.class, finding.severity)).collect()
}

#[test]
fn a_queue_that_stays_full_and_drops_connections_is_found() {
    let found = looks(&mut Script::new(), 20, |look| if look < 6 { (3, 16, 0) } else { (17, 16, 5 * look) });
    assert_eq!(kinds(&found), [(26, Severity::Warning)]);
    let expected = "listener fd 4: accept queue 16 of 16 at 14 of 20 looks, 95 attempts to connect dropped";
    assert_eq!((found[0].title.as_str(), &found[0].fds[..]), (expected, &[4][..]));
    let evidence = found[0].evidence.join("\n");
    assert!(evidence.contains("accepted 10/s meanwhile, 1.0 for each time"), "{evidence}");
    assert!(found[0].advice.starts_with("Accept more than one"), "{found:?}");
}

#[test]
fn a_burst_that_is_emptied_and_a_queue_of_one_on_purpose_are_fine() {
    assert_eq!(looks(&mut Script::new(), 20, |look| (if look == 5 { 17 } else { 0 }, 16, 7)).len(), 0);
    assert_eq!(looks(&mut Script::new(), 20, |look| (0, 16, if look < 5 { 0 } else { 9 })).len(), 0);
    assert_eq!(looks(&mut Script::new(), 20, |look| (2, 1, look)).len(), 0);
    let burst = looks(&mut Script::new(), 20, |look| (0, 16, if look < 5 { 0 } else { 900 }));
    assert_eq!(kinds(&burst), [(26, Severity::Note)]);
    assert!(burst[0].title.contains("was full between 20 looks, 900 attempts"), "{burst:?}");
}

#[test]
fn a_program_that_takes_no_more_on_purpose_is_noted() {
    let mut script = Script::new();
    script.add(4, IN).wait(&[(4, IN)]).accept(4, 20).queue(4, 0, 128, 0).modify(4, 0);
    for look in 0..10 {
        script.enter(64, 200).ms(200).give(&[]).queue(4, 129, 128, look);
    }
    assert_eq!(script.found(), [(26, Severity::Note)]);
    let finding = &script.findings()[0];
    assert!(finding.advice.contains("on purpose") && finding.evidence[0].contains("without EPOLLIN at 10"));
}

#[test]
fn workers_that_take_turns_with_the_listener_do_not_refuse_on_purpose() {
    let mut script = Script::new();
    let places = [script.place, script.process(101, 100, true), script.process(102, 100, true)];
    let mut drops = 0;
    for turn in 0..12 {
        // One of three has it in its set.
        for (n, place) in places.into_iter().enumerate() {
            script.place = place;
            if turn == 0 {
                script.event(Event::Create { epoll: 1, epfd: 3, inherited: false }).add(4, IN);
            }
            script.modify(4, if turn % 3 == n { IN } else { 0 });
            script.wait(&[]);
        }
        script.ms(200);
        drops += 5;
        for place in places {
            script.place = place;
            script.accept(4, 20);
            script.queue(4, 17, 16, drops);
        }
    }
    let found = script.findings();
    assert_eq!(kinds(&found), [(26, Severity::Warning)], "{found:?}");
    assert!(!found[0].advice.contains("on purpose"), "{found:?}");
    assert!(found[0].evidence.iter().all(|line| !line.contains("without EPOLLIN")), "{found:?}");
}

#[test]
fn what_keeps_another_loop_is_not_why_nobody_accepts() {
    // A thread of another set calls what sleeps.
    let mut script = Script::new();
    script.add(4, IN);
    script.tid = 200;
    script.epoll = 2;
    script.event(Event::Create { epoll: 2, epfd: 5, inherited: false }).add(9, IN).add(10, IN);
    for _ in 0..3 {
        script.wait(&[(10, IN)]).read(10, 10, 5);
    }
    for look in 0..10 {
        (script.tid, script.epoll) = (100, 1);
        script.enter(64, -1);
        (script.tid, script.epoll) = (200, 2);
        script.wait(&[(9, IN)]).read(9, 10, 5).ms(150);
        let (call, ns) = (Call::Lock, 150_000_000);
        script.event(Event::Blocked { fd: 20, call, ns, result: 0, errno: 0 });
        script.enter(64, -1).give(&[(10, IN)]);
        (script.tid, script.epoll) = (100, 1);
        script.ms(50).give(&[(4, IN)]).accept(4, 30);
        script.queue(4, 17, 16, look * 5);
    }
    let found = script.findings();
    let queue = found.iter().find(|finding| finding.class == 26).expect("a finding");
    assert!(found.iter().any(|finding| finding.class == 25), "{found:?}");
    assert!(queue.evidence.iter().all(|line| !line.contains("has no time")), "{queue:?}");
    assert!(!queue.advice.starts_with("Shorten"), "{queue:?}");
}

#[test]
fn the_cause_is_told_of_its_queue_and_no_second_finding() {
    let mut script = Script::new();
    script.add(4, IN);
    for look in 0..2000 {
        script.ms(1).wait(&[(4, IN)]).accept(4, -i64::from(libc::EMFILE));
        if look % 200 == 0 {
            script.queue(4, 129, 128, look);
        }
    }
    assert_eq!(script.found(), [(12, Severity::Error)]);
    let evidence = script.findings()[0].evidence.join("\n");
    assert!(evidence.contains("its accept queue 128 of 128 at 10 of 10 looks"), "{evidence}");
}

#[test]
fn a_listener_that_is_in_no_set_or_shared_is_told_once_or_not_at_all() {
    let mut script = Script::new();
    for look in 0..10 {
        script.ms(200).queue(9, 129, 128, look * 10);
    }
    assert_eq!(script.found(), []);
    let [parent, child] = [script.place, script.process(101, 100, true)];
    for place in [parent, child] {
        script.place = place;
        script.add(4, IN);
    }
    for look in 0..10 {
        script.ms(200);
        for place in [parent, child] {
            script.place = place;
            script.queue(4, 129, 128, look * 10);
        }
    }
    assert_eq!(script.found(), [(26, Severity::Warning)]);
    assert!(script.findings()[0].evidence.iter().any(|line| line.starts_with("2 processes have it")));
}
