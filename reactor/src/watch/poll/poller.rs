//! Files that are asked: one entry for each item of which signals do not tell all.
//!
//! What an asking costs follows the entries that are of interest now (`active`), not those that are
//! registered: an item on the ready list is left to its delivery, and an entry that only fills the gaps
//! of a file's signals sleeps until there is such a gap.
//!
//! Locks: `set`, at the end of the third level; no callback is called under it.

use std::collections::BTreeMap;

use libc::pollfd;

use crate::eventpoll::epitem::{PollerId, NO_POLLER_ID};
use crate::eventpoll::Eventpoll;
use crate::file::{File, ItemRef, PollResult};
use crate::slab::Slab;
use crate::sync::global::AtomicU32;
use crate::sync::{Arc, AtomicU64, Count, Counted, Ordering};
use crate::sys;
use crate::uapi::EPOLLEXCLUSIVE;
use crate::watch::poll::entry::{Entry, Gaps};

/// How often an undrained file with an edge-triggered item is looked at.
const LOOK_AGAIN_NS: u64 = 10_000_000;

/// A wakeup found by asking.
#[derive(Debug)]
pub(crate) struct Fired {
    pub(crate) fd: i32,
    pub(crate) item: ItemRef,
    pub(crate) pollflags: u32,
    /// Which file it is, for comparison.
    file: usize,
    exclusive: bool,
}

#[derive(Debug, Default)]
struct Set {
    entries: Slab<Entry>,
    /// The ids of those that are looked at.
    active: Vec<PollerId>,
}

impl Count for Set {
    fn count(&self) -> u32 {
        self.active.len() as u32
    }
}

impl Set {
    /// Puts an entry that has changed on the list or takes it off.
    fn place(&mut self, id: PollerId) {
        let Some(entry) = self.entries.get_mut(id) else { return };
        match (entry.is_active(), entry.place) {
            (true, None) => {
                entry.place = Some(self.active.len() as u32);
                self.active.push(id);
            }
            (false, Some(place)) => {
                entry.place = None;
                self.active.swap_remove(place as usize);
                if let Some(moved) = self.active.get(place as usize) {
                    self.entries[*moved].place = Some(place);
                }
            }
            _ => {}
        }
    }

    /// Changes an entry. True: a sleeping holder must get up and look at the list anew.
    fn change(&mut self, id: PollerId, change: impl FnOnce(&mut Entry)) -> bool {
        let Some(entry) = self.entries.get_mut(id) else { return false };
        let before = entry.can_sleep().then(|| entry.wants());
        change(entry);
        let now = entry.can_sleep().then(|| entry.wants());
        let unpark = now.is_some_and(|now| before != Some(now)) || entry.written;
        self.place(id);
        unpark
    }

    fn active(&self) -> impl Iterator<Item = (u32, &Entry)> {
        self.active.iter().filter_map(|id| self.entries.get(*id).map(|entry| (*id, entry)))
    }
}

#[derive(Debug, Default)]
pub(crate) struct Poller {
    set: Counted<Set>,
    /// Grows with each change that a sleeping holder must know of.
    generation: AtomicU64,
    /// Not 0: of some file, asking takes the news (`News`). Set before its first entry, which the lock of `set` shows.
    takes_news: AtomicU32,
}

impl Poller {
    /// `gaps`: the file tells by signals all but this; None: it is told by asking alone. `next`: the
    /// file's first entry until now.
    pub(crate) fn attach(
        &self,
        file: &Arc<File>,
        item: &ItemRef,
        events: u32,
        gaps: Option<Gaps>,
        next: PollerId,
    ) -> u32 {
        let entry = Entry { next, ..Entry::new(file, item, events, gaps) };
        if entry.steady != 0 {
            self.takes_news.store(1, Ordering::Relaxed);
        }
        self.set.lock().entries.insert(entry)
    }

    /// The entry of the same file that follows.
    pub(crate) fn next(&self, id: PollerId) -> PollerId {
        self.set.lock().entries.get(id).map_or(NO_POLLER_ID, |entry| entry.next)
    }

    fn change_entry(&self, id: PollerId, change: impl FnOnce(&mut Entry)) -> bool {
        let unpark = self.set.lock().change(id, change);
        if unpark {
            self.change();
        }
        unpark
    }

    /// Returns whether a sleeping holder must be roused, here and below.
    pub(crate) fn rearm(&self, id: PollerId, result: PollResult) -> bool {
        self.change_entry(id, |entry| entry.rearm(result))
    }

    /// Takes an entry out. `first` is the file's first, and which that is afterwards is returned.
    pub(crate) fn detach(&self, first: PollerId, id: PollerId) -> PollerId {
        let mut set = self.set.lock();
        let mut left = first;
        if let Some(entry) = set.entries.get_mut(id) {
            (entry.armed, entry.written) = (false, false);
            let next = entry.next;
            set.place(id);
            set.entries.remove(id);
            if first == id {
                left = next;
            }
            let mut at = left;
            while let Some(entry) = set.entries.get_mut(at) {
                if entry.next == id {
                    entry.next = next;
                }
                at = entry.next;
            }
        }
        drop(set);
        self.change();
        left
    }

    pub(crate) fn clear(&self) {
        *self.set.lock() = Set::default();
        self.change();
    }

