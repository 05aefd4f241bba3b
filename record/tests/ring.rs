//! Threads write to a ring while it is read: a reader never shows anything false.

use std::fs::File;
use std::os::fd::{FromRawFd, IntoRawFd};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use glasspoll_record::event::{Ctl, Event, Known, Op};
use glasspoll_record::facts::{self, Born};
use glasspoll_record::file::{Named, Recording, Writer};
use glasspoll_record::items::{New, Place, SetPlace};
use glasspoll_record::ring::Live;
use glasspoll_record::stream::Stream;
use glasspoll_record::writer::{self, Owner, Shape};
use glasspoll_record::Process;

/// A ring for this process, in a memfd. Tests run one after the other.
fn ring(blocks: u32, work: impl FnOnce(Live)) {
    static TURN: std::sync::Mutex<()> = std::sync::Mutex::new(());
    let _turn = TURN.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let shape = Shape { blocks, capacity: 100, fds: 64, stacks: 0 };
    // SAFETY: plain calls; the mapping stays for ever.
    let (fd, memory) = unsafe {
        let fd = libc::memfd_create(c"glasspoll".as_ptr(), 0);
        assert_eq!(libc::ftruncate(fd, shape.size() as i64), 0);
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        let memory = libc::mmap(std::ptr::null_mut(), shape.size(), protection, libc::MAP_SHARED, fd, 0);
        assert_ne!(memory, libc::MAP_FAILED);
        (fd, memory.cast::<u8>())
    };
    let owner = Owner { pid: std::process::id(), ppid: 1, observed: true, ..Owner::default() };
    // SAFETY: fresh memory that stays.
    unsafe { writer::start(memory, shape, owner) };
    // SAFETY: a descriptor of ours.
    work(Live::of(unsafe { File::from_raw_fd(fd) }).expect("a ring"));
    writer::stop();
}

fn io(fd: i32, n: u64) -> Event {
    Event::Io { fd, op: Op::Read, result: n as i64, asked: n, errno: 0 }
}

#[test]
fn what_is_recorded_is_read_in_order() {
    ring(64, |live| {
        for n in 0..1000 {
            writer::record(io(5, n));
        }
        let mut stream = Stream::new(live);
        let events = stream.poll().expect("a ring");
        assert_eq!(events.len(), 1000);
        for (n, entry) in events.iter().enumerate() {
            assert_eq!(entry.event, io(5, n as u64));
        }
        assert!(events.windows(2).all(|pair| pair[0].ns <= pair[1].ns));
        assert_eq!(stream.poll().expect("a ring"), []);
        writer::record(io(6, 1));
        assert_eq!(stream.poll().expect("a ring").len(), 1);
        assert_eq!((stream.lost_blocks, stream.torn), (0, 0));
    });
}

#[test]
fn times_are_those_of_the_clock() {
    ring(64, |live| {
        let begin = glasspoll_record::clock::now_ns();
        writer::record(io(1, 0));
        std::thread::sleep(std::time::Duration::from_millis(50));
        let later = glasspoll_record::clock::now_ns();
        writer::record(io(1, 1));
        let events = Stream::new(live).poll().expect("a ring");
        let near = |ns: u64, expected: u64| ns.abs_diff(expected) < 1_000_000;
        assert!(near(events[0].ns, begin) && near(events[1].ns, later), "{events:?} {begin} {later}");
    });
}

#[test]
fn what_was_overwritten_is_counted() {
    ring(4, |live| {
        for n in 0..31 * 10 {
            writer::record(io(5, n));
        }
        let mut stream = Stream::new(live);
        let events = stream.poll().expect("a ring");
        assert_eq!(events.len(), 4 * 31);
        assert_eq!(events[0].event, io(5, 6 * 31));
        assert_eq!(stream.lost_blocks, 6);
    });
}

