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
use crate::doctor::finding::{Finding, Severity, Tally};
use crate::replay::world::{FdState, Open};
use crate::replay::World;
use crate::text::span;
use crate::text::units::times;

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
                How::Bad => in_vain(world, *fd, tally, about),
                How::Anothers => hit(world, *fd, tally, about, "found it bad (EBADF)"),
                How::Third => hit(world, *fd, tally, about, "closed a third file under that number"),
            });
        }
    }
}

/// A second close found nothing.
fn in_vain(world: &World, fd: i32, tally: &Tally, about: About) -> Finding {
    let title = format!("fd {fd} closed again {} after it was closed (EBADF)", span(about.after));
    Finding::new(17, Severity::Warning, world.pid, title, tally)
        .because(format!("{}; the last time first by thread {}", times(tally.count), about.other))
        .unknown("whether another file's descriptor was hit at other times")
}

/// A second close hit another thread's file.
fn hit(world: &World, fd: i32, tally: &Tally, about: About, then: &str) -> Finding {
    let About { after, other, by, between, was_own, is_guess } = about;
    let is_sure = !is_guess && between <= SOON_NS && was_own.unwrap_or(tally.count > 1);
    let severity = if is_sure { Severity::Error } else { Severity::Warning };
    let title = if was_own == Some(false) {
        format!("fd {fd} of thread {other} closed by thread {by}, which had closed an earlier file of that number")
    } else {
        format!("fd {fd} closed twice by thread {by}: the second close hit the file that thread {other} had opened as {fd}")
    };
    let finding = Finding::new(17, severity, world.pid, title, tally).because(format!(
        "{}; the last time {} after the first close; thread {other} {then} {} later",
        times(tally.count),
        span(between),
        span(after)
    ));
    match is_guess {
        true => finding.unknown("which thread had opened the file that the second close hit"),
        false => finding,
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
        assert!(findings[0].title.starts_with("fd 8 closed twice by thread 2"), "{}", findings[0].title);
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

    /// A thread closes an fd of its own twice. Meanwhile another thread makes a file, which has that fd.
    fn closed_twice(second_maker: u32) -> Script {
        let mut script = Script::new();
        script.tid = 2;
        script.event(Event::CloseUnwatched { fd: 9, maker: 2 }).ms(1);
        script.event(Event::CloseUnwatched { fd: 9, maker: second_maker }).ms(1);
        script.tid = 3;
        script
    }

    #[test]
    fn a_double_close_of_what_is_in_no_set_is_found_if_its_owner_finds_it_bad() {
        let mut script = closed_twice(3);
        assert_eq!(script.found(), []);
        script.read(9, 1, EBADF);
        assert_eq!(script.found(), [(17, Severity::Error)]);
        assert_eq!(script.findings()[0].tids, [2, 3]);
        let mut script = closed_twice(3);
        script.close_fails(9);
        assert_eq!(script.found(), [(17, Severity::Error)]);
        // It closes a third thread's file in turn, and is not to blame.
        let mut script = closed_twice(3);
        script.event(Event::CloseUnwatched { fd: 9, maker: 4 });
        script.tid = 4;
        script.read(9, 1, EBADF);
        assert_eq!(script.found(), [], "threads may hand descriptors to each other");
        script.tid = 2;
        script.event(Event::CloseUnwatched { fd: 10, maker: 2 }).ms(1);
        script.event(Event::CloseUnwatched { fd: 10, maker: 3 }).ms(1);
        script.tid = 3;
        script.read(10, 1, EBADF);
        assert_eq!(script.found(), [(17, Severity::Error); 2]);
        assert!(script.findings().iter().all(|finding| finding.tids == [2, 3]));
    }

    /// Threads that take over connections from each other, as haproxy's and Erlang's do.
    #[test]
    fn descriptors_that_go_to_and_fro_between_threads_are_fine() {
        let mut script = Script::new();
        for n in 0..60 {
            script.tid = 2 + n % 2;
            script.accept(30, 9);
            let maker = script.tid;
            script.tid = 2 + n / 3 % 2;
            script.event(Event::CloseUnwatched { fd: 9, maker });
        }
        assert_eq!(script.found(), []);
        // The thread that accepts takes them out of its set after a worker has closed them, as slapd's does.
        for _ in 0..9 {
            script.tid = 1;
            script.accept(30, 8).add(8, IN).wait(&[(8, IN)]);
            script.tid = 2;
            script.close(8);
            script.tid = 1;
            script.ctl(Ctl::Del, 8, 0, libc::EBADF);
        }
        assert_eq!(script.found(), []);
    }

    #[test]
    fn a_double_close_of_an_unknown_threads_file_is_a_warning() {
        let mut script = closed_twice(0);
        script.read(9, 1, EBADF);
        assert_eq!(script.found(), [(17, Severity::Warning)]);
        // The thread that closed finds it bad itself: it may have opened it, too.
        let mut script = closed_twice(0);
        script.tid = 2;
        script.read(9, 1, EBADF);
        assert_eq!(script.found(), []);
    }

    #[test]
    fn a_thread_that_is_stopped_by_a_close_is_a_warning() {
        let mut script = Script::new();
        for maker in [3, 4] {
            script.tid = 2;
            script.event(Event::CloseUnwatched { fd: 9, maker });
            script.tid = maker;
            script.read(9, 1, EBADF);
        }
        assert_eq!(script.found(), [(17, Severity::Warning)]);
    }

    #[test]
    fn files_that_are_closed_one_after_the_other_are_fine() {
        let mut script = closed_twice(2);
        script.read(9, 1, EBADF).close_fails(9).enter(64, -1);
        assert_eq!(script.found(), []);
        let mut script = closed_twice(3);
        script.event(Event::CloseUnwatched { fd: 9, maker: 3 }).read(9, 1, EBADF).enter(64, -1);
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