    /// The program read or wrote until `bits` of the file were used up: seen again, they are new.
    pub(crate) fn drained(&self, id: PollerId, bits: u32) -> bool {
        self.change_entry(id, |entry| entry.drain(bits))
    }

    /// A delivery is about to ask the file.
    pub(crate) fn measure(&self, id: PollerId) {
        self.change_entry(id, Entry::measure);
    }

    /// The program read signals; these are left.
    pub(crate) fn left(&self, id: PollerId, signals: u64) -> bool {
        self.change_entry(id, |entry| entry.amount = signals)
    }

    /// The file's items are about to be told `pollflags`: asking must not tell it once more.
    pub(crate) fn told(&self, id: PollerId, events: u32) -> bool {
        self.change_entry(id, |entry| entry.told(events))
    }

    /// The program read some of what there was.
    pub(crate) fn took(&self, id: PollerId, amount: u64) -> bool {
        self.change_entry(id, |entry| entry.amount = entry.amount.saturating_sub(amount))
    }

    /// The program wrote to the file: it may be full now.
    pub(crate) fn written(&self, id: PollerId) -> bool {
        self.change_entry(id, |entry| entry.written |= entry.gaps.full)
    }

    /// A write of the program was refused.
    pub(crate) fn refused(&self, id: PollerId) -> bool {
        self.change_entry(id, Entry::refused)
    }

    /// Whether any file is looked at.
    pub(crate) fn is_active(&self) -> bool {
        self.set.count() != 0
    }

    /// To be taken before what is to be slept on is put together.
    pub(crate) fn generation(&self) -> u64 {
        self.generation.load(Ordering::SeqCst)
    }

    /// What is slept on is no longer right.
    pub(crate) fn change(&self) {
        self.generation.fetch_add(1, Ordering::SeqCst);
    }

    pub(crate) fn changed_since(&self, generation: u64) -> bool {
        self.generation.load(Ordering::SeqCst) != generation
    }

    /// Adds what must be slept on; returns after how many nanoseconds at the most it must be looked
    /// at again.
    pub(crate) fn sleep_set(&self, fds: &mut Vec<pollfd>) -> Option<u64> {
        if !self.is_active() {
            return None;
        }
        let set = self.set.lock();
        let mut look_again = None;
        for (_, entry) in set.active() {
            if entry.must_look_again() {
                look_again = Some(LOOK_AGAIN_NS);
            }
            if entry.can_sleep() {
                fds.push(pollfd { fd: entry.file.fd(), events: entry.wants() as i16, revents: 0 });
            }
        }
        look_again
    }

    /// Adds the signalfds of one set that its waiting thread must sleep on itself: the signals that were sent to that
    /// thread show to it alone.
    pub(crate) fn own_signalfds(&self, set: *const Eventpoll, fds: &mut Vec<pollfd>) {
        for (_, entry) in self.set.lock().active() {
            if entry.item.ep.as_ptr() == set && entry.is_signalfd() && entry.can_sleep() {
                fds.push(pollfd { fd: entry.file.fd(), events: entry.wants() as i16, revents: 0 });
            }
        }
    }

    /// What a sleep found: where asking takes the news, it is kept for the delivery.
    pub(crate) fn keep_news(&self, fds: &[pollfd]) {
        if self.takes_news.load(Ordering::Relaxed) == 0 {
            return;
        }
        for pollfd in fds.iter().filter(|pollfd| pollfd.revents != 0) {
            for (_, entry) in self.set.lock().active().filter(|(_, entry)| entry.file.fd() == pollfd.fd) {
                entry.keep_news(pollfd.revents);
            }
        }
    }

    /// Asks all files that are not on the ready list, without sleeping.
    pub(crate) fn ask(&self, fired: &mut Vec<Fired>) {
        if !self.is_active() {
            return;
        }
        let mut fds = Vec::new();
        let mut asked = Vec::new();
        for (id, entry) in self.set.lock().active() {
            fds.push(pollfd { fd: entry.file.fd(), events: entry.asks() as i16, revents: 0 });
            asked.push((id, entry.item.serial));
        }
        if fds.is_empty() || sys::poll_now(&mut fds).is_err() {
            return;
        }
        let mut set = self.set.lock();
        for ((id, serial), pollfd) in asked.into_iter().zip(fds) {
            let entry = set.entries.get_mut(id);
            let Some(entry) = entry.filter(|entry| entry.item.serial == serial) else { continue };
            let fresh = entry.found(entry.keep_news(pollfd.revents));
            if fresh != 0 {
                let (fd, file) = (entry.file.fd(), Arc::as_ptr(&entry.file).addr());
                let exclusive = entry.events & EPOLLEXCLUSIVE != 0;
                let pollflags = entry.pollflags_of(fresh);
                fired.push(Fired { fd, item: entry.item.clone(), pollflags, file, exclusive });
            }
            set.place(id);
        }
        drop(set);
        if fired.len() > 1 {
            like_a_wait_queue(fired);
        }
    }
}

/// Of one file, the newest item is told first, and those that are exclusive last, the oldest first.
fn like_a_wait_queue(fired: &mut [Fired]) {
    let mut first = BTreeMap::new();
    for (at, fired) in fired.iter().enumerate() {
        first.entry(fired.file).or_insert(at);
    }
    fired.sort_by_key(|fired| {
        let serial = fired.item.serial;
        (first[&fired.file], fired.exclusive, if fired.exclusive { serial } else { u64::MAX - serial })
    });
}
