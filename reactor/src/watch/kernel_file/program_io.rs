//! What the program does with a file, as the shim reports it: reads, writes, and refused writes.

use crate::file::{File, KernelFile, Marks, NO_POLLER_ID};
use crate::sys;
use crate::uapi::*;
use crate::watch::poll::gaps::{Gaps, WRITE_BITS};
use crate::watch::poll::poller::{Poller, Sleeper};
use crate::watch::WATCH;

impl KernelFile {
    /// Whether the shim must report reads and writes of the program (`drained`, `File::wake`).
    pub fn wants_io(&self) -> bool {
        self.marks.has(Marks::WANTS_IO)
    }

    /// Whether the shim must report refused writes of the program (`refused`).
    pub fn wants_refusals(&self) -> bool {
        self.marks.has(Marks::WANTS_REFUSALS)
    }

    /// Whether reads and refused writes of the program must leave hints.
    pub fn wants_drain_hints(&self) -> bool {
        self.marks.has(Marks::DRAIN_HINTS)
    }

    /// From now on a read may come short although there is more.
    pub fn comes_in_pieces(&self) {
        self.marks.set(Marks::PIECES);
    }

    /// Whether only an empty file cuts a read short: a TCP socket without a protocol above it, such as TLS, of which a
    /// read takes one record.
    pub(super) fn is_whole(&self) -> bool {
        if !self.marks.has(Marks::WHOLE) {
            self.marks.set(Marks::WHOLE);
            if !sys::is_plain_tcp(self.fd()) || self.look(EPOLLIN) & EPOLLIN != 0 {
                self.comes_in_pieces();
            }
        }
        !self.marks.has(Marks::PIECES)
    }

    /// The program has drained `bits`.
    pub fn drained(&self, bits: u32) {
        self.for_entries(|poller, id| poller.drained(id, bits));
    }

    /// The program's own call is a wakeup of the file: wakes its items.
    pub fn tell(&self, file: &File, pollflags: u32) {
        self.for_entries(|poller, id| poller.note_woken(id, pollflags));
        file.wake(pollflags);
    }

    /// The program has read `amount`.
    pub fn took(&self, amount: u64) {
        if self.marks.has(Marks::REGULAR) {
            // A read of an attribute takes its report of a change. Linux: `fs/kernfs/file.c:kernfs_seq_show`.
            self.drained(EPOLLPRI | EPOLLERR);
        }
        self.for_entries(|poller, id| poller.took(id, amount));
    }

    /// The program has read signals; `left` are still pending.
    pub fn left_signals(&self, left: u64) {
        self.for_entries(|poller, id| poller.left(id, left));
    }

    /// Called for a character device: if it is a terminal, each write is a wakeup of the own side.
    /// Linux: `drivers/tty/tty_io.c:iterate_tty_write`.
    pub fn look_for_terminal(&self) {
        if sys::is_terminal(self.fd()) {
            self.marks.set(Marks::TERMINAL);
        }
    }

    /// Whether a write is a wakeup for room.
    pub fn is_terminal(&self) -> bool {
        self.marks.has(Marks::TERMINAL)
    }

    /// The program has written: the file may be full now.
    pub fn written(&self) {
        self.for_entries(|poller, id| poller.written(id));
    }

    /// A write of the program was refused: it is full.
    pub fn refused(&self, file: &File) {
        self.for_entries(|poller, id| poller.refused(id));
        for item in file.wait_head().items() {
            if let Some(ep) = item.ep.upgrade() {
                ep.refused(item.id, item.serial);
            }
        }
    }

    pub(super) fn for_entries(&self, change: impl Fn(&Poller, u32) -> Sleeper) {
        let Some(watch) = WATCH.get() else { return };
        let mut must_wake = false;
        let first = self.first_poller_id.lock();
        let mut id = *first;
        while id != NO_POLLER_ID {
            must_wake |= change(&watch.poller, id) == Sleeper::MustWake;
            id = watch.poller.next(id);
        }
        drop(first);
        if must_wake {
            watch.unpark_holder();
        }
    }

    pub(super) fn note_io(&self, gaps: Gaps, events: u32) {
        let edges = events & EPOLLET != 0 && self.is_polled();
        let room = events & EPOLLET != 0 && events & WRITE_BITS != 0;
        if edges || room && gaps.full {
            self.want(Marks::WANTS_IO);
        }
        if room && gaps.write && !gaps.full {
            self.want(Marks::WANTS_REFUSALS);
        }
    }

    pub(super) fn want(&self, what: Marks) {
        if self.marks.set(what) {
            self.watch().host.wants_io(self);
        }
    }
}
