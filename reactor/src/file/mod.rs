//! `File`, our `struct file`: an open file description with the wait queue that wakeups walk.
//!
//! Readiness enters by two doors only: `wake` (told) and `poll` (asked).
//!
//! Locks: `WaitHead::entries` is the third level (`watch`), above `ep.lock` and below `ep.mtx`.

use std::any::Any;
use std::fmt;

use crate::eventpoll::epitem::NO_KEY;
use crate::eventpoll::wait_queue::Waiter;
use crate::eventpoll::Eventpoll;
use crate::hot::slot::Hints;
use crate::mutation::is;
use crate::sync::{Arc, AtomicI32, AtomicU32, Count, Counted, Ordering, Weak};
use crate::uapi::{ENDS, EPOLLERR, EPOLLHUP, EPOLLIN, EPOLLRDHUP};
use crate::watch::KernelFile;

/// One registration as its device knows it.
#[derive(Clone, Debug)]
pub struct ItemRef {
    /// The eventpoll.
    pub ep: Weak<Eventpoll>,
    /// The item's slab id.
    pub id: u32,
    /// The item's serial number.
    pub serial: u64,
    /// Whether it is told only if nobody before could use the wakeup.
    pub exclusive: bool,
}

/// What an eventpoll learned about an item when it asked the device.
#[derive(Clone, Copy, Debug)]
pub struct Settled {
    /// Interest and private bits now.
    pub events: u32,
    /// What the device said.
    pub revents: u32,
    /// Whether the item is on the ready list.
    pub queued: bool,
}

/// What a file does when it is watched. Linux: `f_op->poll` and the wait queue head behind it.
pub trait Device: Any + Send + Sync + fmt::Debug {
    /// The readiness now; error and hang-up are told even if `mask` does not ask for them.
    fn poll(&self, mask: u32) -> u32;

    /// A descriptor by which this device can be asked together with others in one ppoll.
    fn pollfd(&self) -> Option<i32> {
        None
    }

    /// Whether the answer depends on the thread that asks: a signalfd, of signals sent to one thread.
    fn depends_on_thread(&self) -> bool {
        false
    }

    /// From now on wakeups of `file` are told. Called before the first `poll`, so nothing is missed.
    fn attach(&self, _file: &Arc<File>, _item: &ItemRef, _events: u32) -> u32 {
        NO_KEY
    }

    /// The interest of an item changed for which nothing is kept. Returns what is from now on.
    fn concern(&self, _file: &Arc<File>, _item: &ItemRef, _events: u32) -> u32 {
        NO_KEY
    }

    /// Tells all wakeups, of any file, that have happened until now.
    fn catch_up(&self) {}

    /// Whether its wakeups may leave out something that an item with this interest waits for.
    fn may_lack(&self, _events: u32) -> bool {
        false
    }

    /// Whether they do now.
    fn lacks(&self, _settled: Settled) -> bool {
        false
    }

    /// From now on that is looked for. Returns what is kept for the item.
    fn fill_gap(&self, _file: &Arc<File>, _item: &ItemRef, _events: u32) -> u32 {
        NO_KEY
    }

    /// Whether `measure` does anything.
    fn is_measured(&self) -> bool {
        false
    }

    /// The eventpoll is about to ask for the item: what comes from now on is not known to what it will `settle`.
    fn measure(&self, _key: u32) {}

    /// The eventpoll asked, and this is what came of it.
    fn settle(&self, _key: u32, _settled: Settled) {}

    /// The item is gone. After the return no wakeup is told on its behalf.
    fn detach(&self, _key: u32) {}

    /// The last descriptor is about to be closed.
    fn release(&self) {}

    /// Whether data can come though the file has hung up.
    fn hears_after_hangup(&self) -> bool {
        false
    }

    /// Whether an item with this interest may be asked by the waiting thread instead of being attached.
    fn can_be_hot(&self, _events: u32) -> bool {
        false
    }

    /// From now on reads and writes of the program leave hints.
    fn wants_hints(&self) {}

    /// What they have told by number `fd` since the last time this was called.
    fn take_hints(&self, _fd: i32) -> Hints {
        Hints::default()
    }

    /// How much has come so far to be read.
    fn intake(&self) -> Option<u64> {
        None
    }

    /// Returns once no thread sleeps in a ppoll that has the file and began before.
    fn quiesce(&self) {}
}

/// What is behind a file.
#[derive(Debug)]
pub enum Kind {
    /// A file of the kernel's, in the same place of memory.
    Kernel(KernelFile),
    /// Another device: a fake one.
    Device(Box<dyn Device>),
    /// An epoll instance. Linux: `fs/eventpoll.c:is_file_epoll`.
    Epoll(Arc<Eventpoll>),
}

/// The ends of a file, and the bits of `File::refs` for them, lowest first.
const ENDS_IN_ORDER: [u32; 3] = [EPOLLERR, EPOLLHUP, EPOLLRDHUP];
const SEEN_ENDS: u32 = 0b111 << 29;

