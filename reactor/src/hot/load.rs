//! How busy a set is.

use crate::hot::{BUSY_NS, BUSY_UNITS};
use crate::sys;

/// How busy a set is.
#[derive(Debug, Default)]
pub(crate) struct Load {
    since: u64,
    units: u32,
    pub(crate) busy: bool,
}

impl Load {
    /// Counts `units` of work.
    pub(crate) fn count(&mut self, units: u32) {
        self.units += units;
        if self.units >= BUSY_UNITS {
            let now = sys::now_coarse();
            self.busy = now.saturating_sub(self.since) <= BUSY_NS;
            (self.since, self.units) = (now, 0);
        }
    }
}
