//! What a rule is.

use std::collections::BTreeMap;
use std::fmt::Debug;

use glasspoll_record::Entry;

use super::finding::{Finding, Tally};
use super::world::World;
use super::{batch, closing, ctl, dup, edge, interrupt, limit, oneshot, slow, spin, stale, timeout};

/// One class of bugs, or a few close ones, looked for in one process.
pub trait Rule: Debug {
    /// Sees an event; `world` is as it was before it.
    fn event(&mut self, world: &World, entry: &Entry);

    /// Events were lost: whatever is under way is forgotten, for its end may have been among them.
    fn gap(&mut self);

    /// What was found, as of `until_ns`: the present, or the end of the process.
    fn findings(&self, world: &World, until_ns: u64, out: &mut Vec<Finding>);
}

/// One of each.
pub fn all() -> Vec<Box<dyn Rule>> {
    vec![
        Box::new(batch::Batches::default()),
        Box::new(closing::Closing::default()),
        Box::new(ctl::CtlRace::default()),
        Box::new(dup::Dup::default()),
        Box::new(edge::Edges::default()),
        Box::new(interrupt::Interrupts::default()),
        Box::new(limit::Limit::default()),
        Box::new(oneshot::Oneshots::default()),
        Box::new(slow::Slow::default()),
        Box::new(spin::Spin::default()),
        Box::new(stale::Stale::default()),
        Box::new(timeout::Truncated::default()),
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
    /// Where to count, unless there are too many already.
    pub fn entry(&mut self, key: K) -> Option<&mut Tally> {
        if self.0.len() >= KEPT && !self.0.contains_key(&key) {
            return None;
        }
        Some(self.0.entry(key).or_default())
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
