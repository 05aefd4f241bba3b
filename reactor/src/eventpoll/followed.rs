//! What is kept of a set of the kernel's besides its items (`observed`).
//!
//! Finds the item behind the program's 64 bits, which are all that the kernel tells of an event's item.
//!
//! Most programs give the fd in the lower half, and then the item tree finds the item. The rest, pointers mostly, is
//! in a map. Several items may have the same data.

use std::collections::VecDeque;

use glasspoll_record::writer::ticks;

use crate::eventpoll::item_tree::NIL;
use crate::hash::Map;

/// How many items that are gone are remembered.
const MOST_GONE: usize = 256;

/// Whether the item tree finds an item by its data.
fn is_by_fd(fd: i32, data: u64) -> bool {
    data as u32 as i32 == fd
}

/// An item, as far as its data is concerned.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Key {
    pub(crate) fd: i32,
    pub(crate) data: u64,
    /// Interest and flags.
    pub(crate) events: u32,
    pub(crate) serial: u64,
    /// The slab id of the next item with the same fd.
    pub(crate) next: u32,
}

/// What stands behind the data of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Behind {
    /// The item with this slab id.
    Item(u32),
    /// An item that has left the set as far as this process knows: its fd and serial number.
    Gone(i32, u64),
    /// One of several items.
    Several,
    /// No item that we know of.
    Unknown,
}

/// The items of a set by their data.
#[derive(Debug, Default)]
pub(crate) struct ByData {
    /// The first item with this data.
    ids: Map<u64, u32>,
    /// The other items with this data.
    others: Map<u64, Vec<u32>>,
    /// Items that are gone, the newest last: data, fd, serial number.
    gone: VecDeque<(u64, i32, u64)>,
}

impl ByData {
    pub(crate) fn insert(&mut self, item: Key, id: u32) {
        if is_by_fd(item.fd, item.data) {
            return;
        }
        match self.ids.entry(item.data) {
            std::collections::hash_map::Entry::Vacant(place) => {
                place.insert(id);
            }
            std::collections::hash_map::Entry::Occupied(_) => {
                self.others.entry(item.data).or_default().push(id);
            }
        }
    }

    /// The item leaves the set.
    pub(crate) fn remove(&mut self, item: Key, id: u32) {
        self.unlink(item, id);
        self.orphan(item.data, item.fd, item.serial);
    }

    /// An item that this process has no descriptor of.
    pub(crate) fn orphan(&mut self, data: u64, fd: i32, serial: u64) {
        if self.gone.len() >= MOST_GONE {
            self.gone.pop_front();
        }
        self.gone.push_back((data, fd, serial));
    }

    /// Whether an item with this data and fd is known to be gone.
    pub(crate) fn is_gone(&self, data: u64, fd: i32) -> bool {
        self.gone.iter().any(|(other, its, _)| (*other, *its) == (data, fd))
    }

    /// Forgets the item's data, which is about to change.
    pub(crate) fn unlink(&mut self, item: Key, id: u32) {
        let data = item.data;
        if is_by_fd(item.fd, data) {
            return;
        }
        if let Some(others) = self.others.get_mut(&data) {
            if self.ids.get(&data) == Some(&id) {
                if let Some(other) = others.pop() {
                    self.ids.insert(data, other);
                }
            } else {
                others.retain(|other| *other != id);
            }
            if others.is_empty() {
                self.others.remove(&data);
            }
        } else if self.ids.get(&data) == Some(&id) {
            self.ids.remove(&data);
        }
    }

    /// What stands behind the data of an event. `first` gives the first item of an fd, `key` an item by its slab id.
    #[inline]
    pub(crate) fn find(
        &self,
        first: impl Fn(i32) -> u32,
        key: impl Fn(u32) -> Option<Key>,
        data: u64,
        events: u32,
    ) -> Behind {
        // Nearly always the only item of the fd in the lower half.
        if let (true, Ok(fd)) = (self.ids.is_empty(), i32::try_from(data as u32)) {
            let id = first(fd);
            if key(id).is_some_and(|item| item.next == NIL && item.data == data) {
                return Behind::Item(id);
            }
        }
        self.search(first, key, data, events)
    }

    fn search(
        &self,
        first: impl Fn(i32) -> u32,
        key: impl Fn(u32) -> Option<Key>,
        data: u64,
        events: u32,
    ) -> Behind {
        let mut found = Behind::Unknown;
        let mut also = |id| {
            found = if found == Behind::Unknown { Behind::Item(id) } else { Behind::Several };
        };
        let fd = data as u32 as i32;
        let mut id = if fd >= 0 { first(fd) } else { NIL };
        let mut is_one = None;
        while let Some(item) = key(id) {
            // Of several files that had this number, the one that waits for this event.
            let is_one = *is_one.get_or_insert(item.next == NIL);
            if item.data == data && (is_one || item.events & events != 0) {
                also(id);
            }
            id = item.next;
        }
        if !self.ids.is_empty() {
            let others = self.others.get(&data).map_or(&[][..], |others| &others[..]);
            let fits = |id: &u32| others.is_empty() || key(*id).is_some_and(|item| item.events & events != 0);
            self.ids.get(&data).into_iter().chain(others).copied().filter(fits).for_each(also);
        }
        if found != Behind::Unknown {
            return found;
        }
        let gone = self.gone.iter().rev().find(|(old, _, _)| *old == data);
        gone.map_or(Behind::Unknown, |(_, fd, serial)| Behind::Gone(*fd, *serial))
    }
}

