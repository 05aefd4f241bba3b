//! Class 17: a descriptor is closed twice: at the second close its fd may have another owner.
//!
//! Closes of descriptors that are in no set are recorded with the thread that made the descriptor. What other calls
//! do with those is not, so a close of another thread's descriptor is no finding by itself: threads hand descriptors to
//! each other. It is one if the thread that made it finds it bad later. If that has been seen, so is one that closes
//! what is a third file by then; where descriptors go from thread to thread and back, that happens without a bug.

use std::collections::HashMap;

use glasspoll_record::event::{Ctl, Event, Op};
use glasspoll_record::Entry;

use super::{Kept, Rule};
use crate::doctor::finding::Finding;
use crate::replay::world::{FdState, Open};
use crate::replay::World;

mod tell;
#[cfg(test)]
mod tests;

/// A thread that closes at least this many consecutive fds cleans up, and does not know which are open.
const SWEEP: u32 = 4;
/// The second close of a double close comes soon. A thread that closes another one's descriptor long after one of the
/// same number may do so to stop that thread.
const SOON_NS: u64 = 1_000_000_000;
/// The most threads whose last close is remembered.
const THREADS: usize = 1 << 12;
/// The most fds whose close is remembered.
const FDS: usize = 1 << 16;

/// The last close of an fd.
#[derive(Clone, Copy, Debug)]
struct First {
    tid: u32,
    ns: u64,
    /// Whether the file was the closing thread's own; None if that is not known.
    was_own: Option<bool>,
}

/// An fd that a thread other than its owner closed.
#[derive(Clone, Copy, Debug)]
struct Taken {
    ns: u64,
    by: u32,
    /// 0: not known. Any other thread that uses the fd is taken for it.
    owner: u32,
    first: First,
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
    /// It was another thread's, which found it bad.
    Anothers,
    /// It was another thread's, which closed a third file under that number.
    Third,
}

/// The last time that something was found.
#[derive(Clone, Copy, Debug, Default)]
struct About {
    /// How long after the close the owner noticed it; or how long after the first close the second one came in vain.
    after: u64,
    /// The thread that is not to blame: the owner, or the first that closed.
    other: u32,
    by: u32,
    /// Between the two closes.
    between: u64,
    was_own: Option<bool>,
    /// It is not known which thread made the file that was closed.
    is_guess: bool,
}

/// The rule of class 17.
#[derive(Debug, Default)]
pub struct Closing {
    last: HashMap<u32, Last>,
    /// Which thread closed each fd last before its present owner got it.
    closers: HashMap<i32, First>,
    taken: HashMap<i32, Taken>,
    /// Closes of fds that were not open, until it is clear that they are no sweep.
    waiting: HashMap<u32, (i32, u64)>,
    found: Kept<(i32, How)>,
    about: HashMap<(i32, How), About>,
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

    fn count(&mut self, key: (i32, How), ns: u64, about: About) {
        if let Some(tally) = self.found.entry(key) {
            tally.add(ns, key.0, about.by);
            tally.with_tid(about.other);
            self.about.insert(key, about);
        }
    }

    /// A close of an fd that was not open turned out to be no part of a sweep.
    fn judge_pending(&mut self, world: &World, tid: u32) {
        let Some((fd, ns)) = self.waiting.remove(&tid) else { return };
        if let Some(closed) = world.fd(fd).and_then(|state| state.closed) {
            let after = ns.saturating_sub(closed.ns);
            let about = About { after, other: closed.tid, by: tid, ..About::default() };
            self.count((fd, How::Bad), ns, about);
        }
    }

    fn failed(&mut self, world: &World, entry: &Entry, fd: i32) {
        self.bad(entry, fd);
        if self.in_row(entry.tid, fd) > 1 {
            self.waiting.remove(&entry.tid);
            return;
        }
        self.judge_pending(world, entry.tid);
        let is_second = |state: &FdState| {
            // A second close in vain of what is in no set does no harm, and is common.
            state.open == Open::No && state.closed.is_some_and(|closed| closed.was_watched)
        };
        if world.fd(fd).is_some_and(is_second) {
            self.waiting.insert(entry.tid, (fd, entry.ns));
        }
    }

