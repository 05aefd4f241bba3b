//! What the threads were seen to do while they were overdue, or spun: looks from outside, by case. A case is one time
//! away from the waits, or one spin.

use std::collections::BTreeMap;

use glasspoll_record::Sample;

use super::load::Load;

/// The most cases that are kept; the shortest are forgotten first.
const CASES: usize = 512;
/// The most stacks, and calls, of a case.
const STACKS: usize = 32;
const CALLS: usize = 16;
/// By this much a sample's time may differ from that of an event: the clock of the record is reckoned.
const SLACK_NS: u64 = 5_000_000;

/// A stack: the innermost function first.
pub type Stack = Vec<String>;

/// A case, or several of a thread together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Case {
    pub since_ns: u64,
    first_ns: u64,
    last_ns: u64,
    /// How many cases it is.
    pub cases: u64,
    /// How often it was looked at.
    pub looks: u64,
    /// From the first look on: how long it ran, and how long it could have run and had no processor.
    pub ran: u64,
    pub starved: u64,
    /// How long it was seen stopped.
    stopped: u64,
    /// How long it neither ran nor could have run, and was not seen asleep or stopped before or after.
    unseen: u64,
    /// How often it slept in a call, with its fd (-1: none), and for how long.
    pub calls: BTreeMap<(String, i32), (u64, u64)>,
    pub stacks: Vec<Stack>,
    last: Sample,
}

impl Case {
    fn new(sample: &Sample) -> Self {
        let (since_ns, first_ns) = (sample.since_ns, sample.ns);
        Self { since_ns, first_ns, last_ns: first_ns, cases: 1, last: sample.clone(), ..Self::default() }
    }

    fn add(&mut self, sample: &Sample) {
        if !sample.frames.is_empty() && self.stacks.len() < STACKS {
            self.stacks.push(sample.frames.clone());
        }
        if sample.state == Sample::STACK {
            return;
        }
        let (ran, starved) = (sample.ran_ns, sample.waited_ns);
        let used = ran.saturating_sub(self.last.ran_ns) + starved.saturating_sub(self.last.waited_ns);
        let idle = sample.ns.saturating_sub(self.last.ns).saturating_sub(used);
        let sleeps = |state: u8| matches!(state, b'S' | b'D');
        let states = [self.last.state, sample.state];
        if states[0] == b'T' || states[1] == b'T' && !sleeps(states[0]) {
            self.stopped += idle;
        } else if !states.into_iter().any(sleeps) {
            self.unseen += idle;
        } else if let Some(slept) = [&self.last, sample].into_iter().find(|sample| !sample.call.is_empty()) {
            let key = (slept.call.clone(), slept.fd);
            if self.calls.len() < CALLS || self.calls.contains_key(&key) {
                self.calls.entry(key).or_default().1 += idle;
            }
        }
        if !sample.call.is_empty() && self.calls.len() < CALLS {
            self.calls.entry((sample.call.clone(), sample.fd)).or_default().0 += 1;
        }
        if sample.state != 0 {
            self.looks += 1;
        }
        self.last_ns = self.last_ns.max(sample.ns);
        // A wait for a processor is counted when it ends, with what was before the first look. And what it used is read
        // a little after it was back.
        self.ran = self.ran.max(ran).min(self.looked());
        self.starved = self.starved.max(starved).min(self.looked() - self.ran);
        self.last = Sample { frames: Vec::new(), ..sample.clone() };
    }

    fn merge(&mut self, other: &Self) {
        if self.cases == 0 {
            (self.since_ns, self.first_ns) = (other.since_ns, other.first_ns);
            self.last_ns = other.first_ns;
        }
        // Between two cases the thread waited.
        self.last_ns += other.looked();
        self.looks += other.looks;
        self.cases += other.cases;
        (self.ran, self.starved) = (self.ran + other.ran, self.starved + other.starved);
        (self.stopped, self.unseen) = (self.stopped + other.stopped, self.unseen + other.unseen);
        for (call, (count, ns)) in &other.calls {
            let known = self.calls.entry(call.clone()).or_default();
            *known = (known.0 + count, known.1 + ns);
        }
        self.stacks.extend(other.stacks.iter().cloned());
        self.last = other.last.clone();
    }

    /// The call that it slept in at the last look.
    pub fn asleep(&self) -> Option<(&str, i32)> {
        (!self.last.call.is_empty()).then_some((&self.last.call, self.last.fd))
    }

    /// From the first look to the last, or until it was back.
    pub fn looked(&self) -> u64 {
        self.last_ns.saturating_sub(self.first_ns)
    }

    /// How long it was stopped (SIGSTOP, a debugger). What stops a thread once stops it in between, too, as a quota by
    /// signals does.
    pub fn stopped(&self) -> u64 {
        let all = self.stopped + if self.stopped > 0 { self.unseen } else { 0 };
        all.min(self.looked().saturating_sub(self.ran).saturating_sub(self.starved))
    }

    /// The call that it slept in for longest.
    pub fn slept_most_in(&self) -> Option<&str> {
        let ((call, _), _) = self.calls.iter().max_by_key(|(_, (_, ns))| *ns)?;
        Some(call)
    }

    /// How long it slept.
    pub fn slept(&self) -> u64 {
        self.looked().saturating_sub(self.ran).saturating_sub(self.starved).saturating_sub(self.stopped())
    }
}

