//! Files that are asked: one entry for each item whose file gives no signals.
//!
//! | mode | slept on while | forgets what it saw when |
//! |---|---|---|
//! | `Level` | the item is not on the ready list | – |
//! | `Edge` | not on the ready list, for the bits not seen yet | they are found to have fallen, or the program drained the file |
//! | `Gaps` | for what its signals leave out: the room to write while there is none, hang-ups until seen | – |
//!
//! An edge on a file that was not drained cannot be slept on, for the file is ready all the time: such
//! a file is looked at every 10 ms, and more to read than before is an edge.
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

const WRITE_BITS: u32 = EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND;

/// How often an undrained file with an edge-triggered item is looked at.
const LOOK_AGAIN_NS: u64 = 10_000_000;

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
    /// How much there was to read when `seen` was set.
    amount: u64,
    /// Written to since it was last found writable (`Gaps`).
    written: bool,
    /// Interest and private bits.
    events: u32,
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
        let (write, hangup) = (WRITE_BITS, EPOLLHUP | EPOLLERR);
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
        let entry = Entry {
            file,
            item,
            mode,
            gaps,
            mask: 0,
            seen: 0,
            armed: false,
            amount: 0,
            written: false,
            events,
            queued: false,
        };
        self.entries.lock().insert(entry) as u32
    }

    /// Returns whether a sleeping holder must be roused.
    pub(super) fn settle(&self, key: u32, settled: Settled) -> bool {
        let mut entries = self.entries.lock();
        let Some(entry) = entries.get_mut(key as usize) else { return false };
        let was = entry.can_sleep();
        let events = settled.events;
        entry.events = events;
        entry.written = false;
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
        if entry.seen & READ_SIDE != 0 {
            entry.amount = sys::readable_amount(entry.file.fd());
        }
        let rouse = entry.can_sleep() && !was;
        if rouse {
            self.change();
        }
        rouse
    }

    pub(super) fn detach(&self, key: u32) {
        self.entries.lock().try_remove(key as usize);
        self.change();
    }

    pub(super) fn clear(&self) {
        self.entries.lock().clear();
        self.change();
    }

    /// The program read or wrote until `bits` of the file were used up: seen again, they are new.
    pub(super) fn drained(&self, file: u64, bits: u32) {
        for (_, entry) in self.entries.lock().iter_mut() {
            if entry.file.id() == file {
                entry.seen &= !bits;
            }
        }
    }

    /// The program wrote to the file: it may be full now.
    pub(super) fn written(&self, file: u64) {
        for (_, entry) in self.entries.lock().iter_mut() {
            if entry.file.id() == file && entry.gaps.write {
                entry.written = true;
            }
        }
    }

    /// To be taken before what is to be slept on is put together.
    pub(super) fn generation(&self) -> u64 {
        self.generation.load(Ordering::SeqCst)
    }

    /// What is slept on is no longer right.
    pub(super) fn change(&self) {
        self.generation.fetch_add(1, Ordering::SeqCst);
    }

    /// Adds what must be slept on; returns after how many nanoseconds at the most it must be looked
    /// at again.
    pub(super) fn sleep_set(&self, fds: &mut Vec<pollfd>) -> Option<u64> {
        let entries = self.entries.lock();
        let mut look_again = None;
        for (_, entry) in entries.iter() {
            if entry.armed && entry.seen & (EPOLLIN | EPOLLRDNORM) != 0 && entry.seen & EPOLLHUP == 0 {
                look_again = Some(LOOK_AGAIN_NS);
            }
            if entry.can_sleep() {
                fds.push(pollfd { fd: entry.file.fd(), events: entry.wants() as i16, revents: 0 });
            }
        }
        look_again
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
                if (entry.armed || entry.written) && !entry.queued {
                    let mask = entry.mask | if entry.written { entry.events & WRITE_BITS } else { 0 };
                    fds.push(pollfd { fd: entry.file.fd(), events: mask as i16, revents: 0 });
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
            let found = found.revents as u16 as u32;
            if std::mem::take(&mut entry.written) && !entry.queued && found & (WRITE_BITS | EPOLLNVAL) == 0 {
                // Full, with no write refused: no signal will tell of room.
                entry.mask |= entry.events & WRITE_BITS;
                entry.armed = entry.mask != 0;
                continue;
            }
            if !entry.armed || entry.queued {
                continue;
            }
            if found & EPOLLNVAL != 0 {
                // Closed behind our back: nothing more will be told of it.
                entry.armed = false;
                continue;
            }
            let found = found & entry.mask;
            let mut fresh = found & !entry.seen;
            entry.seen &= found;
            if entry.seen & READ_SIDE != 0 {
                let amount = sys::readable_amount(entry.file.fd());
                if std::mem::replace(&mut entry.amount, amount) < amount {
                    fresh |= entry.seen & (EPOLLIN | EPOLLRDNORM);
                }
            }
            if fresh != 0 {
                entry.armed = false;
                entry.queued = true;
                fired.push(Fired { fd: entry.file.fd(), item: entry.item.clone(), key: fresh });
            }
        }
    }
}
