//! Class 17: a descriptor is closed twice: at the second close its fd may have another owner.

use std::collections::HashMap;

use glasspoll_record::event::Event;
use glasspoll_record::Entry;

use super::{Kept, Rule};
use crate::doctor::finding::{Finding, Severity};
use crate::replay::world::Open;
use crate::replay::World;
use crate::text::span;
use crate::text::units::times;

/// A thread that closes at least this many consecutive fds cleans up, and does not know which are open.
const SWEEP: u32 = 4;
/// The most threads whose last close is remembered.
const THREADS: usize = 1 << 12;
/// The most fds whose close is remembered.
const FDS: usize = 1 << 16;

/// An fd that a thread other than its owner closed.
#[derive(Clone, Copy, Debug)]
struct Taken {
    ns: u64,
    by: u32,
    owner: u32,
}

/// The last close of a thread.
#[derive(Clone, Copy, Debug, Default)]
struct Last {
    fd: i32,
    in_row: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum How {
    /// It was no descriptor.
    Bad,
    /// It was another thread's.
    Anothers,
}

/// The rule of class 17.
#[derive(Debug, Default)]
pub struct Closing {
    last: HashMap<u32, Last>,
    /// Which thread closed each fd last before its present owner got it.
    closers: HashMap<i32, u32>,
    taken: HashMap<i32, Taken>,
    /// Closes of fds that were not open, until it is clear that they are no sweep.
    waiting: HashMap<u32, (i32, u64)>,
    found: Kept<(i32, How)>,
    /// For each of these: how long after the first close it came, or before the owner noticed it; and the thread.
    about: HashMap<(i32, How), (u64, u32)>,
}

impl Closing {
    fn in_row(&mut self, tid: u32, fd: i32) -> u32 {
        if self.last.len() >= THREADS && !self.last.contains_key(&tid) {
            self.last.clear();
        }
        let last = self.last.entry(tid).or_default();
        last.in_row = if fd == last.fd + 1 || fd == last.fd - 1 { last.in_row + 1 } else { 1 };
        last.fd = fd;
        last.in_row
    }

    fn count(&mut self, key: (i32, How), entry_ns: u64, tids: [u32; 2], after: u64) {
        if let Some(tally) = self.found.entry(key) {
            tally.add(entry_ns, key.0, tids[0]);
            tally.with_tid(tids[1]);
            self.about.insert(key, (after, tids[1]));
        }
    }

    /// A close of an fd that was not open turned out to be no part of a sweep.
    fn judge_pending(&mut self, world: &World, tid: u32) {
        let Some((fd, ns)) = self.waiting.remove(&tid) else { return };
        if let Some(closed) = world.fd(fd).and_then(|state| state.closed) {
            self.count((fd, How::Bad), ns, [tid, closed.tid], ns.saturating_sub(closed.ns));
        }
    }

    fn failed(&mut self, world: &World, entry: &Entry, fd: i32) {
        if self.in_row(entry.tid, fd) > 1 {
            self.waiting.remove(&entry.tid);
            return;
        }
        self.judge_pending(world, entry.tid);
        let state = world.fd(fd);
        if state.is_some_and(|state| state.closed.is_some() && state.open == Open::No) {
            self.waiting.insert(entry.tid, (fd, entry.ns));
        }
    }

    fn closed(&mut self, world: &World, entry: &Entry, fd: i32) {
        let in_row = self.in_row(entry.tid, fd);
        self.judge_pending(world, entry.tid);
        let Some(state) = world.fd(fd) else { return };
        let is_anothers = state.owner != 0 && state.owner != entry.tid;
        // This thread closed an earlier file of that fd, and never had the present one.
        if is_anothers && self.closers.get(&fd) == Some(&entry.tid) && in_row < SWEEP {
            self.taken.insert(fd, Taken { ns: entry.ns, by: entry.tid, owner: state.owner });
        } else {
            self.taken.remove(&fd);
        }
        if self.closers.len() < FDS || self.closers.contains_key(&fd) {
            self.closers.insert(fd, entry.tid);
        }
    }

