//! Class 16: a thread serves a batch for long, and no other thread waits on the set meanwhile.
//!
//! The time between the return of a wait and the next wait on the set is serving. The reads and writes in it show which
//! descriptor the thread served in the longest stretch. Time that the thread waits on other sets does not count.

mod tell;

use std::collections::HashMap;

use glasspoll_record::event::{Event, Op};
use glasspoll_record::Entry;

use super::{Kept, Rule};
use crate::doctor::cause::Cause;
use crate::doctor::finding::Finding;
use crate::replay::world::Case;
use crate::replay::World;

/// A person notices such a delay. A loaded machine may cause a shorter one.
const SLOW_NS: u64 = 100_000_000;
/// If it happens this often, the program causes it, however slow the machine is.
const OFTEN: u64 = 3;
/// One delay of this length is enough.
const VERY_SLOW_NS: u64 = 500_000_000;
/// A stretch of this length is reported even if nothing is known to have waited.
const HANG_NS: u64 = 1_000_000_000;
/// A wait that gives something in less than this time found it ready.
const AT_ONCE_NS: u64 = 100_000;
/// A thread that has waited this often has a loop, and is expected back.
const LOOP: u64 = 3;
/// In the place of an fd: on the kernel's epoll it may not be known which item an event belongs to.
const NOT_KNOWN: i32 = -2;
/// The most sets.
const SETS: usize = 1 << 10;

#[derive(Debug)]
struct Serving {
    since: u64,
    tid: u32,
    /// The fd of the first event of the batch; -1: there is no event, the wait timed out.
    fd: i32,
    /// How many events.
    n: i32,
    /// When the thread last read or wrote, and which fd.
    last: (u64, i32),
    /// The longest stretch without a wait, and the descriptor that was served.
    longest: (u64, i32),
    /// The longest stretch that ended with a read or a write of an item of the set: surely served, not slept.
    within: (u64, i32),
    /// How long the thread waited on other sets, or slept in calls that class 25 tells of.
    elsewhere: u64,
    /// How many items of the set became ready.
    ready: u64,
}

impl Serving {
    fn stretch(&self, ns: u64) -> (u64, i32) {
        let stretch = ns.saturating_sub(self.last.0);
        self.longest.max((stretch, self.last.1))
    }

    fn took(&self, ns: u64) -> u64 {
        ns.saturating_sub(self.since).saturating_sub(self.elsewhere)
    }
}

#[derive(Debug)]
struct Ended {
    took: u64,
    stretch: (u64, i32),
    since: u64,
    tid: u32,
    n: i32,
    ready: u64,
}

#[derive(Debug, Default)]
struct Worst {
    took: u64,
    n: i32,
    ready: u64,
    /// The set had other items, which waited meanwhile.
    has_others: bool,
    /// The longest that was looked at: when it began, how long it took, the thread, and what that was seen to do.
    seen: Option<(u64, u64, u32, Case)>,
}

impl Worst {
    /// What the thread was seen to do: what its stack looked like may have come later. If it worked long enough to be
    /// slow on any machine, that is the cause, however long it had no processor besides.
    fn case(&self, world: &World, is_starved: bool) -> Option<(Cause, Case)> {
        let (since, took, tid, known) = self.seen.as_ref()?;
        let case =
            world.looks.away(*tid, *since, since.saturating_add(*took)).unwrap_or_else(|| known.clone());
        let cause = match Cause::of(&case, *took)? {
            Cause::Starved if !is_starved => Cause::Worked,
            cause => cause,
        };
        Some((cause, case))
    }
}

/// The thread had no processor, and without that it had not been slow: the machine's doing, told apart from the
/// program's. The order of the parts is that of a key: set, descriptor, and whether it had none.
type Key = (u32, i32, bool);

#[derive(Debug, Default)]
struct Loop {
    waits: u64,
    /// It has waited with a timeout other than 0. Otherwise the program may sleep elsewhere: in poll(2) on the epoll
    /// descriptor.
    sleeps: bool,
    serving: Option<Serving>,
    /// The thread has served, and waits again. The events that it gets show whether something was ready.
    ended: Option<Ended>,
}

