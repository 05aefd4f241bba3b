//! What is stuck, by looks made up.

use std::collections::BTreeMap;

use glasspoll_record::facts::Result;
use glasspoll_record::ring::{Facts, Item};

use super::judge::{self, left, Why};
use super::sample::Sample;
use crate::doctor::script::{ET, IN, ONESHOT, OUT};
use crate::doctor::Severity;
use crate::procfs::queue::Queue;

const SECOND: u64 = 1_000_000_000;
/// When the first look is.
const THEN: u64 = 100 * SECOND;

fn item(fd: i32, interest: u32) -> Item {
    Item {
        epoll: 1,
        is_set: false,
        fd,
        serial: fd as u32,
        interest,
        queued: false,
        hot: false,
        disarmed: interest & 0xfff_ffff == 0,
        delivered: 9,
        since_ns: None,
    }
}

fn read(how: Result, n: u32) -> Facts {
    let delivered = Some((THEN - 60 * SECOND, IN));
    Facts {
        delivered,
        read_ns: Some(THEN - 60 * SECOND),
        read: Some((how, n)),
        taken: true,
        ..Facts::default()
    }
}

fn refused() -> Facts {
    Facts { refused_ns: Some(THEN - 60 * SECOND), refusals: 1, ..read(Result::Again, 0) }
}

fn unread(unread: u32) -> Queue {
    Queue::Bytes { unread, unsent: 0 }
}

/// A descriptor, 6, at a look; the set is 1 at fd 3.
fn look(interest: u32, facts: Facts, queue: Queue) -> Sample {
    let set = Item { is_set: true, delivered: 5, ..item(3, IN) };
    Sample {
        ns: THEN,
        items: vec![set, item(6, interest)],
        facts: BTreeMap::from([(6, facts)]),
        queues: BTreeMap::from([(6, queue)]),
        ..Sample::default()
    }
}

/// The look after it: the loop has gone on.
fn later(before: &Sample) -> Sample {
    let mut after = before.clone();
    after.ns += 2 * SECOND;
    after.items[0].delivered += 100;
    after
}

fn found(before: &Sample, after: &Sample) -> Vec<(u8, Severity)> {
    left(before, after, |_, _| false).iter().map(|left| (left.why.class(), left.severity)).collect()
}

fn told(before: &Sample) -> Vec<(u8, Severity)> {
    found(before, &later(before))
}

const WARNED: [(u8, Severity); 1] = [(2, Severity::Warning)];

#[test]
fn data_that_a_full_read_left_is_found() {
    let before = look(IN | ET, read(Result::Full, 100), unread(2_900));
    assert_eq!(told(&before), WARNED);
    let found = &left(&before, &later(&before), |_, _| false)[0];
    assert_eq!(found.times(THEN), "last event 1 min ago, last read 1 min ago (all of 100 B), 2,900 B unread");
    // The same of one that sleeps, if the record or the kernel says so, and of none that does something else.
    let mut after = later(&before);
    after.items[0].delivered = before.items[0].delivered;
    assert_eq!(self::found(&before, &after), []);
    assert!(left(&before, &after, |_, _| true)[0].sleeps);
}

#[test]
fn a_one_shot_item_that_was_disarmed_before_the_library_came_is_a_note() {
    let mut before = look(ONESHOT, Facts::default(), unread(64));
    before.items[1].delivered = 0;
    let mut after = later(&before);
    assert_eq!(found(&before, &after), [], "a handler may take two seconds");
    after.ns += 2 * SECOND;
    assert_eq!(found(&before, &after), [(5, Severity::Note)]);
    // It was read, or changed, or has nothing to read.
    let changes: [&dyn Fn(&mut Sample); 3] = [
        &|look| look.facts.get_mut(&6).unwrap().changed_ns = Some(THEN - 60 * SECOND),
        &|look| look.items[1].interest = 0,
        &|look| *look.queues.get_mut(&6).unwrap() = unread(0),
    ];
    for change in changes {
        let (mut before, mut after) = (before.clone(), after.clone());
        change(&mut before);
        change(&mut after);
        assert_eq!(found(&before, &after), []);
    }
}

#[test]
fn what_moves_between_the_looks_is_fine() {
    let before = look(IN | ET, read(Result::Full, 100), unread(2_900));
    let moved = |change: &dyn Fn(&mut Sample)| {
        let mut after = later(&before);
        change(&mut after);
        found(&before, &after)
    };
    assert_eq!(moved(&|after| after.facts.get_mut(&6).unwrap().words[2] = 1), []);
    assert_eq!(moved(&|after| *after.queues.get_mut(&6).unwrap() = unread(1_000)), []);
    assert_eq!(moved(&|after| after.items[1].delivered += 1), []);
    assert_eq!(moved(&|after| after.items[1].queued = true), []);
    assert_eq!(moved(&|after| after.items[1].serial += 1), []);
    assert_eq!(moved(&|after| after.ns = before.ns + SECOND / 2), []);
    assert_eq!(moved(&|after| after.is_stopped = true), []);
    assert_eq!(moved(&|_| {}), WARNED);
}

