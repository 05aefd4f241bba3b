//! The source of a file's wakeups.

use crate::file::{KernelFile, Marks};
use crate::watch::{Watch, WATCH};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    Unknown,
    Signal,
    Poll,
}

impl KernelFile {
    /// Preconditions: the watch has been made, as it is before anything is attached.
    pub(super) fn watch(&self) -> &'static Watch {
        WATCH.wait()
    }

    /// Makes `Poll` its source. The caller holds the lock of `state`.
    pub(super) fn polls(&self) {
        self.marks.set(Marks::POLLED);
    }

    /// The source of its wakeups. It changes under the lock of `state`.
    pub(super) fn source(&self) -> Source {
        match self.marks.get() {
            marks if marks.intersects(Marks::POLLED) => Source::Poll,
            marks if marks.intersects(Marks::SIGNALS) => Source::Signal,
            _ => Source::Unknown,
        }
    }

    /// Whether its source is `Poll`.
    pub(super) fn is_polled(&self) -> bool {
        self.marks.has(Marks::POLLED)
    }
}
