//! Room for a delivery, kept from wait to wait: what is asked, what was found, and what the devices are told
//! afterwards.

use libc::pollfd;

use crate::eventpoll::watcher::Watcher;
use crate::file::{File, PollResult, PollerId};
use crate::hot::list::Found;
use crate::sync::Arc;

/// Room for a batch of items, kept from wait to wait. Protected by `ep.mtx`.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    pub(crate) batch: Vec<Asked>,
    pub(crate) pollfds: Vec<pollfd>,
    /// `pollfds` has the answers for the batch.
    pub(super) asked: bool,
    /// Files of edge-triggered items, and their entries: before the files are asked, the poller notes how much
    /// there is to read.
    pub(super) measured: Vec<(Arc<File>, u32)>,
    pub(crate) results: Vec<Note>,
    /// Room for the descriptors of a sleep.
    pub(crate) sleep: Vec<pollfd>,
    /// Hot items that are ready.
    pub(crate) found: Vec<Found>,
    /// Items that are leaving the hot list and have been asked for the last time.
    pub(crate) leaving: Vec<u32>,
    /// Hot items that were reported, of which we cannot tell later whether more has come since, and for how many
    /// waits they are unfit to be hot.
    pub(crate) unsure: Vec<(u32, u32)>,
    /// Cold items that were delivered, with their revents.
    pub(crate) delivered: Vec<(u32, u32)>,
}

impl Scratch {
    /// Notes how much there is to read. What arrives after this is new to the item.
    pub(super) fn measure(&mut self) {
        for (file, poller_id) in self.measured.drain(..) {
            if let Some(device) = file.device() {
                device.measure(poller_id);
            }
        }
    }

    /// Drains wakeups, and asks the files of the batch in the same system call if all of them have a
    /// descriptor.
    pub(super) fn look(&mut self, watcher: &dyn Watcher) {
        if self.batch.len() == self.pollfds.len() {
            watcher.look(&mut self.pollfds);
            self.asked = true;
        } else {
            watcher.look(&mut Vec::new());
        }
    }
}

/// An item of the batch, and the answer of its file.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) id: u32,
    /// Its index in `pollfds`, if it is there.
    pub(super) pollfd: Option<u32>,
    pub(crate) revents: u32,
}

// SAFETY: `pollfd` is plain numbers.
unsafe impl Send for Scratch {}

/// An answer that its device gets once `ep.lock` is dropped.
#[derive(Debug)]
pub(crate) struct Note {
    pub(super) file: Arc<File>,
    pub(super) id: u32,
    pub(super) poller_id: PollerId,
    pub(super) result: PollResult,
}
