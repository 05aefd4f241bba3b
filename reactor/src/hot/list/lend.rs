//! A thread that sleeps on the hot items has the list meanwhile.

use libc::pollfd;

use crate::hot::list::{Hot, GONE};

impl Hot {
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
}
