//! Class 14: an item is ready, and waits while small batches, one after another, are full of other items.

use std::collections::{HashMap, VecDeque};

use glasspoll_record::event::{Event, Known};
use glasspoll_record::Entry;

use super::Rule;
use crate::doctor::finding::{Finding, Severity, Tally};
use crate::replay::World;
use crate::text::span;
use crate::text::units::times;

/// How long an item waits at least: less is the pace of a busy loop.
const LONG_NS: u64 = 100_000_000;
/// The least number of full batches in a row that go before it.
const BATCHES: usize = 10;
/// A larger maxevents is no small batch.
const SMALL: u32 = 64;
/// The most full batches in a row of which the times are kept.
const KEPT: usize = 256;
/// The most sets that are followed, and the most items of a set that are reported.
const SETS: usize = 1 << 10;
const TOLD: usize = 16;
/// The most items on ready lists that are followed.
const QUEUED: usize = 1 << 16;

#[derive(Debug, Default)]
struct Starved {
    tally: Tally,
    /// The items that waited longest, and how long.
    items: Vec<(u64, i32)>,
    /// How many batches the first of them waited behind.
    batches: usize,
    maxevents: u32,
}

impl Starved {
    fn add(&mut self, waited: u64, fd: i32, batches: usize) {
        if self.items.first().is_none_or(|(longest, _)| waited > *longest) {
            self.batches = batches;
        }
        match self.items.iter_mut().find(|(_, other)| *other == fd) {
            Some(known) => known.0 = known.0.max(waited),
            None => self.items.push((waited, fd)),
        }
        self.items.sort_unstable_by(|a, b| b.cmp(a));
        self.items.truncate(TOLD);
    }
}

/// The rule of class 14.
#[derive(Debug, Default)]
pub struct Batches {
    /// When the latest full batches in a row ended, by set.
    full: HashMap<u32, VecDeque<u64>>,
    /// When items went to the ready list.
    queued: HashMap<u32, u64>,
    /// By set.
    found: HashMap<u32, Starved>,
}

impl Batches {
    fn deliver(&mut self, world: &World, entry: &Entry, key: (i32, u32), since: u64) {
        let waited = entry.ns.saturating_sub(since);
        let Some(full) = self.full.get(&key.1).filter(|_| waited >= LONG_NS) else { return };
        // The full batches that ended while it was ready: a wait that was not full would have taken it.
        let batches = full.iter().rev().take_while(|ended| **ended >= since).count();
        if batches < BATCHES || self.found.len() >= SETS && !self.found.contains_key(&key.1) {
            return;
        }
        let starved = self.found.entry(key.1).or_default();
        starved.tally.add(entry.ns, -1, entry.tid);
        starved.add(waited, key.0, batches);
        starved.maxevents = world.thread(entry.tid).map_or(0, |thread| thread.maxevents);
    }
}

impl Rule for Batches {
    fn event(&mut self, world: &World, entry: &Entry) {
        match entry.event {
            Event::Ready { item, .. } if self.queued.len() < QUEUED => {
                self.queued.entry(item).or_insert(entry.ns);
            }
            Event::Deliver { epoll, fd, item, ready_ns, known, .. } => {
                let queued = self.queued.remove(&item);
                // The kernel does not tell when an item that waits behind full batches went to the ready list.
                if queued.is_none() && world.observed && known == Known::NotBefore {
                    return;
                }
                // If it is not known when the item became ready, `since` is when it was last found not ready. Each wait
                // looks at it, so it was ready at the next wait, and all batches except one count.
                let slack = u64::from(known == Known::NotBefore);
                let since = queued.unwrap_or(entry.ns.saturating_sub(ready_ns).saturating_add(slack));
                if self.full.get(&epoll).is_some_and(|full| full.len() > BATCHES) {
                    self.deliver(world, entry, (fd, epoll), since);
                }
            }
            Event::WaitReturn { epoll, n, .. } => {
                let maxevents = world.thread(entry.tid).map_or(0, |thread| thread.maxevents);
                if n > 0 && n as u32 == maxevents && maxevents <= SMALL {
                    if self.full.len() < SETS || self.full.contains_key(&epoll) {
                        let full = self.full.entry(epoll).or_default();
                        full.push_back(entry.ns);
                        if full.len() > KEPT {
                            full.pop_front();
                        }
                    }
                } else if !self.full.is_empty() {
                    self.full.remove(&epoll);
                }
            }
            _ => {}
        }
    }

    fn gap(&mut self) {
        self.full.clear();
        self.queued.clear();
    }

    fn findings(&self, world: &World, _until_ns: u64, out: &mut Vec<Finding>) {
        for (epoll, starved) in &self.found {
            let Some((longest, fd)) = starved.items.first() else { continue };
            let batches =
                if starved.batches >= KEPT { format!("{KEPT} or more") } else { starved.batches.to_string() };
            let from_ns = starved.tally.first_ns.saturating_sub(*longest);
            let longest = span(*longest);
            let title =
                format!("fd {fd} waited {longest} behind {batches} full batches of {}", starved.maxevents);
            let (set, times) = (world.set_name(*epoll), times(starved.tally.count));
            let mut finding = Finding::new(14, Severity::Warning, world.pid, title, &starved.tally).because(
                format!("items of {set} were ready, and passed over for {} or more, {times}", span(LONG_NS)),
            );
            finding.fds = starved.items.iter().map(|(_, fd)| *fd).collect();
            out.push(finding.timed(from_ns, starved.tally.last_ns, true));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::script::{Script, IN};

    fn busy(script: &mut Script, rounds: usize, maxevents: u32, work_ms: u64) {
        script.add(5, IN).add(6, IN).add(31, IN).ready(31);
        for _ in 0..rounds {
            script.enter(maxevents, -1).give(&[(5, IN), (6, IN)]).read(5, 10, 10).read(6, 10, 10).ms(work_ms);
        }
        script.enter(maxevents, -1).give(&[(31, IN), (5, IN)]);
    }

    #[test]
    fn an_item_that_waits_behind_full_batches_is_found() {
        let mut script = Script::new();
        busy(&mut script, 30, 2, 10);
        assert_eq!(script.found(), [(14, Severity::Warning)]);
        assert_eq!(script.findings()[0].fds, [31]);
    }

    #[test]
    fn an_item_that_waits_for_a_slow_loop_with_room_in_its_batches_is_fine() {
        let mut script = Script::new();
        busy(&mut script, 30, 64, 10);
        assert_eq!(script.found(), []);
    }

    #[test]
    fn an_item_of_the_kernels_epoll_may_have_become_ready_just_now() {
        let mut script = Script::observed();
        script.add(5, IN).add(6, IN).add(31, IN);
        for _ in 0..30 {
            script.enter(2, -1).give(&[(5, IN), (6, IN)]).ms(10);
        }
        script.enter(2, -1).event(Event::Deliver {
            epoll: 1,
            fd: 31,
            item: 31,
            events: IN,
            nth: 0,
            ready_ns: 300_000_000,
            known: Known::NotBefore,
        });
        assert_eq!(script.found(), []);
    }

    #[test]
    fn a_short_wait_behind_full_batches_is_fine() {
        let mut script = Script::new();
        busy(&mut script, 30, 2, 1);
        assert_eq!(script.found(), []);
    }
}
