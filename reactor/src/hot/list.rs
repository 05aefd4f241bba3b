//! The list of a set's hot items, which is passed to ppoll as it is, and the slot of each item.
//!
//! Protected by `ep.mtx`, except the list itself while a thread sleeps on it.

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

    /// A thread is about to sleep. The first such thread gets the list.
    pub(crate) fn lend(&mut self) -> Option<Vec<pollfd>> {
        self.sleepers += 1;
        if self.taken || self.slots.is_empty() {
            return None;
        }
        self.taken = true;
        self.asks();
        Some(std::mem::take(&mut self.fds))
    }

    /// The thread has slept, and returns the list if it got it. Calls `moved` with each item that has another
    /// place now.
    pub(crate) fn give_back(&mut self, fds: Option<Vec<pollfd>>, moved: impl FnMut(u32, u32)) {
        self.sleepers = self.sleepers.saturating_sub(1);
        if let Some(fds) = fds {
            self.put_back(fds, moved);
        }
    }

    /// Whether the list is lent and has places of items that are no longer hot, or gone.
    pub(crate) fn is_stale(&self) -> bool {
        self.taken && self.slots.iter().any(|slot| slot.id == GONE)
    }

    /// Removes the items that are no longer hot from the list of a sleep that goes on. None: no item is left,
    /// so the list is no longer lent.
    pub(crate) fn tidy(&mut self, fds: Vec<pollfd>, moved: impl FnMut(u32, u32)) -> Option<Vec<pollfd>> {
        self.put_back(fds, moved);
        self.taken = !self.slots.is_empty();
        self.taken.then(|| std::mem::take(&mut self.fds))
    }

    fn put_back(&mut self, fds: Vec<pollfd>, mut moved: impl FnMut(u32, u32)) {
        self.taken = false;
        self.fds = fds;
        let mut place = 0;
        while place < self.slots.len() {
            if self.slots[place].id != GONE {
                place += 1;
                continue;
            }
            self.slots.swap_remove(place);
            self.fds.swap_remove(place);
            if let Some(slot) = self.slots.get(place).filter(|slot| slot.id != GONE) {
                moved(slot.id, place as u32);
            }
        }
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
mod tests {
    use super::*;
    use crate::hot::slot::EDGE_BITS;
    use crate::hot::BUSY_UNITS;

    #[test]
    fn a_place_that_goes_is_filled_by_the_last_one() {
        let mut hot = Hot::default();
        for id in 0..3 {
            assert_eq!(hot.add(id, 10 + id as i32, EPOLLIN), id);
        }
        assert_eq!(hot.remove(0), Some(2));
        assert_eq!(hot.fds.iter().map(|pollfd| pollfd.fd).collect::<Vec<_>>(), [12, 11]);
        assert_eq!(hot.remove(1), None);
        assert_eq!(hot.ids(), [2]);
    }

    #[test]
    fn an_item_removed_during_a_sleep_leaves_the_list_afterwards() {
        let mut hot = Hot::default();
        for id in 0..4 {
            hot.add(id, 10 + id as i32, EPOLLIN);
        }
        let fds = hot.lend();
        hot.remove(0);
        hot.remove(3);
        let mut places = Vec::new();
        hot.give_back(fds, |id, place| places.push((id, place)));
        assert_eq!(hot.ids(), [2, 1]);
        assert_eq!(places, [(2, 0)]);
        assert_eq!(hot.fds.iter().map(|pollfd| pollfd.fd).collect::<Vec<_>>(), [12, 11]);
    }

    #[test]
    fn only_those_that_are_attached_again_and_still_there_are_leaving() {
        let mut hot = Hot::default();
        for id in 0..3 {
            hot.add(id, 10 + id as i32, EPOLLIN);
        }
        (1..3).for_each(|place| hot.change(place, |slot| slot.take(Event::Quiet)));
        let _fds = hot.lend();
        hot.remove(1);
        assert_eq!(hot.leaving(), [2]);
    }

    #[test]
    fn a_silenced_item_is_asked_for_nothing() {
        let mut hot = Hot::default();
        hot.add(0, 10, EPOLLIN | EPOLLONESHOT);
        hot.change(0, |slot| slot.events &= EP_PRIVATE_BITS);
        assert!(hot.fds[0].fd < 0);
        hot.change(0, |slot| slot.events = EPOLLOUT);
        assert_eq!((hot.fds[0].fd, hot.fds[0].events), (10, EPOLLOUT as i16));
    }

    #[test]
    fn a_reported_edge_is_not_asked_for_until_it_has_fallen() {
        let mut hot = Hot::default();
        hot.add(0, 10, EPOLLIN | EPOLLOUT | EPOLLET);
        hot.reported(0, EPOLLIN | EPOLLOUT | EPOLLET, EPOLLIN | EPOLLOUT, None);
        assert_eq!(hot.fds[0].events as u32, EDGE_BITS);
        hot.change(0, |slot| slot.seen &= !EPOLLIN);
        assert_eq!(hot.fds[0].events as u32, EPOLLIN | EDGE_BITS);
    }

    #[test]
    #[cfg_attr(miri, ignore = "Miri's clock is too fast for a set to be busy")]
    fn a_set_is_busy_by_the_second_thousand() {
        let mut hot = Hot::default();
        (0..BUSY_UNITS - 1).for_each(|_| hot.count(1));
        assert!(!hot.has_room());
        (0..=BUSY_UNITS).for_each(|_| hot.count(1));
        assert!(hot.has_room());
        hot.reset_load();
        assert!(!hot.has_room());
    }
}