#[test]
fn what_may_be_meant_so_is_a_note_or_fine() {
    let mut before = look(IN | ET, read(Result::Full, 100), unread(2_900));
    before.habits.came_back = 1;
    assert_eq!(told(&before), [(2, Severity::Note)]);
    // A peer that does not read holds others back.
    let mut before = look(IN | ET, read(Result::Full, 100), unread(2_900));
    before.items.push(item(8, IN | OUT));
    before.facts.insert(8, refused());
    before.queues.insert(8, Queue::Bytes { unread: 0, unsent: 1_000 });
    assert_eq!(told(&before), [(2, Severity::Note)]);
    // Level-triggered, paused, and also in another set.
    assert_eq!(told(&look(IN, read(Result::Full, 100), unread(2_900))), []);
    assert_eq!(told(&look(0, read(Result::Full, 100), unread(2_900))), []);
    let mut before = look(IN | ET, read(Result::Full, 100), unread(2_900));
    before.items.push(Item { serial: 7, ..item(6, IN) });
    assert_eq!(told(&before), []);
    // Too recent, empty, or read to its end.
    let recent = Facts { read_ns: Some(THEN), ..read(Result::Full, 100) };
    assert_eq!(told(&look(IN | ET, recent, unread(2_900))), []);
    assert_eq!(told(&look(IN | ET, read(Result::Full, 100), unread(0))), []);
    assert_eq!(told(&look(IN | ET, read(Result::Again, 0), unread(2_900))), []);
}

#[test]
fn a_disarmed_item_with_data_is_found() {
    let before = look(ONESHOT, read(Result::Short, 10), unread(64));
    assert_eq!(told(&before), [(5, Severity::Warning)]);
    let mut often = before.clone();
    often.habits.rearmed = 1;
    assert_eq!(told(&often), [(5, Severity::Note)]);
    // Set to nothing by the program itself, or its file is empty.
    let paused = Facts { taken: false, ..read(Result::Short, 10) };
    assert_eq!(told(&look(ONESHOT, paused, unread(64))), []);
    assert_eq!(told(&look(ONESHOT, read(Result::Short, 10), unread(0))), []);
}

#[test]
fn a_refused_write_with_room_is_found() {
    let warned = [(19, Severity::Warning)];
    assert_eq!(told(&look(IN | ET, refused(), unread(0))), warned);
    assert_eq!(told(&look(IN, refused(), unread(0))), warned);
    assert_eq!(told(&look(ONESHOT, refused(), unread(0))), warned);
    let told_room = Facts { asked: true, told_room: true, ..refused() };
    assert_eq!(told(&look(IN | OUT | ET, told_room, unread(0))), warned);
    let before = look(IN | ET, Facts { asked: true, ..refused() }, unread(0));
    assert_eq!(left(&before, &later(&before), |_, _| false)[0].why, Why::TakenBack);
    // A slow peer, one that is gone, and a program that waits for room.
    assert_eq!(told(&look(IN, refused(), Queue::Bytes { unread: 0, unsent: 1 })), []);
    assert_eq!(told(&look(IN | OUT | ET, refused(), unread(0))), []);
    assert_eq!(told(&look(IN, Facts { read: Some((Result::End, 0)), ..refused() }, unread(0))), []);
    let gone = Facts { delivered: Some((THEN - 60 * SECOND, 0x10)), ..refused() };
    assert_eq!(told(&look(IN, gone, unread(0))), []);
}

#[test]
fn data_of_which_nothing_is_known_is_found() {
    let mut before = look(IN | ET, Facts::default(), unread(10));
    before.items[1].delivered = 0;
    assert_eq!(told(&before), WARNED);
    assert_eq!(left(&before, &later(&before), |_, _| false)[0].why, Why::Unknown);
    before.items[1].interest = IN;
    assert_eq!(told(&before), []);
}

#[test]
fn events_of_a_descriptor_that_is_closed_here_are_found() {
    let mut before = look(IN, Facts { delivered: Some((1, IN)), ..Facts::default() }, unread(0));
    before.gone = [(1, 6)].into();
    let mut after = later(&before);
    let told = |after: &Sample| judge::gone(&before, after).len();
    assert_eq!(told(&after), 0, "the last event may have been under way at the close");
    after.facts.get_mut(&6).unwrap().delivered = Some((after.ns, IN));
    assert_eq!(told(&after), 1);
    after.gone.clear();
    assert_eq!(told(&after), 0);
}

#[test]
fn events_of_an_earlier_file_of_the_number_are_found() {
    let mut before = look(IN, read(Result::Again, 0), unread(0));
    before.twins = [(1, 6)].into();
    let mut after = later(&before);
    let told = |after: &Sample| -> Vec<u8> {
        judge::twins(&before, after).iter().map(|left| left.why.class()).collect()
    };
    after.items[1].delivered += 49;
    assert_eq!(told(&after), [0; 0], "they may be its own");
    after.items[1].delivered += 1;
    assert_eq!(told(&after), [1]);
    let changes: [&dyn Fn(&mut Sample); 2] = [&|after| after.twins.clear(), &|after| {
        after.facts.get_mut(&6).unwrap().read = Some((Result::Short, 9))
    }];
    for change in changes {
        let mut after = after.clone();
        change(&mut after);
        assert_eq!(told(&after), [0; 0]);
    }
}
