//! An event that is delivered over and over, and that the program does not deal with: hang-ups (class 3), room to write
//! (class 4), data that is not read (class 18).
//!
//! If a level-triggered item stays ready, every wait returns its event, so the loop never sleeps. The program deals with
//! an event if it moves bytes, takes the event out of the interest, or ends the item. A MOD that keeps the event, a
//! write while data waits to be read, and a pause do not end a run.

mod run;

use std::collections::{HashMap, HashSet};

use glasspoll_record::event::{Ctl, Event, Mask, Op};
use glasspoll_record::Entry;

use super::Rule;
use crate::doctor::cause;
use crate::doctor::finding::{rate, Finding, Severity};
use crate::replay::World;
use crate::text::span;
use crate::text::units::{errno, times};
use run::{Delivery, Longest, Run, Turns, What, OFTEN};

pub use run::severity;

const IN: u32 = libc::EPOLLIN as u32;
const PRI: u32 = libc::EPOLLPRI as u32;
const RDHUP: u32 = libc::EPOLLRDHUP as u32;
const OUT: u32 = libc::EPOLLOUT as u32;
const ERR: u32 = libc::EPOLLERR as u32;
const HUP: u32 = libc::EPOLLHUP as u32;

/// The most runs that are followed. An item has one only after a delivery.
const RUNS: usize = 1 << 16;
/// The most sets.
const SETS: usize = 1 << 10;

/// The rule of classes 3, 4 and 18.
#[derive(Debug, Default)]
pub struct Spin {
    /// By item, and whether the run is one of room.
    runs: HashMap<(u32, bool), Run>,
    /// The items whose last read gave 0.
    at_end: HashSet<u32>,
    /// By set: the waits that gave something, and had room for more.
    gave: HashMap<u32, u64>,
    found: Longest,
    /// The descriptors with a run of room whose peer had closed.
    room_at_end: HashSet<i32>,
}

impl Spin {
    /// The run has ended.
    fn end(&mut self, item: u32, of_room: bool) {
        if let Some(run) = self.runs.remove(&(item, of_room)) {
            self.found.keep(&run);
        }
    }

    /// The item has ended.
    fn end_item(&mut self, item: u32) {
        self.end(item, false);
        self.end(item, true);
        self.at_end.remove(&item);
    }

    /// The program does what the event is for.
    fn deal(&mut self, item: u32, of_room: bool) {
        if self.runs.get_mut(&(item, of_room)).is_some_and(Run::deal) {
            self.end(item, of_room);
        }
    }

    fn add(&mut self, item: u32, what: What, of: Delivery) {
        let key = (item, what == What::Room);
        match self.runs.get_mut(&key) {
            Some(run) if run.what == what && !run.is_over(&of) => run.add(of),
            known => {
                if known.is_some() {
                    self.end(item, key.1);
                }
                if self.runs.len() < RUNS {
                    self.runs.insert(key, Run::new(what, of));
                }
            }
        }
        if key.1 && self.at_end.contains(&item) && self.room_at_end.len() < RUNS {
            self.room_at_end.insert(of.fd);
        }
    }

    fn deliver(&mut self, world: &World, item: u32, of: Delivery) {
        let known = world.items.get(&item);
        // A one-shot item that comes again was armed again, which asks anew.
        let is_level = known.is_some_and(|item| item.is_level() || item.is_oneshot());
        let events = of.events;
        let what = if events & HUP != 0 {
            Some(What::HangUp)
        } else if events & ERR != 0 {
            Some(What::Fault)
        } else if events & RDHUP != 0 && is_level || events & IN != 0 && self.at_end.contains(&item) {
            Some(What::End)
        } else if events & (IN | PRI) != 0 && is_level {
            Some(What::Ready)
        } else {
            None
        };
        match what {
            Some(what) => self.add(item, what, of),
            None if !self.runs.is_empty() => self.end(item, false),
            None => {}
        }
        // An edge-triggered item reports room when there is more of it: that is no spin.
        if events & OUT != 0 && events & (HUP | ERR) == 0 && is_level {
            self.add(item, What::Room, of);
        }
    }

