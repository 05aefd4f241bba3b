//! Class 25: a thread that serves a loop calls something that sleeps, and the loop stands still.
//!
//! The library times such calls from inside. A call counts if the thread waits on the same set again: not at the end of
//! the program. What the next wait finds at once was ready by then, so others have waited. A descriptor that was accepted
//! in the same turn belongs to a server that serves one client at a time, as its listener does: these two wait for each
//! other alone. So does all that such a server calls until it has closed the client, before its next wait.

mod tell;
mod words;

use std::collections::{BTreeSet, HashMap};

use glasspoll_record::event::{Call, Event, Op};
use glasspoll_record::Entry;

use super::{Kept, Rule};
use crate::doctor::finding::{Finding, Severity};
use crate::replay::World;

/// A call that made others wait so long counts. On a loaded machine a thread may get no processor for a shorter time.
const LONG_NS: u64 = 20_000_000;
/// The same of reads and writes: whether they slept is not known, only that they were allowed to.
const LONG_IO_NS: u64 = 50_000_000;
/// If it happens this often, the program causes it.
const OFTEN: u64 = 3;
/// One call of this length is enough: a person notices it.
const VERY_LONG_NS: u64 = 100_000_000;
/// The same of calls that are done even in good programs, or of which it is not known whether they slept.
const VERY_LONG_IO_NS: u64 = 200_000_000;
/// Others waited for this long in all: surely a bug.
const HARM_NS: u64 = 1_000_000_000;
/// If nobody waited, only longer calls are worth a note.
const IDLE_NS: u64 = 100_000_000;
const IDLE_VERY_LONG_NS: u64 = 500_000_000;
/// A wait that gives something in less than this time found it ready.
const AT_ONCE_NS: u64 = 500_000;
/// A thread that has waited this often has a loop.
const LOOP: u64 = 3;
/// The most loops, calls of a turn, and descriptors that are accepted in a turn.
const LOOPS: usize = 1 << 12;
const CALLS: usize = 64;
const ACCEPTED: usize = 1 << 10;

#[derive(Clone, Copy, Debug)]
struct Slept {
    call: Call,
    fd: i32,
    ns: u64,
    began_ns: u64,
    errno: u16,
    /// The listener that gave the descriptor in the same turn.
    listener: Option<i32>,
    /// A client was accepted, served and closed in the same turn.
    serves_one: bool,
}

/// What a thread does between two waits.
#[derive(Debug, Default)]
struct Turns {
    waits: u64,
    /// How many of them had a timeout of 0.
    asks: u64,
    since_ns: u64,
    slept: Vec<Slept>,
    /// The thread waits again. What it gets shows who waited.
    ended: Vec<Slept>,
    /// Descriptors that were accepted in this turn, and their listeners.
    accepted: Vec<(i32, i32)>,
    /// How many of them were closed again.
    closed: usize,
}

impl Turns {
    /// The listener, if the thread has served all clients that it accepted in this turn to their end.
    fn served(&self) -> Option<i32> {
        let (_, listener) = self.accepted.first().filter(|_| self.closed >= self.accepted.len())?;
        Some(*listener)
    }
}

/// All calls of a kind in the loop of a set.
#[derive(Debug, Default)]
struct Total {
    tid: u32,
    ns: u64,
    /// The longest call.
    longest: Option<Slept>,
    /// Calls that made others wait: how many that count, how long they took, and the longest.
    harmful: u64,
    harm_ns: u64,
    most_harm: Option<Slept>,
    /// How many events were late.
    late: u64,
    /// Long calls that made nobody wait.
    idle: u64,
    /// Since when the thread's loop is known, how long it has gone on, and whether its waits only ask.
    since_ns: Option<u64>,
    of_ns: u64,
    only_asks: bool,
}

/// A call of seconds after which the thread has not waited again.
#[derive(Clone, Copy, Debug)]
struct Left {
    epoll: u32,
    call: Call,
    fd: i32,
    since_ns: u64,
    until_ns: u64,
}

