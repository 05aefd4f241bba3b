//! Class 19: a write was refused (EAGAIN), and nothing makes the program go on with it.
//!
//! After the refusal the program needs EPOLLOUT. It never asked for it, or took it back, or its one-shot item was
//! disarmed by another event, or it was told and wrote nothing. While EPOLLOUT is armed and not told, the peer is slow,
//! and that is no finding. A connect(2) that is under way (EINPROGRESS) is such a write, too: its end is told by EPOLLOUT.
//! A program whose server speaks first may wait for EPOLLIN instead.

use std::collections::{BTreeSet, HashMap};

use glasspoll_record::event::{Ctl, Event, Op, EPOLLONESHOT};
use glasspoll_record::Entry;

use super::Rule;
use crate::doctor::finding::{Finding, Severity, Tally};
use crate::replay::world::Mark;
use crate::replay::World;
use crate::text::span;
use crate::text::units::times;

const IN: u32 = libc::EPOLLIN as u32;
const OUT: u32 = libc::EPOLLOUT as u32;
const ERR: u32 = libc::EPOLLERR as u32;
const HUP: u32 = libc::EPOLLHUP as u32;

/// How long the loop goes on without the write: a program that wants to go on with it does so sooner.
const LONG_NS: u64 = 1_000_000_000;
/// The most items that are followed.
const ITEMS: usize = 1 << 16;
/// The most items that are reported.
const TOLD: usize = 64;

/// Why nothing makes the program go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Why {
    NotAsked,
    Disarmed,
    Told,
}

#[derive(Clone, Copy, Debug)]
struct Refused {
    /// The last refusal.
    ns: u64,
    tid: u32,
    count: u64,
    /// It is a connect that is under way.
    connects: bool,
    /// The last refusal or change of the item.
    changed: Mark,
    /// EPOLLOUT was told since.
    told: Option<Mark>,
    /// Any event was told since, which disarms a one-shot item.
    delivered: Option<Mark>,
}

#[derive(Clone, Copy, Debug)]
struct Left {
    fd: i32,
    epoll: u32,
    refused: Refused,
    why: Why,
    passed: u64,
    until_ns: u64,
}

/// The rule of class 19.
#[derive(Debug, Default)]
pub struct RefusedWrites {
    refused: HashMap<u32, Refused>,
    /// Items that were written to again by themselves after a long time: the program has a timer for that.
    retried: BTreeSet<u32>,
    /// Items that ended that way.
    ended: Vec<Left>,
}

impl RefusedWrites {
    /// Whether a refused write of an item has been left alone for `LONG_NS`.
    fn left(&self, world: &World, serial: u32, until_ns: u64) -> Option<Left> {
        let refused = *self.refused.get(&serial)?;
        let item = world.items.get(&serial)?;
        let interest = item.events?;
        let (why, since) = match (refused.told, refused.delivered) {
            (Some(_), _) if refused.connects => return None,
            (Some(told), _) => (Why::Told, told),
            (None, Some(delivered)) if interest & EPOLLONESHOT != 0 => (Why::Disarmed, delivered),
            _ if refused.connects && interest & IN != 0 => return None,
            _ if interest & OUT == 0 => (Why::NotAsked, refused.changed),
            _ => return None,
        };
        // The program may ask for room in another set.
        let is_asked_elsewhere = |(other, item): (u32, _)| other != serial && asks_for_room(item);
        if world.items_of(item.fd).any(is_asked_elsewhere) {
            return None;
        }
        let passed = world.went_on(item.epoll, since, until_ns);
        let (fd, epoll) = (item.fd, item.epoll);
        (passed >= LONG_NS).then_some(Left { fd, epoll, refused, why, passed, until_ns })
    }

    fn end(&mut self, world: &World, serial: u32, ns: u64) {
        if self.refused.is_empty() {
            return;
        }
        if let Some(left) = self.left(world, serial, ns) {
            if self.ended.len() < TOLD && !self.retried.contains(&serial) {
                self.ended.push(left);
            }
        }
        self.refused.remove(&serial);
        self.retried.remove(&serial);
    }

