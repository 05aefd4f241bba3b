//! Hot items become cold, or leave.

use crate::eventpoll::epitem::{Epitem, Known};
use crate::eventpoll::{Eventpoll, Ready, Tree};
use crate::file::{Device, DrainHint, PollResult, PollerId, NO_POLLER_ID};
use crate::hot::list::Hot;
use crate::hot::slot::HotSlot;
use crate::hot::state::{HotState, NO_PLACE};
use crate::hot::transition::{transition, Action, Event, State};
use crate::mutation::is;
use crate::uapi::*;

/// An item that was hot, and is cold.
struct Demoted {
    item: Known,
    slot: HotSlot,
    action: Action,
    hint: DrainHint,
}

/// Takes the drain hint of an item.
pub(super) fn take_drain_hint(item: &Epitem) -> DrainHint {
    item.file.device().map(|device| device.take_drain_hint(item.fd)).unwrap_or_default()
}

/// Takes an item to the state after the event. If it is no longer hot, it loses its place. Returns what to do.
fn step(hot: &mut Hot, ready: &mut Ready, id: u32, event: Event) -> Action {
    let Some(item) = ready.list.get_mut(id) else { return Action::Nothing };
    let before = hot.state(item.hot_state);
    let (after, action) = transition(before, event);
    let place = item.place();
    match (before, after) {
        _ if before == after => {}
        (State::Hot(_), State::Hot(phase)) => hot.change(place, |slot| slot.phase = phase),
        (State::Hot(_), _) => {
            item.shown.hot(false);
            item.hot_state = HotState::cold(after, hot.round);
            if let Some(moved) = hot.remove(place).and_then(|moved| ready.list.get_mut(moved)) {
                moved.hot_state = HotState::hot(place);
            }
        }
        _ => item.hot_state = HotState::cold(after, hot.round),
    }
    action
}

impl Eventpoll {
    /// An item is about to be removed. It loses its place if it is hot. Returns what to do for it.
    pub(crate) fn step_removed(&self, tree: &mut Tree, ready: &mut Ready, id: u32) -> Action {
        step(&mut tree.hot, ready, id, Event::Removed)
    }

    /// Demotes an item if it is hot and the event says so: attaches it to its device, then asks the file once
    /// for what came before.
    pub(crate) fn demote(&self, tree: &mut Tree, id: u32, event: Event) {
        let Some(demoted) = self.take_place(tree, id, event) else { return };
        let Demoted { item, mut slot, action, hint } = demoted;
        let Some(device) = item.file.device() else { return };
        let poller_id = if action == Action::Ask { item.poller_id } else { self.attach(&item) };
        if action == Action::AttachCompareAsk {
            compare(&mut slot, device, hint);
        }
        let found = match is("demoted_and_not_asked") {
            true => 0,
            false => device.poll((item.events | EPOLLRDHUP) & POLL_BITS),
        };
        item.file.note_ends(found);
        let mut waiter = None;
        let queued = {
            let mut ready = self.lock.lock();
            if fresh(&item, &slot, found) != 0 && !ready.list.is_linked(id) {
                ready.list.add_tail(id);
                self.note_ready(&mut ready, id, tree.hot.last_asked);
                waiter = ready.wq.pop();
            }
            ready.list.is_linked(id)
        };
        let result = PollResult { events: item.events, revents: found, queued };
        self.rearm(&item.file, id, poller_id, result);
        if let Some(waiter) = waiter {
            waiter.wake();
        }
    }

    fn take_place(&self, tree: &mut Tree, id: u32, event: Event) -> Option<Demoted> {
        let mut ready = self.lock.lock();
        let found = ready.list.get(id)?;
        let slot = *tree.hot.slot(found.place())?;
        if let (State::Hot(_), _) = transition(State::Hot(slot.phase), event) {
            return None;
        }
        let (item, hint) = (found.known(id), take_drain_hint(found));
        let action = step(&mut tree.hot, &mut ready, id, event);
        Some(Demoted { item, slot, action, hint })
    }

    fn attach(&self, item: &Known) -> PollerId {
        let Some(device) = item.file.device() else { return NO_POLLER_ID };
        let poller_id = device.attach(&item.file, &item.as_ref(&self.this), item.events);
        self.rewatch(item.id, poller_id);
        poller_id
    }

    /// Demotes all hot items.
    pub(crate) fn demote_all(&self, tree: &mut Tree) {
        let ids = tree.hot.ids();
        for id in &ids {
            self.demote(tree, *id, Event::Unfit);
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
        let is_it = self.lock.lock().list.get(id).is_some_and(|item| item.serial == serial);
        if is_it {
            self.demote(&mut tree, id, Event::Unfit);
        }
    }

    /// Attaches a quiet item to its device again. The next wait asks it for the last time.
    pub(crate) fn begin_to_leave(&self, tree: &mut Tree, id: u32) {
        let item = {
            let mut ready = self.lock.lock();
            if step(&mut tree.hot, &mut ready, id, Event::Quiet) != Action::Attach {
                return;
            }
            ready.list.get(id).map(|item| item.known(id))
        };
        if let Some(item) = item {
            self.attach(&item);
        }
    }

    /// A write of the program was refused: the next time there is room is an edge.
    pub(crate) fn refused(&self, id: u32, serial: u64) {
        let mut tree = self.mtx.lock();
        let (item, place, queued) = {
            let ready = self.lock.lock();
            let item = ready.list.get(id).filter(|item| item.serial == serial && item.is_edge());
            let Some(item) = item else { return };
            (item.known(id), item.place(), ready.list.is_linked(id))
        };
        if place == NO_PLACE {
            if item.poller_id == NO_POLLER_ID {
                let result = PollResult { events: item.events, revents: 0, queued };
                self.rearm(&item.file, id, item.poller_id, result);
            }
            return;
        }
        tree.hot.refused(place);
        if tree.hot.taken {
            // A sleeping waiter's pollfd has no POLLOUT.
            self.demote(&mut tree, id, Event::Unfit);
        }
    }
}

/// Whether more has arrived at an edge-triggered item since it was reported. If so, what is there to read is a
/// new edge.
fn compare(slot: &mut HotSlot, device: &dyn Device, hint: DrainHint) {
    if slot.learn(hint.drained()) == Event::Drained {
        return;
    }
    let intake = slot.intake.and_then(|_| device.intake());
    // After a reported end the file is always readable, and data may arrive even then: after shutdown(2) of the
    // own reading side.
    let is_known = slot.seen & ENDS == 0 || intake.is_some();
    if is_known && slot.has_more(intake) && !is("intake_is_not_compared") {
        slot.seen &= !(READ_SIDE & !ENDS);
    }
}

/// Which of the bits that were found are to be reported.
fn fresh(item: &Known, slot: &HotSlot, found: u32) -> u32 {
    let seen = if item.events & EPOLLET != 0 { slot.seen } else { 0 };
    // The file has come to an end, or is no longer hung up (it has connected, say). An error that the program has
    // taken is no change.
    let has_changed = found & ENDS & !seen != 0 || seen & !found & EPOLLHUP != 0;
    found & item.events & if has_changed { POLL_BITS } else { !seen }
}
