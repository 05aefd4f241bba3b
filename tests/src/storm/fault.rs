//! Lies that the storm tells itself, to show that its invariants notice.

use std::str::FromStr;

/// A lie about the answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// An edge or oneshot event is swallowed.
    Drop,
    /// A wakeup is forgotten: a wait without a timeout lasts forever.
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
    /// An event is reported for an item whose file is not ready.
    Idle,
    /// Nothing is reported for the pulses.
    Deaf,
    /// A wait without a timeout ends with no event.
    Empty,
    /// An ADD that succeeded is said to have failed.
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
    /// Whether the lie hides the event of something that stays ready.
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
