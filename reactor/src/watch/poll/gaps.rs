//! What a file's signals leave out, and an item may wait for.

use crate::uapi::{EPOLLOUT, EPOLLWRBAND, EPOLLWRNORM};

/// The bits for room to write.
pub(crate) const WRITE_BITS: u32 = EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND;

/// What a file's signals leave out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Gaps {
    /// Room to write, after there was none.
    pub(crate) write: bool,
    /// That there is no room, if no write was refused: the file is asked after each write.
    pub(crate) full: bool,
    /// Hang-ups and errors.
    pub(crate) hangup: bool,
    /// A hang-up that follows the peer's shutdown of one half.
    pub(crate) half: bool,
}

impl Gaps {
    pub(crate) fn any(self) -> bool {
        self.write || self.hangup || self.half
    }

    /// Whether an item needs no entry until there is no room.
    pub(crate) fn only_write(self) -> bool {
        self == Self { write: true, ..Self::default() }
    }

    /// Whether the gaps can concern an item with this interest.
    pub(crate) fn concern(self, events: u32) -> bool {
        self.hangup || self.half || self.write && events & WRITE_BITS != 0
    }
}
