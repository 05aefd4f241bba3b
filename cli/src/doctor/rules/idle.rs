//! Class 22: a thread wakes hundreds of times a second by short timeouts, and finds nothing; or it does not sleep at all,
//! and asks with a timeout of 0 again and again.

use std::collections::HashMap;

use glasspoll_record::event::Event;
use glasspoll_record::Entry;

use super::{Kept, Rule};
use crate::doctor::finding::{Finding, Severity};
use crate::replay::World;
use crate::text::span;
use crate::text::units::{count, percent};

/// A timeout that is longer than this wakes a thread 200 times a second at most.
const SHORT_NS: i64 = 5_000_000;
const SECOND_NS: u64 = 1_000_000_000;
/// Empty waits in a second: less costs next to nothing.
const OFTEN: u64 = 150;
/// The same of waits that do not sleep, by a thread that does not sleep in others either: a program that has its loop
/// elsewhere looks at its set once in each of its turns.
const VERY_OFTEN: u64 = 2_000;
/// Seconds in which it was so.
const SECONDS: u64 = 2;
/// The most threads.
const THREADS: usize = 1 << 12;

#[derive(Clone, Copy, Debug, Default)]
struct Second {
    since: u64,
    empty: u64,
    gave: u64,
    /// Empty waits with a timeout of 0, and waits that may have slept.
    asked: u64,
    slept: u64,
    timeout_ns: i64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    seconds: u64,
    empty: u64,
    gave: u64,
    timeout_ns: i64,
}

/// The rule of class 22.
#[derive(Debug, Default)]
pub struct Idle {
    seconds: HashMap<u32, Second>,
    /// By set and thread.
    found: Kept<(u32, u32)>,
    sums: HashMap<(u32, u32), Sum>,
}

impl Idle {
    fn judge(&mut self, epoll: u32, tid: u32, mut second: Second, ns: u64) {
        if second.slept == 0 && second.asked >= VERY_OFTEN {
            (second.empty, second.timeout_ns) = (second.asked, 0);
        }
        // A busy thread has work with most of its waits.
        if second.empty < OFTEN || second.gave * 20 > second.empty || ns - second.since > 2 * SECOND_NS {
            return;
        }
        if let Some(tally) = self.found.entry((epoll, tid)) {
            tally.add(second.since, -1, tid);
            tally.last_ns = ns;
            let sum = self.sums.entry((epoll, tid)).or_default();
            sum.seconds += 1;
            sum.empty += second.empty;
            sum.gave += second.gave;
            sum.timeout_ns = second.timeout_ns;
        }
    }
}

impl Rule for Idle {
    fn event(&mut self, world: &World, entry: &Entry) {
        let Event::WaitReturn { epoll, n, .. } = entry.event else { return };
        let timeout_ns = world.thread(entry.tid).map_or(0, |thread| thread.timeout_ns);
        if !self.seconds.contains_key(&entry.tid) && self.seconds.len() >= THREADS {
            return;
        }
        let second = self.seconds.entry(entry.tid).or_default();
        if entry.ns.saturating_sub(second.since) >= SECOND_NS {
            let ended = std::mem::replace(second, Second { since: entry.ns, ..Second::default() });
            self.judge(epoll, entry.tid, ended, entry.ns);
            return;
        }
        second.slept += u64::from(timeout_ns != 0);
        if n > 0 {
            second.gave += 1;
        } else if n == 0 && timeout_ns == 0 {
            second.asked += 1;
        } else if n == 0 && timeout_ns > 0 && timeout_ns <= SHORT_NS {
            second.empty += 1;
            second.timeout_ns = timeout_ns;
        }
    }

    fn gap(&mut self) {
        // What never sleeps makes the ring run over, and is counted as far as it was seen.
        self.seconds.retain(|_, second| second.slept == 0 && second.asked >= VERY_OFTEN);
    }

    fn findings(&self, world: &World, _until_ns: u64, out: &mut Vec<Finding>) {
        for (key @ (epoll, tid), tally) in self.found.iter() {
            let Some(sum) = self.sums.get(key).filter(|sum| sum.seconds >= SECONDS) else { continue };
            let (each, set) = (count(sum.empty / sum.seconds), world.set_name(*epoll));
            let timeout = span(u64::try_from(sum.timeout_ns).unwrap_or(0));
            let title = match sum.timeout_ns {
                0 => format!("{set}: thread {tid} never sleeps: {each} waits a second with a timeout of 0 find nothing"),
                _ => format!("{set}: thread {tid} wakes {each} times a second by timeouts of {timeout}, and finds nothing"),
            };
            let share = percent(sum.gave as f64 / (sum.gave + sum.empty).max(1) as f64);
            let mut finding = Finding::new(22, Severity::Note, world.pid, title, tally)
                .because(format!("in {} seconds {share} of its waits gave something", count(sum.seconds)))
                .unknown("whether the thread looks at something else each time");
            finding.count = sum.empty;
            finding.fds.extend(world.sets.get(epoll).and_then(|set| set.epfd));
            out.push(finding);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::script::{Script, IN};

    fn waits(script: &mut Script, timeout_ms: i64, gives: usize) -> Vec<(u8, Severity)> {
        script.add(5, IN);
        for turn in 0..5000 / timeout_ms as usize {
            let events = [(5, IN)];
            let got = if gives > 0 && turn % gives == 0 { &events[..] } else { &[] };
            script.enter(16, timeout_ms).ms(timeout_ms as u64).give(got);
        }
        script.found()
    }

    #[test]
    fn waits_of_a_millisecond_for_nothing_are_noted() {
        assert_eq!(waits(&mut Script::new(), 1, 0), [(22, Severity::Note)]);
        assert_eq!(waits(&mut Script::new(), 2, 100), [(22, Severity::Note)]);
    }

    #[test]
    fn a_thread_that_never_sleeps_and_finds_nothing_is_noted() {
        let asks = |sleeps: bool| {
            let mut script = Script::new();
            script.add(5, IN);
            for turn in 0..40_000 {
                script.ns += 100_000;
                script.enter(16, 0).give(&[]);
                if sleeps && turn % 100 == 0 {
                    script.enter(16, 10).give(&[]);
                }
            }
            script.found()
        };
        assert_eq!(asks(false), [(22, Severity::Note)]);
        // It works off a queue of its own, and sleeps when that is empty.
        assert_eq!(asks(true), []);
    }

    #[test]
    fn a_thread_that_is_too_fast_to_be_read_whole_is_noted() {
        let mut script = Script::new();
        script.add(5, IN);
        for _ in 0..30 {
            for _ in 0..5_000 {
                script.ns += 1_000;
                script.enter(16, 0).give(&[]);
            }
            script.ms(100).gap();
        }
        assert_eq!(script.found(), [(22, Severity::Note)]);
    }

    #[test]
    fn a_thread_that_has_work_and_a_slow_tick_are_fine() {
        assert_eq!(waits(&mut Script::new(), 1, 5), []);
        assert_eq!(waits(&mut Script::new(), 10, 0), []);
    }
}