/// The fd and the result of each record belong together, so a torn record would show.
#[test]
fn a_reader_beside_many_writers_sees_nothing_false() {
    ring(8, |live| {
        let over = AtomicBool::new(false);
        let mut stream = Stream::new(live);
        let mut seen = 0;
        std::thread::scope(|scope| {
            for thread in 0..4u64 {
                let over = &over;
                scope.spawn(move || {
                    let mut n = 0u64;
                    while !over.load(Ordering::Relaxed) {
                        let secret = (thread << 32 | n).wrapping_mul(0x9e37_79b9);
                        writer::record(Event::Io {
                            fd: secret as u32 as i32 & i32::MAX,
                            op: Op::Write,
                            result: secret as i64,
                            asked: !secret,
                            errno: 0,
                        });
                        n += 1;
                    }
                });
            }
            let end = std::time::Instant::now() + std::time::Duration::from_millis(500);
            while std::time::Instant::now() < end || seen <= 1000 {
                for entry in stream.poll().expect("a ring") {
                    let Event::Io { fd, result, asked, .. } = entry.event else { panic!("{entry:?}") };
                    assert_eq!(asked, !(result as u64), "{entry:?}");
                    assert_eq!(fd, result as u32 as i32 & i32::MAX, "{entry:?}");
                    seen += 1;
                }
            }
            over.store(true, Ordering::Relaxed);
        });
        eprintln!("{seen} seen, {} blocks lost, {} records torn", stream.lost_blocks, stream.torn);
    });
}

#[test]
fn items_are_what_was_made_of_them() {
    ring(4, |live| {
        let new = |fd, serial| New { epoll: 300, fd, serial, interest: 0x8000_2001, is_set: false };
        let set = Place::new(New { epoll: 300, fd: 4, serial: 300, interest: 0, is_set: true });
        let places = [Place::new(new(7, 11)), Place::new(new(8, 12)), Place::new(new(9, 13))];
        let now = writer::ticks();
        places[0].queued(now, true);
        places[1].delivered(now);
        places[1].interest(0x4000_0000);
        places[2].remove();
        let waits = SetPlace::default();
        waits.set(set);
        waits.waited(now);
        let (head, items) = live.read_items().expect("items");
        assert_eq!((head.items, items.len()), (4, 3));
        assert!(items.iter().all(|item| item.epoll == 300));
        let [set, queued, disarmed] = &items[..] else { panic!() };
        assert!(set.is_set && set.fd == 4 && set.delivered == 1 && !set.disarmed);
        assert!(queued.queued && !queued.disarmed && queued.interest == 0x8000_2001 && queued.fd == 7);
        assert!(disarmed.disarmed && disarmed.delivered == 1 && disarmed.since_ns.is_some());
        let (from, to) = head.added(12);
        assert!(from >= head.begin.ns && to.is_none());
        let again = Place::new(new(20, 14));
        assert_eq!(again, places[2]);
        assert_eq!(places[0].queued_for(writer::ticks()).map(|(_, exactly)| exactly), Some(true));
        for n in 0..200 {
            Place::new(new(n, 100 + n as u32));
        }
        assert_eq!(live.read_items().expect("items").0.left_out, 200 - 96);
    });
}

fn sample() -> Vec<u8> {
    let mut bytes = Vec::new();
    ring(16, |mut live| {
        for n in 0..100 {
            writer::record(io(5, n));
        }
        writer::record(Event::Deliver {
            epoll: 1,
            fd: 5,
            item: 9,
            events: 1,
            nth: 0,
            ready_ns: 0,
            known: Known::Exactly,
        });
        Place::new(New { epoll: 1, fd: 5, serial: 9, interest: 1, is_set: false });
        let mut file = Writer::new(&mut bytes).expect("memory");
        let page = live.page().expect("a page");
        file.note("host", "test").expect("memory");
        file.ring(0, &page).expect("memory");
        file.name(0, Named::Comm, 0, "tester").expect("memory");
        file.name(0, Named::File(5), 77, "pipe").expect("memory");
        let mut blocks = Vec::new();
        live.drain(true, |block| blocks.push(*block)).expect("a ring");
        for block in &blocks {
            file.block(0, block).expect("memory");
        }
        let (head, _) = live.read_items().expect("items");
        let items = live.items(&head).expect("items");
        file.items(0, live.now(), &live.page().expect("a page"), &items).expect("memory");
        file.facts(0, live.now(), &live.facts().expect("facts")).expect("memory");
        file.moment(0, live.now()).expect("memory");
        file.end(0, 1234, Some(9)).expect("memory");
    });
    bytes
}