/// The cases of a process.
#[derive(Clone, Debug, Default)]
pub struct Looks {
    /// By thread, whether it spins, and since when.
    cases: BTreeMap<(u32, bool, u64), Case>,
    /// All threads together.
    pub load: Load,
}

impl Looks {
    /// Whether a thread was seen that had no processor, or was stopped, for most of its time away.
    pub fn has_hindered(&self) -> bool {
        let is_hindered =
            |case: &Case| (case.starved + case.stopped).saturating_mul(2) > case.looked().max(1);
        self.cases.values().any(is_hindered)
    }

    /// Takes a sample in.
    pub fn add(&mut self, sample: &Sample) {
        if sample.tid == Sample::ALL {
            self.load.add(sample);
            return;
        }
        let key = (sample.tid, sample.spins, sample.since_ns);
        if self.cases.len() >= CASES && !self.cases.contains_key(&key) {
            let shortest = self.cases.iter().min_by_key(|(_, case)| case.looked()).map(|(key, _)| *key);
            shortest.and_then(|key| self.cases.remove(&key));
        }
        self.cases.entry(key).or_insert_with(|| Case::new(sample)).add(sample);
    }

    /// What a thread did while it was away between two moments.
    pub fn away(&self, tid: u32, from: u64, to: u64) -> Option<Case> {
        self.within(tid, false, from, to, -1)
    }

    /// What a thread did while it span on an fd.
    pub fn spinning(&self, tid: u32, fd: i32, from: u64, to: u64) -> Option<Case> {
        self.within(tid, true, from, to, fd)
    }

    fn within(&self, tid: u32, spins: bool, from: u64, to: u64, fd: i32) -> Option<Case> {
        let from = from.saturating_sub(SLACK_NS);
        let all = self.cases.range((tid, spins, from)..=(tid, spins, to.max(from)));
        let mut found = Case::default();
        all.filter(|(_, case)| !spins || case.last.fd == fd).for_each(|(_, case)| found.merge(case));
        (found.looks > 0).then_some(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    fn look(since: u64, ms: u64, state: u8, call: &str, ran: u64) -> Sample {
        let (ns, since_ns, ran_ns) = (ms * MS, since * MS, ran * MS);
        Sample { ns, since_ns, ran_ns, tid: 7, fd: 3, state, call: call.into(), ..Sample::default() }
    }

    #[test]
    fn a_case_adds_up_to_what_it_did() {
        let mut looks = Looks::default();
        for ms in [10, 20, 40, 80] {
            looks.add(&look(0, ms, b'S', "flock", 0));
        }
        looks.add(&look(0, 110, 0, "", 20));
        looks.add(&look(500, 510, b'R', "", 0));
        let case = looks.away(7, 1, 300 * MS).unwrap();
        assert_eq!((case.looks, case.looked(), case.ran, case.slept()), (4, 100 * MS, 20 * MS, 80 * MS));
        assert_eq!(case.calls, BTreeMap::from([(("flock".into(), 3), (4, 80 * MS))]));
        assert_eq!(looks.away(7, 0, 600 * MS).map(|case| case.looks), Some(5));
        assert_eq!((looks.away(8, 0, u64::MAX), looks.spinning(7, 3, 0, u64::MAX)), (None, None));
    }

    #[test]
    fn a_stopped_thread_neither_works_nor_sleeps() {
        let mut looks = Looks::default();
        for (ms, state) in [(10, b'R'), (20, b'T'), (1000, b'T'), (1010, 0)] {
            looks.add(&look(0, ms, state, "", 0));
        }
        let case = looks.away(7, 0, u64::MAX).unwrap();
        assert_eq!((case.looked(), case.stopped()), (1000 * MS, 1000 * MS));
    }

    #[test]
    fn what_is_stopped_now_and_then_does_not_sleep_in_between() {
        let mut looks = Looks::default();
        for (ms, state) in [(10, b'R'), (110, b'R'), (210, b'T'), (310, b'R'), (410, 0)] {
            looks.add(&look(0, ms, state, "", ms / 10 - 1));
        }
        let case = looks.away(7, 0, u64::MAX).unwrap();
        assert_eq!((case.stopped(), case.slept()), (360 * MS, 0));
    }

    #[test]
    fn no_part_is_longer_than_the_time_that_it_was_looked_at() {
        let mut looks = Looks::default();
        // It was back before the first look, and what it used was read later.
        looks.add(&Sample { waited_ns: 900 * MS, ..look(0, 5, 0, "", 20) });
        for (ms, state, waited) in [(1000, b'R', 0), (1100, b'R', 0), (1300, b'R', 5000), (1310, 0, 5100)] {
            looks.add(&Sample { waited_ns: waited * MS, ..look(500, ms, state, "", 0) });
        }
        let case = looks.away(7, 0, u64::MAX).unwrap();
        assert_eq!((case.cases, case.looked(), case.starved, case.slept()), (2, 310 * MS, 310 * MS, 0));
    }

    #[test]
    fn the_shortest_are_forgotten() {
        let mut looks = Looks::default();
        looks.add(&look(1, 10, b'R', "", 0));
        looks.add(&look(1, 500, b'R', "", 0));
        for since in 2..2000 {
            looks.add(&look(since, since + 10, b'R', "", 0));
        }
        assert!(looks.cases.len() <= CASES && looks.cases.contains_key(&(7, false, MS)));
    }
}
