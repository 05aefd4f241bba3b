//! Class 5: an EPOLLONESHOT item gave its event and was never armed again.

use std::collections::HashMap;

use glasspoll_record::event::{Ctl, Event, Op};
use glasspoll_record::Entry;

use super::Rule;
use crate::doctor::finding::{Finding, Severity, Tally};
use crate::replay::world::Mark;
use crate::replay::World;
use crate::text::span;
use crate::text::units::counted;

/// How long an item stays disarmed: a worker that has it may take its time, but mostly less than this.
const LONG_NS: u64 = 1_000_000_000;
/// The most disarmed items that are followed.
const ITEMS: usize = 1 << 16;
/// The most items that are reported.
const TOLD: usize = 64;

#[derive(Clone, Copy, Debug)]
struct Disarmed {
    ns: u64,
    tid: u32,
    /// How far the loop was by then.
    mark: Mark,
    /// Since when the file has data that was not read, and how often it woke its items since.
    woken: Option<(u64, u64)>,
    /// The last read got less than it asked for.
    is_drained: bool,
}

/// The rule of class 5.
#[derive(Debug, Default)]
pub struct Oneshots {
    disarmed: HashMap<u32, Disarmed>,
    /// Descriptors that were closed in the end.
    closed: Vec<Left>,
}

/// An item that was left disarmed.
#[derive(Clone, Debug)]
struct Left {
    fd: i32,
    epoll: u32,
    since: Disarmed,
    until_ns: u64,
    state: String,
}

impl Oneshots {
    /// Whether an item has been left disarmed for `LONG_NS`.
    fn left(&self, world: &World, serial: u32, until_ns: u64) -> Option<Left> {
        let since = *self.disarmed.get(&serial)?;
        let item = world.items.get(&serial)?;
        // While no thread waits on the set, no event is missed.
        if world.went_on(item.epoll, since.mark, until_ns) < LONG_NS {
            return None;
        }
        // If no unread data is known, the program may have silenced the item on purpose.
        let state = match since.woken {
            Some((ns, times)) if until_ns.saturating_sub(ns) >= LONG_NS => {
                format!("readable for {} ({})", span(until_ns - ns), counted(times, "wakeup"))
            }
            _ if !since.is_drained => "and not read to the end".into(),
            _ => return None,
        };
        Some(Left { fd: item.fd, epoll: item.epoll, since, until_ns, state })
    }

    fn end(&mut self, world: &World, serial: u32, ns: u64) {
        if let Some(left) = self.left(world, serial, ns).filter(|_| self.closed.len() < TOLD) {
            self.closed.push(left);
        }
        self.disarmed.remove(&serial);
    }
}

impl Rule for Oneshots {
    fn event(&mut self, world: &World, entry: &Entry) {
        match entry.event {
            Event::Deliver { epoll, item, .. } => {
                let is_oneshot = world.items.get(&item).is_some_and(|item| item.is_oneshot());
                if is_oneshot && self.disarmed.len() < ITEMS {
                    let mark = world.mark(epoll, entry.ns);
                    let (ns, tid) = (entry.ns, entry.tid);
                    let new = Disarmed { ns, tid, mark, woken: None, is_drained: false };
                    self.disarmed.insert(item, new);
                }
            }
            Event::Ctl { op: Some(Ctl::Mod), errno: 0, item, .. } => {
                self.disarmed.remove(&item);
            }
            Event::Ctl { op: Some(Ctl::Del), errno: 0, item, .. } => self.end(world, item, entry.ns),
            _ if self.disarmed.is_empty() => {}
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
            Event::Wakeup { fd, .. } => {
                for (item, _) in world.items_of(fd) {
                    if let Some(disarmed) = self.disarmed.get_mut(&item) {
                        let (since, count) = disarmed.woken.unwrap_or((entry.ns, 0));
                        disarmed.woken = Some((since, count + 1));
                    }
                }
            }
            Event::Io { fd, op: Op::Read | Op::Accept, result, asked, .. } => {
                for (item, known) in world.items_of(fd) {
                    if let Some(disarmed) = self.disarmed.get_mut(&item) {
                        let mark = world.mark(known.epoll, entry.ns);
                        // A thread that reads on, without an event, has the item.
                        disarmed.mark = mark;
                        disarmed.is_drained = result < 0 || (result as u64) < asked;
                        disarmed.woken = None;
                    }
                }
            }
            _ => {}
        }
    }