    /// The owner gets EBADF for its fd.
    fn bad(&mut self, entry: &Entry, fd: i32) {
        let Some(taken) = self.taken.get(&fd).copied() else { return };
        if taken.owner == entry.tid {
            self.taken.remove(&fd);
            self.count(
                (fd, How::Anothers),
                taken.ns,
                [taken.by, taken.owner],
                entry.ns.saturating_sub(taken.ns),
            );
        }
    }
}

impl Rule for Closing {
    fn event(&mut self, world: &World, entry: &Entry) {
        match entry.event {
            Event::Close { fd, errno, .. } if i32::from(errno) == libc::EBADF => {
                // A negative fd, such as -1, stands for "closed already".
                if fd >= 0 {
                    self.failed(world, entry, fd);
                }
            }
            Event::Close { fd, errno: 0, .. } => self.closed(world, entry, fd),
            Event::Io { fd, errno, .. } | Event::Ctl { fd, errno, .. }
                if i32::from(errno) == libc::EBADF && !self.taken.is_empty() =>
            {
                self.bad(entry, fd);
            }
            _ => {
                if !self.waiting.is_empty() {
                    self.judge_pending(world, entry.tid);
                }
                // A thread other than the owner uses the fd: the two share it, so either may close it.
                if let Event::Io { fd, .. } = entry.event {
                    let is_shared = world.fd(fd).is_some_and(|state| state.owner != entry.tid);
                    if is_shared && self.closers.get(&fd) == Some(&entry.tid) {
                        self.closers.remove(&fd);
                    }
                }
            }
        }
    }

    fn gap(&mut self) {
        self.last.clear();
        self.waiting.clear();
        self.closers.clear();
        self.taken.clear();
    }

    fn findings(&self, world: &World, _until_ns: u64, out: &mut Vec<Finding>) {
        for (key @ (fd, how), tally) in self.found.iter() {
            let (after, other) = self.about.get(key).copied().unwrap_or_default();
            let by = tally.tids.iter().copied().find(|tid| *tid != other).unwrap_or(other);
            let times = times(tally.count);
            let finding = match how {
                How::Bad => {
                    let title = format!("fd {fd} closed again {} after it was closed (EBADF)", span(after));
                    Finding::new(17, Severity::Warning, world.pid, title, tally)
                        .because(format!("{times}; the last time first by thread {other}"))
                        .unknown("whether another file's descriptor was hit at other times")
                }
                How::Anothers => {
                    let title =
                        format!("close of fd {fd} by thread {by}: it had been reused by thread {other}");
                    Finding::new(17, Severity::Error, world.pid, title, tally).because(format!(
                        "{times}; thread {by} had closed an earlier file of that number; thread {other} found it bad {} later",
                        span(after)
                    ))
                }
            };
            out.push(finding);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::script::{Script, EBADF, IN};

    #[test]
    fn a_second_close_in_vain_is_found() {
        let mut script = Script::new();
        script.add(8, IN).close(8).ms(5).close_fails(8).enter(64, -1);
        assert_eq!(script.found(), [(17, Severity::Warning)]);
        assert_eq!(script.findings()[0].fds, [8]);
    }

    #[test]
    fn a_close_of_what_is_another_threads_by_now_is_found() {
        let mut script = Script::new();
        script.tid = 2;
        script.add(8, IN).close(8);
        script.tid = 1;
        script.accept(30, 8).add(8, IN).read(8, 10, 10);
        script.tid = 2;
        script.close(8);
        script.tid = 1;
        script.write(8, EBADF);
        let findings = script.findings();
        assert_eq!(script.found(), [(17, Severity::Error)]);
        assert_eq!(findings[0].tids, [1, 2]);
        assert!(findings[0].title.starts_with("close of fd 8 by thread 2"), "{}", findings[0].title);
    }

    #[test]
    fn a_sweep_over_all_numbers_is_fine() {
        let mut script = Script::new();
        script.add(8, IN).close(8).add(10, IN).close(10);
        for fd in 3..20 {
            script.close_fails(fd);
        }
        script.close_fails(-1).enter(64, -1);
        assert_eq!(script.found(), []);
    }

    #[test]
    fn a_close_of_a_number_that_is_not_known_is_fine() {
        let mut script = Script::new();
        script.close_fails(40).close_fails(-1).enter(64, -1);
        assert_eq!(script.found(), []);
    }

    #[test]
    fn a_descriptor_that_goes_from_thread_to_thread_is_fine() {
        let mut script = Script::new();
        for _ in 0..3 {
            script.tid = 1;
            script.accept(30, 8).add(8, IN);
            script.tid = 2;
            script.read(8, 10, 10).close(8);
        }
        script.enter(64, -1);
        assert_eq!(script.found(), []);
    }
}
