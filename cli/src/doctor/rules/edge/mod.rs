//! Class 2: an edge-triggered item was delivered, the program did not read all that was there, and no further edge is
//! due.
//!
//! The record has how much was read, not how much was there. A read that got all it asked for may have left more. A
//! program that also reads without an event keeps track itself of what may be there: its set is not judged.

mod habit;

use std::collections::{BTreeSet, HashMap};

use glasspoll_record::event::{Ctl, Event, Op};
use glasspoll_record::Entry;

use super::{Kept, Rule, KEPT};
use crate::doctor::finding::{Finding, Severity, Tally};
use crate::replay::world::Mark;
use crate::replay::World;
use crate::text::span;
use crate::text::units::{count, times};
use habit::{is_short_batch, Habit};

const IN: u32 = libc::EPOLLIN as u32;

/// How long the loop goes on without the item: a program that wants what is left reads sooner.
const IDLE_NS: u64 = 1_000_000_000;
/// Smaller reads are of counters, of one byte of a pipe, of headers whose length is known: they need not be repeated.
const BUFFER: u64 = 64;
/// The most items that are followed.
const ITEMS: usize = 1 << 16;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// There was an edge, and the program has read nothing since.
    Told,
    /// The last read got all that it asked for: this many bytes. Or a connection was accepted.
    Full(u64),
    /// All was read.
    Drained,
}

#[derive(Clone, Copy, Debug)]
struct Edge {
    state: State,
    /// When the item got into this state.
    ns: u64,
    tid: u32,
    /// How far the loop was by then.
    mark: Mark,
    /// It was read from at some time.
    was_read: bool,
    is_listener: bool,
    habit: Habit,
}

/// The rule of class 2.
#[derive(Debug, Default)]
pub struct Edges {
    edges: HashMap<u32, Edge>,
    /// Sets whose programs read without an event.
    minded: BTreeSet<u32>,
    found: Kept<(i32, u32)>,
    /// By fd and set: items that ended, and were never read to EAGAIN.
    habits: HashMap<(i32, u32), (Habit, bool)>,
}

impl Edges {
    /// How long the loop has waited since the item was left undrained.
    fn left(&self, world: &World, item: u32, ns: u64) -> Option<(Edge, u64)> {
        let edge = *self.edges.get(&item)?;
        let known = world.items.get(&item)?;
        let is_left = match edge.state {
            State::Told => edge.was_read,
            State::Full(_) => true,
            State::Drained => false,
        };
        let idle = world.went_on(known.epoll, edge.mark, ns);
        (is_left && idle >= IDLE_NS && !self.minded.contains(&known.epoll)).then_some((edge, idle))
    }

    /// Counts it if it was left undrained until now.
    fn judge(&mut self, world: &World, item: u32, ns: u64) {
        let Some((edge, _)) = self.left(world, item, ns) else { return };
        let Some(known) = world.items.get(&item) else { return };
        if let Some(tally) = self.found.entry((known.fd, known.epoll)) {
            tally.add(edge.ns, known.fd, edge.tid);
            tally.last_ns = ns;
        }
    }

    /// The item ends, or its own fd is closed.
    fn end(&mut self, world: &World, item: u32, ns: u64) {
        self.judge(world, item, ns);
        let Some(edge) = self.edges.remove(&item).filter(|edge| edge.habit.is_bad()) else { return };
        let Some(known) = world.items.get(&item).filter(|_| self.habits.len() < KEPT) else { return };
        self.habits.insert((known.fd, known.epoll), (edge.habit, edge.is_listener));
    }

    fn deliver(&mut self, world: &World, entry: &Entry, item: u32, epoll: u32) {
        self.judge(world, item, entry.ns);
        if self.edges.len() >= ITEMS && !self.edges.contains_key(&item) {
            return;
        }
        let known = self.edges.get(&item);
        let edge = Edge {
            state: State::Told,
            ns: entry.ns,
            tid: entry.tid,
            mark: world.mark(epoll, entry.ns),
            was_read: known.is_some_and(|edge| edge.was_read),
            is_listener: known.is_some_and(|edge| edge.is_listener),
            habit: known.map_or_else(Habit::default, |edge| edge.habit),
        };
        self.edges.insert(item, edge);
    }

    fn read(&mut self, world: &World, entry: &Entry, fd: i32, op: Op, result: i64, asked: u64) {
        for (serial, item) in world.items_of(fd).filter(|(_, item)| item.is_edge()) {
            let came_back = self.left(world, serial, entry.ns).is_some();
            let Some(edge) = self.edges.get_mut(&serial) else { continue };
            let thread =
                world.thread(entry.tid).filter(|thread| thread.serves() && thread.epoll == item.epoll);
            let is_told = thread.is_none_or(|thread| thread.batch.iter().any(|event| event.item == serial));
            if came_back || edge.state == State::Drained && !is_told {
                self.minded.insert(item.epoll);
                continue;
            }
            let is_end = result < 0 || is_short_batch(op, result, asked);
            edge.habit.read(entry.ns, edge.state == State::Told, is_end);
            edge.state = match op {
                Op::Accept if result >= 0 => State::Full(0),
                Op::Read if result > 0 && result as u64 == asked && asked >= BUFFER => State::Full(asked),
                _ => State::Drained,
            };
            edge.was_read = true;
            edge.is_listener = op == Op::Accept;
            (edge.ns, edge.tid, edge.mark) = (entry.ns, entry.tid, world.mark(item.epoll, entry.ns));
        }
    }
}