#[test]
fn a_file_gives_back_what_was_written() {
    let recording = Recording::read(&sample()[..]).expect("a record");
    assert_eq!(recording.trouble, None);
    assert_eq!(recording.notes["host"], "test");
    let [process] = &recording.processes[..] else { panic!() };
    let process: &Process = process;
    assert_eq!((process.events.len(), process.torn, process.items.len()), (101, 0, 1));
    assert_eq!((process.comm.as_str(), process.file_at(5, 100)), ("tester", Some("pipe")));
    assert_eq!(process.ended, Some((1234, Some(9))));
    let facts = process.facts[&5];
    assert_eq!((process.facts.len(), facts.delivered.map(|(_, events)| events)), (1, Some(1)));
    assert_eq!((facts.read, facts.told), (Some((facts::Result::Full, 99)), true));
}

fn deliver(fd: i32, events: u32) -> Event {
    Event::Deliver { epoll: 1, fd, item: 9, events, nth: 0, ready_ns: 0, known: Known::Exactly }
}

fn ctl(op: Ctl, fd: i32, events: u32) -> Event {
    Event::Ctl { epoll: 1, op: Some(op), fd, events, data: 0, errno: 0, item: 9 }
}

fn put(fd: i32, result: i64, errno: i32) -> Event {
    Event::Io { fd, op: Op::Write, result, asked: 100, errno: errno as u16 }
}

#[test]
fn facts_outlive_the_ring() {
    ring(4, |live| {
        let [begin, again] = [writer::ticks(), libc::EAGAIN as u64];
        writer::record(ctl(Ctl::Add, 7, 1));
        writer::record(deliver(7, 1));
        writer::record(Event::Io { fd: 7, op: Op::Read, result: -1, asked: 100, errno: again as u16 });
        writer::record(put(7, -1, libc::EAGAIN));
        writer::record(put(7, -1, libc::EAGAIN));
        writer::record(deliver(7, 1));
        for n in 0..10_000 {
            writer::record(io(5, n));
        }
        let facts = live.read_facts().expect("facts").1;
        assert_eq!(facts.keys().collect::<Vec<_>>(), [&5, &7]);
        let stuck = facts[&7];
        assert_eq!((stuck.read, stuck.told), (Some((facts::Result::Again, 0)), true));
        assert_eq!((stuck.refusals, stuck.asked, stuck.told_room, stuck.taken), (2, false, false, true));
        let now = live.now().ns;
        let age = writer::in_ns(writer::ticks() - begin) + 100_000_000;
        for ns in [stuck.delivered.map(|(ns, _)| ns), stuck.read_ns, stuck.refused_ns, stuck.changed_ns] {
            assert!(ns.is_some_and(|ns| ns <= now && ns + age >= now), "{stuck:?} {now}");
        }
        // Asked for and told, then taken up.
        writer::record(ctl(Ctl::Mod, 7, 5));
        assert!(!live.read_facts().expect("facts").1[&7].taken);
        writer::record(deliver(7, 4));
        let told = live.read_facts().expect("facts").1[&7];
        assert_eq!((told.asked, told.told_room, told.taken), (true, true, true));
        writer::record(put(7, 100, 0));
        assert_eq!(live.read_facts().expect("facts").1[&7].refused_ns, None);
    });
}