    fn write(&mut self, world: &World, entry: &Entry, fd: i32, errno: u16, connects: bool) {
        let is_refused = i32::from(errno) == if connects { libc::EINPROGRESS } else { libc::EAGAIN };
        for (serial, item) in world.items_of(fd) {
            if self.left(world, serial, entry.ns).is_some() && self.retried.len() < ITEMS {
                self.retried.insert(serial);
            }
            let known = self.refused.remove(&serial);
            if is_refused && self.refused.len() < ITEMS {
                let (ns, tid, changed) = (entry.ns, entry.tid, world.mark(item.epoll, entry.ns));
                let count = known.map_or(0, |known| known.count) + 1;
                let refused = Refused { ns, tid, count, connects, changed, told: None, delivered: None };
                self.refused.insert(serial, refused);
            }
        }
    }
}

fn asks_for_room(item: &crate::replay::world::Item) -> bool {
    item.events.is_none_or(|events| events & OUT != 0)
}

impl Rule for RefusedWrites {
    fn event(&mut self, world: &World, entry: &Entry) {
        match entry.event {
            Event::Io { fd, op: Op::Write, errno, .. }
                if i32::from(errno) == libc::EAGAIN || !self.refused.is_empty() =>
            {
                self.write(world, entry, fd, errno, false);
            }
            Event::Io { fd, op: Op::Connect, errno, .. }
                if i32::from(errno) == libc::EINPROGRESS || !self.refused.is_empty() =>
            {
                self.write(world, entry, fd, errno, true);
            }
            _ if self.refused.is_empty() => {}
            Event::Io { fd, op: Op::Shutdown, .. } => {
                for (serial, _) in world.items_of(fd) {
                    self.refused.remove(&serial);
                }
            }
            // The peer is gone: what happens then is another class.
            Event::Deliver { item, events, .. } if events & (HUP | ERR) != 0 => {
                self.refused.remove(&item);
            }
            Event::Deliver { epoll, item, events, .. } => {
                if let Some(refused) = self.refused.get_mut(&item) {
                    let mark = world.mark(epoll, entry.ns);
                    refused.delivered.get_or_insert(mark);
                    if events & OUT != 0 {
                        refused.told.get_or_insert(mark);
                    }
                }
            }
            Event::Ctl { op: Some(Ctl::Mod), errno: 0, epoll, item, .. } => {
                if let Some(refused) = self.refused.get_mut(&item) {
                    refused.changed = world.mark(epoll, entry.ns);
                    (refused.told, refused.delivered) = (None, None);
                }
            }
            Event::Ctl { op: Some(Ctl::Del), errno: 0, item, .. } => self.end(world, item, entry.ns),
            Event::Close { fd, lives_as, errno: 0 } => {
                for (item, _) in world.items_closed(fd, lives_as) {
                    self.end(world, item, entry.ns);
                }
            }
            Event::Release { fd, .. } => {
                for (item, _) in world.items_of(fd) {
                    self.end(world, item, entry.ns);
                }
            }
            _ => {}
        }
    }

    fn gap(&mut self) {
        self.refused.clear();
        self.retried.clear();
    }

