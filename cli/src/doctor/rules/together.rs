//! Class 23: two threads serve one descriptor at once. One is in the middle of reading it, and another one gets a further
//! event of it, and reads too.
//!
//! Pools of threads with a lock for each descriptor (asio) read and answer one request after the other, by whichever
//! thread is free. What was answered in between was read to its end, so the next read begins anew.

use std::collections::HashMap;

use glasspoll_record::event::{Event, Op};
use glasspoll_record::Entry;

use super::{Kept, Rule};
use crate::doctor::finding::{Finding, Severity};
use crate::replay::World;
use crate::text::units::times;

/// How often it happens at least: the data of two threads then got mixed, or could have.
const OFTEN: u64 = 10;
/// The most descriptors.
const FDS: usize = 1 << 16;

/// The thread that reads a descriptor, in which of its batches, and the one that read in between.
#[derive(Clone, Copy, Debug)]
struct Reader {
    tid: u32,
    batch: u64,
    other: Option<u32>,
}

/// The rule of class 23.
#[derive(Debug, Default)]
pub struct Together {
    readers: HashMap<i32, Reader>,
    found: Kept<i32>,
}

impl Together {
    fn read(&mut self, world: &World, entry: &Entry, fd: i32, result: i64) {
        // Both threads were told of it.
        let was_told = |thread: &&crate::replay::world::Thread| {
            thread.serves() && thread.batch.iter().any(|event| event.fd == fd)
        };
        let Some(thread) = world.thread(entry.tid).filter(was_told) else { return };
        let (tid, batch) = (entry.tid, thread.number);
        let Some(reader) = self.readers.get_mut(&fd) else {
            if result > 0 && self.readers.len() < FDS {
                self.readers.insert(fd, Reader { tid, batch, other: None });
            }
            return;
        };
        if (reader.tid, reader.batch) == (tid, batch) {
            if let Some(other) = reader.other.take() {
                if let Some(tally) = self.found.entry(fd) {
                    tally.add(entry.ns, fd, tid);
                    tally.with_tid(other);
                }
            }
            return;
        }
        let is_reading =
            world.thread(reader.tid).is_some_and(|thread| thread.serves() && thread.number == reader.batch);
        if result > 0 && is_reading && reader.tid != tid {
            reader.other = Some(tid);
        } else if result > 0 {
            *reader = Reader { tid, batch, other: None };
        }
    }
}

impl Rule for Together {
    fn event(&mut self, world: &World, entry: &Entry) {
        match entry.event {
            Event::Io { fd, op: Op::Read, result, .. } if world.threads.len() > 1 => {
                self.read(world, entry, fd, result);
            }
            Event::Io { fd, op: Op::Write, result, .. } if result > 0 && !self.readers.is_empty() => {
                if let Some(reader) = self.readers.get_mut(&fd) {
                    reader.other = None;
                }
            }
            Event::Close { fd, .. } if !self.readers.is_empty() => {
                self.readers.remove(&fd);
            }
            _ => {}
        }
    }

    fn gap(&mut self) {
        self.readers.clear();
    }

    fn findings(&self, world: &World, _until_ns: u64, out: &mut Vec<Finding>) {
        for (fd, tally) in self.found.iter().filter(|(_, tally)| tally.count >= OFTEN) {
            let title =
                format!("fd {fd}: {} a thread read it while another one was reading it", times(tally.count));
            let mut finding = Finding::new(23, Severity::Warning, world.pid, title, tally)
                .because("both had been told of it by waits; the first went on to read after the second")
                .unknown("whether the program has a lock for the order of what is read");
            // Datagrams are whole, whoever reads them.
            finding.only = Some(|text| !text.starts_with("udp") && !text.contains("datagram"));
            out.push(finding);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::script::{Script, EAGAIN, ET, IN};

    fn two_threads(in_turns: bool) -> Vec<(u8, Severity)> {
        let mut script = Script::new();
        script.add(5, IN | ET);
        for _ in 0..20 {
            script.tid = 100;
            script.wait(&[(5, IN)]).read(5, 10, 10);
            if in_turns {
                script.read(5, 10, EAGAIN).enter(16, -1);
            }
            script.tid = 101;
            script.wait(&[(5, IN)]).read(5, 10, 10);
            script.tid = 100;
            if !in_turns {
                script.read(5, 10, EAGAIN).enter(16, -1);
            }
            script.tid = 101;
            script.read(5, 10, EAGAIN).enter(16, -1);
        }
        script.found()
    }

    #[test]
    fn two_threads_that_read_by_turns_within_their_turns_are_found() {
        assert_eq!(two_threads(false), [(23, Severity::Warning)]);
    }

    /// The first thread runs the handler of what the second one has read, and begins the next read.
    #[test]
    fn a_pool_that_answers_one_request_after_the_other_is_fine() {
        let mut script = Script::new();
        script.add(5, IN | ET);
        for _ in 0..20 {
            script.tid = 100;
            script.wait(&[(5, IN)]).read(5, 10, 5).write(5, 10);
            script.tid = 101;
            script.wait(&[(5, IN)]).read(5, 10, 5);
            script.tid = 100;
            script.write(5, 10).read(5, 10, EAGAIN).enter(16, -1);
            script.tid = 101;
            script.enter(16, -1);
        }
        assert_eq!(script.found(), []);
    }

    #[test]
    fn one_thread_after_the_other_is_fine() {
        assert_eq!(two_threads(true), []);
    }
}
