//! One item's entry with the poller: what to ask its file for, and what of the answer is new.
//!
//! | mode | slept on while | forgets what it saw when |
//! |---|---|---|
//! | `Level` | the item is not on the ready list | – |
//! | `Edge` | not on the ready list, for the bits not seen yet | they are found to have fallen, or the program drained the file |
//! | `Gaps` | for what its signals leave out: the room to write while there is none, hang-ups until seen | – |
//!
//! An edge on a file that was not drained cannot be slept on, for the file is ready all the time: such
//! a file is looked at every 10 ms, and more to read than before is an edge. Not so an eventfd of this process alone,
//! as mio's wakers are, which are never drained: whoever reads or writes it says so, and nothing ticks.
//!
//! An entry that fired is mute until the eventpoll has asked and says by `rearm` what it found.

use crate::eventpoll::epitem::{PollerId, NO_POLLER_ID};
use crate::file::{File, ItemRef, PollResult};
use crate::sync::Arc;
use crate::sys;
use crate::uapi::*;
use crate::watch::kernel_file::Unread;
use crate::watch::KernelFile;

pub(crate) const WRITE_BITS: u32 = EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Level,
    Edge,
    Gaps,
}

/// What a file's signals leave out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Gaps {
    /// The room to write, once there was none.
    pub(crate) write: bool,
    /// That there is none, where no write was refused: looked at after each write.
    pub(crate) full: bool,
    /// Hang-ups and errors.
    pub(crate) hangup: bool,
    /// A hang-up that comes after the peer's half of it.
    pub(crate) half: bool,
}

impl Gaps {
    pub(crate) fn any(self) -> bool {
        self.write || self.hangup || self.half
    }

    /// Whether nothing need be kept for an item until there is no room.
    pub(crate) fn only_write(self) -> bool {
        self == Self { write: true, ..Self::default() }
    }

    /// Whether they can concern an item with this interest.
    pub(crate) fn concern(self, events: u32) -> bool {
        self.hangup || self.half || self.write && events & WRITE_BITS != 0
    }
}

#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) file: Arc<File>,
    pub(crate) item: ItemRef,
    pub(crate) mode: Mode,
    pub(crate) gaps: Gaps,
    /// A listening socket: there will be no room to write as long as it is one, and its end is signalled.
    pub(crate) listens: bool,
    /// The bits to ask for.
    pub(crate) mask: u32,
    /// The bits that an edge-triggered item was told of and that have not fallen since.
    pub(crate) seen: u32,
    /// The bits that never come anew, however they rise and fall (`News`).
    pub(crate) steady: u32,
    /// Whether a rise of `mask & !seen` must end a sleep.
    pub(crate) armed: bool,
    /// How much there was to read just before the asking that set `seen`, less what was read since. Of a signalfd the
    /// signals that were pending at some time since.
    pub(crate) amount: u64,
    /// Whether `amount` is from before the asking that is under way.
    pub(crate) measured: bool,
    /// What the program used up since the asking began that is under way.
    pub(crate) drained: u32,
    /// Written to since it was last found writable (`Gaps`).
    pub(crate) written: bool,
    /// Interest and private bits.
    pub(crate) events: u32,
    /// On the ready list: what is seen now is looked at by the delivery.
    pub(crate) queued: bool,
    /// Its place in the list of entries that are looked at, if it is there.
    pub(crate) place: Option<u32>,
    /// The file's next entry, or `NO_POLLER_ID`.
    pub(crate) next: PollerId,
}

impl Entry {
    /// How much there is to read.
    fn unread(&self) -> Unread {
        self.file.device_as::<KernelFile>().map_or(Unread::Amount(0), KernelFile::unread)
    }

    fn note_unread(&mut self) {
        self.amount = match self.unread() {
            Unread::Amount(amount) => amount,
            Unread::Signals(pending) => pending,
        };
    }

    /// Whether more has come than there was; what there is now is what there was from now on.
    fn has_come(&mut self) -> bool {
        match self.unread() {
            // Less than expected: somebody read unseen, and something may have come since.
            Unread::Amount(amount) => std::mem::replace(&mut self.amount, amount) != amount,
            // A thread has signals of its own, which another that asks does not see.
            Unread::Signals(pending) => {
                let before = self.amount;
                self.amount |= pending;
                self.amount != before
            }
        }
    }

    pub(crate) fn is_signalfd(&self) -> bool {
        self.file.device_as::<KernelFile>().is_some_and(KernelFile::is_signalfd)
    }

    fn tells_all(&self) -> bool {
        self.file.device_as::<KernelFile>().is_some_and(KernelFile::tells_all)
    }

    pub(crate) fn wants(&self) -> u32 {
        self.mask & !self.seen
    }

    /// The bits to ask for, given what was found.
    fn mask_of(&mut self, result: PollResult) -> u32 {
        if result.events & !EP_PRIVATE_BITS == 0 {
            return 0;
        }
        let bits = result.events & POLL_BITS;
        match self.mode {
            Mode::Level => return bits,
            // The end of what the peer sends is an edge of every item (`pollflags_of`).
            Mode::Edge => return bits | EPOLLRDHUP,
            Mode::Gaps => {}
        }
        let (write, hangup) = (WRITE_BITS, EPOLLHUP | EPOLLERR);
        let has = |side: u32| result.revents & (side | EPOLLNVAL) != 0;
        self.listens =
            bits & write != 0 && !has(write) && (self.listens || sys::is_listening(self.file.fd()));
        let write = if self.listens { 0 } else { write };
        let write = if self.gaps.write && write != 0 && !has(write) { bits & write } else { 0 };
        let untold = self.gaps.hangup || self.gaps.half && has(EPOLLRDHUP);
        let hangup = if untold && !has(hangup) { hangup } else { 0 };
        write | hangup
    }