/// The rule of class 25.
#[derive(Debug, Default)]
pub struct Blocked {
    /// By thread and set.
    turns: HashMap<(u32, u32), Turns>,
    /// By set and call.
    found: Kept<(u32, u8)>,
    /// By thread.
    left: HashMap<u32, Left>,
    totals: HashMap<(u32, u8), Total>,
}

impl Blocked {
    fn slept(&mut self, world: &World, entry: &Entry, slept: Slept) {
        let Some(thread) = world.thread(entry.tid).filter(|thread| thread.serves()) else { return };
        let Some(turns) = self.turns.get_mut(&(entry.tid, thread.epoll)) else { return };
        // Other threads that wait on the set serve it meanwhile. A thread that watches one descriptor has nothing else
        // to serve.
        let is_alone = world.set(thread.epoll).is_some_and(|set| set.waiting == 0);
        let has_others = world.items_in(thread.epoll) > 1;
        let is_loop = turns.waits >= LOOP;
        let counts = is_alone && has_others && is_loop;
        let listener = turns.accepted.iter().rfind(|(fd, _)| *fd == slept.fd).map(|(_, listener)| *listener);
        // A server of one client at a time sleeps for as long as its client says nothing.
        let is_for_client = listener.is_some() || slept.fd < 0 && !turns.accepted.is_empty();
        if counts && slept.ns >= HARM_NS && !(is_for_client && matches!(slept.call, Call::Read | Call::Poll))
        {
            let Slept { call, fd, began_ns: since_ns, .. } = slept;
            self.left.insert(entry.tid, Left { epoll: thread.epoll, call, fd, since_ns, until_ns: entry.ns });
        }
        if counts && turns.slept.len() < CALLS {
            turns.slept.push(Slept { listener, ..slept });
        }
    }

    fn enter(&mut self, entry: &Entry, epoll: u32, timeout_ns: i64) {
        self.left.remove(&entry.tid);
        let key = (entry.tid, epoll);
        if self.turns.len() >= LOOPS && !self.turns.contains_key(&key) {
            return;
        }
        let new = Turns { since_ns: entry.ns, ..Turns::default() };
        let turns = self.turns.entry(key).or_insert(new);
        turns.waits += 1;
        turns.asks += u64::from(timeout_ns == 0);
        turns.ended = std::mem::take(&mut turns.slept);
        if let Some(listener) = turns.served() {
            for slept in &mut turns.ended {
                slept.listener = slept.listener.or(Some(listener));
                slept.serves_one = true;
            }
        }
        turns.accepted.clear();
        turns.closed = 0;
    }

    /// The thread's next wait is over.
    fn settle(&mut self, world: &World, entry: &Entry, epoll: u32, is_at_once: bool) {
        let Some(turns) = self.turns.get_mut(&(entry.tid, epoll)) else { return };
        let ended = std::mem::take(&mut turns.ended);
        if ended.is_empty() {
            return;
        }
        let own: BTreeSet<i32> =
            ended.iter().flat_map(|slept| [Some(slept.fd), slept.listener]).flatten().collect();
        let batch = world.thread(entry.tid).map_or(&[][..], |thread| &thread.batch);
        let late = batch.iter().filter(|event| is_at_once && !own.contains(&event.fd)).count() as u64;
        for slept in ended {
            let key = (epoll, slept.call as u8);
            let Some(tally) = self.found.entry(key) else { continue };
            tally.add(slept.began_ns, slept.fd, entry.tid);
            let total = self.totals.entry(key).or_default();
            total.tid = entry.tid;
            total.ns = total.ns.saturating_add(slept.ns);
            // What was known before a gap is forgotten, and its calls are not.
            let since_ns = *total.since_ns.get_or_insert(turns.since_ns);
            total.of_ns = entry.ns.saturating_sub(since_ns);
            total.only_asks = turns.asks * 10 >= turns.waits * 9;
            keep_longest(&mut total.longest, slept);
            let long = if matches!(slept.call, Call::Read | Call::Write | Call::Accept) {
                LONG_IO_NS
            } else {
                LONG_NS
            };
            if late > 0 {
                total.late += late;
                total.harm_ns = total.harm_ns.saturating_add(slept.ns);
                total.harmful += u64::from(slept.ns >= long);
                keep_longest(&mut total.most_harm, slept);
            } else if slept.listener.is_none() {
                total.idle += u64::from(slept.ns >= IDLE_NS);
            }
        }
    }
}