/// The rule of class 16.
#[derive(Debug, Default)]
pub struct Slow {
    loops: HashMap<u32, Loop>,
    /// The descriptors that made others wait.
    found: Kept<Key>,
    worst: HashMap<Key, Worst>,
}

impl Slow {
    fn begin(&mut self, world: &World, entry: &Entry, epoll: u32, n: i32, waited_ns: u64) {
        let Some(known) = self.loops.get_mut(&epoll) else { return };
        let ended = known.ended.take();
        let thread = world.thread(entry.tid);
        let is_alone = world.set(epoll).is_some_and(|set| set.waiting == 1);
        // A wait with timeout 0 that finds nothing begins no serving: the program may look now and then, and have its
        // loop elsewhere.
        let is_look = n == 0 && thread.is_none_or(|thread| thread.timeout_ns == 0);
        if is_alone && n >= 0 && !is_look {
            let first = thread.and_then(|thread| thread.batch.first()).filter(|_| n > 0);
            let fd = first.map_or(-1, |event| if event.fd < 0 { NOT_KNOWN } else { event.fd });
            let (since, tid) = (entry.ns, entry.tid);
            let last = (since, fd);
            known.serving = Some(Serving {
                since,
                tid,
                fd,
                n,
                last,
                longest: (0, fd),
                within: (0, fd),
                elsewhere: 0,
                ready: 0,
            });
        }
        if let Some(mut ended) = ended {
            if n > 0 && waited_ns < AT_ONCE_NS {
                ended.ready = ended.ready.max(n as u64);
            }
            self.count(world, epoll, ended);
        }
    }

    fn count(&mut self, world: &World, epoll: u32, mut ended: Ended) {
        let case = world.looks.away(ended.tid, ended.since, ended.since.saturating_add(ended.took));
        // Whatever stops a program (SIGSTOP, a debugger), it is not the program.
        ended.took = ended.took.saturating_sub(case.as_ref().map_or(0, |case| case.stopped()));
        let cause = case.as_ref().and_then(|case| Cause::of(case, ended.took));
        if ended.took < SLOW_NS || cause == Some(Cause::Stopped) {
            return;
        }
        // If nothing else was ready, only a very long time is worth reporting.
        if ended.ready == 0 && ended.took < HANG_NS {
            return;
        }
        let is_starved = cause == Some(Cause::Starved) && case.as_ref().is_none_or(|case| case.ran < SLOW_NS);
        let key = (epoll, ended.stretch.1, is_starved);
        let Some(tally) = self.found.entry(key) else { return };
        tally.add(ended.since, ended.stretch.1, ended.tid);
        let worst = self.worst.entry(key).or_default();
        worst.has_others |= world.items_in(epoll) > 1;
        let is_longer = worst.seen.as_ref().is_none_or(|(_, took, ..)| ended.took > *took);
        if let Some(case) = case.filter(|_| is_longer && cause.is_some()) {
            worst.seen = Some((ended.since, ended.took, ended.tid, case));
        }
        if ended.took > worst.took {
            (worst.took, worst.n, worst.ready) = (ended.took, ended.n, ended.ready);
        }
    }
}

