//! A loop: a thread that waits at a set, over and over.

use glasspoll_record::histogram::Histogram;

use super::window::{Recent, Window};
use super::Latency;
use crate::replay::Key;

/// How many of the longest serving periods are kept.
const LONGEST: usize = 8;
/// How many items of a serving period are kept.
const SHARES: usize = 8;

/// What a loop does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum State {
    /// Not known: the record began in the middle, or has a gap.
    #[default]
    Unknown,
    /// It waits.
    Waiting {
        /// Since when.
        since: u64,
        /// Its timeout; negative is for ever.
        timeout_ns: i64,
    },
    /// It serves what it got.
    Serving {
        /// Since when.
        since: u64,
    },
    /// The thread waits at another set.
    Elsewhere,
}

/// A time between two waits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Period {
    /// When the wait before it returned.
    pub from_ns: u64,
    /// How long it took.
    pub ns: u64,
    /// How many events were served.
    pub events: u64,
    /// How long each item took, the longest first; time of which the item is not known is left out.
    pub shares: Vec<(Key, u64)>,
}

/// A loop.
#[derive(Clone, Debug, Default)]
pub struct Loop {
    /// The thread.
    pub tid: u32,
    /// The set.
    pub epoll: u32,
    /// Waits that returned.
    pub waits: u64,
    /// Waits that returned nothing.
    pub empty: u64,
    /// Waits that returned nothing and had a timeout of 0.
    pub polls: u64,
    /// Waits that ended by EINTR.
    pub interrupted: u64,
    /// Waits that returned as many events as there was room for.
    pub full: u64,
    /// Events that were delivered.
    pub events: u64,
    /// How many came with each wait that brought any.
    pub per_wait: Histogram,
    /// How long each wait took.
    pub waited: Histogram,
    /// How long each serving period took.
    pub served: Histogram,
    /// The time waiting, up to the last return.
    pub waiting_ns: u64,
    /// The time serving, up to the last wait.
    pub serving_ns: u64,
    /// How long events took from becoming ready to being delivered.
    pub latency: Latency,
    /// What it does.
    pub state: State,
    /// What it did last, as the log calls it, and when.
    pub last: (u64, &'static str),
    /// The longest serving periods, the longest first.
    pub longest: Vec<Period>,
    pub(super) window: Window,
    pub(super) maxevents: u32,
}

impl Loop {
    /// The time waiting and serving, with the present period.
    pub fn times(&self, now: u64) -> (u64, u64) {
        let (waiting, serving) = self.under_way(now);
        (self.waiting_ns.saturating_add(waiting), self.serving_ns.saturating_add(serving))
    }

    fn under_way(&self, now: u64) -> (u64, u64) {
        match self.state {
            State::Waiting { since, .. } => (now.saturating_sub(since), 0),
            State::Serving { since } => (0, now.saturating_sub(since)),
            State::Unknown | State::Elsewhere => (0, 0),
        }
    }

    /// The last ten seconds.
    pub fn recent(&self, now: u64) -> Recent {
        let mut window = self.window.clone();
        match self.state {
            State::Waiting { since, .. } => window.add_time(since, now, true),
            State::Serving { since } => window.add_time(since, now, false),
            State::Unknown | State::Elsewhere => {}
        }
        window.recent(now)
    }

    pub(super) fn returned(&mut self, ns: u64, n: i32, waited_ns: u64) {
        let polled = matches!(self.state, State::Waiting { timeout_ns: 0, .. });
        self.waits += 1;
        self.waiting_ns = self.waiting_ns.saturating_add(waited_ns);
        self.waited.add(waited_ns);
        self.window.add_time(ns.saturating_sub(waited_ns), ns, true);
        match n {
            0 => {
                self.empty += 1;
                self.polls += u64::from(polled);
            }
            1.. => {
                self.per_wait.add(n as u64);
                self.full += u64::from(self.maxevents == n as u32);
            }
            _ => self.interrupted += u64::from(n == -libc::EINTR),
        }
        self.state = State::Serving { since: ns };
    }

    /// A serving period with `events` events is over.
    pub(super) fn served(&mut self, from: u64, to: u64, events: u64, shares: &[(Key, u64)]) {
        let ns = to.saturating_sub(from);
        self.serving_ns = self.serving_ns.saturating_add(ns);
        self.served.add(ns);
        self.window.add_time(from, to, false);
        if self.longest.len() == LONGEST && self.longest.last().is_some_and(|least| least.ns >= ns) {
            return;
        }
        let period = Period { from_ns: from, ns, events, shares: add_up(shares) };
        let at = self.longest.partition_point(|other| other.ns >= ns);
        self.longest.insert(at, period);
        self.longest.truncate(LONGEST);
    }
}

/// The sums by item, the greatest first.
fn add_up(shares: &[(Key, u64)]) -> Vec<(Key, u64)> {
    let mut sorted = shares.to_vec();
    sorted.sort_unstable_by_key(|(key, _)| *key);
    let mut sums: Vec<(Key, u64)> = Vec::new();
    for (key, ns) in sorted {
        match sums.last_mut() {
            Some(last) if last.0 == key => last.1 = last.1.saturating_add(ns),
            _ => sums.push((key, ns)),
        }
    }
    sums.sort_by_key(|(_, ns)| std::cmp::Reverse(*ns));
    sums.truncate(SHARES);
    sums
}