impl Edges {
    /// Listeners and sockets of datagrams of which the program takes a few for each edge. A short read of a stream shows
    /// that there was no more; a short datagram does not.
    fn habits(&self, world: &World, out: &mut Vec<Finding>) {
        let ended = self.habits.iter().map(|(key, (habit, is_listener))| (*key, *habit, *is_listener));
        let known = self.edges.iter().filter(|(_, edge)| edge.habit.is_bad());
        let known = known.filter_map(|(serial, edge)| {
            let item = world.items.get(serial)?;
            Some(((item.fd, item.epoll), edge.habit, edge.is_listener))
        });
        let mut told: BTreeSet<i32> =
            out.iter().filter(|finding| finding.class == 2).flat_map(|finding| finding.fds.clone()).collect();
        for ((fd, epoll), habit, is_listener) in ended.chain(known) {
            if !told.insert(fd) {
                continue;
            }
            let mut tally = Tally::new();
            tally.add(habit.first_ns, fd, 0);
            (tally.count, tally.last_ns) = (habit.edges, habit.last_ns);
            let (did, what) = if is_listener { ("accepted", "accept") } else { ("read", "read") };
            let (edges, reads) = (count(habit.edges), count(habit.reads));
            let title = format!(
                "fd {fd}: not {did} to EAGAIN; {reads} {what}s for {edges} edges, and never one to EAGAIN"
            );
            let set = world.set_name(epoll);
            let mut finding = Finding::new(2, Severity::Warning, world.pid, title, &tally)
                .because(format!("edge-triggered in {set}: what comes before the wait together with the first waits for a further edge"))
                .unknown("how much was left: the record has what was taken, not what was there");
            if !is_listener {
                finding.only = Some(|text| text.starts_with("udp") || text.contains("datagram"));
            }
            out.push(finding);
        }
    }
}

impl Rule for Edges {
    fn event(&mut self, world: &World, entry: &Entry) {
        match entry.event {
            Event::Deliver { epoll, item, events, .. }
                if events & IN != 0
                    && world.items.get(&item).is_some_and(|item| item.is_edge() && !item.is_oneshot()) =>
            {
                self.deliver(world, entry, item, epoll);
            }
            Event::Io { fd, op: op @ (Op::Read | Op::Accept), result, asked, .. }
                if !self.edges.is_empty() =>
            {
                self.read(world, entry, fd, op, result, asked);
            }
            // A MOD makes epoll look again.
            Event::Ctl { op: Some(Ctl::Mod), errno: 0, item, .. } => {
                self.edges.remove(&item);
            }
            Event::Ctl { op: Some(Ctl::Del), errno: 0, item, .. } => self.end(world, item, entry.ns),
            Event::Close { fd, lives_as, errno: 0 } if !self.edges.is_empty() => {
                for (item, _) in world.items_closed(fd, lives_as) {
                    self.end(world, item, entry.ns);
                }
            }
            Event::Release { fd, .. } if !self.edges.is_empty() => {
                for (item, _) in world.items_of(fd) {
                    self.end(world, item, entry.ns);
                }
            }
            _ => {}
        }
    }

    fn gap(&mut self) {
        self.edges.clear();
    }

    fn findings(&self, world: &World, until_ns: u64, out: &mut Vec<Finding>) {
        let mut found: Vec<(i32, u32, Tally, String, bool)> = Vec::new();
        for ((fd, epoll), tally) in self.found.iter().filter(|((_, epoll), _)| !self.minded.contains(epoll)) {
            let times = times(tally.count);
            let what =
                format!("left undrained {times}, for a second or more, until a further edge or its close");
            found.push((*fd, *epoll, tally.clone(), what, false));
        }
        for item in self.edges.keys() {
            let Some((edge, idle)) = self.left(world, *item, until_ns) else { continue };
            let Some(known) = world.items.get(item) else { continue };
            if found.len() >= 64 || found.iter().any(|(fd, ..)| *fd == known.fd) {
                continue;
            }
            let mut tally = Tally::new();
            tally.add(edge.ns, known.fd, edge.tid);
            tally.last_ns = until_ns;
            let idle = span(idle);
            let what = match edge.state {
                State::Full(0) => {
                    format!("one connection was accepted, then the loop went on for {idle} without it")
                }
                State::Full(read) => {
                    format!("the last read got all of the {} bytes it asked for, then the loop went on for {idle} without it", count(read))
                }
                _ => format!(
                    "nothing was read after the last edge, and the loop went on for {idle} without it"
                ),
            };
            found.push((known.fd, known.epoll, tally, what, edge.is_listener));
        }
        for (fd, epoll, tally, what, is_listener) in found {
            let title =
                format!("fd {fd}: not {} to EAGAIN; {what}", if is_listener { "accepted" } else { "read" });
            let set = world.set_name(epoll);
            let from = world.at(tally.first_ns);
            let (first_ns, last_ns) = (tally.first_ns, tally.last_ns);
            out.push(
                Finding::new(2, Severity::Warning, world.pid, title, &tally)
                    .because(format!("edge-triggered in {set}; left at {from}; no read, no MOD and no close after it"))
                    .unknown("how much is left: the record has how much was read, not how much was there, and a read that got all it asked for may have got the last of it")
                    .left_for(first_ns, last_ns, IDLE_NS),
            );
        }
        self.habits(world, out);
    }
}

#[cfg(test)]
mod tests;
