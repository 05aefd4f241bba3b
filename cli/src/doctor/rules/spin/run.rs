//! A run: deliveries of one item, one after another, that the program does not deal with.

use std::collections::BTreeMap;

use crate::doctor::finding::{Severity, Tally};

use super::super::KEPT;

/// How often in a row: a program may well look at an event a few times before it has time for it.
pub const OFTEN: u64 = 100;
/// The shortest run that is reported: a timer may handle what the program put off.
const LONG_NS: u64 = 100_000_000;
/// If a run is longer than this, the program does not mean to handle the event.
const VERY_LONG_NS: u64 = 1_000_000_000;
/// A fast loop fills the ring in less than `VERY_LONG_NS`. This many deliveries in a row prove as much.
const VERY_OFTEN: u64 = 5000;
/// A program may leave data where they are for a while, until it has worked off something else.
const READY_NS: u64 = 250_000_000;
/// Deliveries further apart than that, on average, are no spin. One pause is none: a program may have a quota of the
/// processor, or be stopped.
const APART_NS: u64 = 50_000_000;
/// What is ready makes the wait return at once. If the waits take longer than this on average, the event comes anew each
/// time, and the program deals with it in a way that is not recorded (timerfd_settime(2), a read past libc).
const SLEPT_NS: u64 = 200_000;

/// Waits in a row that gave others, and not the item: it was not ready.
const PAUSE: u64 = 16;

/// A spin is told of by most waits.
fn is_most(all: u64, gave: u64) -> bool {
    all.saturating_mul(5) >= gave.saturating_mul(4)
}

/// What is delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum What {
    HangUp,
    Fault,
    End,
    Room,
    Ready,
}

/// How bad a run is, if it is.
pub fn severity(tally: &Tally) -> Option<Severity> {
    judge(tally.count, tally.lasted())
}

fn judge(count: u64, lasted: u64) -> Option<Severity> {
    if count >= VERY_OFTEN || count >= OFTEN && lasted >= VERY_LONG_NS {
        Some(Severity::Error)
    } else if count >= OFTEN && lasted >= LONG_NS {
        Some(Severity::Warning)
    } else {
        None
    }
}

/// What a set had done by a moment.
#[derive(Clone, Copy, Debug, Default)]
pub struct Turns {
    /// How long its threads had waited.
    pub waited: u64,
    /// How many waits had given something, and had room for more: each of them gives all that is ready.
    pub gave: u64,
}

/// Deliveries in a row.
#[derive(Clone, Copy, Debug)]
pub struct Run {
    pub what: What,
    pub epoll: u32,
    pub fd: i32,
    pub tid: u32,
    /// The events of the last delivery.
    pub events: u32,
    /// The deliveries after which nothing was done.
    pub count: u64,
    /// The others.
    served: u64,
    pub first_ns: u64,
    last_ns: u64,
    begin: Turns,
    end: Turns,
    /// Nothing was done since the last delivery.
    is_open: bool,
    /// More than one thread got the item.
    is_shared: bool,
    /// How many of them since events were lost last.
    pub since_gap: u64,
    /// Reads that failed meanwhile, and the errno of the last one.
    pub failed: (u64, u16),
    /// MODs that changed nothing, and writes, meanwhile.
    pub mods: u64,
    pub writes: u64,
    /// accept(2) met the limit of descriptors.
    pub is_limited: bool,
}

/// The first delivery of a run, or a further one.
#[derive(Clone, Copy, Debug)]
pub struct Delivery {
    pub ns: u64,
    pub tid: u32,
    pub fd: i32,
    pub epoll: u32,
    pub events: u32,
    pub turns: Turns,
}

impl Run {
    pub fn new(what: What, of: Delivery) -> Self {
        Self {
            what,
            epoll: of.epoll,
            fd: of.fd,
            tid: of.tid,
            events: of.events,
            count: 1,
            served: 0,
            first_ns: of.ns,
            last_ns: of.ns,
            begin: of.turns,
            end: of.turns,
            is_open: true,
            is_shared: false,
            since_gap: 1,
            failed: (0, 0),
            mods: 0,
            writes: 0,
            is_limited: false,
        }
    }

    /// Whether the item was left out so often since the last delivery that the next one begins another run: it was not
    /// ready then. A spin may come in bursts, as errors do that each write brings back.
    pub fn is_over(&self, of: &Delivery) -> bool {
        let missed = of.turns.gave.saturating_sub(self.end.gave);
        let all = self.count.saturating_add(self.served);
        missed > PAUSE && !is_most(all, of.turns.gave.saturating_sub(self.begin.gave))
    }

    /// A further delivery.
    pub fn add(&mut self, of: Delivery) {
        self.count += 1;
        self.since_gap += 1;
        self.is_shared |= self.tid != of.tid;
        (self.tid, self.events, self.last_ns, self.end) = (of.tid, of.events, of.ns, of.turns);
        self.is_open = true;
    }

    /// The program does what the event is for. Returns whether that ends the run: an occasional write or read among
    /// hundreds of deliveries does not.
    pub fn deal(&mut self) -> bool {
        self.count = self.count.saturating_sub(u64::from(std::mem::take(&mut self.is_open)));
        self.served += 1;
        let seldom = if self.what == What::Room { 3 } else { 9 };
        // Threads that share a set may all be told of what one of them reads.
        self.is_shared || self.served.saturating_mul(seldom) > self.count
    }

    /// How long it went on.
    pub fn lasted(&self) -> u64 {
        self.last_ns.saturating_sub(self.first_ns)
    }

    /// How bad it is, if it is.
    pub fn severity(&self) -> Option<Severity> {
        let lasted = self.lasted();
        let is_ready = match self.what {
            What::Ready => lasted >= READY_NS && !self.is_limited,
            _ => true,
        };
        let waited = self.end.waited.saturating_sub(self.begin.waited);
        let gave = self.end.gave.saturating_sub(self.begin.gave);
        let all = self.count.saturating_add(self.served);
        let is_spin = lasted / self.count.max(1) <= APART_NS
            && waited / all.max(1) <= SLEPT_NS
            && is_most(all, gave)
            // Each write brings one error, such as the time stamp of a send: no spin.
            && (self.what != What::Fault || self.writes.saturating_mul(10) <= all);
        judge(self.count, lasted).filter(|_| is_ready && is_spin)
    }

    /// The same as a tally.
    pub fn tally(&self) -> Tally {
        let mut tally = Tally::new();
        tally.add(self.first_ns, self.fd, self.tid);
        (tally.count, tally.last_ns) = (self.count, self.last_ns);
        tally
    }
}

/// The longest run of each descriptor and kind; bounded.
#[derive(Clone, Debug, Default)]
pub struct Longest(BTreeMap<(i32, What), Run>);

impl Longest {
    /// Keeps a run if it is bad, and longer than the one that is known.
    pub fn keep(&mut self, run: &Run) {
        let key = (run.fd, run.what);
        let is_longer = self.0.get(&key).map_or(self.0.len() < KEPT, |known| run.count > known.count);
        if is_longer && run.severity().is_some() {
            self.0.insert(key, *run);
        }
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Run> {
        self.0.values()
    }
}
