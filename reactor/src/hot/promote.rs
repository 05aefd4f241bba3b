//! Items become hot.

use glasspoll_record::event::Source;

use crate::eventpoll::epitem::Known;
use crate::eventpoll::{Eventpoll, Tree};
use crate::file::{File, NO_POLLER_ID};
use crate::hot::state::{HotState, NO_PLACE};
use crate::hot::transition::{transition, Action, Event, State};
use crate::sync::Ordering;
use crate::trace;
use crate::trace::ready_time::Moment;
use crate::uapi::*;

impl Eventpoll {
    /// Whether an item of the file with this interest may be hot now.
    pub(crate) fn may_be_hot(&self, tree: &Tree, file: &File, events: u32) -> bool {
        tree.hot.has_room()
            && events & EPOLLEXCLUSIVE == 0
            && !self.is_watched()
            && !self.depends_on_thread.load(Ordering::Relaxed)
            && file.wait_head().len() == 1
            && file.device().is_some_and(|device| device.can_be_hot(events))
    }

    /// Gives a place to a new item, or to one that was just detached. An edge-triggered item has reported `seen`.
    pub(crate) fn add_hot(&self, tree: &mut Tree, id: u32, seen: u32) {
        let mut ready = self.lock.lock();
        let Some(item) = ready.list.get_mut(id) else { return };
        let place = tree.hot.add(id, item.file.fd(), item.events);
        (item.hot_state, item.poller_id) = (HotState::hot(place), NO_POLLER_ID);
        item.shown.hot(true);
        if let (Some(device), true) = (item.file.device(), item.is_edge()) {
            device.wants_drain_hints();
        }
        if seen != 0 {
            let device = item.file.device();
            let _ = device.map(|device| device.take_drain_hint(item.fd));
            let intake = device.and_then(|device| device.intake());
            tree.hot.reported(place, item.events, seen, intake);
        }
        trace::arm(item.fd, Source::Hot);
    }

    /// A cold item was delivered: promotes it if it was also delivered in one of the last waits.
    pub(crate) fn promote_if_frequent(&self, tree: &mut Tree, id: u32, revents: u32) {
        let mut ready = self.lock.lock();
        let Some(item) = ready.list.get_mut(id).filter(|item| item.place() == NO_PLACE) else { return };
        let edge = item.is_edge();
        let (state, action) = transition(tree.hot.state(item.hot_state), Event::Delivered { edge });
        if let State::Resting { .. } = state {
            return;
        }
        item.hot_state = HotState::cold(state, tree.hot.round);
        if let (Some(device), true) = (item.file.device(), edge) {
            device.wants_drain_hints();
        }
        if action != Action::Consider {
            return;
        }
        let item = item.known(id);
        drop(ready);
        if self.promote(tree, &item, state, if edge { revents & POLL_BITS } else { 0 }) {
            let mut ready = self.lock.lock();
            ready.list.unlink(id);
            if let Some(item) = ready.list.get(id) {
                item.shown.unqueued(Moment::now().ticks);
            }
        }
    }

    /// Considers a cold item, which becomes hot if it may be. Returns whether it is hot now.
    pub(crate) fn promote(&self, tree: &mut Tree, item: &Known, state: State, seen: u32) -> bool {
        let (_, action) = transition(state, self.consider(tree, item, seen));
        if action != Action::Detach {
            return false;
        }
        if let Some(device) = item.file.device() {
            device.detach(item.poller_id);
        }
        self.add_hot(tree, item.id, seen);
        true
    }

    fn consider(&self, tree: &Tree, item: &Known, seen: u32) -> Event {
        // If the program has closed the item's fd, reads of another file at this fd would leave hints.
        let is_ours = item.events & EPOLLET == 0 || item.fd == item.file.fd();
        // After urgent data it would be demoted at once.
        if !is_ours || seen & EPOLLPRI != 0 || !self.may_be_hot(tree, &item.file, item.events) {
            return Event::Unfit;
        }
        let device = item.file.device().filter(|_| seen & READ_SIDE & !ENDS != 0);
        match device {
            Some(device) if device.intake().is_none() => Event::Unfit,
            _ => Event::Fits,
        }
    }
}