impl Rule for Slow {
    fn event(&mut self, world: &World, entry: &Entry) {
        match entry.event {
            Event::WaitEnter { epoll, timeout_ns, .. } => {
                if self.loops.len() >= SETS && !self.loops.contains_key(&epoll) {
                    return;
                }
                let known = self.loops.entry(epoll).or_default();
                known.waits += 1;
                known.sleeps |= timeout_ns != 0;
                let sleeps = known.sleeps;
                let served = |serving: &Serving| match sleeps {
                    true => (serving.took(entry.ns), serving.stretch(entry.ns)),
                    false => (serving.within.0, serving.within),
                };
                let serving = known.serving.take().map(|serving| (served(&serving), serving));
                if let Some(((took, stretch), serving)) = serving.filter(|((took, _), _)| *took >= SLOW_NS) {
                    let Serving { since, tid, n, ready, .. } = serving;
                    known.ended = Some(Ended { took, stretch, since, tid, n, ready });
                }
            }
            Event::WaitReturn { epoll, n, waited_ns } => {
                for (other, known) in &mut self.loops {
                    let of_thread = |serving: &&mut Serving| serving.tid == entry.tid && *other != epoll;
                    if let Some(serving) = known.serving.as_mut().filter(of_thread) {
                        serving.elsewhere = serving.elsewhere.saturating_add(waited_ns);
                    }
                }
                self.begin(world, entry, epoll, n, waited_ns);
            }
            Event::Blocked { ns, .. } => {
                let epoll =
                    world.thread(entry.tid).filter(|thread| thread.serves()).map_or(0, |thread| thread.epoll);
                // A set with one item is left to this class.
                let known = self
                    .loops
                    .get_mut(&epoll)
                    .filter(|known| known.waits >= LOOP && world.items_in(epoll) > 1);
                let serving = known.and_then(|known| known.serving.as_mut());
                if let Some(serving) = serving.filter(|serving| serving.tid == entry.tid) {
                    serving.elsewhere = serving.elsewhere.saturating_add(ns);
                    serving.last.0 = entry.ns;
                }
            }
            Event::Io { fd, op, .. } => {
                let Some(thread) = world.thread(entry.tid).filter(|thread| thread.serves()) else { return };
                let serving = self.loops.get_mut(&thread.epoll).and_then(|known| known.serving.as_mut());
                if let Some(serving) = serving.filter(|serving| serving.tid == entry.tid) {
                    let is_of_set = world.items_of(fd).any(|(_, item)| item.epoll == thread.epoll);
                    if is_of_set {
                        let stretch = entry.ns.saturating_sub(serving.last.0);
                        serving.within = serving.within.max((stretch, serving.last.1));
                    }
                    serving.longest = serving.stretch(entry.ns);
                    let served = match op {
                        // The accept is over when it returns; the time after it may belong to the new connection.
                        Op::Accept => serving.fd,
                        // A write to a file outside the batch is part of serving: it passes on an answer, or wakes
                        // another thread.
                        Op::Write if thread.batch.iter().all(|event| event.fd != fd) => serving.last.1,
                        _ => fd,
                    };
                    serving.last = (entry.ns, served);
                }
            }
            Event::Ready { epoll, .. } => {
                if let Some(serving) = self.loops.get_mut(&epoll).and_then(|known| known.serving.as_mut()) {
                    serving.ready += 1;
                }
            }
            _ => {}
        }
    }

    fn gap(&mut self) {
        self.loops.clear();
    }

    fn findings(&self, world: &World, until_ns: u64, out: &mut Vec<Finding>) {
        for (key, tally) in self.found.iter() {
            let Some(worst) = self.worst.get(key) else { continue };
            // Half of the times the thread may have had no processor: together they are often enough, and told as what
            // they were most of the time.
            let (epoll, fd, is_starved) = *key;
            let others = self.found.get(&(epoll, fd, !is_starved)).map_or(0, |tally| tally.count);
            let is_most = tally.count > others || tally.count == others && is_starved;
            let is_often = tally.count >= OFTEN || is_most && tally.count + others >= OFTEN;
            if !is_often && worst.took < VERY_SLOW_NS {
                continue;
            }
            out.push(tell::slow(world, *key, tally, worst));
        }
        for (epoll, known) in &self.loops {
            let is_loop = known.waits >= LOOP
                && known.sleeps
                && world.ended_ns.is_none()
                && world.set(*epoll).is_some();
            let Some(serving) = known.serving.as_ref().filter(|_| is_loop) else { continue };
            out.extend(tell::not_back(world, *epoll, serving, until_ns));
        }
    }
}

#[cfg(test)]
mod tests;
