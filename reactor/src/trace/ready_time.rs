//! When files became ready. The time of the last poll of all devices is a lower bound: what is found next
//! became ready after it. Kept only while there is a record.
//!
//! A thread that sleeps on the devices is woken at once, so what it finds when it wakes became ready just then,
//! apart from the scheduler's delay. A thread that did not sleep, because something was ready already, knows
//! only the lower bound.

use glasspoll_record::writer::{in_ticks, is_on, ticks};

use crate::sync::global::{AtomicBool, AtomicU64};
use crate::sync::Ordering;
use crate::trace::Since;

/// What is known of when files became ready.
#[derive(Debug, Default)]
pub(crate) struct ReadyTime {
    /// The time of the last poll, in ticks. The lowest bit is set if a sleep has just ended.
    last_look: AtomicU64,
    /// A thread watches the devices all the time (`GLASSPOLL_READY=exact`).
    always: AtomicBool,
}

const JUST_NOW: u64 = 1;

/// The most time that a ppoll takes without sleeping: in itself, with cold caches and an interruption, and for
/// each file. A sleep shorter than this counts as none, so its time is only a bound.
const AT_ONCE_NS: u64 = 50_000;
const FILE_NS: u64 = 100;

/// The most time that a call on `files` files takes without sleeping, in nanoseconds.
pub(crate) fn at_once(files: usize) -> u64 {
    AT_ONCE_NS + files as u64 * FILE_NS
}

impl ReadyTime {
    /// Sets whether a thread watches the devices all the time.
    pub(crate) fn all_the_time(&self, always: bool) {
        self.always.store(always, Ordering::Relaxed);
    }

    /// The moment at which something that is found now became ready.
    pub(crate) fn found(&self) -> Moment {
        if self.always.load(Ordering::Relaxed) {
            return Moment::now();
        }
        let last = self.last_look.load(Ordering::Relaxed);
        Moment { ticks: last & !JUST_NOW, exactly: last & JUST_NOW != 0 }
    }
}

/// A call that may sleep: when it began.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sleep(u64);

impl Sleep {
    pub(crate) fn begins() -> Self {
        Self(if is_on() { ticks() } else { 0 })
    }

    /// Whether the call has slept: if it had found something ready at once, it would have taken less time for
    /// this many files.
    pub(crate) fn was_real(self, files: usize) -> bool {
        self.0 != 0 && ticks().saturating_sub(self.0) > in_ticks(at_once(files))
    }

    /// The call, which was on the devices, has ended.
    pub(crate) fn ends(self, files: usize, known: &ReadyTime) {
        if self.was_real(files) {
            known.last_look.store(ticks() | JUST_NOW, Ordering::Relaxed);
        }
    }
}

/// A poll of all devices: when it began. What becomes ready after that may be missed by it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Look(u64);

impl Look {
    pub(crate) fn begins() -> Self {
        Self(if is_on() { ticks() } else { 0 })
    }

    pub(crate) fn ends(self, known: &ReadyTime) {
        if self.0 != 0 {
            known.last_look.store(self.0 & !JUST_NOW, Ordering::Relaxed);
        }
    }
}

/// A moment, and whether it is exact or a lower bound.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Moment {
    pub(crate) ticks: u64,
    pub(crate) exactly: bool,
}

impl Moment {
    /// Now, as the exact moment at which something became ready.
    pub(crate) fn now() -> Self {
        Self { ticks: if is_on() { ticks() } else { 0 }, exactly: true }
    }

    /// This moment, or `ticks` if that is later: the item cannot have become ready before.
    pub(crate) fn not_before(self, ticks: u64) -> Self {
        Self { ticks: self.ticks.max(ticks), ..self }
    }

    /// The time from this moment to `now`.
    pub(crate) fn since(self, now: u64) -> Since {
        Since { passed: now.saturating_sub(self.ticks), exactly: self.exactly }
    }
}
