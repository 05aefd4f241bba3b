//! The wait queue head of a file: the items that watch it, and the threads that poll it.
//!
//! Locks: `entries`, in the third level. Linux: `include/linux/wait.h:struct wait_queue_head`.

use crate::eventpoll::wait_queue::Waiter;
use crate::mutation::is;
use crate::sync::{Arc, Count, Counted};
use crate::uapi::EPOLLIN;

/// An item of an eventpoll, as the queue knows it. Linux: `include/linux/wait.h:struct wait_queue_entry`.
pub trait Item: Clone {
    /// Its number, which no other item ever has.
    fn serial(&self) -> u64;

    /// Whether a wakeup reaches it only if no exclusive item before it used that wakeup.
    fn is_exclusive(&self) -> bool;

    /// Queues the item. Returns whether it used the wakeup. Linux: `wait_queue_entry.func`.
    fn call_back(&self, pollflags: u32, has_new_end: &mut dyn FnMut() -> bool) -> bool;
}

/// An entry of the wait queue.
#[derive(Debug)]
enum Entry<I> {
    /// An item of an eventpoll. Linux: `fs/eventpoll.c:struct eppoll_entry`.
    Item(I),
    /// A thread in poll(2) or select(2) on an epoll descriptor.
    Poller(Arc<Waiter>),
}

impl<I> Entry<I> {
    fn waiter(&self) -> Option<Arc<Waiter>> {
        match self {
            Entry::Item(_) => None,
            Entry::Poller(waiter) => Some(waiter.clone()),
        }
    }
}

/// An end of the queue.
#[derive(Clone, Copy)]
enum End {
    Front,
    Back,
}

/// The entries of a wait queue. Nearly every file has at most one, so one is stored in place.
#[derive(Debug, Default)]
enum Entries<I> {
    #[default]
    None,
    One(Entry<I>),
    /// In a box, so that an `Entries` is no larger than the one entry in place.
    #[allow(clippy::box_collection)]
    Many(Box<Vec<Entry<I>>>),
}

impl<I> Count for Entries<I> {
    fn count(&self) -> u32 {
        self.all().len() as u32
    }
}

impl<I> Entries<I> {
    fn all(&self) -> &[Entry<I>] {
        match self {
            Entries::None => &[],
            Entries::One(entry) => std::slice::from_ref(entry),
            Entries::Many(entries) => entries,
        }
    }

    fn insert(&mut self, at: End, entry: Entry<I>) {
        *self = match std::mem::take(self) {
            Entries::None => Entries::One(entry),
            Entries::One(other) => Entries::Many(Box::new(match at {
                End::Front => vec![entry, other],
                End::Back => vec![other, entry],
            })),
            Entries::Many(mut entries) => {
                match at {
                    End::Front => entries.insert(0, entry),
                    End::Back => entries.push(entry),
                }
                Entries::Many(entries)
            }
        };
    }

    fn retain(&mut self, keep: impl Fn(&Entry<I>) -> bool) {
        let left = match std::mem::take(self) {
            Entries::One(entry) if keep(&entry) => Entries::One(entry),
            Entries::Many(mut entries) => {
                entries.retain(keep);
                match entries.len() {
                    0 => Entries::None,
                    1 => entries.pop().map_or(Entries::None, Entries::One),
                    _ => Entries::Many(entries),
                }
            }
            Entries::None | Entries::One(_) => Entries::None,
        };
        *self = left;
    }
}

/// A wait queue head. Items that are not exclusive come first, the newest before the others.
///
/// Linux: `wait_queue_head_t`; the entries are the slab `pwq_cache`.
#[derive(Debug)]
pub struct WaitHead<I> {
    /// Counts the entries.
    entries: Counted<Entries<I>>,
}

impl<I> Default for WaitHead<I> {
    fn default() -> Self {
        Self { entries: Counted::default() }
    }
}

impl<I: Item> WaitHead<I> {
    /// Whether the queue is empty.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many entries the queue has.
    pub fn len(&self) -> usize {
        self.entries.count() as usize
    }

    fn change(&self, change: impl FnOnce(&mut Entries<I>)) {
        change(&mut self.entries.lock());
    }

    /// Linux: `add_wait_queue`, `add_wait_queue_exclusive`.
    pub fn add_item(&self, item: I) {
        let at = if item.is_exclusive() { End::Back } else { End::Front };
        self.change(|entries| entries.insert(at, Entry::Item(item)));
    }

    /// Takes an item off. After the return no wakeup reaches it. Linux: `remove_wait_queue`.
    pub fn remove_item(&self, serial: u64) {
        self.change(|entries| {
            entries.retain(|entry| !matches!(entry, Entry::Item(item) if item.serial() == serial));
        });
    }

    /// Adds a thread, which each wakeup wakes.
    pub fn add_poller(&self, waiter: Arc<Waiter>) {
        self.change(|entries| entries.insert(End::Front, Entry::Poller(waiter)));
    }

    /// Takes a thread off.
    pub fn remove_poller(&self, waiter: &Arc<Waiter>) {
        self.change(|entries| {
            entries.retain(|entry| !matches!(entry, Entry::Poller(other) if Arc::ptr_eq(other, waiter)));
        });
    }

    /// In a forked child: forgets the threads, which exist in the parent only.
    pub fn clear_pollers(&self) {
        self.change(|entries| entries.retain(|entry| matches!(entry, Entry::Item(_))));
    }

    /// The items of the queue. Linux: `file->f_ep`, `ep->refs`.
    pub fn items(&self) -> Vec<I> {
        if self.is_empty() {
            return Vec::new();
        }
        let entries = self.entries.lock();
        let items = entries.all().iter().filter_map(|entry| match entry {
            Entry::Item(item) => Some(item.clone()),
            Entry::Poller(_) => None,
        });
        items.collect()
    }

    /// Calls back every item and wakes every thread; of the exclusive items only up to the first that uses the
    /// wakeup. Linux: `kernel/sched/wait.c:__wake_up_common` with one exclusive waiter.
    pub fn wake(&self, pollflags: u32, has_new_end: &mut dyn FnMut() -> bool) {
        if self.is_empty() {
            return;
        }
        if is("the_head_is_left_unlocked") {
            return self.wake_unlocked(pollflags, has_new_end);
        }
        if is("the_head_is_left_unlocked_to_pollers") {
            let waiters: Vec<_> = self.entries.lock().all().iter().filter_map(Entry::waiter).collect();
            return waiters.iter().for_each(|waiter| waiter.wake());
        }
        let entries = self.entries.lock();
        for entry in entries.all() {
            match entry {
                Entry::Item(item) => {
                    let used = item.call_back(pollflags, has_new_end);
                    if used && item.is_exclusive() {
                        break;
                    }
                }
                Entry::Poller(waiter) if pollflags == 0 || pollflags & EPOLLIN != 0 => waiter.wake(),
                Entry::Poller(_) => {}
            }
        }
    }

    /// A mutation.
    fn wake_unlocked(&self, pollflags: u32, has_new_end: &mut dyn FnMut() -> bool) {
        for item in self.items() {
            item.call_back(pollflags, has_new_end);
        }
    }
}
