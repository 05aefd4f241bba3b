//! Lies that the storm tells itself, to show that its invariants notice.

use std::str::FromStr;

/// What is wrong with the answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// An edge or oneshot event is swallowed.
    Drop,
    /// A wakeup is forgotten: a wait without end goes on for ever.
    Oversleep,
    /// An edge is reported again.
    Again,
    /// A oneshot event is reported again.
    AgainOnce,
    /// An event of an item that was deleted is reported.
    Stale,
    /// An event has the data of an item of another set.
    Foreign,
    /// An event has a bit that was not asked for.
    Bits,
    /// An event is of an item whose file has nothing to say.
    Idle,
    /// Of the files that become ready anew whenever they were drained, nothing is reported.
    Deaf,
    /// A wait without end ends with nothing.
    Empty,
    /// An ADD that was done is said to have failed.
    Answer,
}

/// All of them, with their names and the invariant that must notice.
pub const FAULTS: [(Fault, &str, &str); 11] = [
    (Fault::Drop, "drop", "lost"),
    (Fault::Oversleep, "oversleep", "lost"),
    (Fault::Again, "again", "edge"),
    (Fault::AgainOnce, "again-once", "oneshot"),
    (Fault::Stale, "stale", "stale"),
    (Fault::Foreign, "foreign", "foreign"),
    (Fault::Bits, "bits", "bits"),
    (Fault::Idle, "idle", "idle"),
    (Fault::Deaf, "deaf", "deaf"),
    (Fault::Empty, "empty", "answer"),
    (Fault::Answer, "answer", "answer"),
];

impl Fault {
    /// Whether something that stays ready is not reported.
    pub fn loses(self) -> bool {
        matches!(self, Fault::Drop | Fault::Oversleep)
    }

    /// The names, and the invariant that must notice each.
    pub fn names() -> impl Iterator<Item = (&'static str, &'static str)> {
        FAULTS.iter().map(|(_, name, invariant)| (*name, *invariant))
    }
}

impl FromStr for Fault {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        FAULTS.iter().find(|(_, other, _)| *other == name).map(|(fault, ..)| *fault).ok_or(())
    }
}
