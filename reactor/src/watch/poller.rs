//! Files that are asked: one entry for each item whose file gives no signals.
//!
//! | mode | slept on while | forgets what it saw when |
//! |---|---|---|
//! | `Level` | the item is not on the ready list | – |
//! | `Edge` | not on the ready list, for the bits not seen yet | they are found to have fallen, or the program drained the file |
//! | `Gaps` | for what its signals leave out: the room to write while there is none, hang-ups until seen | – |
//!
//! An entry that fired is mute until the eventpoll has asked and says by `settle` what it found.
//!
//! Locks: `entries`, at the end of the third level; no callback is called under it.

use libc::pollfd;
use slab::Slab;

use crate::file::{File, ItemRef, Settled};
use crate::sync::{Arc, AtomicU64, Mutex, Ordering};
use crate::sys;
use crate::uapi::*;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Level,
    Edge,
    Gaps,
}

/// What a file's signals leave out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Gaps {
    /// The room to write.
    pub(super) write: bool,
    /// Hang-ups and errors.
    pub(super) hangup: bool,
}

impl Gaps {
    pub(super) fn any(self) -> bool {
        self.write || self.hangup
    }
}

#[derive(Debug)]
struct Entry {
    file: Arc<File>,
    item: ItemRef,
    mode: Mode,
    gaps: Gaps,
    /// The bits to ask for.
    mask: u32,
    /// The bits that an edge-triggered item was told of and that have not fallen since.
    seen: u32,
    /// Whether a rise of `mask & !seen` must end a sleep.
    armed: bool,
    /// On the ready list: what is seen now is looked at by the delivery.
    queued: bool,
}

impl Entry {
    fn wants(&self) -> u32 {
        self.mask & !self.seen
    }

    /// The bits to ask for, given what was found.
    fn mask_of(&self, settled: Settled) -> u32 {
        if settled.events & !EP_PRIVATE_BITS == 0 {
            return 0;
        }
        let bits = settled.events & POLL_BITS;
        if self.mode != Mode::Gaps {
            return bits;
        }
        let (write, hangup) = (EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND, EPOLLHUP | EPOLLERR);
        let has = |side: u32| settled.revents & (side | EPOLLNVAL) != 0;
        let write = if self.gaps.write && !has(write) { bits & write } else { 0 };
        let hangup = if self.gaps.hangup && !has(hangup) { hangup } else { 0 };
        write | hangup
    }

    /// Hang-up and error cannot be masked, so an entry that saw them would end every sleep.
    fn can_sleep(&self) -> bool {
        self.armed && self.wants() != 0 && self.seen & (EPOLLHUP | EPOLLERR) == 0
    }
}

/// A wakeup found by asking.
#[derive(Debug)]
pub(super) struct Fired {
    pub(super) fd: i32,
    pub(super) item: ItemRef,
    pub(super) key: u32,
}

#[derive(Debug, Default)]
pub(super) struct Poller {
    entries: Mutex<Slab<Entry>>,
    /// Grows with each change that a sleeping holder must know of.
    generation: AtomicU64,
}

impl Poller {
    /// `gaps`: the file tells by signals all but this; None: it is told by asking alone.
    pub(super) fn attach(&self, file: &Arc<File>, item: &ItemRef, events: u32, gaps: Option<Gaps>) -> u32 {
        let mode = match gaps {
            Some(_) => Mode::Gaps,
            None if events & EPOLLET != 0 => Mode::Edge,
            None => Mode::Level,
        };
        let gaps = gaps.unwrap_or_default();
        let (file, item) = (file.clone(), item.clone());
        let entry = Entry { file, item, mode, gaps, mask: 0, seen: 0, armed: false, queued: false };
        self.entries.lock().insert(entry) as u32
    }

    /// Returns whether a sleeping holder must be roused.
    pub(super) fn settle(&self, key: u32, settled: Settled) -> bool {
        let mut entries = self.entries.lock();
        let Some(entry) = entries.get_mut(key as usize) else { return false };
        let was = entry.can_sleep();
        let events = settled.events;
        if entry.mode != Mode::Gaps {
            entry.mode = if events & EPOLLET != 0 { Mode::Edge } else { Mode::Level };
        }
        entry.mask = entry.mask_of(settled);
        entry.queued = settled.queued;
        entry.armed = entry.mask != 0 && !settled.queued;
        entry.seen = match entry.mode {
            Mode::Edge if !settled.queued => settled.revents & entry.mask,
            _ => 0,
        };
        let rouse = entry.can_sleep() && !was;
        if rouse {
            self.generation.fetch_add(1, Ordering::SeqCst);
        }
        rouse
    }

    pub(super) fn detach(&self, key: u32) {
        self.entries.lock().try_remove(key as usize);
        self.generation.fetch_add(1, Ordering::SeqCst);
    }

    pub(super) fn clear(&self) {
        self.entries.lock().clear();
        self.generation.fetch_add(1, Ordering::SeqCst);
    }

    /// The program read or wrote until `bits` of the file were used up: seen again, they are new.
    pub(super) fn drained(&self, file: u64, bits: u32) {
        for (_, entry) in self.entries.lock().iter_mut() {
            if entry.file.id() == file {
                entry.seen &= !bits;
            }
        }
    }

    /// Adds what must be slept on; returns the generation that this was true for.
    pub(super) fn sleep_set(&self, fds: &mut Vec<pollfd>) -> u64 {
        let entries = self.entries.lock();
        let generation = self.generation.load(Ordering::SeqCst);
        for (_, entry) in entries.iter() {
            if entry.can_sleep() {
                fds.push(pollfd { fd: entry.file.fd(), events: entry.wants() as i16, revents: 0 });
            }
        }
        generation
    }

    pub(super) fn changed_since(&self, generation: u64) -> bool {
        self.generation.load(Ordering::SeqCst) != generation
    }

    /// Asks all files that are not on the ready list, without sleeping.
    pub(super) fn ask(&self, fired: &mut Vec<Fired>) {
        let mut fds = Vec::new();
        let mut asked = Vec::new();
        {
            let entries = self.entries.lock();
            for (key, entry) in entries.iter() {
                if entry.armed && !entry.queued {
                    fds.push(pollfd { fd: entry.file.fd(), events: entry.mask as i16, revents: 0 });
                    asked.push((key, entry.item.serial));
                }
            }
        }
        if fds.is_empty() || sys::ppoll(&mut fds, Some(0), None).is_err() {
            return;
        }
        let mut entries = self.entries.lock();
        for ((key, serial), found) in asked.into_iter().zip(fds) {
            let Some(entry) = entries.get_mut(key).filter(|entry| entry.item.serial == serial) else {
                continue;
            };
            if !entry.armed || entry.queued {
                continue;
            }
            let found = found.revents as u16 as u32;
            if found & EPOLLNVAL != 0 {
                // Closed behind our back: nothing more will be told of it.
                entry.armed = false;
                continue;
            }
            let found = found & entry.mask;
            let fresh = found & !entry.seen;
            entry.seen &= found;
            if fresh != 0 {
                entry.armed = false;
                entry.queued = true;
                fired.push(Fired { fd: entry.file.fd(), item: entry.item.clone(), key: fresh });
            }
        }
    }
}