/// What is kept of a set of the kernel's besides its items. Protected by `ep.mtx`.
#[derive(Debug)]
pub(crate) struct Observed {
    pub(crate) by_data: ByData,
    /// When each item, by its slab id, was last delivered, or was added, in ticks.
    told: Vec<u64>,
    /// What the last wait that had room did not report was not ready then, in ticks. At first: when we came to know
    /// the set.
    pub(crate) last_look: u64,
}

impl Observed {
    pub(crate) fn new() -> Self {
        Self { by_data: ByData::default(), told: Vec::new(), last_look: ticks() }
    }

    /// The item was added.
    pub(crate) fn added(&mut self, item: Key, id: u32) {
        self.by_data.insert(item, id);
        let at = id as usize;
        if self.told.len() <= at {
            self.told.resize(at + 1, 0);
        }
        self.told[at] = ticks();
    }

    /// The item is delivered. Returns when that happened last, or when it was added.
    pub(crate) fn tell(&mut self, id: u32, now: u64) -> u64 {
        self.told.get_mut(id as usize).map_or(0, |told| std::mem::replace(told, now))
    }

    /// The item is gone. Its file may live on in another process, and then the kernel goes on to report it.
    pub(crate) fn removed(&mut self, item: Key, id: u32) {
        self.by_data.remove(item, id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Items by slab id, each the only one of its fd.
    struct Items(Vec<Key>);

    impl Items {
        fn of(all: &[(i32, u64, u32)]) -> (Self, ByData) {
            let mut by_data = ByData::default();
            let keys: Vec<Key> = all
                .iter()
                .enumerate()
                .map(|(id, &(fd, data, events))| Key { fd, data, events, serial: id as u64 + 100, next: NIL })
                .collect();
            keys.iter().enumerate().for_each(|(id, key)| by_data.insert(*key, id as u32));
            (Self(keys), by_data)
        }

        fn find(&self, by_data: &ByData, data: u64, events: u32) -> Behind {
            let first = |fd| self.0.iter().position(|key| key.fd == fd).map_or(NIL, |at| at as u32);
            by_data.find(first, |id| self.0.get(id as usize).copied(), data, events)
        }
    }

    #[test]
    fn an_item_is_found_by_fd_and_by_pointer() {
        let (items, by_data) = Items::of(&[(5, 5, 1), (6, 0x7f00_dead_0000, 1), (7, 7 | 9 << 32, 1)]);
        assert_eq!(items.find(&by_data, 5, 1), Behind::Item(0));
        assert_eq!(items.find(&by_data, 0x7f00_dead_0000, 1), Behind::Item(1));
        assert_eq!(items.find(&by_data, 7 | 9 << 32, 1), Behind::Item(2));
        assert_eq!(items.find(&by_data, 7, 1), Behind::Unknown);
        assert_eq!(items.find(&by_data, u64::MAX, 1), Behind::Unknown);
    }

    #[test]
    fn of_items_with_the_same_data_the_one_that_waits_for_the_event() {
        let (items, mut by_data) = Items::of(&[(5, 0, 1), (6, 0, 4), (7, 0, 4)]);
        assert_eq!(items.find(&by_data, 0, 1), Behind::Item(0));
        assert_eq!(items.find(&by_data, 0, 4), Behind::Several);
        by_data.remove(items.0[1], 1);
        assert_eq!(items.find(&by_data, 0, 4), Behind::Item(2));
        by_data.remove(items.0[0], 0);
        // One is left, so it is that one.
        assert_eq!(items.find(&by_data, 0, 1), Behind::Item(2));
        by_data.remove(items.0[2], 2);
        assert_eq!(items.find(&by_data, 0, 1), Behind::Gone(7, 102));
    }

    #[test]
    fn items_that_are_gone_are_remembered_for_a_while() {
        let mut by_data = ByData::default();
        for n in 0..MOST_GONE as u64 + 1 {
            by_data.orphan(n, n as i32, n);
        }
        let nothing = |data| by_data.find(|_| NIL, |_| None, data, 1);
        assert_eq!(nothing(0), Behind::Unknown);
        assert_eq!(nothing(1), Behind::Gone(1, 1));
        assert!(by_data.is_gone(1, 1) && !by_data.is_gone(1, 2));
    }
}
