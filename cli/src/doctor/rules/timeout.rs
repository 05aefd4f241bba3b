//! Class 11: the program cuts the time to its next timer to whole milliseconds, so the loop spins through the last one.
//!
//! The record shows a run of waits with timeout 0 that find nothing, with no work between them. The run takes about a
//! millisecond. The runs of a loop that polls on purpose do not end; a loop that has work does it between its waits.

use std::collections::{HashMap, HashSet};

use glasspoll_record::event::{Ctl, Event};
use glasspoll_record::Entry;

use super::Rule;
use crate::doctor::finding::{Finding, Severity, Tally};
use crate::replay::World;
use crate::text::span;
use crate::text::units::count;

/// How many waits with timeout 0 in a row: a loop may look a few times before it sleeps.
const RUN: u64 = 20;
/// How many such runs: a single one may be chance.
const RUNS: u64 = 3;
/// A run is shorter than this: it takes the millisecond that was cut off, and what a loaded machine may add.
const LONGEST_NS: u64 = 3_000_000;
/// A loop without work takes less than this between two such waits.
const PAUSE_NS: u64 = 200_000;
/// A spin does nothing but wait. A loop that works off a queue, and only looks between two pieces, takes longer.
const EACH_NS: u64 = 10_000;
/// The most threads.
const THREADS: usize = 1 << 10;

#[derive(Debug, Default)]
struct Run {
    count: u64,
    first_ns: u64,
    last_ns: u64,
    epoll: u32,
}

/// The rule of class 11.
#[derive(Debug, Default)]
pub struct Truncated {
    runs: HashMap<u32, Run>,
    /// The threads whose last wait had a timeout, which ended it: the cut part of a timer follows such a wait.
    timed_out: HashSet<u32>,
    /// By set.
    found: HashMap<u32, (Tally, u64, u64)>,
    /// By set: a length that runs have, and by how many more have it than not.
    same: HashMap<u32, (u64, u64)>,
}

impl Truncated {
    /// The thread's run is over: counts it if it is long enough.
    fn end(&mut self, tid: u32) {
        let Some(run) = self.runs.remove(&tid) else { return };
        let lasted = run.last_ns.saturating_sub(run.first_ns);
        let is_work = lasted / run.count.max(1) > EACH_NS;
        if run.count < RUN || lasted > LONGEST_NS || is_work || self.found.len() >= THREADS {
            return;
        }
        let (tally, waits, most) = self.found.entry(run.epoll).or_default();
        tally.add(run.first_ns, -1, tid);
        tally.last_ns = run.last_ns;
        *waits += run.count;
        *most = run.count.max(*most);
        let (length, more) = self.same.entry(run.epoll).or_default();
        if *length == run.count {
            *more += 1;
        } else if *more > 0 {
            *more -= 1;
        } else {
            (*length, *more) = (run.count, 1);
        }
    }
}

impl Rule for Truncated {
    fn event(&mut self, world: &World, entry: &Entry) {
        match entry.event {
            Event::WaitReturn { epoll, n: 0, .. } => {
                let timeout = world.thread(entry.tid).map(|thread| thread.timeout_ns);
                if timeout != Some(0) {
                    self.end(entry.tid);
                    if self.timed_out.len() < THREADS {
                        self.timed_out.insert(entry.tid);
                    }
                } else if self.runs.contains_key(&entry.tid)
                    || self.timed_out.remove(&entry.tid) && self.runs.len() < THREADS
                {
                    let run = self.runs.entry(entry.tid).or_default();
                    if run.count == 0 {
                        (run.first_ns, run.epoll) = (entry.ns, epoll);
                    }
                    run.count += 1;
                    run.last_ns = entry.ns;
                }
            }
            Event::WaitReturn { .. } => {
                self.end(entry.tid);
                self.timed_out.remove(&entry.tid);
            }
            Event::WaitEnter { timeout_ns, .. } => {
                let paused = |run: &Run| entry.ns.saturating_sub(run.last_ns) > PAUSE_NS;
                if timeout_ns != 0 || self.runs.get(&entry.tid).is_some_and(paused) {
                    self.end(entry.tid);
                }
            }
            // The loop has work, and only looks between two pieces of it.
            Event::Io { .. } | Event::Ctl { op: Some(Ctl::Add | Ctl::Mod), .. } => {
                self.runs.remove(&entry.tid);
                self.timed_out.remove(&entry.tid);
            }
            _ => {}
        }
    }