    pub(crate) fn new(file: &Arc<File>, item: &ItemRef, events: u32, gaps: Option<Gaps>) -> Self {
        let mode = match gaps {
            Some(_) => Mode::Gaps,
            None if events & EPOLLET != 0 => Mode::Edge,
            None => Mode::Level,
        };
        Self {
            file: file.clone(),
            item: item.clone(),
            mode,
            gaps: gaps.unwrap_or_default(),
            listens: false,
            mask: 0,
            seen: 0,
            steady: file.device_as::<KernelFile>().map_or(0, KernelFile::steady),
            armed: false,
            amount: 0,
            measured: false,
            drained: 0,
            written: false,
            events,
            queued: false,
            place: None,
            next: NO_POLLER_ID,
        }
    }

    /// The eventpoll has asked, and this is what came of it.
    pub(crate) fn rearm(&mut self, result: PollResult) {
        self.events = result.events;
        self.written = false;
        if self.mode != Mode::Gaps {
            self.mode = if result.events & EPOLLET != 0 { Mode::Edge } else { Mode::Level };
        }
        self.mask = self.mask_of(result);
        self.queued = result.queued;
        self.armed = self.mask != 0 && !result.queued;
        self.seen = match self.mode {
            // What asking took comes anew with the next change.
            Mode::Edge if self.steady != 0 => self.steady & self.mask,
            Mode::Edge if !result.queued => result.revents & self.mask,
            _ => 0,
        };
        if self.mode == Mode::Edge && self.steady & result.revents & EPOLLERR != 0 {
            // It wakes nobody (`News::Pressure`).
            self.armed = false;
        }
        // What was used up after the asking is new when it is seen again.
        self.seen &= !std::mem::take(&mut self.drained) | self.steady;
        if !std::mem::take(&mut self.measured) && self.seen & !self.steady & READ_SIDE != 0 {
            self.note_unread();
        }
    }

    /// The file is about to be asked for a delivery.
    pub(crate) fn measure(&mut self) {
        if self.mode == Mode::Edge {
            self.note_unread();
            (self.measured, self.drained) = (true, 0);
        }
    }

    /// The program used up `bits`: seen again, they are new.
    pub(crate) fn drain(&mut self, bits: u32) {
        self.seen &= !bits | self.steady;
        self.drained |= bits;
    }

    /// The program's own call made the file ready for `pollflags`, and the item is told of it without us.
    pub(crate) fn told(&mut self, pollflags: u32) {
        if self.mode != Mode::Gaps && self.mask & pollflags != 0 {
            self.armed = false;
            self.queued = true;
        }
    }

    /// The file was asked by one who delivers nothing.
    pub(crate) fn keep_news(&self, revents: i16) -> u32 {
        let found = revents as u16 as u32;
        self.file.device_as::<KernelFile>().map_or(found, |device| device.keep_news(found))
    }

    /// A write was refused: the room that comes back is new, and no signal need tell of it.
    pub(crate) fn refused(&mut self) {
        if self.mode == Mode::Gaps && self.gaps.write && !self.queued && self.events & !EP_PRIVATE_BITS != 0 {
            self.mask |= self.events & WRITE_BITS;
            self.armed = self.mask != 0;
        }
    }

    /// What to ask for, when all is looked at.
    pub(crate) fn asks(&self) -> u32 {
        self.mask | if self.written { self.events & WRITE_BITS } else { 0 }
    }

    /// Whether it is of interest at all now.
    pub(crate) fn is_active(&self) -> bool {
        (self.armed || self.written) && !self.queued
    }

    /// The file was asked, and said `found`. Returns what is new of it, which queues the item.
    pub(crate) fn found(&mut self, found: u32) -> u32 {
        if std::mem::take(&mut self.written) && !self.queued && found & (WRITE_BITS | EPOLLNVAL) == 0 {
            // Full, with no write refused: no signal will tell of room.
            self.mask |= self.events & WRITE_BITS;
            self.armed = self.mask != 0;
            return 0;
        }
        if !self.armed || self.queued {
            return 0;
        }
        if found & EPOLLNVAL != 0 {
            // Closed behind our back: nothing more will be told of it.
            self.armed = false;
            return 0;
        }
        let found = found & self.mask;
        let mut fresh = found & !self.seen;
        self.seen &= found | self.steady;
        if self.seen & !self.steady & READ_SIDE != 0 && self.has_come() {
            fresh |= self.seen & (EPOLLIN | EPOLLRDNORM);
        }
        if fresh != 0 {
            self.armed = false;
            self.queued = true;
        }
        fresh
    }

    /// The pollflags of a wakeup for what is new: as the kernel's `sk_state_change`, an end has none.
    pub(crate) fn pollflags_of(&self, fresh: u32) -> u32 {
        if fresh & EPOLLRDHUP != 0 {
            0
        } else {
            fresh
        }
    }

    /// Hang-up and error cannot be masked, so an entry that saw them would end every sleep.
    pub(crate) fn can_sleep(&self) -> bool {
        self.is_active()
            && self.armed
            && self.wants() != 0
            && self.seen & !self.steady & (EPOLLHUP | EPOLLERR) == 0
    }

    /// Whether it is ready for what its item has seen, so that what is new can't end a sleep.
    pub(crate) fn must_look_again(&self) -> bool {
        // A socket that was never connected is hung up, and may be connected yet.
        let unconnected = self.seen & !self.steady & (EPOLLHUP | READ_SIDE) == EPOLLHUP;
        let undrained = self.seen & !self.steady & (EPOLLIN | EPOLLRDNORM) != 0 && self.seen & EPOLLHUP == 0;
        self.armed && (undrained && !self.tells_all() || unconnected)
    }
}
