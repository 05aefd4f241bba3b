//! Delivers hot items that are ready, or queues them if not all fit.

use libc::pollfd;

use crate::eventpoll::deliver::{Delivered, Delivery, Observer, Origin};
use crate::eventpoll::{Eventpoll, Tree};
use crate::hot::demote::take_drain_hint;
use crate::hot::list::{Found, Hot};
use crate::hot::slot::EDGE_BITS;
use crate::hot::state::FOR_EVER;
use crate::hot::transition::{Event, Phase};
use crate::sys;
use crate::trace::ready_time::Moment;
use crate::uapi::*;

impl Eventpoll {
    /// Queues the hot items that the last ppoll found ready.
    pub(crate) fn queue_hot(&self, tree: &mut Tree, moment: Moment) {
        let Tree { hot, .. } = tree;
        let mut ready = self.lock.lock();
        for (place, pollfd) in hot.fds.iter().enumerate() {
            let slot = hot.slot(place as u32).filter(|slot| slot.phase != Phase::Leaving && pollfd.fd >= 0);
            if let Some(slot) = slot.filter(|_| pollfd.revents & !libc::POLLNVAL != 0) {
                if !ready.list.is_linked(slot.id) {
                    ready.list.add_tail(slot.id);
                    if let Some(item) = ready.list.get(slot.id) {
                        item.shown.queued(moment.ticks, moment.exactly);
                    }
                }
            }
        }
    }

    /// Stores events for the items that the last ppoll found ready.
    pub(crate) fn send_hot(&self, tree: &mut Tree, to: &mut Delivery<'_>, moment: Moment) {
        let mut found = std::mem::take(&mut tree.scratch.found);
        self.gather_hot(tree, to.room(), &mut found);
        self.deliver_hot(tree, &found, to, moment);
        tree.scratch.found = found;
        tree.scratch.found.clear();
        for id in std::mem::take(&mut tree.scratch.leaving) {
            self.demote(tree, id, Event::AskedLast);
        }
    }

    /// Finishes the items that are leaving, in a wait that delivers from the ready list only.
    pub(crate) fn finish_leaving_all(&self, tree: &mut Tree) {
        for id in tree.hot.leaving() {
            self.demote(tree, id, Event::AskedLast);
        }
    }

    /// Demotes reported items of which we could not tell later whether more has arrived. Called before the wait
    /// returns, so before the program can react to the report.
    pub(crate) fn demote_unsure(&self, tree: &mut Tree) {
        for (id, rest) in std::mem::take(&mut tree.scratch.unsure) {
            self.demote(tree, id, Event::Unsure { rest });
        }
    }

    /// Finds the places that are ready, and asks edge-triggered items again for all events.
    fn gather_hot(&self, tree: &mut Tree, most: usize, found: &mut Vec<Found>) {
        let Tree { hot, scratch, .. } = tree;
        scratch.pollfds.clear();
        let len = hot.fds.len();
        let mut place = if hot.next < len { hot.next } else { 0 };
        hot.next = 0;
        let mut edges = false;
        let mut events = 0;
        for _ in 0..len {
            let asked = hot.fds[place];
            let slot = hot.slot(place as u32).copied();
            let here = place;
            place = if place + 1 == len { 0 } else { place + 1 };
            let Some(slot) = slot else { continue };
            if slot.phase == Phase::Leaving {
                scratch.leaving.push(slot.id);
                continue;
            }
            if asked.revents == 0 || asked.fd < 0 {
                continue;
            }
            if asked.revents & libc::POLLNVAL != 0 {
                // The program closed it by a call that we did not see: no more events.
                hot.change(here as u32, |slot| slot.events &= EP_PRIVATE_BITS);
                continue;
            }
            let revents = asked.revents as u16 as u32;
            // An edge-triggered item that was asked for more than its interest may have no event.
            let is_event = revents & slot.events & POLL_BITS != 0;
            if is_event && events == most {
                hot.next = here;
                break;
            }
            events += usize::from(is_event);
            edges |= slot.events & EPOLLET != 0;
            let again = (slot.seen != 0).then(|| {
                let events = ((slot.events | EDGE_BITS) & POLL_BITS) as i16;
                scratch.pollfds.push(pollfd { fd: asked.fd, events, revents: 0 });
                scratch.pollfds.len() as u32 - 1
            });
            found.push(Found { place: here as u32, again, revents });
        }
        if edges {
            self.forget_hints(hot, found);
        }
        if !scratch.pollfds.is_empty() {
            ask_again(&mut scratch.pollfds, found);
        }
    }

    /// Takes the hints of edge-triggered items: a drain before the ppoll says nothing about what it found.
    fn forget_hints(&self, hot: &Hot, found: &[Found]) {
        let ready = self.lock.lock();
        for found in found {
            let item = hot.slot(found.place).and_then(|slot| ready.list.get(slot.id));
            if let Some(item) = item.filter(|item| item.is_edge()) {
                take_drain_hint(item);
            }
        }
    }

    /// Stores the events of the items that were found.
    fn deliver_hot(&self, tree: &mut Tree, found: &[Found], to: &mut Delivery<'_>, moment: Moment) {
        let Tree { hot, scratch, .. } = tree;
        let observer = Observer::new(self);
        let mut ready = self.lock.lock();
        for found in found {
            let Some(slot) = hot.slot(found.place).copied() else { continue };
            let Some(item) = ready.list.get_mut(slot.id) else { continue };
            if item.is_edge() && found.revents & EPOLLPRI != 0 {
                scratch.unsure.push((slot.id, FOR_EVER));
            }
            let origin = Origin::Hot(moment.not_before(slot.placed));
            match to.deliver_one(item, found.revents, origin, observer) {
                Delivered::Fault => return,
                Delivered::NotReady => continue,
                Delivered::AndStays | Delivered::AndLeaves => {}
            }
            let edge = item.is_edge() && found.revents & READ_SIDE & !ENDS != 0;
            let unsure = slot.is_unproven() || found.revents & ENDS != 0;
            let device = item.file.device().filter(|_| edge && unsure);
            let intake = device.and_then(|device| device.intake());
            if device.is_some() && intake.is_none() {
                // If the program does not drain it, we could not tell whether more has arrived.
                scratch.unsure.push((slot.id, FOR_EVER));
            }
            hot.reported(found.place, item.events, found.revents, intake);
            // It may be on the ready list as well.
            ready.list.unlink(slot.id);
        }
    }
}

/// Asks the files for all events. The ppoll has left out those that were reported before.
fn ask_again(pollfds: &mut [pollfd], found: &mut [Found]) {
    if sys::poll_now(pollfds).is_err() {
        return;
    }
    for found in found {
        if let Some(again) = found.again {
            found.revents = pollfds[again as usize].revents as u16 as u32;
        }
    }
}