    fn gap(&mut self) {
        self.runs.clear();
        self.timed_out.clear();
    }

    fn findings(&self, world: &World, _until_ns: u64, out: &mut Vec<Finding>) {
        for (epoll, (tally, waits, most)) in &self.found {
            // What is left of a timer is a time, and the number of waits in it varies. A queue of tasks has a length.
            let is_queue = self.same.get(epoll).is_some_and(|(_, more)| more * 2 > tally.count);
            if tally.count < RUNS || is_queue {
                continue;
            }
            let set = world.set_name(*epoll);
            let each = count(waits / tally.count.max(1));
            let title =
                format!("{set}: {each} waits with timeout 0 before a timer, {} times", count(tally.count));
            let mut finding = Finding::new(11, Severity::Warning, world.pid, title, tally)
                .because(format!("{} waits found nothing, up to {} in a row", count(*waits), count(*most)))
                .because(format!(
                    "each run took at most {}, with no reads, writes or changes in it",
                    span(LONGEST_NS)
                ))
                .unknown("what the timer is: timers that a loop keeps itself are not recorded");
            finding.fds.extend(world.sets.get(epoll).and_then(|set| set.epfd));
            out.push(finding);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::script::{Script, IN};

    fn runs(script: &mut Script, runs: usize, length: usize) {
        for run in 0..runs {
            script.enter(64, 5).ms(5).give(&[]);
            // The time is the same, and the machine's speed varies a little.
            for _ in 0..length + run % 7 {
                script.enter(64, 0).give(&[]);
            }
        }
        script.enter(64, 5);
    }

    #[test]
    fn runs_before_a_timer_are_found() {
        let mut script = Script::new();
        runs(&mut script, 3, 300);
        assert_eq!(script.found(), [(11, Severity::Warning)]);
        assert_eq!(script.findings()[0].fds, [3]);
    }

    #[test]
    fn a_queue_that_is_worked_off_is_fine() {
        // After an event, and after a timer.
        for events in [&[(5, IN)][..], &[]] {
            let mut script = Script::new();
            script.add(5, IN);
            for _ in 0..20 {
                script.enter(64, 50).ms(10).give(events);
                for _ in 0..60 {
                    script.enter(64, 0).give(&[]).ns += 30_000;
                }
            }
            script.enter(64, 50);
            assert_eq!(script.found(), []);
        }
        // Quick tasks: always as many.
        let mut script = Script::new();
        for _ in 0..20 {
            script.enter(64, 50).ms(50).give(&[]);
            for _ in 0..60 {
                script.enter(64, 0).give(&[]).ns += 3_000;
            }
        }
        script.enter(64, 50);
        assert_eq!(script.found(), []);
        let mut script = Script::new();
        script.add(5, IN);
        for _ in 0..20 {
            script.enter(64, 50).ms(10).give(&[(5, IN)]).read(5, 8, 8);
            for _ in 0..60 {
                script.enter(64, 0).give(&[]).ns += 3_000;
            }
        }
        script.enter(64, 50);
        assert_eq!(script.found(), []);
    }

    #[test]
    fn a_few_looks_before_a_wait_are_fine() {
        let mut script = Script::new();
        runs(&mut script, 100, 10);
        assert_eq!(script.found(), []);
    }

    #[test]
    fn a_loop_that_polls_on_purpose_is_fine() {
        let mut script = Script::new();
        runs(&mut script, 3, 10_000);
        assert_eq!(script.found(), []);
    }

    #[test]
    fn a_loop_that_works_between_its_looks_is_fine() {
        let mut script = Script::new();
        script.add(8, IN);
        for _ in 0..10 {
            script.enter(64, 5).ms(5).give(&[]);
            for _ in 0..300 {
                script.enter(64, 0).give(&[]).write(8, 10);
            }
        }
        script.enter(64, 5);
        assert_eq!(script.found(), []);
    }
}
