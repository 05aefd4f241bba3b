//! The polled files: one entry for each item whose wakeups the signals do not report, or not all of them.
//!
//! The cost of a poll depends on the entries that matter now (`active`), not on all entries. An item on the
//! ready list is left to its delivery. An entry that only fills the gaps of a file's signals is inactive until
//! there is such a gap.
//!
//! Locks: `set`, at the end of the third level; no callback is called under it.

use std::collections::BTreeMap;

use libc::pollfd;

use crate::file::{File, ItemRef, PollResult, PollerId, NO_POLLER_ID};
use crate::slab::Slab;
use crate::sync::global::AtomicU32;
use crate::sync::{Arc, AtomicU64, Count, Counted, Ordering};
use crate::sys;
use crate::uapi::EPOLLEXCLUSIVE;
use crate::watch::poll::entry::Entry;
use crate::watch::poll::gaps::Gaps;

/// An undrained file with an edge-triggered item is asked at this interval.
const LOOK_AGAIN_NS: u64 = 10_000_000;

/// A wakeup that a poll has found.
#[derive(Debug)]
pub(crate) struct Fired {
    pub(crate) fd: i32,
    pub(crate) item: ItemRef,
    pub(crate) pollflags: u32,
    /// Identifies the file, for comparison.
    file: usize,
    exclusive: bool,
}

/// What a change of an entry means for the thread that sleeps on the poller's files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Sleeper {
    SleepsOn,
    /// It must wake, and build a new list.
    MustWake,
}

/// What a sleep on the polled files is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sleep {
    /// After how many nanoseconds at most the files must be asked.
    pub(crate) look_again_ns: Option<u64>,
    /// If the sleep ends and none of the files is found ready, they need not be asked: all are counters of this
    /// process, whose calls report what they change.
    pub(crate) sees_all: bool,
}

#[derive(Debug, Default)]
struct Set {
    entries: Slab<Entry>,
    /// The ids of the active entries.
    active: Vec<PollerId>,
}

impl Count for Set {
    fn count(&self) -> u32 {
        self.active.len() as u32
    }
}

impl Set {
    /// Puts a changed entry on the list of active ones, or takes it off.
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

    /// Changes an entry.
    fn change(&mut self, id: PollerId, change: impl FnOnce(&mut Entry)) -> Sleeper {
        let Some(entry) = self.entries.get_mut(id) else { return Sleeper::SleepsOn };
        let before = entry.can_sleep().then(|| entry.wants());
        change(entry);
        let now = entry.can_sleep().then(|| entry.wants());
        let is_old = now.is_some_and(|now| before != Some(now)) || entry.written;
        self.place(id);
        if is_old {
            Sleeper::MustWake
        } else {
            Sleeper::SleepsOn
        }
    }

    fn active(&self) -> impl Iterator<Item = (u32, &Entry)> {
        self.active.iter().filter_map(|id| self.entries.get(*id).map(|entry| (*id, entry)))
    }
}

#[derive(Debug, Default)]
pub(crate) struct Poller {
    set: Counted<Set>,
    /// Incremented with each change that invalidates a sleeper's list.
    generation: AtomicU64,
    /// Not 0: there is a file from which a poll takes the news (`News`). Set before the file's first entry is
    /// inserted, so a thread that finds the entry under the lock of `set` sees this too.
    takes_news: AtomicU32,
}

impl Poller {
    /// `gaps`: what the file's signals leave out; None: the file is polled only. `next`: the file's first entry
    /// until now.
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

    /// The file's entry after this one.
    pub(crate) fn next(&self, id: PollerId) -> PollerId {
        self.set.lock().entries.get(id).map_or(NO_POLLER_ID, |entry| entry.next)
    }

    fn change_entry(&self, id: PollerId, change: impl FnOnce(&mut Entry)) -> Sleeper {
        let sleeper = self.set.lock().change(id, change);
        if sleeper == Sleeper::MustWake {
            self.change();
        }
        sleeper
    }

    /// The eventpoll has asked the file and got this result.
    pub(crate) fn rearm(&self, id: PollerId, result: PollResult) -> Sleeper {
        self.change_entry(id, |entry| entry.rearm(result))
    }

    /// Removes an entry. `first` is the file's first entry; returns the first entry afterwards.
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

    /// The program has drained `bits` of the file: they are new when they are seen again.
    pub(crate) fn drained(&self, id: PollerId, bits: u32) -> Sleeper {
        self.change_entry(id, |entry| entry.drain(bits))
    }

    /// A delivery is about to ask the file.
    pub(crate) fn measure(&self, id: PollerId) {
        let _ = self.change_entry(id, Entry::measure);
    }

