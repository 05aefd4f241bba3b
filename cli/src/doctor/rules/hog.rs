//! Class 20: a thread reads one descriptor again and again in one turn of its loop, and others wait meanwhile.
//!
//! A peer that sends as fast as the program reads never lets it come to EAGAIN. The next wait shows whether others
//! waited: it gives their events at once. Or they are in the same batch, and are served after it.

use std::collections::HashMap;

use glasspoll_record::event::{Event, Op};
use glasspoll_record::Entry;

use super::{Kept, Rule};
use crate::doctor::cause;
use crate::doctor::finding::{Finding, Severity};
use crate::replay::World;
use crate::text::span;
use crate::text::units::{bytes, count, times};

/// A person notices such a delay. A loaded machine may cause a shorter one.
const LONG_NS: u64 = 100_000_000;
/// Event libraries read a few dozen times before they look at others.
const READS: u64 = 64;
/// So many are too many, however long they take.
const MANY_READS: u64 = 1024;
/// If it happens this often, it is no chance.
const OFTEN: u64 = 3;
/// A turn of this length is reported even if it is the only one.
const VERY_LONG_NS: u64 = 500_000_000;
/// A wait that gives something in less than this time found it ready.
const AT_ONCE_NS: u64 = 1_000_000;
/// The most threads.
const THREADS: usize = 1 << 12;

/// Reads of one descriptor in a turn.
#[derive(Clone, Copy, Debug)]
struct Row {
    fd: i32,
    tid: u32,
    first_ns: u64,
    last_ns: u64,
    reads: u64,
    bytes: u64,
    /// The turn is over, and the thread waits again.
    is_over: bool,
    /// The batch had others, which were served after it.
    others: bool,
}

impl Row {
    fn lasted(&self) -> u64 {
        self.last_ns.saturating_sub(self.first_ns)
    }

    fn is_long(&self) -> bool {
        self.reads >= READS && self.lasted() >= LONG_NS
    }
}

/// The rule of class 20.
#[derive(Debug, Default)]
pub struct Hogs {
    rows: HashMap<u32, Row>,
    found: Kept<i32>,
    worst: HashMap<i32, Row>,
}

impl Hogs {
    fn read(&mut self, world: &World, entry: &Entry, fd: i32, moved: u64) {
        let Some(thread) = world.thread(entry.tid).filter(|thread| thread.serves()) else { return };
        match self.rows.get_mut(&entry.tid) {
            Some(row) if row.fd == fd && !row.is_over => {
                row.reads += 1;
                row.bytes = row.bytes.saturating_add(moved);
                row.last_ns = entry.ns;
            }
            // What the thread serves after a long row is not the cause.
            Some(row) if row.is_long() && !row.is_over => {
                row.others |= thread.batch.iter().any(|event| event.fd == fd);
            }
            known => {
                let is_known = known.is_some();
                let (first_ns, last_ns) = (entry.ns, entry.ns);
                if is_known || self.rows.len() < THREADS {
                    let tid = entry.tid;
                    let row = Row {
                        fd,
                        tid,
                        first_ns,
                        last_ns,
                        reads: 1,
                        bytes: moved,
                        is_over: false,
                        others: false,
                    };
                    self.rows.insert(entry.tid, row);
                }
            }
        }
    }

    /// The wait after a long turn ends: it tells whether others waited.
    fn judge(&mut self, world: &World, entry: &Entry, epoll: u32, waited_ns: u64) {
        let Some(row) = self.rows.remove(&entry.tid).filter(|row| row.is_over) else { return };
        let told =
            world.thread(entry.tid).is_some_and(|thread| thread.batch.iter().any(|event| event.fd != row.fd));
        // Another thread of the set takes the events meanwhile.
        let of_set = world.threads.values().filter(|thread| thread.epoll == epoll);
        let others = row.others || told && waited_ns <= AT_ONCE_NS;
        if !others || of_set.take(2).count() > 1 {
            return;
        }
        if let Some(tally) = self.found.entry(row.fd) {
            tally.add(row.first_ns, row.fd, entry.tid);
            tally.last_ns = entry.ns;
            let worst = self.worst.entry(row.fd).or_insert(row);
            if row.lasted() > worst.lasted() {
                *worst = row;
            }
        }
    }
}

