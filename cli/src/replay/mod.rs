//! The replay: what the events of a process add up to. It takes one event after another, so that it serves a file as
//! well as a process that runs.
//!
//! | module | holds |
//! |---|---|
//! | `world` | sets, items, fds and threads as they are at a moment |
//! | `sums` | what came of loops and items in all; a loop or an item takes the same memory however much it does |
//!
//! There is one world. The sums do not decide which file is behind an fd, which items live or what a thread got: they
//! count what the world says. So does the doctor, whose rules see the world too.

#[cfg(test)]
pub mod script;
pub mod sums;
pub mod world;

use glasspoll_record::{ring, Entry, Process};

pub use sums::{Did, Item, Latency, Loop, Period, Span, State, Sums, ALWAYS};
pub use world::{End, World};

/// An item: the number of its set, and its own serial number.
pub type Key = (u32, u32);

/// A process: its state, and its sums.
#[derive(Clone, Debug, Default)]
pub struct Replay {
    /// Its state after the last event.
    pub world: World,
    /// Its sums up to then.
    pub sums: Sums,
}

impl Replay {
    /// A process in which nothing happened yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// All events of a process.
    pub fn of(process: &Process) -> Self {
        Self::tell(process, |_| {})
    }

    /// The same; calls `span` for what each thread did, in the order in which it ended.
    pub fn tell(process: &Process, mut span: impl FnMut(Span)) -> Self {
        let mut replay = Self::new();
        let mut gaps = process.gaps.iter().peekable();
        for entry in &process.events {
            if gaps.next_if(|gap| **gap <= entry.ns).is_some() {
                while gaps.next_if(|gap| **gap <= entry.ns).is_some() {}
                replay.gap();
            }
            replay.sums.event(&mut replay.world, entry, &mut span);
        }
        replay.sums.under_way(process.end_ns(), &mut span);
        replay.table(&process.items, process.items_ns);
        for item in replay.sums.items.values_mut() {
            let (from, to) = item.life(u64::MAX);
            let from = if item.added.is_some() { from } else { 0 };
            let names = process.files.get(&item.fd).map_or(&[][..], Vec::as_slice);
            let known = names.iter().find(|(ns, what)| (from..=to).contains(ns) && !what.is_empty());
            item.what = known.map(|(_, what)| what.clone());
        }
        replay
    }

    /// Takes in the next event.
    pub fn event(&mut self, entry: &Entry) {
        self.sums.event(&mut self.world, entry, &mut |_| {});
    }

    /// Events are missing here.
    pub fn gap(&mut self) {
        self.world.gap();
        self.sums.gap();
    }

    /// Takes in the items as they are now.
    pub fn table(&mut self, items: &[ring::Item], ns: u64) {
        self.world.take_table(items);
        self.sums.table(items, ns);
    }

    /// Names the file behind an fd.
    pub fn name(&mut self, fd: i32, what: &str) {
        self.sums.name(&self.world, fd, what);
    }
}

/// The share of `part` in `part` and `rest`; None if both are 0.
pub fn share(part: u64, rest: u64) -> Option<f64> {
    let whole = part.saturating_add(rest);
    (whole != 0).then(|| part as f64 / whole as f64)
}

#[cfg(test)]
mod tests;
