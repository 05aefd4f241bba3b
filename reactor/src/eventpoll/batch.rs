//! A batch: the first items of a scan, whose files one ppoll asks. With it the other room that a wait needs for
//! its items, kept from wait to wait.
//!
//! Protected by: `ep.mtx`.

use libc::pollfd;

use crate::eventpoll::epitem::NO_POLLER_ID;
use crate::eventpoll::rearm::Note;
use crate::eventpoll::wait::Watcher;
use crate::eventpoll::{Eventpoll, Ready};
use crate::file::{Device, File};
use crate::hot::list::Found;
use crate::hot::slot::EDGE_BITS;
use crate::sync::Arc;
use crate::sys;
use crate::uapi::*;

/// Room for a batch of items, and for what becomes of them.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    pub(crate) batch: Vec<Asked>,
    pub(crate) pollfds: Vec<pollfd>,
    /// `pollfds` has the answers for the batch.
    asked: bool,
    /// Files of edge-triggered items, and their entries: before the files are asked, the poller notes how much
    /// there is to read.
    measured: Vec<(Arc<File>, u32)>,
    pub(crate) results: Vec<Note>,
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

// SAFETY: `pollfd` is plain numbers.
unsafe impl Send for Scratch {}

/// An item of the batch, and the answer of its file.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) id: u32,
    /// Its index in `pollfds`, if it is there.
    pollfd: Option<u32>,
    pub(crate) revents: u32,
}

impl Scratch {
    /// Fills the batch with the first items of the scan, and `pollfds` with the descriptors of those that have
    /// one.
    pub(crate) fn gather(&mut self, ready: &Ready, most: usize) {
        self.batch.clear();
        self.pollfds.clear();
        let mut at = ready.list.tx_first();
        while let Some(id) = at.filter(|_| self.batch.len() < most) {
            let Some(item) = ready.list.get(id) else { break };
            let fd = item.file.device().and_then(|device| device.pollfd());
            let pollfd = fd.map(|fd| {
                let besides = if item.is_edge() { EDGE_BITS } else { EPOLLRDHUP };
                let events = ((item.events | besides) & POLL_BITS) as i16;
                self.pollfds.push(pollfd { fd, events, revents: 0 });
                self.pollfds.len() as u32 - 1
            });
            let is_measured = item.is_edge() && item.poller_id != NO_POLLER_ID;
            if is_measured && item.file.device().is_some_and(Device::is_measured) {
                self.measured.push((item.file.clone(), item.poller_id));
            }
            self.batch.push(Asked { id, pollfd, revents: 0 });
            at = ready.list.tx_next(id);
        }
        self.asked = self.pollfds.is_empty();
    }

    /// Notes how much there is to read. What arrives after this is new to the item.
    pub(crate) fn measure(&mut self) {
        for (file, poller_id) in self.measured.drain(..) {
            if let Some(device) = file.device() {
                device.measure(poller_id);
            }
        }
    }

    /// Drains wakeups, and asks the files of the batch in the same system call if all of them have a
    /// descriptor.
    pub(crate) fn look(&mut self, watcher: &dyn Watcher) {
        if self.batch.len() == self.pollfds.len() {
            watcher.look(&mut self.pollfds);
            self.asked = true;
        } else {
            watcher.look(&mut Vec::new());
        }
    }
}

impl Eventpoll {
    /// Asks the files of the batch that have not been asked.
    pub(crate) fn ask(&self, scratch: &mut Scratch) {
        if !scratch.asked && sys::poll_now(&mut scratch.pollfds).is_err() {
            // With a time-out of 0 this happens only when the kernel has no memory: treat all files as not
            // ready.
            for pollfd in &mut scratch.pollfds {
                pollfd.revents = 0;
            }
        }
        for asked in &mut scratch.batch {
            asked.revents = match asked.pollfd {
                Some(at) => scratch.pollfds[at as usize].revents as u16 as u32,
                None => {
                    let ready = self.lock.lock();
                    let Some(item) = ready.list.get(asked.id) else { continue };
                    let (file, events) = (item.file.clone(), item.events);
                    drop(ready);
                    self.item_poll(&file, events, 1)
                }
            };
        }
    }
}
