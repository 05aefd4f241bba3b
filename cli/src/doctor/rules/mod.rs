//! The rules: one class of bugs each, or a few close ones.
//!
//! | module | classes |
//! |---|---|
//! | `dup` | 1: closed, and a dup lives on |
//! | `edge`, `oneshot` | 2 and 5: left undrained, left disarmed |
//! | `spin`, `limit` | 3, 4, 12 and 18: delivered for ever |
//! | `refused` | 19: a write that was refused and left |
//! | `hog` | 20: one descriptor keeps the thread |
//! | `anew`, `idle`, `failing` | 21 and 22: timeouts that begin anew, or are short for nothing; waits that fail |
//! | `together` | 23: two threads read one descriptor |
//! | `piling` | 24: sets that are not closed |
//! | `overflow` | 26: an accept queue that is full |
//! | `ctl` | 6 and 13: refused by epoll_ctl(2) |
//! | `stale`, `closing` | 7 and 17: used or closed after a close |
//! | `forks`, `waiters` | 8, 9 and 10: over all processes together |
//! | `timeout`, `interrupt` | 11 and 15: waits cut short |
//! | `batch`, `slow` | 14 and 16: what waits too long |
//! | `blocked` | 25: calls that sleep |
//!
//! Keeps true: a rule sees each event once, in order, with bounded memory. Takes no lock.

mod anew;
mod batch;
mod blocked;
mod closing;
mod ctl;
mod dup;
mod edge;
mod failing;
pub mod forks;
mod hog;
mod idle;
mod interrupt;
mod limit;
mod oneshot;
pub mod overflow;
mod piling;
mod refused;
mod slow;
mod spin;
mod stale;
mod timeout;
mod together;
pub mod waiters;

use std::collections::BTreeMap;
use std::fmt::Debug;

use glasspoll_record::Entry;

use crate::doctor::finding::{Finding, Tally};
use crate::replay::World;

/// One class of bugs, or a few close ones, looked for in one process.
pub trait Rule: Debug {
    /// Sees an event; `world` is as it was before it.
    fn event(&mut self, world: &World, entry: &Entry);

    /// Events were lost: forgets whatever is under way, because its end may be among them.
    fn gap(&mut self);

    /// What was found, as of `until_ns`: the present, or the end of the process.
    fn findings(&self, world: &World, until_ns: u64, out: &mut Vec<Finding>);
}

/// One of each.
pub fn all() -> Vec<Box<dyn Rule>> {
    vec![
        Box::new(anew::Anew::default()),
        Box::new(batch::Batches::default()),
        Box::new(blocked::Blocked::default()),
        Box::new(closing::Closing::default()),
        Box::new(ctl::CtlRace::default()),
        Box::new(dup::Dup::default()),
        Box::new(edge::Edges::default()),
        Box::new(failing::Failing::default()),
        Box::new(hog::Hogs::default()),
        Box::new(idle::Idle::default()),
        Box::new(interrupt::Interrupts::default()),
        Box::new(limit::Limit::default()),
        Box::new(oneshot::Oneshots::default()),
        Box::new(piling::Piling),
        Box::new(refused::RefusedWrites::default()),
        Box::new(slow::Slow::default()),
        Box::new(spin::Spin::default()),
        Box::new(stale::Stale::default()),
        Box::new(timeout::Truncated::default()),
        Box::new(together::Together::default()),
    ]
}

/// The most findings of a kind in one process.
const KEPT: usize = 64;

/// What was seen, by what it was seen on; bounded.
#[derive(Clone, Debug)]
pub struct Kept<K: Ord>(BTreeMap<K, Tally>);

impl<K: Ord> Default for Kept<K> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<K: Ord> Kept<K> {
    /// The tally of a key. None if there are too many already.
    pub fn entry(&mut self, key: K) -> Option<&mut Tally> {
        if self.0.len() >= KEPT && !self.0.contains_key(&key) {
            return None;
        }
        Some(self.0.entry(key).or_default())
    }

    /// The tally of a key, if there is one.
    pub fn get(&self, key: &K) -> Option<&Tally> {
        self.0.get(key)
    }

    /// Keeps a tally, unless a greater one of the same is kept.
    pub fn keep_longest(&mut self, key: K, tally: Tally) {
        if let Some(kept) = self.entry(key) {
            if tally.count > kept.count {
                *kept = tally;
            }
        }
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &Tally)> {
        self.0.iter()
    }
}
