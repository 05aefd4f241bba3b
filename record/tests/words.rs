//! A ring in the memory of this process, which is read word by word: the same writer and the same readers,
//! without a kernel between them.

use std::alloc::{alloc_zeroed, Layout};
use std::io;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use glasspoll_record::event::{Event, Op};
use glasspoll_record::items::{New, Place};
use glasspoll_record::layout::{self, block, header};
use glasspoll_record::ring::{Live, Source};
use glasspoll_record::stream::Stream;
use glasspoll_record::writer::{self, Owner, Shape};

/// The memory of a ring.
#[derive(Clone, Copy)]
struct Words(*mut u8);

/// Whether the writer has a word of 64 bits there.
fn is_wide(at: usize) -> bool {
    match at {
        header::MAGIC | header::TICKS | header::NS | header::REALTIME | header::NEXT => true,
        _ if at < layout::HEADER => false,
        _ => !matches!((at - layout::HEADER) % layout::BLOCK, block::TID | block::LEN),
    }
}

impl Source for Words {
    fn read_exact_at(&self, buf: &mut [u8], at: u64) -> io::Result<()> {
        let mut done = 0;
        while done < buf.len() {
            let at = at as usize + done;
            // SAFETY: in the memory, and aligned: readers ask for whole words.
            let (word, len) = unsafe {
                if is_wide(at) {
                    (AtomicU64::from_ptr(self.0.add(at).cast()).load(Ordering::Relaxed), 8)
                } else {
                    (AtomicU32::from_ptr(self.0.add(at).cast()).load(Ordering::Relaxed).into(), 4)
                }
            };
            buf[done..done + len].copy_from_slice(&word.to_le_bytes()[..len]);
            done += len;
        }
        std::sync::atomic::fence(Ordering::SeqCst);
        Ok(())
    }
}

#[test]
fn threads_write_and_take_blocks_from_each_other_while_they_are_read() {
    const EACH: u64 = if cfg!(miri) { 100 } else { 20_000 };
    let shape = Shape { blocks: 4, capacity: 16, fds: 0, stacks: 0 };
    let layout = Layout::from_size_align(shape.size(), 4096).unwrap();
    // SAFETY: of no size zero; never freed.
    let memory = unsafe { alloc_zeroed(layout) };
    // SAFETY: zeroed, aligned, and stays.
    unsafe { writer::start(memory, shape, Owner::default()) };
    let mut stream = Stream::new(Live::of(Words(memory)).unwrap());
    let writers = [3, 4].map(|fd| {
        std::thread::spawn(move || {
            let place = Place::new(New { epoll: 1, fd, serial: fd as u32, interest: 1, is_set: false });
            for n in 0..EACH {
                writer::record(Event::Io { fd, op: Op::Read, result: n as i64, asked: n, errno: 0 });
                place.queued(writer::ticks(), true);
                place.delivered(writer::ticks());
            }
            place.remove();
        })
    });
    let mut last = [0; 2];
    let mut seen = 0;
    let mut look = || {
        for entry in stream.poll().unwrap() {
            let Event::Io { fd, result, asked, .. } = entry.event else { panic!("nobody wrote that") };
            assert_eq!(result as u64, asked);
            let last = &mut last[fd as usize - 3];
            assert!(seen == 0 || asked >= *last, "each thread's are in order");
            *last = asked;
            seen += 1;
        }
    };
    while !writers.iter().all(|writer| writer.is_finished()) {
        look();
    }
    for writer in writers {
        writer.join().unwrap();
    }
    look();
    // Records of the other thread may have been overwritten.
    assert!(last.contains(&(EACH - 1)), "the last is there");
    writer::stop();
}