    fn findings(&self, world: &World, until_ns: u64, out: &mut Vec<Finding>) {
        let kept = self.refused.keys().filter(|serial| !self.retried.contains(serial));
        let open = kept.filter_map(|serial| self.left(world, *serial, until_ns));
        let mut found: Vec<Left> = self.ended.iter().copied().chain(open).collect();
        found.sort_by_key(|left| (std::cmp::Reverse(left.passed), left.fd));
        for left in found.into_iter().take(TOLD) {
            let tally = Tally::once(left.refused.ns, left.until_ns, left.fd, left.refused.tid);
            let why = match left.why {
                Why::NotAsked => "EPOLLOUT is not asked for",
                Why::Disarmed => "another event has disarmed its one-shot item, and it was not armed again",
                Why::Told => "EPOLLOUT was told, and nothing was written",
            };
            let passed = span(left.passed);
            let what = if left.refused.connects { "a connect is under way" } else { "a write was refused" };
            let title = format!("fd {}: {what}, {why}; the loop went on for {passed}", left.fd);
            let (set, at) = (world.set_name(left.epoll), world.at(left.refused.ns));
            let count = times(left.refused.count);
            let finding = Finding::new(19, Severity::Warning, world.pid, title, &tally).left_for(
                left.until_ns.saturating_sub(left.passed),
                left.until_ns,
                LONG_NS,
            );
            out.push(if left.refused.connects {
                let mut finding = finding
                    .because(format!("in {set}; EINPROGRESS at {at}; nothing tells the program of its end"));
                finding.advice =
                    "After EINPROGRESS ask for EPOLLOUT until it is told, and then for SO_ERROR.";
                finding
            } else {
                finding
                    .because(format!("in {set}; EAGAIN {count}, last at {at}; no write after it"))
                    .unknown("whether the program has dropped what it could not write")
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::script::{Script, EAGAIN, ET, IN, ONESHOT};

    /// A loop that is busy with another descriptor for some seconds.
    fn goes_on(script: &mut Script, seconds: u64) {
        for _ in 0..seconds * 100 {
            script.ms(10).wait(&[(5, IN)]).read(5, 10, 10);
        }
    }

    fn refused(interest: u32) -> Script {
        let mut script = Script::new();
        script.add(5, IN).add(6, interest).wait(&[(6, IN)]).read(6, 10, 3).write(6, 100).write(6, EAGAIN);
        script
    }

    #[test]
    fn a_connect_of_whose_end_nothing_tells_is_found() {
        let interests = [(ERR, true), (ERR | ONESHOT, true), (OUT, false), (IN, false)];
        for (interest, is_found) in interests {
            let mut script = Script::new();
            script.add(5, IN).add(6, IN | OUT).io(Op::Connect, 6, 0, -i64::from(libc::EINPROGRESS));
            script.modify(6, interest);
            goes_on(&mut script, 2);
            assert_eq!(script.found() == [(19, Severity::Warning)], is_found, "{interest:#x}");
        }
        // It was told, and the program waits for the other side.
        let mut script = Script::new();
        script.add(5, IN).add(6, OUT).io(Op::Connect, 6, 0, -i64::from(libc::EINPROGRESS));
        script.wait(&[(6, OUT)]);
        goes_on(&mut script, 2);
        assert_eq!(script.found(), []);
    }

    #[test]
    fn a_refused_write_without_room_asked_for_is_found() {
        for interest in [IN, IN | ET, IN | ONESHOT] {
            let mut script = refused(interest);
            script.modify(6, interest | OUT).modify(6, interest);
            goes_on(&mut script, 2);
            assert_eq!(script.found(), [(19, Severity::Warning)]);
            assert_eq!(script.findings()[0].fds, [6]);
            script.close(6);
            goes_on(&mut script, 2);
            assert_eq!(script.found(), [(19, Severity::Warning)]);
        }
    }

    #[test]
    fn a_loop_that_sleeps_without_it_is_found() {
        let mut script = refused(IN);
        script.enter(64, -1).ms(1500);
        assert_eq!(script.found(), [(19, Severity::Warning)]);
    }

    #[test]
    fn room_that_is_told_and_not_used_is_found() {
        let mut script = refused(IN | OUT | ET);
        script.wait(&[(6, OUT)]);
        goes_on(&mut script, 2);
        assert_eq!(script.found(), [(19, Severity::Warning)]);
    }

    #[test]
    fn an_item_that_another_event_disarms_is_found() {
        let mut script = refused(IN | OUT | ONESHOT);
        script.modify(6, IN | OUT | ONESHOT).wait(&[(6, IN)]).read(6, 10, 4);
        goes_on(&mut script, 2);
        assert!(script.found().contains(&(19, Severity::Warning)));
    }

    #[test]
    fn a_slow_peer_is_fine() {
        for interest in [IN, IN | ET, IN | ONESHOT] {
            let mut script = refused(interest);
            script.modify(6, interest | OUT);
            goes_on(&mut script, 3);
            assert_eq!(script.found(), []);
        }
    }

    #[test]
    fn a_write_that_is_taken_up_is_fine() {
        let mut script = refused(IN);
        goes_on(&mut script, 2);
        // The program has a timer for it.
        script.write(6, EAGAIN);
        goes_on(&mut script, 2);
        assert_eq!(script.found(), []);
        let mut script = refused(IN | OUT | ET);
        script.wait(&[(6, OUT)]).write(6, 100);
        goes_on(&mut script, 2);
        assert_eq!(script.found(), []);
    }

    #[test]
    fn a_peer_that_is_gone_is_fine() {
        let mut script = refused(IN);
        script.wait(&[(6, IN | HUP)]).ms(10).close(6);
        goes_on(&mut script, 2);
        assert_eq!(script.found(), []);
    }

    #[test]
    fn a_process_that_is_stopped_is_fine() {
        let mut script = refused(IN);
        script.ms(5000).modify(6, IN | OUT);
        assert_eq!(script.findings().iter().filter(|finding| finding.class == 19).count(), 0);
    }
}
