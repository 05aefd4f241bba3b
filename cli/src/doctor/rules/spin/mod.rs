//! An event that is delivered over and over, and that the program never handles: hang-ups (class 3), room to write
//! (class 4).
//!
//! If a level-triggered item stays ready, every wait returns its event, so the loop never sleeps. A run of deliveries
//! ends when the program handles the event: it moves bytes, or calls MOD, DEL or close.

use std::collections::HashMap;

use glasspoll_record::event::{Ctl, Event, Op};
use glasspoll_record::Entry;

use super::{Kept, Rule};
use crate::doctor::finding::{rate, Finding, Severity, Tally};
use crate::replay::World;
use crate::text::span;
use crate::text::units::times;

const IN: u32 = libc::EPOLLIN as u32;
const OUT: u32 = libc::EPOLLOUT as u32;
const ERR: u32 = libc::EPOLLERR as u32;
const HUP: u32 = libc::EPOLLHUP as u32;

/// How often in a row: a program may well look at an event a few times before it has time for it.
const OFTEN: u64 = 100;
/// The shortest run that is reported: a timer may handle what the program put off.
const LONG_NS: u64 = 100_000_000;
/// If a run is longer than this, the program does not mean to handle the event.
const VERY_LONG_NS: u64 = 1_000_000_000;
/// A fast loop fills the ring in less than `VERY_LONG_NS`. This many deliveries in a row prove as much.
const VERY_OFTEN: u64 = 5000;
/// Two deliveries further apart than that are no spin.
const APART_NS: u64 = 50_000_000;
/// The most runs that are followed. An item has one only after a delivery.
const RUNS: usize = 1 << 16;

/// What is delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum What {
    HangUp,
    Fault,
    End,
    Room,
}

#[derive(Debug)]
struct Run {
    what: What,
    tally: Tally,
    /// How many of them since events were lost last.
    since_gap: u64,
    /// The last read gave 0.
    at_end: bool,
}

/// How bad a run is, if it is.
pub fn severity(tally: &Tally) -> Option<Severity> {
    if tally.count >= VERY_OFTEN || tally.count >= OFTEN && tally.lasted() >= VERY_LONG_NS {
        Some(Severity::Error)
    } else if tally.count >= OFTEN && tally.lasted() >= LONG_NS {
        Some(Severity::Warning)
    } else {
        None
    }
}

/// The rule of classes 3 and 4.
#[derive(Debug, Default)]
pub struct Spin {
    /// By item, and whether the run is one of room.
    runs: HashMap<(u32, bool), Run>,
    found: Kept<(i32, What)>,
}

impl Spin {
    /// The run has ended.
    fn end(&mut self, item: u32, of_room: bool) {
        let Some(run) = self.runs.remove(&(item, of_room)) else { return };
        if severity(&run.tally).is_some() {
            let fd = run.tally.fds.first().copied().unwrap_or(-1);
            self.found.keep_longest((fd, run.what), run.tally);
        }
    }

    fn add(&mut self, item: u32, what: What, entry: &Entry, fd: i32) {
        let key = (item, what == What::Room);
        let is_over = |run: &Run| {
            run.tally.count > 0 && entry.ns.saturating_sub(run.tally.last_ns) > APART_NS || run.what != what
        };
        if self.runs.get(&key).is_some_and(is_over) {
            self.end(item, key.1);
        }
        if self.runs.len() < RUNS || self.runs.contains_key(&key) {
            let new = || Run { what, tally: Tally::new(), since_gap: 0, at_end: what == What::End };
            let run = self.runs.entry(key).or_insert_with(new);
            run.tally.add(entry.ns, fd, entry.tid);
            run.since_gap += 1;
        }
    }

    fn deliver(&mut self, world: &World, entry: &Entry, item: u32, fd: i32, events: u32) {
        if events & HUP != 0 {
            self.add(item, What::HangUp, entry, fd);
        } else if events & ERR != 0 {
            self.add(item, What::Fault, entry, fd);
        } else if events & IN != 0 && self.runs.get(&(item, false)).is_some_and(|run| run.at_end) {
            self.add(item, What::End, entry, fd);
        } else if !self.runs.is_empty() {
            self.end(item, false);
        }
        // An edge-triggered item reports room when there is more of it: that is no spin.
        if events & OUT != 0
            && events & (HUP | ERR) == 0
            && world.items.get(&item).is_some_and(|item| item.is_level())
        {
            self.add(item, What::Room, entry, fd);
        }
    }