    /// `owner`: of the file that is closed; 0 if it is not known.
    fn closed(&mut self, world: &World, entry: &Entry, fd: i32, owner: u32, is_watched: bool) {
        let in_row = self.in_row(entry.tid, fd);
        self.judge_pending(world, entry.tid);
        let is_anothers = owner != 0 && owner != entry.tid;
        let was_own = (owner != 0 || is_watched).then_some(is_watched || owner == entry.tid);
        if self.taken.get(&fd).is_some_and(|taken| taken.owner == entry.tid) {
            // Its own file was closed by another thread before. If it has not made a new one since, it takes this one
            // for its own.
            if is_anothers {
                self.notice(entry, fd, How::Third);
                self.closers.remove(&fd);
                return;
            }
            self.taken.remove(&fd);
        }
        let first = self.closers.get(&fd).copied();
        if self.closers.len() < FDS || first.is_some() {
            self.closers.insert(fd, First { tid: entry.tid, ns: entry.ns, was_own });
        }
        // This thread closed an earlier file of that fd, and never had the present one.
        let Some(first) = first.filter(|first| first.tid == entry.tid && in_row < SWEEP) else { return };
        let is_taken = is_anothers || owner == 0 && !is_watched && first.was_own == Some(true);
        if is_taken && (self.taken.len() < FDS || self.taken.contains_key(&fd)) {
            self.taken.insert(fd, Taken { ns: entry.ns, by: entry.tid, owner, first });
        }
    }

    /// A thread gets EBADF for an fd.
    fn bad(&mut self, entry: &Entry, fd: i32) {
        let is_owner = |taken: &Taken| match taken.owner {
            0 => taken.by != entry.tid,
            owner => owner == entry.tid,
        };
        if self.taken.get(&fd).is_some_and(is_owner) {
            self.notice(entry, fd, How::Anothers);
        }
    }

    /// The owner of an fd notices that it was closed.
    fn notice(&mut self, entry: &Entry, fd: i32, how: How) {
        let Some(taken) = self.taken.remove(&fd) else { return };
        let about = About {
            after: entry.ns.saturating_sub(taken.ns),
            other: entry.tid,
            by: taken.by,
            between: taken.ns.saturating_sub(taken.first.ns),
            was_own: taken.first.was_own,
            is_guess: taken.owner == 0,
        };
        self.count((fd, how), taken.ns, about);
    }

    /// A thread makes an fd: whatever was done to its earlier file of that number is over.
    fn made(&mut self, entry: &Entry, fd: i32) {
        if self.taken.get(&fd).is_some_and(|taken| taken.owner == entry.tid || taken.owner == 0) {
            self.taken.remove(&fd);
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
            Event::Close { fd, errno: 0, .. } => {
                let owner = world.fd(fd).map_or(0, |state| state.owner);
                self.closed(world, entry, fd, owner, true);
            }
            Event::CloseUnwatched { fd, maker } => {
                let known = world.fd(fd).filter(|state| state.open == Open::Yes);
                let owner = if maker != 0 { maker } else { known.map_or(0, |state| state.owner) };
                self.closed(world, entry, fd, owner, false);
            }
            // A DEL of a closed fd does no harm: a thread may take it out of its set after another one has closed it.
            Event::Ctl { op: Some(Ctl::Del), .. } => {}
            Event::Io { fd, errno, .. } | Event::Ctl { fd, errno, .. }
                if i32::from(errno) == libc::EBADF && !self.taken.is_empty() =>
            {
                self.bad(entry, fd);
            }
            _ => {
                if !self.waiting.is_empty() {
                    self.judge_pending(world, entry.tid);
                }
                match entry.event {
                    Event::Io { op: Op::Accept, result, errno: 0, .. } if !self.taken.is_empty() => {
                        self.made(entry, result as i32);
                    }
                    Event::Dup { new, .. } => self.made(entry, new),
                    _ => {}
                }
                // A thread other than the owner uses the fd: the two share it, so either may close it.
                if let Event::Io { fd, .. } = entry.event {
                    let is_shared = world.fd(fd).is_some_and(|state| state.owner != entry.tid);
                    if is_shared && self.closers.get(&fd).is_some_and(|first| first.tid == entry.tid) {
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
        let is_seen = |how: How| self.found.iter().any(|((_, other), _)| *other == how);
        let is_of = |fd: i32| self.found.iter().any(|(key, _)| *key == (fd, How::Anothers));
        for (key @ (fd, how), tally) in self.found.iter() {
            if *how == How::Third && (!is_seen(How::Anothers) || is_of(*fd)) {
                continue;
            }
            let about = self.about.get(key).copied().unwrap_or_default();
            out.push(match how {
                How::Bad => tell::in_vain(world, *fd, tally, about),
                How::Anothers => tell::hit(world, *fd, tally, about, "found it bad (EBADF)"),
                How::Third => tell::hit(world, *fd, tally, about, "closed a third file under that number"),
            });
        }
    }
}
