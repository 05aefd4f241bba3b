//! Class 15: a wait ends with EINTR, the program takes it for the end of its loop, and no thread waits on the set
//! again.
//!
//! A signal often means that the process is to end, and then no thread waits again either. So the wait counts only if
//! the process goes on: another thread still waits, or this one on another set, or the process lives on.

use std::collections::HashMap;

use glasspoll_record::event::Event;
use glasspoll_record::Entry;

use super::Rule;
use crate::doctor::finding::{Finding, Severity, Tally};
use crate::replay::World;
use crate::text::span;
use crate::text::units::counted;

/// How long no thread waits: a handler's work takes less.
const LONG_NS: u64 = 1_000_000_000;
/// The most sets.
const SETS: usize = 1 << 10;
/// A thread that has waited this often is a loop.
const LOOP: u64 = 2;

#[derive(Debug, Default)]
struct Loop {
    waits: u64,
    /// When and in which thread the last wait ended with EINTR.
    interrupted: Option<(u64, u32)>,
    /// The items that became ready since.
    ready: Tally,
    /// When the process last waited on another set since then.
    others_ns: u64,
}

/// The rule of class 15.
#[derive(Debug, Default)]
pub struct Interrupts {
    loops: HashMap<u32, Loop>,
    /// How many of them are interrupted.
    interrupted: usize,
}

impl Rule for Interrupts {
    fn event(&mut self, world: &World, entry: &Entry) {
        match entry.event {
            Event::WaitEnter { epoll, .. } => {
                if self.loops.len() >= SETS && !self.loops.contains_key(&epoll) {
                    return;
                }
                let known = self.loops.entry(epoll).or_default();
                known.waits += 1;
                if known.interrupted.take().is_some() {
                    self.interrupted -= 1;
                }
                if self.interrupted > 0 {
                    self.loops.values_mut().for_each(|known| known.others_ns = entry.ns);
                }
            }
            Event::WaitReturn { epoll, n, .. } if n == -libc::EINTR => {
                let is_alone = world.set(epoll).is_none_or(|set| set.waiting <= 1);
                if let Some(known) = self.loops.get_mut(&epoll).filter(|_| is_alone) {
                    if known.interrupted.replace((entry.ns, entry.tid)).is_none() {
                        self.interrupted += 1;
                    }
                    known.ready = Tally::new();
                    known.others_ns = 0;
                }
            }
            Event::Ready { epoll, fd, .. } if self.interrupted > 0 => {
                if let Some(known) = self.loops.get_mut(&epoll).filter(|known| known.interrupted.is_some()) {
                    known.ready.add(entry.ns, fd, 0);
                }
            }
            Event::WaitReturn { .. } if self.interrupted > 0 => {
                self.loops.values_mut().for_each(|known| known.others_ns = entry.ns);
            }
            _ => {}
        }
    }

    fn gap(&mut self) {
        self.loops.clear();
        self.interrupted = 0;
    }

    fn findings(&self, world: &World, until_ns: u64, out: &mut Vec<Finding>) {
        for (epoll, known) in self.loops.iter().filter(|(_, known)| known.waits >= LOOP) {
            let Some((ns, tid)) = known.interrupted else { continue };
            let goes_on = known.others_ns.saturating_sub(ns) >= LONG_NS || world.ended_ns.is_none();
            // A closed set needs no wait any more.
            let is_there = world.set(*epoll).is_some_and(|set| set.waiting == 0);
            if until_ns.saturating_sub(ns) < LONG_NS || !goes_on || !is_there {
                continue;
            }
            let set = world.set_name(*epoll);
            let mut tally = Tally::new();
            tally.add(ns, -1, tid);
            tally.last_ns = until_ns;
            known.ready.fds.iter().for_each(|fd| tally.with_fd(*fd));
            let passed = span(until_ns.saturating_sub(ns));
            let title = format!("{set}: a wait of thread {tid} ended with EINTR {passed} ago, and nobody has waited on it since");
            let mut finding = Finding::new(15, Severity::Warning, world.pid, title, &tally)
                .because(format!(
                    "{} before, the last one ended at {}",
                    counted(known.waits, "wait"),
                    world.at(ns)
                ))
                .unknown("whether the thread still works for the signal");
            if known.ready.count > 0 {
                let events = counted(known.ready.count, "event");
                finding = finding.because(format!("{events} became ready meanwhile"));
            }
            finding.fds.extend(world.set(*epoll).and_then(|set| set.epfd));
            // A thread that has no processor cannot wait again.
            let is_seen = world.looks.away(tid, ns, until_ns).is_some();
            out.push(finding.timed(ns, until_ns, is_seen));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::script::{Script, IN};

    fn interrupted(script: &mut Script) -> &mut Script {
        script.add(5, IN).wait(&[(5, IN)]).enter(64, -1).back(-libc::EINTR)
    }

    #[test]
    fn a_loop_that_ends_at_a_signal_is_found() {
        let mut script = Script::new();
        interrupted(&mut script).ready(5).ms(1500);
        assert_eq!(script.found(), [(15, Severity::Warning)]);
        assert_eq!(script.findings()[0].fds, [5, 3]);
    }

    #[test]
    fn a_wait_that_is_tried_again_is_fine() {
        let mut script = Script::new();
        interrupted(&mut script).ms(10).enter(64, -1).ms(5000);
        assert_eq!(script.found(), []);
    }

    #[test]
    fn a_process_that_ends_by_a_signal_is_fine() {
        let mut script = Script::new();
        // The process saves its data before it ends.
        interrupted(&mut script).ms(3000).end();
        assert_eq!(script.found(), []);
    }

    #[test]
    fn a_set_that_is_closed_is_fine() {
        let mut script = Script::new();
        interrupted(&mut script).event(Event::Close { fd: 3, lives_as: -1, errno: 0 }).ms(3000);
        assert_eq!(script.found(), []);
    }
}
