//! How long all threads of a process together had no processor, or were stopped.

use std::collections::VecDeque;

use glasspoll_record::Sample;

use crate::text::units::percent;

/// The most stretches that are kept; the oldest are forgotten first.
const STRETCHES: usize = 1 << 12;
/// A wait for a processor is counted when it ends, and the looks are a quarter of a second apart.
const SLACK_NS: u64 = 300_000_000;
/// Threads had no processor for this part of the time that they could have run, in percent: the machine is overloaded.
const STARVED: u64 = 30;
/// And this part of the time that passed, in percent: what mostly sleeps is not late for want of a processor.
const MATTERS: u64 = 20;

/// A stretch of time, and what the threads had of it.
#[derive(Clone, Copy, Debug, Default)]
struct Stretch {
    from: u64,
    to: u64,
    ran: u64,
    waited: u64,
    is_stopped: bool,
}

/// What the stretches between two moments add up to.
struct Sum {
    passed: u64,
    ran: u64,
    waited: u64,
    stopped: u64,
}

/// What a process lacked: it was stopped for this share of the time, or its threads had no processor for this share of
/// the time that they could have run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lack {
    pub is_stopped: bool,
    share: f64,
}

impl std::fmt::Display for Lack {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let share = percent(self.share);
        match self.is_stopped {
            true => write!(f, "the process was stopped (SIGSTOP, a debugger) {share} of the time"),
            false => write!(f, "threads of the process waited for a processor {share} of the time that they could have run: the machine is overloaded, or a quota is spent"),
        }
    }
}

/// All of them, in the order of time.
#[derive(Clone, Debug, Default)]
pub struct Load(VecDeque<Stretch>);

impl Load {
    /// Takes a sample of all threads. One that makes no sense is left out: a file may have any.
    pub fn add(&mut self, sample: &Sample) {
        if sample.since_ns >= sample.ns {
            return;
        }
        if self.0.len() >= STRETCHES {
            self.0.pop_front();
        }
        let (from, to, is_stopped) = (sample.since_ns, sample.ns, sample.state == b'T');
        self.0.push_back(Stretch { from, to, ran: sample.ran_ns, waited: sample.waited_ns, is_stopped });
    }

    /// Why what happened between two moments may have taken long, if the process had no processor.
    pub fn lack(&self, from: u64, to: u64) -> Option<Lack> {
        let Sum { passed, ran, waited, stopped } = self.sum(from, to);
        let could_run = ran.saturating_add(waited);
        let is_part =
            |ns: u64, of: u64, percent: u64| ns > 0 && ns.saturating_mul(100) >= of.saturating_mul(percent);
        if is_part(stopped, passed, MATTERS) {
            return Some(Lack { is_stopped: true, share: stopped as f64 / passed as f64 });
        }
        (is_part(waited, could_run, STARVED) && is_part(waited, passed, MATTERS))
            .then(|| Lack { is_stopped: false, share: waited as f64 / could_run as f64 })
    }

    /// How long a wait for another thread of the process took by itself: without the time for which its threads had no
    /// processor, or were stopped. Which thread was waited for is not known, so all count.
    pub fn by_itself(&self, from: u64, took: u64) -> u64 {
        let Sum { waited, stopped, .. } = self.sum(from, from.saturating_add(took));
        took.saturating_sub(waited).saturating_sub(stopped)
    }

    /// What is not known to be bad was good.
    fn sum(&self, from: u64, to: u64) -> Sum {
        let (from, to) = (from.saturating_sub(SLACK_NS), to.saturating_add(SLACK_NS));
        let (mut ran, mut waited, mut stopped) = (0u64, 0u64, 0u64);
        for stretch in self.0.iter().filter(|stretch| stretch.from < to && stretch.to > from) {
            let (whole, part) = (stretch.to - stretch.from, stretch.to.min(to) - stretch.from.max(from));
            let of = |ns: u64| (u128::from(ns) * u128::from(part) / u128::from(whole)) as u64;
            (ran, waited) = (ran.saturating_add(of(stretch.ran)), waited.saturating_add(of(stretch.waited)));
            stopped = stopped.saturating_add(if stretch.is_stopped { part } else { 0 });
        }
        Sum { passed: to - from, ran, waited, stopped }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    fn load(ran: u64, waited: u64, state: u8) -> Load {
        let mut load = Load::default();
        for ms in (0..4000).step_by(250) {
            load.add(&Sample {
                since_ns: ms * MS,
                ns: (ms + 250) * MS,
                ran_ns: ran * MS,
                waited_ns: waited * MS,
                state,
                ..Sample::default()
            });
        }
        load
    }

    #[test]
    fn threads_that_could_run_and_did_not_lack_a_processor() {
        let lack = load(100, 75, b'R').lack(1000 * MS, 1200 * MS).unwrap().to_string();
        assert!(lack.contains("waited for a processor 43% of the time"), "{lack}");
        // At another time, or where others took little of it, or little was to do.
        assert_eq!(load(100, 75, b'R').lack(9000 * MS, 9200 * MS), None);
        assert_eq!(load(240, 75, b'R').lack(1000 * MS, 1200 * MS), None);
        assert_eq!(load(10, 20, b'R').lack(1000 * MS, 1200 * MS), None);
        assert_eq!(Load::default().lack(0, u64::MAX), None);
    }

    #[test]
    fn a_wait_for_another_thread_took_by_itself_what_the_threads_had_a_processor_for() {
        // 300 ms of each second, and what was counted a little later.
        assert_eq!(load(100, 75, b'R').by_itself(1000 * MS, 1000 * MS), 520 * MS);
        assert_eq!(load(0, 250, b'R').by_itself(1000 * MS, 1000 * MS), 0);
        assert_eq!(load(0, 0, b'T').by_itself(1000 * MS, 1000 * MS), 0);
        assert_eq!(Load::default().by_itself(0, 700), 700);
    }

    #[test]
    fn samples_that_make_no_sense_are_left_out() {
        let mut load = Load::default();
        for (since_ns, ns) in [(MS, MS), (2 * MS, MS), (u64::MAX, 0)] {
            load.add(&Sample { since_ns, ns, waited_ns: MS, ..Sample::default() });
        }
        assert_eq!(load.lack(0, 2 * MS), None);
        for _ in 0..3 {
            let (ran_ns, waited_ns) = (u64::MAX, u64::MAX);
            load.add(&Sample { since_ns: 0, ns: u64::MAX, ran_ns, waited_ns, ..Sample::default() });
        }
        assert!(load.lack(0, u64::MAX).is_some());
    }

    #[test]
    fn what_is_stopped_lacks_one_too() {
        let lack = load(0, 0, b'T').lack(1000 * MS, 1200 * MS).unwrap().to_string();
        assert!(lack.contains("stopped") && lack.contains("100%"), "{lack}");
    }
}