#[test]
fn facts_begin_anew_with_another_file() {
    ring(4, |live| {
        let accepted = Event::Io { fd: 4, op: Op::Accept, result: 7, asked: 0, errno: 0 };
        let ends = [Event::Close { fd: 7, lives_as: -1, errno: 0 }, Event::Dup { old: 3, new: 7 }, accepted];
        for end in ends {
            writer::record(io(7, 100));
            assert!(live.read_facts().expect("facts").1.contains_key(&7));
            writer::record(end);
            assert!(!live.read_facts().expect("facts").1.contains_key(&7), "{end:?}");
        }
        // A close that was refused ends nothing, and larger fds than there is room for have no facts.
        writer::record(io(7, 100));
        writer::record(Event::Close { fd: 7, lives_as: -1, errno: 9 });
        writer::record(io(64, 100));
        writer::record(io(-1, 100));
        assert_eq!(live.read_facts().expect("facts").1.into_keys().collect::<Vec<_>>(), [4, 7]);
    });
}

#[test]
fn what_a_program_does_late_by_itself_is_counted() {
    ring(4, |live| {
        let seconds = |n: u64| writer::in_ticks(n * 1_000_000_000) + writer::ticks();
        let habits = || {
            let habits = live.read_facts().expect("facts").0.habits;
            [habits.came_back, habits.rearmed, habits.retried]
        };
        let oneshot = 1 << 30 | 1;
        writer::record_at(seconds(0), io(7, 100));
        writer::record_at(seconds(3), deliver(7, 1));
        writer::record_at(seconds(3), io(7, 100));
        writer::record_at(seconds(6), ctl(Ctl::Mod, 8, oneshot));
        assert_eq!(habits(), [0, 0, 0]);
        writer::record_at(seconds(9), io(7, 100));
        assert_eq!(habits(), [1, 0, 0]);
        writer::record_at(seconds(9), deliver(7, 1));
        writer::record_at(seconds(11), io(7, 100));
        assert_eq!(habits(), [2, 0, 0]);
        writer::record_at(seconds(9), deliver(8, 1));
        writer::record_at(seconds(12), ctl(Ctl::Mod, 8, oneshot));
        assert_eq!(habits(), [2, 1, 0]);
        writer::record_at(seconds(12), put(8, -1, libc::EAGAIN));
        writer::record_at(seconds(15), put(8, 100, 0));
        assert_eq!(habits(), [2, 1, 1]);
    });
}

#[test]
fn what_another_thread_notes_a_moment_ahead_is_not_late() {
    ring(4, |live| {
        let seconds = |n: u64| writer::in_ticks(n * 1_000_000_000) + writer::ticks();
        writer::record_at(seconds(2), io(7, 100));
        writer::record_at(seconds(3), deliver(7, 1));
        writer::record_at(seconds(2), io(7, 100));
        assert_eq!(live.read_facts().expect("facts").0.habits.came_back, 0);
    });
}

#[test]
fn threads_that_touch_a_descriptor_at_once_touch_it_once() {
    const ROUNDS: usize = if cfg!(miri) { 10 } else { 50_000 };
    const FDS: std::ops::Range<i32> = 0..64;
    ring(4, |live| {
        let (turn, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let await_round = |of: &AtomicUsize, round: usize| {
            let mut looks = 0;
            while of.load(Ordering::Acquire) < round {
                looks += 1;
                if looks % 1000 == 0 {
                    std::thread::yield_now();
                }
            }
        };
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for round in 1..=ROUNDS {
                    await_round(&turn, round);
                    FDS.for_each(facts::touched);
                    done.store(round, Ordering::Release);
                }
            });
            for round in 1..=ROUNDS {
                FDS.for_each(|fd| facts::born(fd, Born::Accepted));
                turn.store(round, Ordering::Release);
                // The other thread sees the store some time later.
                (0..round % 64).for_each(|_| std::hint::spin_loop());
                FDS.for_each(facts::touched);
                await_round(&done, round);
            }
        });
        // The count is 0 again, so a descriptor that comes now is counted.
        assert!(!facts::has_untouched());
        facts::born(9, Born::Accepted);
        facts::touched(9);
        assert_eq!(live.read_facts().expect("facts").1.len(), 0);
    });
}

