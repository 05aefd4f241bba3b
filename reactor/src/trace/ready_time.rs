//! When devices were last looked at: what is found then became ready since, and no earlier. Kept only while there is
//! a record.
//!
//! A thread that sleeps on the devices is woken at once, so what it finds as it gets up became ready just then, but for
//! the time that the scheduler takes. One that did not sleep, for something was ready before it could, knows no more
//! than that it was not when it was last looked.

use glasspoll_record::writer::{in_ticks, is_on, ticks};

use crate::sync::global::{AtomicBool, AtomicU64};
use crate::sync::Ordering;
use crate::trace::Since;

/// In ticks, without the lowest bit, which is set if a sleep has just ended.
static LAST_LOOK: AtomicU64 = AtomicU64::new(0);
/// Somebody looks all the time (`GLASSPOLL_READY=exact`).
static ALWAYS: AtomicBool = AtomicBool::new(false);

const JUST_NOW: u64 = 1;

/// How long a ppoll takes that does not sleep, at most: by itself, with cold caches and an interruption, and for each
/// file. A sleep that was shorter leaves a bound where it could be exact.
const AT_ONCE_NS: u64 = 50_000;
const FILE_NS: u64 = 100;

/// Whether somebody looks all the time from now on.
pub fn all_the_time(always: bool) {
    ALWAYS.store(always, Ordering::Relaxed);
}

/// A call that may sleep is about to be made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sleep(u64);

impl Sleep {
    pub(crate) fn begins() -> Self {
        Self(if is_on() { ticks() } else { 0 })
    }

    /// Whether it has slept: one that finds something ready at once takes less than that for so many files.
    pub(crate) fn was_real(self, files: usize) -> bool {
        self.0 != 0 && ticks().saturating_sub(self.0) > in_ticks(AT_ONCE_NS + files as u64 * FILE_NS)
    }

    /// It was on the devices, and has ended.
    pub(crate) fn ends(self, files: usize) {
        if self.was_real(files) {
            LAST_LOOK.store(ticks() | JUST_NOW, Ordering::Relaxed);
        }
    }
}

/// All devices were looked at.
pub(crate) fn note_look() {
    if is_on() {
        LAST_LOOK.store(ticks() & !JUST_NOW, Ordering::Relaxed);
    }
}

/// A moment and whether it is exact.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Moment {
    pub(crate) ticks: u64,
    pub(crate) exactly: bool,
}

impl Moment {
    /// Now, as the moment when something became ready.
    pub(crate) fn now() -> Self {
        Self { ticks: if is_on() { ticks() } else { 0 }, exactly: true }
    }

    /// When something that is found now became ready.
    pub(crate) fn found() -> Self {
        if ALWAYS.load(Ordering::Relaxed) {
            return Self::now();
        }
        let looked = LAST_LOOK.load(Ordering::Relaxed);
        Self { ticks: looked & !JUST_NOW, exactly: looked & JUST_NOW != 0 }
    }

    /// Where it cannot have been earlier than that.
    pub(crate) fn not_before(self, ticks: u64) -> Self {
        Self { ticks: self.ticks.max(ticks), ..self }
    }

    /// As seen from later on.
    pub(crate) fn since(self, now: u64) -> Since {
        Since { passed: now.saturating_sub(self.ticks), exactly: self.exactly }
    }
}
