//! The record's ring: writers beside each other and beside a reader. A block has two records here.

use glasspoll_record::event::{Event, Op};
use glasspoll_record::memory::Memory;
use glasspoll_record::ring::Live;
use glasspoll_record::stream::Stream;
use glasspoll_record::writer::{self, Owner, Shape};

use super::{model, spawn};

/// A reader of a ring with this many blocks.
fn ring(blocks: u32, is_weak: bool) -> Stream<&'static Memory> {
    let memory = Memory::new(blocks, is_weak);
    // SAFETY: it is never dropped.
    unsafe {
        writer::start(memory.begin(), Shape { blocks, capacity: 0, fds: 0, stacks: 0 }, Owner::default())
    };
    Stream::new(Live::of(memory).expect("a ring"))
}

fn record(fd: i32) {
    writer::record(Event::Io { fd, op: Op::Read, result: i64::from(fd), asked: fd as u64, errno: 0 });
}

/// The numbers of the records that are new.
fn read(stream: &mut Stream<&'static Memory>) -> Vec<i32> {
    let events = stream.poll().expect("memory").into_iter().map(|entry| entry.event);
    let numbers = events.map(|event| match event {
        Event::Io { fd, result, asked, .. } if result == i64::from(fd) && asked == fd as u64 => fd,
        other => panic!("a record that nobody wrote: {other:?}"),
    });
    numbers.collect()
}

model!(
    a_reader_beside_a_writer_reads_each_record_once_and_whole,
    Some(3),
    [the_length_is_read_last => "a record was torn"],
    || {
        let mut stream = ring(2, false);
        let writer = spawn(|| (1..=3).for_each(record));
        let mut numbers = read(&mut stream);
        writer.join().expect("no panic");
        numbers.extend(read(&mut stream));
        assert_eq!((stream.torn, stream.lost_blocks), (0, 0), "a record was torn");
        assert_eq!(numbers, [1, 2, 3]);
        writer::stop();
    }
);

model!(
    a_weak_memory_shows_no_length_before_its_record,
    Some(3),
    [the_length_is_relaxed => "a record was torn"],
    || {
        let mut stream = ring(1, true);
        let writer = spawn(|| record(1));
        let mut numbers = read(&mut stream);
        writer.join().expect("no panic");
        numbers.extend(read(&mut stream));
        assert_eq!((stream.torn, stream.lost_blocks), (0, 0), "a record was torn");
        assert_eq!(numbers, [1]);
        writer::stop();
    }
);

model!(
    two_threads_never_write_to_one_block,
    Some(3),
    [a_number_is_taken_in_two_steps => "a record is missing"],
    || {
        let mut stream = ring(2, false);
        let writer = spawn(|| record(1));
        record(2);
        writer.join().expect("no panic");
        let mut numbers = read(&mut stream);
        numbers.sort_unstable();
        assert_eq!(numbers, [1, 2], "a record is missing");
        writer::stop();
    }
);

model!(
    /// There is one block, so each writer takes it from the other.
    a_record_that_two_threads_have_spoilt_is_not_shown,
    Some(3),
    [no_record_is_checked => "a record that nobody wrote"],
    || {
        let mut stream = ring(1, false);
        let writer = spawn(|| record(1));
        record(2);
        let numbers = read(&mut stream);
        writer.join().expect("no panic");
        assert!(numbers.len() <= 2);
        read(&mut stream);
        writer::stop();
    }
);

model!(
    /// The one block is taken again while it is read.
    a_block_that_is_taken_again_while_it_is_read_is_lost_as_a_whole,
    Some(3),
    [a_block_is_not_checked_again => "a record was torn"],
    || {
        let mut stream = ring(1, false);
        let writer = spawn(|| (1..=4).for_each(record));
        let mut numbers = read(&mut stream);
        writer.join().expect("no panic");
        numbers.extend(read(&mut stream));
        assert_eq!(stream.torn, 0, "a record was torn");
        assert!(numbers.is_sorted_by(|a, b| a < b), "once each, in order");
        writer::stop();
    }
);