/// The close of an fd is recorded after it, and another thread may get the number in between.
#[test]
fn the_record_of_a_close_erases_nothing_of_the_next_file() {
    ring(4, |live| {
        facts::closing(9);
        // Now the fd is closed, and another thread accepts a connection.
        facts::born(9, Born::Accepted);
        writer::record(Event::CloseUnwatched { fd: 9, maker: 1 });
        let facts = live.read_facts().expect("facts").1;
        assert_eq!(facts[&9].born.map(|(how, _)| how), Some(Born::Accepted));
        facts::closing(9);
        assert!(!facts::has_untouched());
    });
}

#[test]
fn a_descriptor_that_came_is_untouched_until_it_is_touched() {
    ring(4, |live| {
        facts::born(9, Born::Received);
        facts::born(10, Born::Accepted);
        let (head, facts) = live.read_facts().expect("facts");
        assert_eq!(facts[&9].born.map(|(how, _)| how), Some(Born::Received));
        assert_eq!((head.habits.born, facts[&10].forked_since_born), (2, false));
        writer::record(Event::Fork { child: 5 });
        facts::touched(9);
        let facts = live.read_facts().expect("facts").1;
        assert_eq!((facts.len(), facts[&10].forked_since_born), (1, true));
        facts::forget(10);
        assert_eq!(live.read_facts().expect("facts").1.len(), 0);
    });
}

#[test]
fn a_file_that_ends_anywhere_or_is_damaged_is_read_without_a_panic() {
    let bytes = sample();
    for len in 0..bytes.len() {
        match Recording::read(&bytes[..len]) {
            Ok(recording) => {
                let events = recording.processes.first().map_or(0, |process| process.events.len());
                assert!(events <= 101);
            }
            Err(what) => assert!(len < 20, "{len}: {what}"),
        }
    }
    let mut random = 88172645463325252u64;
    for _ in 0..3000 {
        let mut bytes = bytes.clone();
        for _ in 0..3 {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            let at = random as usize % bytes.len();
            bytes[at] ^= (random >> 32) as u8 | 1;
        }
        if let Ok(recording) = Recording::read(&bytes[..]) {
            assert!(recording.trouble.is_some() || recording.notes["host"] == "test");
        }
    }
}

#[test]
fn a_file_of_another_version_or_kind_says_so() {
    let mut bytes = sample();
    bytes[16] = 99;
    let what = Recording::read(&bytes[..]).expect_err("another version");
    assert!(what.contains("version 99"), "{what}");
    let what = Recording::read(&b"#!/bin/sh and more than twenty bytes"[..]).expect_err("no record");
    assert!(what.contains("no record"), "{what}");
}

#[test]
fn a_descriptor_that_is_no_ring_says_so() {
    let file = tempfile();
    let what = Live::of(file).expect_err("no ring");
    assert!(!what.is_empty());
}

fn tempfile() -> File {
    // SAFETY: a plain call.
    let fd = unsafe { libc::memfd_create(c"other".as_ptr(), 0) };
    // SAFETY: a descriptor of ours.
    let file = unsafe { File::from_raw_fd(fd) };
    // SAFETY: as above.
    unsafe { File::from_raw_fd(file.into_raw_fd()) }
}

/// The time of a queued item wraps around after hours. The time of a delivery remains known.
#[test]
fn the_last_delivery_is_known_after_hours() {
    ring(4, |live| {
        let places =
            [1, 2].map(|serial| Place::new(New { epoll: 1, fd: 3, serial, interest: 1, is_set: false }));
        let now = writer::ticks() + (3 << 44);
        for place in places {
            place.delivered(now);
        }
        places[1].queued_again(now);
        places[1].unqueued(now);
        let (_, items) = live.read_items().expect("items");
        assert!(items[0].since_ns.is_some());
        assert_eq!(items[0].since_ns, items[1].since_ns);
    });
}