/// The ends among what a device said, as `File::refs` has them.
fn as_seen(revents: u32) -> u32 {
    let bits = ENDS_IN_ORDER.iter().enumerate().filter(|(_, end)| revents & **end != 0);
    bits.fold(0, |all, (n, _)| all | 1 << (29 + n))
}

/// An open file description that this process knows of.
#[derive(Debug)]
pub struct File {
    fd: AtomicI32,
    /// How many uses there are; in the bits of `SEEN_ENDS`, which ends the file was last seen to have come to.
    refs: AtomicU32,
    wait: WaitHead,
    kind: Kind,
}

impl File {
    /// A file with one reference, reached by descriptor `fd`.
    pub fn new(fd: i32, kind: Kind) -> Arc<Self> {
        let wait = WaitHead::default();
        Arc::new(Self { fd: AtomicI32::new(fd), refs: AtomicU32::new(1), kind, wait })
    }

    /// A descriptor by which the file can be reached.
    pub fn fd(&self) -> i32 {
        self.fd.load(Ordering::Acquire)
    }

    /// The file is to be reached by another descriptor from now on.
    pub fn set_fd(&self, fd: i32) {
        self.fd.store(fd, Ordering::Release);
    }

    /// What is behind the file.
    pub fn kind(&self) -> &Kind {
        &self.kind
    }

    /// The epoll instance, if it is one.
    pub fn eventpoll(&self) -> Option<&Arc<Eventpoll>> {
        match &self.kind {
            Kind::Epoll(ep) => Some(ep),
            Kind::Kernel(_) | Kind::Device(_) => None,
        }
    }

    /// The device, unless it is an epoll instance.
    pub fn device(&self) -> Option<&dyn Device> {
        match &self.kind {
            Kind::Kernel(device) => Some(device),
            Kind::Device(device) => Some(&**device),
            Kind::Epoll(_) => None,
        }
    }

    /// The device, if it is of type `T`.
    pub fn device_as<T: Device>(&self) -> Option<&T> {
        self.device().and_then(|device| (device as &dyn Any).downcast_ref())
    }

    /// The queue on which eventpolls wait for this file.
    pub fn wait_head(&self) -> &WaitHead {
        match &self.kind {
            Kind::Epoll(ep) => &ep.poll_wait,
            Kind::Kernel(_) | Kind::Device(_) => &self.wait,
        }
    }

    /// One more descriptor or call uses the file. Linux: `fget`.
    pub fn get(&self) {
        self.refs.fetch_add(1, Ordering::AcqRel);
    }

    /// One less. True: it was the last, and the caller must call `release`. Linux: `fput`.
    #[must_use]
    pub fn put(&self) -> bool {
        self.refs.fetch_sub(1, Ordering::AcqRel) & !SEEN_ENDS == 1
    }

    /// How many use it.
    pub fn refs(&self) -> u32 {
        self.refs.load(Ordering::Acquire) & !SEEN_ENDS
    }

    /// Notes the ends among what the device said.
    pub(crate) fn note_ends(&self, revents: u32) {
        let ends = as_seen(revents);
        if ends != 0 {
            self.refs.fetch_or(ends, Ordering::SeqCst);
        }
    }

    /// Whether the file has come to one of the ends in `key` since it was last asked: such a wakeup
    /// concerns every item, as the kernel's `sk_state_change` has no key.
    fn has_new_end(&self, key: u32) -> bool {
        let Some(device) = self.device() else { return true };
        let now = device.poll(EPOLLRDHUP) & ENDS;
        // What a delivery notes between the two counts as noted before.
        let before = self.refs.fetch_or(as_seen(now), Ordering::SeqCst);
        self.refs.fetch_and(!(SEEN_ENDS & !as_seen(now)), Ordering::SeqCst);
        let fresh = ENDS_IN_ORDER.into_iter().filter(|end| as_seen(*end) & !before != 0);
        let fresh = now & fresh.fold(0, |all, end| all | end);
        // Once no data can come any more, it cannot have been data.
        let deaf = if device.hears_after_hangup() { 0 } else { now & EPOLLHUP };
        (fresh | deaf) & key != 0
    }

    /// The device became ready for some of `key` (0: it cannot tell for what). Linux: `wake_up_poll`.
    pub fn wake(&self, key: u32) {
        self.wake_unless(key, || false);
    }

    /// As `wake`; if `goes_on`, asked only if that decides, the wakeup is for no end of the file.
    pub fn wake_unless(&self, key: u32, goes_on: impl Fn() -> bool) {
        let mut ended = None;
        let mut has_new_end = || *ended.get_or_insert_with(|| !goes_on() && self.has_new_end(key));
        self.wait_head().wake(key, &mut has_new_end);
    }
}

