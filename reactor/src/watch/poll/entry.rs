//! An item's entry with the poller: what to ask the file for, and what of the answer is new.
//!
//! | mode | a sleep has the file while | forgets seen bits when |
//! |---|---|---|
//! | `Level` | the item is not on the ready list | – |
//! | `Edge` | the item is not on the ready list, for the bits not seen yet | a poll finds that they have fallen, or the program drained the file |
//! | `Gaps` | the signals leave something out: room to write while there is none, hang-ups until seen | – |
//!
//! A sleep cannot wait for an edge on a file that was not drained, because the file is ready all the time. Such
//! a file is asked every 10 ms, and more to read than before is an edge. An eventfd of this process alone needs
//! no such tick (mio's wakers are such eventfds, and are never drained): the process itself reads and writes
//! it, and reports that.
//!
//! An entry that has fired is silent until the eventpoll has asked the file and calls `rearm` with the result.

use crate::file::{File, ItemRef, KernelFile, PollResult, PollerId, NO_POLLER_ID};
use crate::sync::Arc;
use crate::sys;
use crate::uapi::*;
use crate::watch::kernel_file::unread::Unread;
use crate::watch::poll::gaps::{Gaps, WRITE_BITS};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Level,
    Edge,
    Gaps,
}

#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) file: Arc<File>,
    pub(crate) item: ItemRef,
    pub(crate) mode: Mode,
    pub(crate) gaps: Gaps,
    /// A listening socket: while it listens there is never room to write, and its end is signalled.
    pub(crate) listens: bool,
    /// The bits to ask for.
    pub(crate) mask: u32,
    /// The bits that an edge-triggered item has reported and that have not fallen since.
    pub(crate) seen: u32,
    /// The bits that are never new, even when they rise again (`News`).
    pub(crate) steady: u32,
    /// Whether a rise of `mask & !seen` must end a sleep.
    pub(crate) armed: bool,
    /// How much there was to read just before the poll that set `seen`, less what the program has read since.
    /// For a signalfd: the set of signals that have been pending since.
    pub(crate) amount: u64,
    /// Whether `amount` is from before the poll that is under way.
    pub(crate) measured: bool,
    /// What the program has drained since the poll that is under way began.
    pub(crate) drained: u32,
    /// The program has written to it since it was last found writable (`Gaps`).
    pub(crate) written: bool,
    /// Interest and private bits.
    pub(crate) events: u32,
    /// On the ready list: the delivery will ask the file.
    pub(crate) queued: bool,
    /// Its index in `Set::active`, if it is there.
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

    /// Whether more has arrived since the last call. Notes how much there is now.
    fn has_come(&mut self) -> bool {
        match self.unread() {
            // If there is less than expected, somebody read without our seeing it, and more may have arrived
            // since.
            Unread::Amount(amount) => std::mem::replace(&mut self.amount, amount) != amount,
            // A thread has signals of its own, which another thread does not see.
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

    /// Whether it is a counter that this process alone reads, writes and sets.
    pub(crate) fn is_own_counter(&self) -> bool {
        self.file.device_as::<KernelFile>().is_some_and(KernelFile::is_own_counter)
    }

    fn reports_all_edges(&self) -> bool {
        self.file.device_as::<KernelFile>().is_some_and(KernelFile::reports_all_edges)
    }

    pub(crate) fn wants(&self) -> u32 {
        self.mask & !self.seen
    }

    /// The bits to ask for, given the result of a poll.
    fn mask_of(&mut self, result: PollResult) -> u32 {
        if result.events & !EP_PRIVATE_BITS == 0 {
            return 0;
        }
        let bits = result.events & POLL_BITS;
        match self.mode {
            Mode::Level => return bits,
            // RDHUP is an edge for every item (`pollflags_of`).
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

    /// The eventpoll has asked the file and got this result.
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
            // Bits that a poll takes are new with the next change.
            Mode::Edge if self.steady != 0 => self.steady & self.mask,
            Mode::Edge if !result.queued => result.revents & self.mask,
            _ => 0,
        };
        if self.mode == Mode::Edge && self.steady & result.revents & EPOLLERR != 0 {
            // It wakes nobody (`News::Pressure`).
            self.armed = false;
        }
        // Bits that the program drained after the poll are new when they are seen again.
        self.seen &= !std::mem::take(&mut self.drained) | self.steady;
        if !std::mem::take(&mut self.measured) && self.seen & !self.steady & READ_SIDE != 0 {
            self.note_unread();
        }
    }

    /// A delivery is about to ask the file.
    pub(crate) fn measure(&mut self) {
        if self.mode == Mode::Edge {
            self.note_unread();
            (self.measured, self.drained) = (true, 0);
        }
    }

    /// The program has drained `bits`: they are new when they are seen again.
    pub(crate) fn drain(&mut self, bits: u32) {
        self.seen &= !bits | self.steady;
        self.drained |= bits;
    }

    /// The program's own call made the file ready for `pollflags`. The caller wakes the item, so the poller
    /// must not.
    pub(crate) fn note_woken(&mut self, pollflags: u32) {
        if self.mode != Mode::Gaps && self.mask & pollflags != 0 {
            self.armed = false;
            self.queued = true;
        }
    }

    /// Keeps news of a poll that delivers nothing.
    pub(crate) fn keep_news(&self, revents: i16) -> u32 {
        let found = revents as u16 as u32;
        self.file.device_as::<KernelFile>().map_or(found, |device| device.keep_news(found))
    }

    /// A write was refused: the next room is new, and perhaps no signal reports it.
    pub(crate) fn refused(&mut self) {
        if self.mode == Mode::Gaps && self.gaps.write && !self.queued && self.events & !EP_PRIVATE_BITS != 0 {
            self.mask |= self.events & WRITE_BITS;
            self.armed = self.mask != 0;
        }
    }

    /// The bits that `Poller::ask` asks for.
    pub(crate) fn asks(&self) -> u32 {
        self.mask | if self.written { self.events & WRITE_BITS } else { 0 }
    }

    /// Whether `Poller::ask` must ask the file.
    pub(crate) fn is_active(&self) -> bool {
        (self.armed || self.written) && !self.queued
    }

    /// The file was asked and answered `found`. Returns the bits that are new, which queue the item.
    pub(crate) fn found(&mut self, found: u32) -> u32 {
        if std::mem::take(&mut self.written) && !self.queued && found & (WRITE_BITS | EPOLLNVAL) == 0 {
            // It is full though no write was refused, so no signal will report room.
            self.mask |= self.events & WRITE_BITS;
            self.armed = self.mask != 0;
            return 0;
        }
        if !self.armed || self.queued {
            return 0;
        }
        if found & EPOLLNVAL != 0 {
            // The program closed it by a call that we did not see: no more events.
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

    /// The pollflags of a wakeup for the new bits. An end has none, like the kernel's `sk_state_change`.
    pub(crate) fn pollflags_of(&self, fresh: u32) -> u32 {
        if fresh & EPOLLRDHUP != 0 {
            0
        } else {
            fresh
        }
    }

    /// Whether a sleep can have the file. Hang-up and error cannot be masked, so once they are seen they would
    /// end every sleep. A counter has no ends to wait for.
    pub(crate) fn can_sleep(&self) -> bool {
        let ends = if self.is_own_counter() { ENDS } else { 0 };
        self.is_active()
            && self.armed
            && self.wants() & !ends != 0
            && self.seen & !self.steady & (EPOLLHUP | EPOLLERR) == 0
    }

    /// Whether the file is still ready for bits that its item has seen, so that new events cannot end a sleep.
    pub(crate) fn must_look_again(&self) -> bool {
        // A socket that was never connected is hung up, and may connect later.
        let unconnected = self.seen & !self.steady & (EPOLLHUP | READ_SIDE) == EPOLLHUP;
        let undrained = self.seen & !self.steady & (EPOLLIN | EPOLLRDNORM) != 0 && self.seen & EPOLLHUP == 0;
        self.armed && (undrained && !self.reports_all_edges() || unconnected)
    }
}
