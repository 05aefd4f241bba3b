//! What a rule is.

use std::fmt::Debug;

use glasspoll_record::Entry;

use super::finding::Finding;
use super::world::World;

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
    Vec::new()
}
