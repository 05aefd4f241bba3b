//! Items become hot and cold. `hot` says what that means.

use glasspoll_record::event::Source;
use libc::pollfd;

use crate::eventpoll::epitem::Epitem;
use crate::eventpoll::{Eventpoll, Ready, Tree};
use crate::file::{DrainHint, File, ItemRef, PollResult, NO_POLLER_ID};
use crate::hot::list::NO_PLACE;
use crate::hot::slot::HotSlot;
use crate::hot::state::{HotState, FOR_EVER};
use crate::hot::{MOST_AT_ONCE, ONCE_ROUNDS, QUIET_ROUNDS, ROOM_ROUNDS, TRUSTED};
use crate::mutation::is;
use crate::sync::{Arc, Ordering};
use crate::sys;
use crate::trace;
use crate::trace::ready_time::Moment;
use crate::uapi::*;

/// Takes the place from an item that is hot. Returns the slot.
pub(crate) fn take_place(tree: &mut Tree, ready: &mut Ready, id: u32) -> Option<HotSlot> {
    let item = ready.list.get_mut(id)?;
    let place = item.place();
    let slot = *tree.hot.slot(place)?;
    item.shown.hot(false);
    item.hot_state =
        if slot.rest == 0 { HotState::NEW } else { HotState::resting(tree.hot.round, slot.rest) };
    if let Some(moved) = tree.hot.remove(place).and_then(|moved| ready.list.get_mut(moved)) {
        moved.hot_state = HotState::hot(place);
    }
    Some(slot)
}

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

    /// Gives a place to a new item, or to one that was just detached.
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

    /// Promotes a cold item, if it may be hot. Returns whether it is hot now.
    pub(crate) fn promote(&self, tree: &mut Tree, id: u32, seen: u32) -> bool {
        let (file, events, poller_id) = {
            let ready = self.lock.lock();
            let Some(item) = ready.list.get(id).filter(|item| item.place() == NO_PLACE) else { return false };
            // If the program has closed the item's fd, reads of another file at this fd would leave hints.
            if item.hot_state.rests(tree.hot.round) || item.is_edge() && item.fd != item.file.fd() {
                return false;
            }
            (item.file.clone(), item.events, item.poller_id)
        };
        let Some(device) = file.device().filter(|_| self.may_be_hot(tree, &file, events)) else {
            return false;
        };
        if seen & READ_SIDE & !ENDS != 0 && device.intake().is_none() {
            return false;
        }
        device.detach(poller_id);
        self.add_hot(tree, id, seen);
        true
    }

    /// Takes the place from an item that is hot. Returns the slot.
    pub(crate) fn leave_hot(&self, tree: &mut Tree, id: u32) -> Option<HotSlot> {
        take_place(tree, &mut self.lock.lock(), id)
    }

    fn attach(&self, id: u32) -> Option<(Arc<File>, u32, u32)> {
        let (file, events, serial) = {
            let ready = self.lock.lock();
            let item = ready.list.get(id)?;
            (item.file.clone(), item.events, item.serial)
        };
        let item = ItemRef { ep: self.this.clone(), id, serial, exclusive: false };
        let poller_id = file.device()?.attach(&file, &item, events);
        if let Some(item) = self.lock.lock().list.get_mut(id) {
            item.poller_id = poller_id;
        }
        Some((file, events, poller_id))
    }

    /// Demotes a hot item: attaches it to its device, then asks the file once for what came before.
    pub(crate) fn demote(&self, tree: &mut Tree, id: u32) {
        let hint = self.drain_hint(id);
        let Some(mut slot) = self.leave_hot(tree, id) else { return };
        let attached = if slot.leaving {
            let ready = self.lock.lock();
            ready.list.get(id).map(|item| (item.file.clone(), item.events, item.poller_id))
        } else {
            self.attach(id)
        };
        let Some((file, events, poller_id)) = attached else { return };
        let Some(device) = file.device() else { return };
        let owed = slot.owed && events & EPOLLET != 0;
        if owed && slot.learn(hint).is_none() {
            let intake = slot.intake.and_then(|_| device.intake());
            // After a reported end the file is always readable, and data may arrive even then: after
            // shutdown(2) of the own reading side.
            let is_known = slot.seen & ENDS == 0 || intake.is_some();
            if is_known && slot.has_more(intake) && !is("intake_is_not_compared") {
                slot.seen &= !(READ_SIDE & !ENDS);
            }
        }
        let found = match is("demoted_and_not_asked") {
            true => 0,
            false => device.poll((events | EPOLLRDHUP) & POLL_BITS),
        };
        file.note_ends(found);
        let seen = if events & EPOLLET != 0 { slot.seen } else { 0 };
        // The file has come to an end, or is no longer hung up (it has connected, say). An error that the
        // program has taken is no change.
        let has_changed = found & ENDS & !seen != 0 || seen & !found & EPOLLHUP != 0;
        let fresh = found & events & if has_changed { POLL_BITS } else { !seen };
        let mut waiter = None;
        let queued = {
            let mut ready = self.lock.lock();
            if fresh != 0 && !ready.list.is_linked(id) {
                ready.list.add_tail(id);
                self.note_ready(&mut ready, id, tree.hot.last_asked);
                waiter = ready.wq.pop();
            }
            ready.list.is_linked(id)
        };
        self.rearm(&file, id, poller_id, PollResult { events, revents: found, queued });
        if let Some(waiter) = waiter {
            waiter.wake();
        }
    }

    /// Demotes all hot items.
    pub(crate) fn demote_all(&self, tree: &mut Tree) {
        let ids = tree.hot.ids();
        for id in &ids {
            self.demote(tree, *id);
        }
        tree.hot.owed.clear();
        if tree.hot.taken {
            // The thread that sleeps on them must continue without them.
            let file = ids.first().and_then(|id| Some(self.lock.lock().list.get(*id)?.file.clone()));
            if let Some(device) = file.as_ref().and_then(|file| file.device()) {
                device.quiesce();
            }
        }
    }

    /// Demotes all hot items, so that the set reports each wakeup as it comes: an outer set or a poll(2) is
    /// about to watch it.
    pub fn demote_hot_items(&self) {
        let mut tree = self.mtx.lock();
        self.demote_all(&mut tree);
    }

    /// Demotes an item of the set, if it is hot.
    pub(crate) fn demote_item(&self, id: u32, serial: u64) {
        let mut tree = self.mtx.lock();
        let is_hot = |item: &Epitem| item.serial == serial && item.place() != NO_PLACE;
        if self.lock.lock().list.get(id).is_some_and(is_hot) {
            self.demote(&mut tree, id);
        }
    }

    /// Called before the list is asked. Edge-triggered items that the program has drained are asked for reading
    /// again, and quiet items begin to leave.
    pub(crate) fn prepare_round(&self, tree: &mut Tree) {
        tree.hot.begin_round();
        if tree.hot.taken {
            return;
        }
        if !tree.hot.owed.is_empty() {
            self.learn_all(tree);
        }
        if tree.hot.is_time_to_sweep() {
            for id in tree.hot.quiet(MOST_AT_ONCE) {
                self.begin_to_leave(tree, id);
            }
        }
        if tree.hot.round.is_multiple_of(ROOM_ROUNDS) {
            self.look_for_room(tree);
        }
    }

    /// Takes the drain hint of an item.
    fn drain_hint(&self, id: u32) -> DrainHint {
        let ready = self.lock.lock();
        let item = ready.list.get(id);
        item.and_then(|item| item.file.device().map(|device| device.take_drain_hint(item.fd)))
            .unwrap_or_default()
    }

    /// A write of the program was refused: the next time there is room is an edge.
    pub(crate) fn refused(&self, id: u32, serial: u64) {
        let mut tree = self.mtx.lock();
        let (place, file, events, poller_id, queued) = {
            let ready = self.lock.lock();
            let item = ready.list.get(id).filter(|item| item.serial == serial && item.is_edge());
            let Some(item) = item else { return };
            (item.place(), item.file.clone(), item.events, item.poller_id, ready.list.is_linked(id))
        };
        if place == NO_PLACE {
            if poller_id == NO_POLLER_ID {
                self.rearm(&file, id, poller_id, PollResult { events, revents: 0, queued });
            }
            return;
        }
        tree.hot.refused(place);
        if tree.hot.taken {
            // A sleeping waiter's pollfd has no POLLOUT.
            self.demote(&mut tree, id);
        }
    }

    /// Finds out which of the reported edge-triggered items the program has drained. Demotes the others.
    fn learn_all(&self, tree: &mut Tree) {
        let mut owed = std::mem::take(&mut tree.hot.owed);
        let ready = self.lock.lock();
        let mut left = 0;
        for at in 0..owed.len() {
            let Some(item) = ready.list.get(owed[at]) else { continue };
            let place = item.place();
            let Some(mut slot) = tree.hot.slot(place).copied().filter(|slot| slot.owed) else { continue };
            if !slot.has_ended() {
                let hint =
                    item.file.device().map(|device| device.take_drain_hint(item.fd)).unwrap_or_default();
                if slot.learn(hint).is_some() {
                    tree.hot.change(place, |now| *now = slot);
                    continue;
                }
            }
            owed[left] = owed[at];
            left += 1;
        }
        drop(ready);
        for id in &owed[..left] {
            self.not_drained(tree, *id);
        }
        owed.clear();
        tree.hot.owed = owed;
    }

    /// Demotes an edge-triggered item that was reported and not drained: only a signal shows that more has
    /// arrived on top of the rest.
    fn not_drained(&self, tree: &mut Tree, id: u32) {
        let place = self.lock.lock().list.get(id).map_or(NO_PLACE, |item| item.place());
        let Some(slot) = tree.hot.slot(place).copied().filter(|slot| slot.owed) else { return };
        if slot.seen & ENDS == 0 {
            let rest = if slot.proofs() < TRUSTED { FOR_EVER } else { ONCE_ROUNDS };
            tree.hot.change(place, |slot| slot.rest = rest);
        }
        self.demote(tree, id);
    }

    pub(crate) fn begin_to_leave(&self, tree: &mut Tree, id: u32) {
        let Some(place) = self.lock.lock().list.get(id).map(|item| item.place()) else { return };
        self.attach(id);
        tree.hot.change(place, |slot| slot.leaving = true);
    }

    /// Asks the item once more, alone: the sleep that should have asked it may have ended before it began, and
    /// no signal reports what came before the item was attached.
    pub(crate) fn finish_leaving(&self, tree: &mut Tree, id: u32) {
        self.demote(tree, id);
    }

    /// Finds edge-triggered items whose room to write has gone by a write that we did not see.
    fn look_for_room(&self, tree: &mut Tree) {
        let edges = |slot: &HotSlot| slot.events & EPOLLET != 0 && slot.seen & EPOLLOUT != 0;
        let places: Vec<u32> = (0..tree.hot.len() as u32)
            .filter(|place| tree.hot.slot(*place).is_some_and(edges) && tree.hot.fds[*place as usize].fd >= 0)
            .collect();
        if places.is_empty() {
            return;
        }
        let ask =
            |place: &u32| pollfd { fd: tree.hot.fds[*place as usize].fd, events: libc::POLLOUT, revents: 0 };
        let mut fds: Vec<pollfd> = places.iter().map(ask).collect();
        let _ = sys::poll_now(&mut fds);
        for (place, pollfd) in places.into_iter().zip(fds) {
            if pollfd.revents == 0 {
                tree.hot.change(place, |slot| slot.seen &= !(WRITE_SIDE & !ENDS));
            }
        }
    }

    /// A cold item was delivered: promotes it if it was also delivered in one of the last waits.
    pub(crate) fn promote_if_frequent(&self, tree: &mut Tree, id: u32, revents: u32) {
        let round = tree.hot.round;
        let edge = {
            let mut ready = self.lock.lock();
            let Some(item) = ready.list.get_mut(id).filter(|item| item.place() == NO_PLACE) else { return };
            if item.hot_state.rests(round) {
                return;
            }
            let before = std::mem::replace(&mut item.hot_state, HotState::delivered(round));
            if let (Some(device), true) = (item.file.device(), item.is_edge()) {
                device.wants_drain_hints();
            }
            if !before.is_recent(round, QUIET_ROUNDS) {
                return;
            }
            if item.is_edge() && revents & EPOLLPRI != 0 {
                // It would be demoted at once.
                return;
            }
            item.is_edge()
        };
        if self.promote(tree, id, if edge { revents & POLL_BITS } else { 0 }) {
            let mut ready = self.lock.lock();
            ready.list.unlink(id);
            if let Some(item) = ready.list.get(id) {
                item.shown.unqueued(Moment::now().ticks);
            }
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
