//! The sums of an item, from ADD to its end.

use glasspoll_record::event::{Known, Op};

use super::Latency;
use crate::replay::world::End;
use crate::replay::Key;

const EAGAIN: u16 = libc::EAGAIN as u16;

/// The sums of an item.
#[derive(Clone, Debug, Default)]
pub struct Item {
    /// The set.
    pub epoll: u32,
    /// The item's serial number.
    pub serial: u32,
    /// The fd that it was added by.
    pub fd: i32,
    /// The file, in words, if it was looked at.
    pub what: Option<String>,
    /// Interest and flags, if they are known.
    pub interest: Option<u32>,
    /// When it was added; None if that was before the record.
    pub added: Option<u64>,
    /// When and how it ended; None if it lives.
    pub ended: Option<(u64, End)>,
    /// When the first and the last event about it were.
    pub seen: (u64, u64),
    /// How many events were delivered.
    pub deliveries: u64,
    /// When the first and the last delivery were.
    pub delivered: Option<(u64, u64)>,
    /// How long the deliveries took, from becoming ready.
    pub latency: Latency,
    /// How many deliveries had EPOLLOUT.
    pub outs: u64,
    /// How many had EPOLLHUP or EPOLLRDHUP.
    pub hups: u64,
    /// How many had EPOLLERR.
    pub errs: u64,
    /// Since when the item has been ready without a delivery.
    pub queued: Option<u64>,
    /// What was read, and written.
    pub bytes: (u64, u64),
    /// How many reads and writes there were, accepts among the reads.
    pub calls: (u64, u64),
    /// How many of these calls found nothing, or no room: EAGAIN.
    pub again: u64,
    /// How long it was served in all.
    pub serving_ns: u64,
    /// The longest time that a thread served it between two waits, and when that began.
    pub longest: Option<(u64, u64)>,
    /// The batch that it was delivered in last.
    pub(super) batch: u64,
    served: Served,
}

/// How long an item was served in a batch.
#[derive(Clone, Copy, Debug, Default)]
struct Served {
    batch: u64,
    from: u64,
    ns: u64,
}

impl Item {
    pub(super) fn new((epoll, serial): Key, fd: i32, ns: u64) -> Self {
        Self { epoll, serial, fd, seen: (ns, ns), ..Self::default() }
    }

    /// The item's key.
    pub fn key(&self) -> Key {
        (self.epoll, self.serial)
    }

    /// When it began and ended, as far as is known.
    pub fn life(&self, now: u64) -> (u64, u64) {
        (self.added.unwrap_or(self.seen.0), self.ended.map_or(now, |(ns, _)| ns))
    }

    pub(super) fn deliver(&mut self, ns: u64, events: u32, ready_ns: u64, known: Known) {
        self.deliveries += 1;
        self.delivered = Some((self.delivered.map_or(ns, |(first, _)| first), ns));
        self.latency.add(ready_ns, known);
        let has = |bits: i32| u64::from(events & bits as u32 != 0);
        self.outs += has(libc::EPOLLOUT);
        self.hups += has(libc::EPOLLHUP | libc::EPOLLRDHUP);
        self.errs += has(libc::EPOLLERR);
        self.queued = None;
    }

    pub(super) fn io(&mut self, op: Op, result: i64, errno: u16) {
        let moved = u64::try_from(result).unwrap_or(0);
        match op {
            Op::Read => {
                self.calls.0 += 1;
                self.bytes.0 = self.bytes.0.saturating_add(moved);
            }
            Op::Accept => self.calls.0 += 1,
            Op::Write => {
                self.calls.1 += 1;
                self.bytes.1 = self.bytes.1.saturating_add(moved);
            }
            Op::Shutdown | Op::Connect | Op::Wait => {}
        }
        self.again += u64::from(result < 0 && errno == EAGAIN);
    }

    /// It was served for a while, from `from` on, in a batch.
    pub(super) fn serve(&mut self, batch: u64, from: u64, ns: u64) {
        self.serving_ns = self.serving_ns.saturating_add(ns);
        if self.served.batch != batch {
            self.served = Served { batch, from, ns: 0 };
        }
        self.served.ns = self.served.ns.saturating_add(ns);
        if self.longest.is_none_or(|(longest, _)| self.served.ns > longest) {
            self.longest = Some((self.served.ns, self.served.from));
        }
    }
}
