use glasspoll_record::event::{Ctl, Event};

use super::*;
use crate::doctor::Doctor;
use crate::replay::script::Script;
use std::collections::BTreeSet;

const US: u64 = 1000;

#[test]
fn time_is_waiting_up_to_the_return_and_serving_from_there() {
    let mut script = Script::new();
    script.add(5, 1, 1);
    script.wait(300, &[(5, 1, 20)]).after(100);
    script.wait(500, &[(5, 1, 40)]).after(100).wait(0, &[]);
    let replay = Replay::of(&script.process);
    let [this] = &replay.sums.loops[..] else { panic!("{:?}", replay.sums.loops) };
    assert_eq!((this.waits, this.empty, this.events), (3, 1, 2));
    assert_eq!((this.waiting_ns, this.serving_ns), (800 * US, 200 * US));
    assert_eq!(this.times(script.now), (800 * US, 200 * US));
    assert_eq!(this.recent(script.now).utilisation(), Some(0.2));
    assert_eq!(this.latency.histogram.max(), 40 * US);
    assert_eq!(this.last.1, "wait_return");
    assert_eq!(this.state, State::Serving { since: script.now });
}

#[test]
fn with_one_event_all_serving_is_that_ones() {
    let mut script = Script::new();
    script.add(5, 1, 1).wait(10, &[(5, 1, 0)]).after(340_000).wait(10, &[]);
    let replay = Replay::of(&script.process);
    let item = &replay.sums.items[&(1, 1)];
    assert_eq!(item.serving_ns, 340_000 * US);
    assert_eq!(item.longest.map(|(ns, _)| ns), Some(340_000 * US));
    let period = &replay.sums.loops[0].longest[0];
    assert_eq!(
        (period.ns, period.events, &period.shares[..]),
        (340_000 * US, 1, &[((1, 1), 340_000 * US)][..])
    );
}

#[test]
fn with_several_events_reads_and_writes_tell_whose_the_time_is() {
    let mut script = Script::new();
    script.add(5, 1, 1).add(6, 2, 1).add(7, 3, 1).add(8, 4, 1);
    script.wait(10, &[(5, 1, 0), (6, 2, 0), (7, 3, 0)]);
    script
        .after(1)
        .read(5, 10)
        .after(50)
        .write(8, 10)
        .after(50)
        .read(6, 20)
        .after(7)
        .write(6, 5)
        .wait(10, &[]);
    let replay = Replay::of(&script.process);
    let served = |serial| replay.sums.items[&(1, serial)].serving_ns / US;
    assert_eq!([1, 2, 3, 4].map(served), [101, 7, 0, 0]);
    assert_eq!(replay.sums.items[&(1, 2)].bytes, (20, 5));
    assert_eq!(replay.sums.items[&(1, 4)].calls, (0, 1));
    assert_eq!(replay.sums.loops[0].longest[0].shares, [((1, 1), 101 * US), ((1, 2), 7 * US)]);
}

#[test]
fn spans_lie_side_by_side_without_a_gap() {
    let mut script = Script::new();
    script.add(5, 1, 1).add(6, 2, 1);
    for _ in 0..3 {
        script.wait(10, &[(5, 1, 0), (6, 2, 0)]).after(3).read(5, 1).after(4).read(6, 1).after(5);
    }
    script.wait(10, &[]).after(9).does(Event::WaitEnter { epoll: 1, maxevents: 1, timeout_ns: -1 }).after(1);
    let mut spans = Vec::new();
    Replay::tell(&script.process, |span| spans.push(span));
    assert!(spans.windows(2).all(|pair| pair[0].to == pair[1].from), "{spans:?}");
    assert_eq!(spans.len(), 3 * 3 + 3);
    assert_eq!(spans.last().map(|span| (span.did, span.to)), Some((Did::Wait(0), script.now)));
}