impl Rule for Hogs {
    fn event(&mut self, world: &World, entry: &Entry) {
        match entry.event {
            Event::Io { fd, op: Op::Read, result, .. } if result > 0 => {
                self.read(world, entry, fd, result as u64);
            }
            Event::Io { fd, op: Op::Accept, result, .. } if result >= 0 => self.read(world, entry, fd, 0),
            Event::WaitEnter { .. } => {
                if self.rows.get(&entry.tid).is_some_and(|row| !row.is_long()) {
                    self.rows.remove(&entry.tid);
                } else if let Some(row) = self.rows.get_mut(&entry.tid) {
                    row.is_over = true;
                }
            }
            Event::WaitReturn { epoll, n, waited_ns } if n >= 0 => self.judge(world, entry, epoll, waited_ns),
            _ => {}
        }
    }

    fn gap(&mut self) {
        self.rows.clear();
    }

    fn findings(&self, world: &World, _until_ns: u64, out: &mut Vec<Finding>) {
        for (fd, tally) in self.found.iter() {
            let Some(worst) = self.worst.get(fd) else { continue };
            if tally.count < OFTEN && worst.lasted() < VERY_LONG_NS {
                continue;
            }
            let (reads, lasted) = (count(worst.reads), span(worst.lasted()));
            let title = format!("fd {fd}: read {reads} times in one turn of {lasted}, while others waited");
            let finding = Finding::new(20, Severity::Warning, world.pid, title, tally)
                .because(format!(
                    "{} in that turn; turns of {} or more {}",
                    bytes(worst.bytes),
                    span(LONG_NS),
                    times(tally.count)
                ))
                .because("others' events were in the same batch, or the next wait gave them at once");
            let finding = if worst.reads < MANY_READS {
                finding.timed(tally.first_ns, tally.last_ns.max(worst.last_ns), true)
            } else {
                finding
            };
            let case = world.looks.away(worst.tid, worst.first_ns, worst.last_ns);
            out.push(cause::add_stack(finding, case.as_ref()));
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::doctor::script::{Script, EAGAIN, IN};

    fn turns(script: &mut Script, reads: usize, others: bool) -> Vec<u8> {
        script.add(5, IN).add(6, IN);
        for _ in 0..4 {
            script.wait(&[(5, IN)]);
            for _ in 0..reads {
                script.read(5, 4096, 4096).ms(1);
            }
            script.read(5, 4096, EAGAIN);
            if others {
                script.wait(&[(6, IN)]).read(6, 10, 10);
            }
        }
        script.wait(&[(5, IN)]);
        script.findings().iter().map(|finding| finding.class).collect()
    }

    #[test]
    fn a_descriptor_that_is_read_for_ever_while_others_wait_is_found() {
        let mut script = Script::new();
        assert_eq!(turns(&mut script, 200, true), [20]);
        assert_eq!(script.findings()[0].fds, [5]);
    }

    #[test]
    fn others_of_the_same_batch_wait_too() {
        let mut script = Script::new();
        script.add(5, IN).add(6, IN);
        for _ in 0..4 {
            script.wait(&[(5, IN), (6, IN)]);
            for _ in 0..200 {
                script.read(5, 4096, 4096).ms(1);
            }
            script.read(5, 4096, EAGAIN).read(6, 10, 10);
        }
        script.wait(&[(5, IN)]);
        assert!(script.findings().iter().any(|finding| finding.class == 20 && finding.fds == [5]));
    }

    #[test]
    fn a_descriptor_that_is_read_for_ever_alone_is_fine() {
        assert!(!turns(&mut Script::new(), 200, false).contains(&20));
    }

    #[test]
    fn a_set_with_another_thread_is_fine() {
        let mut script = Script::new();
        script.tid = 101;
        script.enter(16, -1);
        script.tid = 100;
        assert!(!turns(&mut script, 200, true).contains(&20));
    }

    #[test]
    fn a_budget_of_reads_is_fine() {
        assert!(!turns(&mut Script::new(), 32, true).contains(&20));
    }
}
