//! What the program's reads tell of a file.

/// What the program's reads of a file have shown since the last `take_drain_hint`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DrainHint {
    /// A read got less than it asked for.
    pub short: bool,
    /// A read got EAGAIN.
    pub again: bool,
}

impl DrainHint {
    /// Whether a read emptied the file.
    pub fn drained(self) -> bool {
        self.short || self.again
    }
}