    fn io(&mut self, world: &World, fd: i32, op: Op, result: i64) {
        for (item, _) in world.items_of(fd) {
            match op {
                Op::Read if result == 0 => {
                    let new = || Run { what: What::End, tally: Tally::new(), since_gap: 0, at_end: true };
                    if self.runs.len() < RUNS {
                        self.runs.entry((item, false)).or_insert_with(new).at_end = true;
                    }
                }
                Op::Read if result > 0 => self.end(item, false),
                // Even a write that is refused shows that the program has something to write.
                Op::Write => {
                    self.end(item, true);
                    if result > 0 {
                        self.end(item, false);
                    }
                }
                Op::Connect | Op::Shutdown => self.end(item, true),
                _ => {}
            }
        }
    }
}

impl Rule for Spin {
    fn event(&mut self, world: &World, entry: &Entry) {
        match entry.event {
            // The program cannot handle what has no descriptor here any more: that is class 1. On the kernel's epoll it
            // may not be known which item an event belongs to.
            Event::Deliver { item, .. } if item == 0 || world.is_elsewhere(item) => {}
            Event::Deliver { item, fd, events, .. } => self.deliver(world, entry, item, fd, events),
            Event::Io { fd, op, result, .. } => self.io(world, fd, op, result),
            Event::Ctl { op: Some(Ctl::Mod | Ctl::Del), errno: 0, item, .. } => {
                self.end(item, false);
                self.end(item, true);
            }
            Event::Close { fd, lives_as, errno: 0 } if !self.runs.is_empty() => {
                for (item, _) in world.items_closed(fd, lives_as) {
                    self.end(item, false);
                    self.end(item, true);
                }
            }
            Event::Release { fd, .. } if !self.runs.is_empty() => {
                for (item, _) in world.items_of(fd) {
                    self.end(item, false);
                    self.end(item, true);
                }
            }
            _ => {}
        }
    }

    fn gap(&mut self) {
        // A spin is what makes a ring run over. If a program deals with an event at times, the event does not come so
        // often in each of the parts that are left.
        let seldom = |run: &Run| run.since_gap < OFTEN;
        let ended: Vec<(u32, bool)> =
            self.runs.iter().filter(|(_, run)| seldom(run)).map(|(key, _)| *key).collect();
        ended.into_iter().for_each(|(item, of_room)| self.end(item, of_room));
        self.runs.values_mut().for_each(|run| run.since_gap = 0);
    }

    fn findings(&self, world: &World, _until_ns: u64, out: &mut Vec<Finding>) {
        let mut found = self.found.clone();
        for run in self.runs.values().filter(|run| severity(&run.tally).is_some()) {
            let fd = run.tally.fds.first().copied().unwrap_or(-1);
            found.keep_longest((fd, run.what), run.tally.clone());
        }
        for ((fd, what), tally) in found.iter() {
            let Some(severity) = severity(tally) else { continue };
            let (class, name, missing) = match what {
                What::HangUp => (3, "HUP", "never closed, removed or changed"),
                What::Fault => (3, "ERR", "never closed, removed or changed"),
                What::End => (3, "the end of the stream", "read as 0 each time and never closed or removed"),
                What::Room => (4, "OUT", "and nothing written"),
            };
            let times = times(tally.count);
            let title = format!("fd {fd}: {name} delivered {times} in a row{}, {missing}", rate(tally));
            let from = world.at(tally.first_ns);
            let mut finding = Finding::new(class, severity, world.pid, title, tally)
                .because(format!("the run began at {from} and lasted {}", span(tally.lasted())));
            match what {
                What::Room => {
                    finding = finding.unknown(
                        "whether the program writes past libc (io_uring, system calls of its own): such writes are not recorded",
                    );
                }
                What::Fault => {
                    // The program may have asked for such events: time stamps, or the ends of sends without copying.
                    finding.severity = Severity::Warning;
                    finding =
                        finding.unknown("whether errors are taken by MSG_ERRQUEUE: that is not recorded");
                }
                What::HangUp | What::End => {}
            }
            out.push(finding);
        }
    }
}

#[cfg(test)]
mod tests;
