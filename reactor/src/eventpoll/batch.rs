//! A batch: the first items of a scan, whose files one ppoll asks.
//!
//! Protected by: `ep.mtx`.

use libc::pollfd;

use crate::eventpoll::scratch::{Asked, Scratch};
use crate::eventpoll::{Eventpoll, Ready};
use crate::file::{Device, NO_POLLER_ID};
use crate::hot::slot::EDGE_BITS;
use crate::sys;
use crate::uapi::*;

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
                let besides =
                    if item.is_edge() || item.waits_for_arrivals() { EDGE_BITS } else { EPOLLRDHUP };
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