fn keep_longest(kept: &mut Option<Slept>, slept: Slept) {
    if kept.is_none_or(|kept| kept.ns < slept.ns) {
        *kept = Some(slept);
    }
}

impl Total {
    /// How bad it is; None: not worth a word.
    fn severity(&self, call: Call) -> Option<Severity> {
        let is = |slept: Option<Slept>, ns: u64| slept.is_some_and(|slept| slept.ns >= ns);
        // A program that only asks sleeps between its looks, and knows it.
        let is_meant = self.only_asks && matches!(call, Call::Sleep | Call::Poll | Call::Semaphore);
        let is_usual = matches!(call, Call::Read | Call::Write | Call::Accept | Call::Sync | Call::Wait);
        let very_long = if is_usual { VERY_LONG_IO_NS } else { VERY_LONG_NS };
        if (self.harmful >= OFTEN || is(self.most_harm, very_long)) && !is_meant {
            // A program may have to wait until its data are on the disk.
            let is_error = self.harm_ns >= HARM_NS && call != Call::Sync;
            return Some(if is_error { Severity::Error } else { Severity::Warning });
        }
        let longest = self.longest.filter(|longest| longest.listener.is_none());
        (self.idle >= OFTEN || is(longest, IDLE_VERY_LONG_NS)).then_some(Severity::Note)
    }
}

impl Rule for Blocked {
    fn event(&mut self, world: &World, entry: &Entry) {
        match entry.event {
            Event::Blocked { fd, call, ns, errno, .. } => {
                let began_ns = entry.ns.saturating_sub(ns);
                self.slept(
                    world,
                    entry,
                    Slept { call, fd, ns, began_ns, errno, listener: None, serves_one: false },
                );
            }
            Event::WaitEnter { epoll, timeout_ns, .. } => self.enter(entry, epoll, timeout_ns),
            Event::WaitReturn { epoll, n, waited_ns } => {
                self.settle(world, entry, epoll, n > 0 && waited_ns < AT_ONCE_NS);
            }
            Event::Close { fd, errno: 0, .. } | Event::CloseUnwatched { fd, .. } => {
                let epoll = world.thread(entry.tid).map_or(0, |thread| thread.epoll);
                if let Some(turns) = self.turns.get_mut(&(entry.tid, epoll)) {
                    turns.closed += usize::from(turns.accepted.iter().any(|(accepted, _)| *accepted == fd));
                }
            }
            Event::Io { fd, op: Op::Accept, result, errno: 0, .. } => {
                let epoll = world.thread(entry.tid).map_or(0, |thread| thread.epoll);
                let turns = self.turns.get_mut(&(entry.tid, epoll));
                if let Some(turns) = turns.filter(|turns| turns.accepted.len() < ACCEPTED) {
                    turns.accepted.push((result as i32, fd));
                }
            }
            _ => {}
        }
    }

    fn gap(&mut self) {
        self.turns.clear();
        self.left.clear();
    }

    fn findings(&self, world: &World, _until_ns: u64, out: &mut Vec<Finding>) {
        // If such calls are told of already, this one is one of them.
        let is_told = |left: &Left| {
            let total = self.totals.get(&(left.epoll, left.call as u8));
            total.is_some_and(|total| total.severity(left.call) > Some(Severity::Note))
        };
        let left = self.left.iter().filter(|(_, left)| world.set(left.epoll).is_some() && !is_told(left));
        out.extend(left.map(|(tid, left)| tell::not_back(world, *tid, left)));
        for (key @ (epoll, call), tally) in self.found.iter() {
            let (Some(total), Some(call)) = (self.totals.get(key), Call::of(*call)) else { continue };
            let Some(severity) = total.severity(call) else { continue };
            out.extend(tell::blocked(world, *epoll, call, severity, tally, total));
        }
    }
}

#[cfg(test)]
mod tests;