#[test]
fn a_number_that_is_used_again_is_another_item() {
    let mut script = Script::new();
    script.add(5, 1, 1).wait(1, &[(5, 1, 0)]).read(5, 100).close(5, -1);
    script.after(1).add(5, 2, 1).wait(1, &[(5, 2, 0)]).read(5, 1);
    let replay = Replay::of(&script.process);
    let [first, second] = [1, 2].map(|serial| &replay.sums.items[&(1, serial)]);
    assert_eq!(first.ended.map(|(_, how)| how), Some(End::Closed));
    assert_eq!((first.bytes.0, second.bytes.0, second.ended), (100, 1, None));
}

#[test]
fn a_release_before_its_close_does_not_hide_the_next_of_that_number() {
    let mut script = Script::new();
    script.does(Event::Release { fd: 5, items: 0, shared: false }).close(5, -1).add(5, 1, 1);
    script.does(Event::Release { fd: 5, items: 1, shared: true }).close(5, -1);
    // The kernel goes on reporting it.
    script.wait(1, &[(5, 1, 0)]);
    let replay = Replay::of(&script.process);
    let item = &replay.sums.items[&(1, 1)];
    assert_eq!((item.ended.map(|(_, how)| how), item.deliveries), (Some(End::ClosedHere), 1));
    assert!(replay.world.is_elsewhere(1) && replay.world.items.is_empty());
}

#[test]
fn a_release_behind_its_close_does_not_end_what_has_the_number_now() {
    let mut script = Script::new();
    script.add(5, 1, 1).close(5, -1);
    script.tid += 1;
    script.add(5, 2, 1);
    script.tid -= 1;
    script.does(Event::Release { fd: 5, items: 1, shared: false });
    let replay = Replay::of(&script.process);
    assert!(replay.sums.items[&(1, 1)].ended.is_some() && replay.sums.items[&(1, 2)].ended.is_none());
}

/// The live items: set, serial number, fd, interest.
type Live = BTreeSet<(u32, u32, i32, Option<u32>)>;

fn live_of_the_world(world: &World) -> Live {
    let items = world.items.iter();
    items
        .map(|(serial, item)| (item.epoll, *serial, item.fd, item.events.map(|events| events & !ALWAYS)))
        .collect()
}

fn live_of_the_sums(sums: &Sums) -> Live {
    let live = sums.items.values().filter(|item| item.ended.is_none());
    live.map(|item| (item.epoll, item.serial, item.fd, item.interest)).collect()
}

/// What a row of top or of the report has of an item: fd, events, bytes read and written, time served, end.
type Row = (Key, [u64; 5], Option<u64>);

fn rows(sums: &Sums) -> BTreeSet<Row> {
    let row = |item: &Item| {
        let numbers = [item.fd as u64, item.deliveries, item.bytes.0, item.bytes.1, item.serving_ns];
        (item.key(), numbers, item.ended.map(|(ns, _)| ns))
    };
    sums.items.values().map(row).collect()
}