/// Who waits for a file.
#[derive(Debug)]
enum Entry {
    /// An item of an eventpoll. Linux: `fs/eventpoll.c:struct eppoll_entry`.
    Item(ItemRef),
    /// A thread in poll(2) or select(2) on an epoll descriptor.
    Poller(Arc<Waiter>),
}

impl Entry {
    fn waiter(&self) -> Option<Arc<Waiter>> {
        match self {
            Entry::Item(_) => None,
            Entry::Poller(waiter) => Some(waiter.clone()),
        }
    }
}

/// Nearly every file has one entry at the most, which is kept in place.
#[derive(Debug, Default)]
enum Entries {
    #[default]
    None,
    One(Entry),
    /// In a box, so that the one in place is all that takes room.
    #[allow(clippy::box_collection)]
    Many(Box<Vec<Entry>>),
}

impl Count for Entries {
    fn count(&self) -> u32 {
        self.all().len() as u32
    }
}

impl Entries {
    fn all(&self) -> &[Entry] {
        match self {
            Entries::None => &[],
            Entries::One(entry) => std::slice::from_ref(entry),
            Entries::Many(entries) => entries,
        }
    }

    fn insert(&mut self, first: bool, entry: Entry) {
        *self = match std::mem::take(self) {
            Entries::None => Entries::One(entry),
            Entries::One(other) => {
                Entries::Many(Box::new(if first { vec![entry, other] } else { vec![other, entry] }))
            }
            Entries::Many(mut entries) => {
                let at = if first { 0 } else { entries.len() };
                entries.insert(at, entry);
                Entries::Many(entries)
            }
        };
    }

    fn retain(&mut self, keep: impl Fn(&Entry) -> bool) {
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
#[derive(Debug, Default)]
pub struct WaitHead {
    /// Counts them.
    entries: Counted<Entries>,
}

impl WaitHead {
    /// Whether nobody waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.entries.count() as usize
    }

    fn change(&self, change: impl FnOnce(&mut Entries)) {
        change(&mut self.entries.lock());
    }

    /// Linux: `add_wait_queue`, `add_wait_queue_exclusive`.
    pub fn add_item(&self, item: ItemRef) {
        self.change(|entries| entries.insert(!item.exclusive, Entry::Item(item)));
    }

    /// After the return no wakeup reaches the item. Linux: `remove_wait_queue`.
    pub fn remove_item(&self, serial: u64) {
        self.change(|entries| {
            entries.retain(|entry| !matches!(entry, Entry::Item(item) if item.serial == serial));
        });
    }

    /// A thread wants to be woken at each wakeup.
    pub fn add_poller(&self, waiter: Arc<Waiter>) {
        self.change(|entries| entries.insert(true, Entry::Poller(waiter)));
    }

    /// The thread has left.
    pub fn remove_poller(&self, waiter: &Arc<Waiter>) {
        self.change(|entries| {
            entries.retain(|entry| !matches!(entry, Entry::Poller(other) if Arc::ptr_eq(other, waiter)));
        });
    }

    /// Forgets the threads: only for a forked child, where they do not exist.
    pub fn clear_pollers(&self) {
        self.change(|entries| entries.retain(|entry| matches!(entry, Entry::Item(_))));
    }

    /// The items that wait here. Linux: `file->f_ep`, `ep->refs`.
    pub fn items(&self) -> Vec<ItemRef> {
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

    /// Tells everybody, and of the exclusive ones until the first that could use it.
    /// Linux: `kernel/sched/wait.c:__wake_up_common` with one exclusive waiter.
    pub fn wake(&self, key: u32, has_new_end: &mut dyn FnMut() -> bool) {
        if self.is_empty() {
            return;
        }
        if is("the_head_is_left_unlocked") {
            return self.wake_unlocked(key, has_new_end);
        }
        if is("the_head_is_left_unlocked_to_pollers") {
            let waiters: Vec<_> = self.entries.lock().all().iter().filter_map(Entry::waiter).collect();
            return waiters.iter().for_each(|waiter| waiter.wake());
        }
        let entries = self.entries.lock();
        for entry in entries.all() {
            match entry {
                Entry::Item(item) => {
                    let Some(ep) = item.ep.upgrade() else { continue };
                    let used = ep.poll_callback(item.id, item.serial, key, has_new_end);
                    if item.exclusive && used {
                        break;
                    }
                }
                Entry::Poller(waiter) if key == 0 || key & EPOLLIN != 0 => waiter.wake(),
                Entry::Poller(_) => {}
            }
        }
    }

    /// A mutation.
    fn wake_unlocked(&self, key: u32, has_new_end: &mut dyn FnMut() -> bool) {
        for item in self.items() {
            let Some(ep) = item.ep.upgrade() else { continue };
            ep.poll_callback(item.id, item.serial, key, has_new_end);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_small() {
        assert!(size_of::<ItemRef>() <= 24);
        assert!(size_of::<WaitHead>() <= 32);
        // With the two counts of its Arc and a word of the heap's, 96.
        assert!(size_of::<File>() <= 72);
    }
}
