//! The list of a set's hot items, which is passed to ppoll as it is, and the slot of each item.
//!
//! Protected by `ep.mtx`, except the list itself while a thread sleeps on it.

mod lend;

use libc::pollfd;

use crate::hot::load::Load;
use crate::hot::slot::HotSlot;
use crate::hot::state::HotState;
use crate::hot::transition::{Event, Phase, State};
use crate::hot::{QUIET_ROUNDS, REST_ROUNDS, SWEEP_ROUNDS};
use crate::trace::ready_time::Moment;
use crate::uapi::*;

/// The item of this place is gone, or cold.
const GONE: u32 = u32::MAX;

/// When items may be hot.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How many items of a set may be hot at most.
    pub most: usize,
    /// Every set counts as busy.
    pub always: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self { most: 512, always: false }
    }
}

/// A hot item that is ready.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Found {
    pub(crate) place: u32,
    /// Its index in the second ppoll, which asks for all events.
    pub(crate) again: Option<u32>,
    pub(crate) revents: u32,
}

/// The hot items of a set.
#[derive(Debug, Default)]
pub(crate) struct Hot {
    limits: Limits,
    /// The list for ppoll; empty while a thread sleeps on it.
    pub(crate) fds: Vec<pollfd>,
    /// One for each of `fds`.
    slots: Vec<HotSlot>,
    /// Edge-triggered items that were reported. The next wait finds out whether the program drained them.
    pub(crate) owed: Vec<u32>,
    /// Counts waits.
    pub(crate) round: u32,
    /// Where the next delivery begins.
    pub(crate) next: usize,
    /// Threads asleep in a wait for the set.
    pub(crate) sleepers: u32,
    /// One of the sleepers has the list.
    pub(crate) taken: bool,
    rests_until: Option<u32>,
    /// When the items were last asked.
    pub(crate) last_asked: Moment,
    /// Counts refused writes; `asked` is their number when the list was last asked.
    refusals: u64,
    asked: u64,
    load: Load,
}

// SAFETY: `pollfd` is plain numbers.
unsafe impl Send for Hot {}

impl Hot {
    /// No items.
    pub(crate) fn new(limits: Limits) -> Self {
        Self { limits, ..Self::default() }
    }

    /// Counts work on the set.
    pub(crate) fn count(&mut self, units: u32) {
        self.load.count(units);
    }

    /// A wait begins another round.
    pub(crate) fn begin_round(&mut self) {
        self.round = self.round.wrapping_add(1);
        if self.rests_until == Some(self.round) {
            self.rests_until = None;
        }
    }

    /// The set is unfit for hot items: it has none for `REST_ROUNDS` waits.
    pub(crate) fn rest(&mut self) {
        self.rests_until = Some(self.round.wrapping_add(REST_ROUNDS));
    }

    /// Nothing has happened for a long time.
    pub(crate) fn reset_load(&mut self) {
        self.load = Load::default();
    }

    /// If no item may be hot, no set counts as busy, so the order of events is always kept.
    pub(crate) fn is_busy(&self) -> bool {
        self.limits.most != 0 && (self.load.busy || self.limits.always)
    }