#[test]
fn top_the_report_and_the_doctor_know_the_same_items() {
    let mut script = Script::new();
    script.does(Event::Create { epoll: 1, epfd: 4, inherited: false }).add(5, 1, 1).add(6, 2, 1).add(7, 3, 1);
    // The file of fd 5 lives on as fd 9, and fd 5 is another file's.
    script.does(Event::Dup { old: 5, new: 9 }).close(5, 9).add(5, 4, 1);
    script.wait(10, &[(5, 1, 2), (5, 4, 2)]).read(9, 100).after(5).read(5, 30).after(5).wait(1, &[(6, 2, 0)]);
    // Another thread's event of an item that has ended.
    script.ctl(Ctl::Del, 6, 2, 0).after(1);
    script.tid += 1;
    script.wait(1, &[(6, 2, 0)]).read(6, 1);
    // A file that a call holds while its last fd is closed: its release has no fd.
    script.close(7, -1).does(Event::Release { fd: -1, items: 1, shared: false });
    script.does(Event::Create { epoll: 2, epfd: 8, inherited: true }).close(9, -1).close(4, 10).close(10, -1);
    let mut doctor = Doctor::new();
    let place = doctor.process(&script.process.header);
    let mut top = Sums::default();
    for entry in &script.process.events {
        doctor.event_with(place, entry, &mut top);
        let world = doctor.world(place).expect("a process");
        assert_eq!(live_of_the_world(world), live_of_the_sums(&top), "after {entry:?}");
    }
    let report = Replay::of(&script.process);
    let world = doctor.world(place).expect("a process");
    assert_eq!(live_of_the_world(world), live_of_the_sums(&report.sums));
    assert_eq!(rows(&top), rows(&report.sums));
    let [first, second] = [1, 4].map(|serial| &report.sums.items[&(1, serial)]);
    assert_eq!((first.bytes.0, second.bytes.0), (100, 30));
    assert_eq!(
        [first, second].map(|item| item.ended.map(|(_, how)| how)),
        [Some(End::Closed), Some(End::SetClosed)]
    );
    assert_eq!(world.sets.keys().filter(|epoll| world.set(**epoll).is_some()).count(), 1);
}

#[test]
fn items_end_with_their_set() {
    let mut script = Script::new();
    script.does(Event::Create { epoll: 1, epfd: 4, inherited: false }).add(5, 1, 1).add(6, 2, 1);
    script.ctl(Ctl::Del, 6, 2, 0).close(4, -1);
    let replay = Replay::of(&script.process);
    let how = |serial| replay.sums.items[&(1, serial)].ended.map(|(_, how)| how);
    assert_eq!((how(1), how(2)), (Some(End::SetClosed), Some(End::Deleted)));
    assert!(replay.world.sets[&1].closed.is_some());
}

#[test]
fn what_lies_in_a_gap_is_counted_for_nobody() {
    let mut script = Script::new();
    script.add(5, 1, 1).wait(10, &[(5, 1, 0)]).after(1_000_000);
    script.process.gaps.push(script.now - 1);
    script.wait(10, &[]);
    let replay = Replay::of(&script.process);
    assert_eq!((replay.sums.loops[0].serving_ns, replay.sums.loops[0].waiting_ns), (0, 20 * US));
    assert_eq!(replay.sums.loops[0].longest, []);
}

#[test]
fn of_those_that_ended_the_busiest_and_the_slowest_are_kept() {
    let mut replay = Replay::new();
    let mut script = Script::new();
    for serial in 1..=1000 {
        script.add(5, serial, 1);
        for _ in 0..serial % 10 {
            script.wait(1, &[(5, serial, u64::from(serial))]);
        }
        script.close(5, -1);
    }
    script.add(5, 1001, 1);
    for entry in &script.process.events {
        replay.event(entry);
        replay.sums.forget(100);
        assert!(replay.sums.items.len() <= 202);
    }
    assert!(replay.sums.items.contains_key(&(1, 1001)) && replay.sums.items.contains_key(&(1, 999)));
    assert_eq!(replay.sums.forgotten(1) + replay.sums.items.len() as u64, 1001);
}

#[test]
fn events_in_any_order_are_no_trouble() {
    let mut script = Script::new();
    script.add(5, 1, 1).wait(3, &[(5, 1, 2)]).read(5, 1).close(5, 9).close(9, -1).wait(1, &[]);
    script.does(Event::Dup { old: 7, new: 7 }).does(Event::Dup { old: 3, new: 5 });
    script.does(Event::Release { fd: -1, items: 9, shared: false }).close(-1, -1).does(Event::Exec);
    let mut random = 88172645463325252u64;
    for _ in 0..200 {
        for at in (1..script.process.events.len()).rev() {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            script.process.events.swap(at, random as usize % (at + 1));
        }
        Replay::of(&script.process);
    }
}