    fn delivery(&self, world: &World, entry: &Entry, epoll: u32, fd: i32, events: u32) -> Delivery {
        let waited = world.set(epoll).map_or(0, |set| set.waited(entry.ns));
        let gave = self.gave.get(&epoll).copied().unwrap_or_default();
        Delivery { ns: entry.ns, tid: entry.tid, fd, epoll, events, turns: Turns { waited, gave } }
    }

    fn io(&mut self, world: &World, fd: i32, op: Op, result: i64, errno: u16) {
        for (item, _) in world.items_of(fd) {
            match op {
                Op::Read if result == 0 => {
                    if self.at_end.len() < RUNS {
                        self.at_end.insert(item);
                    }
                }
                Op::Read | Op::Accept if result >= 0 => {
                    self.at_end.remove(&item);
                    self.deal(item, false);
                }
                Op::Read | Op::Accept => self.refused(item, errno),
                // Even a write that is refused shows that the program has something to write.
                Op::Write => {
                    self.deal(item, true);
                    if let Some(run) = self.runs.get_mut(&(item, false)) {
                        run.writes += 1;
                    }
                }
                Op::Connect | Op::Shutdown => self.end(item, true),
                Op::Wait => {}
            }
        }
    }

    /// A read or an accept has failed.
    fn refused(&mut self, item: u32, errno: u16) {
        let Some(run) = self.runs.get_mut(&(item, false)) else { return };
        match i32::from(errno) {
            // What was there is gone: another thread or process has taken it.
            libc::EAGAIN if run.what == What::Ready => self.deal(item, false),
            libc::EMFILE | libc::ENFILE => run.is_limited = true,
            _ => run.failed = (run.failed.0 + 1, errno),
        }
    }

    /// A MOD ends the run only if it takes the event back: no MOD takes back HUP and ERR.
    fn modify(&mut self, item: u32, interest: u32) {
        if interest & OUT == 0 {
            self.end(item, true);
        }
        let Some(run) = self.runs.get_mut(&(item, false)) else { return };
        run.mods += 1;
        if run.events & (HUP | ERR | interest) == 0 {
            self.end(item, false);
        }
    }
}

/// Whether the program can deal with the item's events by the fd that they name. An item whose fd was closed is class 1,
/// and a wait on an inner set deals with the set's own event.
fn is_served_by_fd(world: &World, item: u32, fd: i32) -> bool {
    let is_of_fd = |file: u64| world.fd(fd).is_none_or(|state| state.file == file);
    !world.is_elsewhere(item)
        && !world.is_set(fd)
        && world.items.get(&item).is_none_or(|item| is_of_fd(item.file))
}

