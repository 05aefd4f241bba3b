//! Looks at the threads of loops while they are overdue, or spin: what they do, seen from outside. Of a thread that
//! waits, or that is back soon, nothing is looked at.
//!
//! | module | holds |
//! |---|---|
//! | `watched` | where each thread of a process is, by its events, and when it is to be looked at |
//! | `watch` | looks at a process for a while |
//! | `spin` | which thread spins |
//! | `load` | how long all threads of a process had no processor |
//! | `look` | what /proc says of a thread |
//! | `stack` | its stack, copied |
//! | `stacks` | how many stacks are copied, and what stands against it |
//! | `namer`, `unwind` | what the frames of a stack are called |
//!
//! The events come first, then the look: a thread that is back by the events is not looked at.

mod load;
mod look;
#[cfg(target_arch = "x86_64")]
mod namer;
mod spin;
#[cfg(target_arch = "x86_64")]
mod stack;
#[cfg(target_arch = "x86_64")]
mod stacks;
#[cfg(not(target_arch = "x86_64"))]
#[path = "no_stacks.rs"]
mod stacks;
#[cfg(target_arch = "x86_64")]
mod unwind;
mod watch;
mod watched;

use std::collections::BTreeMap;
use std::time::Duration;

use glasspoll_record::ring::Header;
use glasspoll_record::{clock, Entry, Sample};

use stacks::Stacks;
pub use watch::watch;
use watched::Watched;

/// How long a thread may be away before it is looked at.
pub const FIRST: Duration = Duration::from_millis(10);
/// The least time between two looks, over all threads.
const APART: Duration = Duration::from_millis(5);

/// The sampler of all processes, which have keys of the caller's.
#[derive(Debug)]
pub struct Sampler {
    watched: BTreeMap<u32, Watched>,
    stacks: Stacks,
    /// No look before that: CLOCK_MONOTONIC.
    free_ns: u64,
}

impl Sampler {
    /// Looks at nothing yet. Without `ptrace` no thread is stopped: the stacks of those that run are not known then.
    pub fn new(ptrace: bool) -> Self {
        Self { watched: BTreeMap::new(), stacks: Stacks::new(ptrace), free_ns: 0 }
    }

    /// A process begins, or is looked at from now on.
    pub fn begin(&mut self, key: u32, pid: u32, header: &Header) {
        self.watched.insert(key, Watched::new(pid, header.pid));
    }

    /// A process has ended.
    pub fn end(&mut self, key: u32) {
        self.watched.remove(&key);
    }

    /// Takes what is new in the record of a process, up to this moment, and looks at its threads. Returns what was
    /// seen; of threads that are back, how long they ran, too.
    pub fn take(&mut self, key: u32, events: &[Entry], is_gap: bool) -> Vec<Sample> {
        let Some(watched) = self.watched.get_mut(&key) else { return Vec::new() };
        if is_gap {
            watched.gap();
        }
        let mut seen = Vec::new();
        events.iter().for_each(|entry| watched.event(entry, &mut seen));
        let now = clock::now_ns();
        seen.extend(watched.load.look(now));
        if now >= self.free_ns && watched.look(key, now, &mut self.stacks, &mut seen) {
            self.free_ns = now + APART.as_nanos() as u64;
        }
        seen
    }

    /// The stacks that were copied, and are told now: samples by the keys of their processes.
    pub fn told(&mut self) -> Vec<(u32, Sample)> {
        self.stacks.told()
    }

    /// The last of them, and what is to be known of the looks, in words.
    pub fn finish(self) -> (Vec<(u32, Sample)>, Vec<String>) {
        self.stacks.finish()
    }

    /// Whether a look is due.
    pub fn is_due(&self) -> bool {
        let due = self.watched.values().filter_map(Watched::due_ns).min();
        due.is_some_and(|due| due.max(self.free_ns) <= clock::now_ns())
    }

    /// Whether a thread is looked at.
    fn is_busy(&self) -> bool {
        self.is_due() || self.watched.values().any(Watched::is_busy)
    }

    /// How long it is until the next look, at most.
    pub fn pause(&self) -> Duration {
        let now = clock::now_ns();
        let due = self.watched.values().filter_map(Watched::due_ns).min();
        // A thread that is not away now may be away in a moment.
        let due = due.map_or(FIRST, |due| Duration::from_nanos(due.max(self.free_ns).saturating_sub(now)));
        due.clamp(Duration::from_millis(1), FIRST)
    }
}