    /// Whether an item may become hot.
    pub(crate) fn has_room(&self) -> bool {
        self.is_busy()
            && self.sleepers == 0
            && self.rests_until.is_none()
            && self.slots.len() < self.limits.most
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    pub(crate) fn slot(&self, place: u32) -> Option<&HotSlot> {
        self.slots.get(place as usize)
    }

    /// The state of an item.
    pub(crate) fn state(&self, stored: HotState) -> State {
        match self.slot(stored.place()) {
            Some(slot) => State::Hot(slot.phase),
            None => stored.state(self.round),
        }
    }

    /// Adds an item. The first ppoll asks for all its events.
    pub(crate) fn add(&mut self, id: u32, fd: i32, events: u32) -> u32 {
        self.slots.push(HotSlot::new(id, self.round, events));
        self.fds.push(pollfd { fd, events: 0, revents: 0 });
        let place = self.slots.len() as u32 - 1;
        self.place_again(place);
        place
    }

    /// Changes a slot.
    pub(crate) fn change(&mut self, place: u32, change: impl FnOnce(&mut HotSlot)) {
        if let Some(slot) = self.slots.get_mut(place as usize) {
            change(slot);
            self.place_again(place);
        }
    }

    /// The caller is about to pass the list to ppoll.
    pub(crate) fn asks(&mut self) {
        self.asked = self.refusals;
    }

    /// A write to the file of an edge-triggered item was refused.
    pub(crate) fn refused(&mut self, place: u32) {
        self.refusals += 1;
        let refusals = self.refusals;
        self.change(place, |slot| {
            slot.seen &= !(WRITE_SIDE & !ENDS);
            slot.refused = refusals;
        });
    }

    /// An item was reported, with `revents` ready of its file.
    pub(crate) fn reported(&mut self, place: u32, events: u32, revents: u32, intake: Option<u64>) {
        let round = self.round;
        let Some(slot) = self.slots.get_mut(place as usize) else { return };
        slot.last = round;
        let edge = slot.events & EPOLLET != 0;
        if !edge && events == slot.events {
            return;
        }
        slot.events = events;
        slot.seen = if edge { revents & POLL_BITS } else { 0 };
        if slot.refused > self.asked {
            // Another thread's write was refused after the ppoll.
            slot.seen &= !(WRITE_SIDE & !ENDS);
        }
        if edge {
            slot.take(Event::Delivered { edge });
            slot.intake = intake;
            self.owed.push(slot.id);
        }
        self.place_again(place);
    }

    /// Makes the `pollfd` of a place ask for what its slot asks for now.
    fn place_again(&mut self, place: u32) {
        let Some(pollfd) = self.fds.get_mut(place as usize) else { return };
        let slot = &self.slots[place as usize];
        pollfd.events = slot.asks() as i16;
        if slot.is_mute() != (pollfd.fd < 0) {
            pollfd.fd = !pollfd.fd;
        }
        pollfd.revents = 0;
    }

    /// Removes a place. Returns the item that has moved to it.
    pub(crate) fn remove(&mut self, place: u32) -> Option<u32> {
        if self.taken {
            // A sleeper has the list; `put_back` removes the place later.
            self.slots[place as usize].id = GONE;
            return None;
        }
        self.slots.swap_remove(place as usize);
        self.fds.swap_remove(place as usize);
        self.slots.get(place as usize).map(|moved| moved.id)
    }

    /// All hot items.
    pub(crate) fn ids(&self) -> Vec<u32> {
        self.slots.iter().map(|slot| slot.id).filter(|id| *id != GONE).collect()
    }

    /// Whether this wait looks for quiet items.
    pub(crate) fn is_time_to_sweep(&self) -> bool {
        self.round.is_multiple_of(SWEEP_ROUNDS) && !self.slots.is_empty()
    }

    /// Up to `most` items without an event for `QUIET_ROUNDS` waits.
    pub(crate) fn quiet(&self, most: usize) -> Vec<u32> {
        let quiet = |slot: &&HotSlot| {
            slot.phase == Phase::Asked && slot.id != GONE && self.round.wrapping_sub(slot.last) > QUIET_ROUNDS
        };
        self.slots.iter().filter(quiet).map(|slot| slot.id).take(most).collect()
    }

    /// The items that are leaving.
    pub(crate) fn leaving(&self) -> Vec<u32> {
        let is_leaving = |slot: &&HotSlot| slot.phase == Phase::Leaving && slot.id != GONE;
        self.slots.iter().filter(is_leaving).map(|slot| slot.id).collect()
    }

    /// In a forked child: forgets all items, for the thread that had the list exists in the parent only.
    pub(crate) fn forked(&mut self) {
        *self = Self { load: std::mem::take(&mut self.load), ..Self::new(self.limits) };
    }
}

#[cfg(test)]
mod tests;