impl Rule for Spin {
    fn event(&mut self, world: &World, entry: &Entry) {
        match entry.event {
            // The program cannot handle what has no descriptor here any more: that is class 1. On the kernel's epoll it
            // may not be known which item an event belongs to.
            Event::Deliver { item, .. } if item == 0 || world.is_elsewhere(item) => {}
            Event::Deliver { epoll, item, fd, events, .. } if is_served_by_fd(world, item, fd) => {
                let of = self.delivery(world, entry, epoll, fd, events);
                self.deliver(world, item, of);
            }
            Event::WaitReturn { epoll, n, .. } if n > 0 => {
                let is_full = world.thread(entry.tid).is_some_and(|thread| thread.maxevents == n as u32);
                if !is_full && (self.gave.len() < SETS || self.gave.contains_key(&epoll)) {
                    *self.gave.entry(epoll).or_default() += 1;
                }
            }
            Event::Io { fd, op, result, errno, .. } => self.io(world, fd, op, result, errno),
            Event::Ctl { op: Some(Ctl::Mod), errno: 0, item, events, .. } => self.modify(item, events),
            Event::Ctl { op: Some(Ctl::Del), errno: 0, item, .. } => self.end_item(item),
            Event::Close { fd, lives_as, errno: 0 } => {
                for (item, _) in world.items_closed(fd, lives_as) {
                    self.end_item(item);
                }
            }
            Event::Release { fd, .. } => {
                for (item, _) in world.items_of(fd) {
                    self.end_item(item);
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
        self.runs.values().for_each(|run| found.keep(run));
        out.extend(found.iter().filter_map(|run| self.finding(world, run)));
    }
}

impl Spin {
    fn finding(&self, world: &World, run: &Run) -> Option<Finding> {
        let (fd, tally) = (run.fd, run.tally());
        let mask = Mask(run.events & (IN | PRI)).to_string();
        let (class, name, missing) = match run.what {
            What::HangUp => (3, "HUP", "never closed or removed"),
            What::Fault => (3, "ERR", "never closed or removed"),
            What::End if run.events & IN == 0 => (3, "RDHUP", "never closed or removed"),
            What::End => (3, "the end of the stream", "read as 0 each time and never closed or removed"),
            What::Room => (4, "OUT", "and next to nothing written"),
            What::Ready if run.failed.0 > 0 => (18, mask.as_str(), "and no read succeeds"),
            What::Ready => (18, mask.as_str(), "and not read"),
        };
        let missing = if run.what == What::Room && run.writes == 0 { "and nothing written" } else { missing };
        let times_in_a_row = times(tally.count);
        let title = format!("fd {fd}: {name} delivered {times_in_a_row} in a row{}, {missing}", rate(&tally));
        let from = world.at(run.first_ns);
        let mut finding = Finding::new(class, run.severity()?, world.pid, title, &tally)
            .because(format!("the run began at {from} and lasted {}", span(run.lasted())));
        let case = world.looks.spinning(run.tid, fd, run.first_ns, tally.last_ns);
        finding = cause::add_stack(finding, case.as_ref());
        if run.failed.0 > 0 {
            let (count, errno) = (times(run.failed.0), errno(run.failed.1));
            let why = match i32::from(run.failed.1) {
                libc::EINVAL => ": the buffer may be too short for what is there (inotify, eventfd, timerfd)",
                _ => "",
            };
            finding = finding.because(format!("reads of it failed with {errno} {count} meanwhile{why}"));
        }
        if run.mods > 0 {
            let what = if matches!(run.what, What::HangUp | What::Fault) {
                "epoll reports HUP and ERR whatever the interest is"
            } else {
                "each kept the event in the interest"
            };
            finding = finding.because(format!("MOD was called {} meanwhile: {what}", times(run.mods)));
        }
        if run.writes > 0 && run.what != What::Room {
            finding = finding.because(format!("written to {} meanwhile", times(run.writes)));
        }
        Some(match run.what {
            What::Room => {
                if self.room_at_end.contains(&fd) {
                    finding = finding.because("the peer has closed: the last read gave 0");
                }
                finding.unknown("whether the program writes past libc (io_uring, system calls of its own): such writes are not recorded")
            }
            What::Fault => {
                // The program may have asked for such events: time stamps, or the ends of sends without copying.
                finding.severity = Severity::Warning;
                finding
                    .because("reads do not take the errors of an error queue (IP_RECVERR, time stamps): recvmsg(2) with MSG_ERRQUEUE does")
                    .unknown("whether errors are taken by MSG_ERRQUEUE: that is not recorded")
            }
            What::Ready => finding
                .because(format!("the waits on {} returned it at once", world.set_name(run.epoll)))
                .unknown("whether the program reads past libc (io_uring, system calls of its own): such reads are not recorded"),
            What::HangUp | What::End => finding,
        })
    }
}

#[cfg(test)]
mod tests;