    /// The program read signals; `signals` are left.
    pub(crate) fn left(&self, id: PollerId, signals: u64) -> Sleeper {
        self.change_entry(id, |entry| entry.amount = signals)
    }

    /// The caller is about to wake the file's items for these events: the next poll must not do so again.
    pub(crate) fn note_woken(&self, id: PollerId, events: u32) -> Sleeper {
        self.change_entry(id, |entry| entry.note_woken(events))
    }

    /// The program read some of what there was.
    pub(crate) fn took(&self, id: PollerId, amount: u64) -> Sleeper {
        self.change_entry(id, |entry| entry.amount = entry.amount.saturating_sub(amount))
    }

    /// The program wrote to the file: it may be full now.
    pub(crate) fn written(&self, id: PollerId) -> Sleeper {
        self.change_entry(id, |entry| entry.written |= entry.gaps.full)
    }

    /// A write of the program was refused.
    pub(crate) fn refused(&self, id: PollerId) -> Sleeper {
        self.change_entry(id, Entry::refused)
    }

    /// Whether there is any file to ask.
    pub(crate) fn is_active(&self) -> bool {
        self.set.count() != 0
    }

    /// A sleeper reads it before it builds its list.
    pub(crate) fn generation(&self) -> u64 {
        self.generation.load(Ordering::SeqCst)
    }

    /// Invalidates the sleeper's pollfd array.
    pub(crate) fn change(&self) {
        self.generation.fetch_add(1, Ordering::SeqCst);
    }

    pub(crate) fn changed_since(&self, generation: u64) -> bool {
        self.generation.load(Ordering::SeqCst) != generation
    }

    /// Adds the files that a sleep must have.
    pub(crate) fn sleep_set(&self, fds: &mut Vec<pollfd>) -> Sleep {
        let mut sleep = Sleep { look_again_ns: None, sees_all: true };
        if !self.is_active() {
            return sleep;
        }
        let set = self.set.lock();
        for (_, entry) in set.active() {
            if entry.must_look_again() {
                sleep.look_again_ns = Some(LOOK_AGAIN_NS);
            }
            sleep.sees_all &= entry.is_own_counter();
            if entry.can_sleep() {
                fds.push(pollfd { fd: entry.file.fd(), events: entry.wants() as i16, revents: 0 });
            }
        }
        sleep
    }

    /// Adds the signalfds of one set, on which its waiting thread must sleep itself: only that thread sees the
    /// signals that were sent to it.
    pub(crate) fn own_signalfds(&self, set: *const (), fds: &mut Vec<pollfd>) {
        for (_, entry) in self.set.lock().active() {
            if entry.item.ep.as_ptr().cast() == set && entry.is_signalfd() && entry.can_sleep() {
                fds.push(pollfd { fd: entry.file.fd(), events: entry.wants() as i16, revents: 0 });
            }
        }
    }

    /// Keeps what a sleep has found for the delivery, if a poll takes the news of the file.
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

    /// Asks all files that are not on the ready list, without sleeping. Not `counters`: those of the process itself are
    /// left out.
    pub(crate) fn ask(&self, counters: bool, fired: &mut Vec<Fired>) {
        let mut fds = Vec::new();
        let mut asked = Vec::new();
        self.add(counters, &mut fds, &mut asked);
        if !fds.is_empty() && sys::poll_now(&mut fds).is_ok() {
            self.answered(&asked, &fds, fired);
        }
    }

    /// Adds the files that are not on the ready list to `fds`, and to `asked` which entries they are.
    pub(crate) fn add(&self, counters: bool, fds: &mut Vec<pollfd>, asked: &mut Vec<(PollerId, u64)>) {
        if !self.is_active() {
            return;
        }
        let is_asked = |entry: &Entry| counters || !entry.is_own_counter();
        for (id, entry) in self.set.lock().active().filter(|(_, entry)| is_asked(entry)) {
            fds.push(pollfd { fd: entry.file.fd(), events: entry.asks() as i16, revents: 0 });
            asked.push((id, entry.item.serial));
        }
    }

    /// The files that `add` gave were asked and have answered.
    pub(crate) fn answered(&self, asked: &[(PollerId, u64)], fds: &[pollfd], fired: &mut Vec<Fired>) {
        let mut set = self.set.lock();
        for ((id, serial), pollfd) in asked.iter().copied().zip(fds) {
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

/// Sorts the wakeups of one file in the order of the kernel's wait queue: first the items that are not
/// exclusive, the newest first, then the exclusive ones, the oldest first.
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