    fn gap(&mut self) {
        self.disarmed.clear();
    }

    fn findings(&self, world: &World, until_ns: u64, out: &mut Vec<Finding>) {
        let open = self.disarmed.keys().filter_map(|serial| self.left(world, *serial, until_ns));
        for left in self.closed.iter().cloned().chain(open.take(TOLD)) {
            let tally = Tally::once(left.since.ns, left.until_ns, left.fd, left.since.tid);
            let passed = span(left.until_ns.saturating_sub(left.since.ns));
            let title = format!("fd {}: disarmed for {passed}, {}", left.fd, left.state);
            let (set, at) = (world.set_name(left.epoll), world.at(left.since.ns));
            out.push(
                Finding::new(5, Severity::Warning, world.pid, title, &tally)
                    .because(format!("in {set}; its event was delivered at {at}; no MOD after it"))
                    .unknown("whether the program holds it back on purpose")
                    .left_for(left.since.ns, left.until_ns, LONG_NS),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::script::{Script, EAGAIN, IN, ONESHOT};

    #[test]
    fn an_item_that_stays_disarmed_while_more_comes_is_found() {
        let mut script = Script::new();
        script.add(4, IN | ONESHOT).wait(&[(4, IN)]).read(4, 100, EAGAIN).enter(64, -1);
        script.ms(3000);
        assert_eq!(script.found(), []);
        script.wakeup(4).ms(1500);
        assert_eq!(script.found(), [(5, Severity::Warning)]);
        assert_eq!(script.findings()[0].fds, [4]);
    }

    #[test]
    fn an_item_that_is_closed_late_is_found() {
        let mut script = Script::new();
        script.add(4, IN | ONESHOT).wait(&[(4, IN)]).enter(64, -1).ms(1500).close(4).ms(5000);
        assert_eq!(script.found(), [(5, Severity::Warning)]);
    }

    #[test]
    fn an_item_that_was_not_read_is_found() {
        let mut script = Script::new();
        script.add(4, IN | ONESHOT).wait(&[(4, IN)]).enter(64, -1).ms(1500);
        assert_eq!(script.found(), [(5, Severity::Warning)]);
    }

    #[test]
    fn an_item_that_was_not_read_in_a_loop_that_never_sleeps_is_found() {
        let mut script = Script::new();
        script.add(6, IN).add(4, IN | ONESHOT).wait(&[(4, IN)]);
        for _ in 0..150 {
            script.ms(10).wait(&[(6, IN)]).read(6, 10, 10);
        }
        assert_eq!(script.found(), [(5, Severity::Warning)]);
    }

    #[test]
    fn an_item_that_a_thread_reads_all_the_time_is_fine() {
        let mut script = Script::new();
        script.add(6, IN).add(4, IN | ONESHOT).wait(&[(4, IN)]);
        for _ in 0..300 {
            script.tid = 100;
            script.read(4, 10, 10);
            script.tid = 101;
            script.ms(10).wait(&[(6, IN)]).read(6, 10, 10);
        }
        assert_eq!(script.found(), []);
    }

    #[test]
    fn an_item_that_is_armed_again_or_closed_is_fine() {
        for closes in [false, true] {
            let mut script = Script::new();
            script.add(4, IN | ONESHOT).wait(&[(4, IN)]).read(4, 100, EAGAIN);
            if closes {
                script.close(4);
            } else {
                script.modify(4, IN | ONESHOT);
            }
            script.enter(64, -1).wakeup(4).ms(3000);
            assert_eq!(script.found(), []);
        }
    }

    #[test]
    fn work_that_takes_less_than_a_second_is_fine() {
        let mut script = Script::new();
        script.add(4, IN | ONESHOT).wait(&[(4, IN)]).enter(64, -1).wakeup(4).ms(900);
        assert_eq!(script.found(), []);
    }

    #[test]
    fn an_item_that_is_read_without_being_armed_is_fine() {
        let mut script = Script::new();
        script.add(4, IN | ONESHOT).wait(&[(4, IN)]).enter(64, -1);
        script.wakeup(4).ms(2000).read(4, 100, 10);
        assert_eq!(script.found(), []);
    }
}
