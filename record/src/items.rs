//! The present items: an entry for each item and each set, in the ring's memory. Items that were added long
//! ago, and whose records are overwritten, are found here.
//!
//! An entry is five words of 32 bits:
//!
//! | word | what |
//! |---|---|
//! | 0 | the fd (20 bits), the state (6), the low 6 bits of the set's id |
//! | 1 | the interest (14 bits, and the four flags at the top), the high 14 bits of the set's id in between |
//! | 2 | how many events were delivered; for a set, how many waits have returned |
//! | 3 | the item's serial number, or the set's |
//! | 4 | while it is queued: since when; otherwise when it was last delivered (for a set: when a wait last returned), or when it was added; in ticks since the ring was made, in units of 2^`fine`, and for deliveries of 2^(`fine` + 14) |
//!
//! A thread that changes an entry holds the lock of its set (`ep.lock`).

use std::hint;
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, Ordering};

use crate::layout::{self, header};
use crate::stacks;
use crate::sync::{word32, word64, Word32};
use crate::writer::{ticks, Shape};

/// In use.
pub const USED: u32 = 1 << 20;
/// On the ready list.
pub const QUEUED: u32 = 1 << 21;
/// Hot: the waiting thread asks the file itself.
pub const HOT: u32 = 1 << 22;
/// The entry is a set.
pub const SET: u32 = 1 << 23;
/// The time since which it is queued is exact.
const EXACT: u32 = 1 << 24;
/// It is on the ready list because a delivery put it back, and no wakeup has come since.
const AGAIN: u32 = 1 << 25;
/// The bits of the fd.
pub const FD: u32 = USED - 1;
/// The bits of the interest.
pub const INTEREST: u32 = 0xf000_3fff;
/// The position and the number of the low bits of the set's id.
pub(crate) const LOW: u32 = 26;
pub(crate) const LOW_BITS: u32 = 32 - LOW;
const HIGH: u32 = 14;

/// The unit of a queued item's time, as a power of two of ticks.
pub const FINE: u32 = if cfg!(target_arch = "x86_64") { 12 } else { 6 };
/// The same if a tick is a nanosecond.
pub const FINE_NS: u32 = 10;
/// How much coarser the time of the last delivery is, in bits.
pub const COARSER: u32 = 14;

#[link_section = "glasspoll_fork"]
static ENTRIES: AtomicPtr<u8> = AtomicPtr::new(ptr::null_mut());
static HEADER: AtomicPtr<u8> = AtomicPtr::new(ptr::null_mut());
/// When the ring was made, in ticks, and the unit.
static BEGIN: AtomicU64 = AtomicU64::new(0);
static UNIT: AtomicU32 = AtomicU32::new(0);

/// The list of free entries: the index of the first, plus one. Word 3 of a free entry has the next.
struct Free {
    lock: AtomicU32,
    first: AtomicU32,
}

static FREE: Free = Free { lock: AtomicU32::new(0), first: AtomicU32::new(0) };

impl Free {
    /// Held for only a few instructions.
    fn with<T>(&self, work: impl FnOnce(&AtomicU32) -> T) -> T {
        let mut patience = 100;
        while self.lock.compare_exchange_weak(0, 1, Ordering::Acquire, Ordering::Relaxed).is_err() {
            if patience > 0 {
                patience -= 1;
                hint::spin_loop();
            } else {
                // The holder waits for a processor.
                std::thread::yield_now();
            }
        }
        let done = work(&self.first);
        self.lock.store(0, Ordering::Release);
        done
    }
}

pub(crate) fn begin(memory: *mut u8, shape: Shape, now: u64, counts: bool) {
    FREE.lock.store(0, Ordering::Relaxed);
    FREE.first.store(0, Ordering::Relaxed);
    BEGIN.store(now, Ordering::Relaxed);
    UNIT.store(if counts { FINE } else { FINE_NS }, Ordering::Relaxed);
    HEADER.store(memory, Ordering::Relaxed);
    // SAFETY: it lies in the memory.
    ENTRIES.store(unsafe { memory.add(layout::items(shape.blocks)) }, Ordering::Release);
}

pub(crate) fn end() {
    ENTRIES.store(ptr::null_mut(), Ordering::Release);
}

/// What a new entry is for.
#[derive(Clone, Copy, Debug)]
pub struct New {
    /// The id of the set.
    pub epoll: u32,
    /// The item's fd, or the set's.
    pub fd: i32,
    /// The item's serial number; for a set, its id.
    pub serial: u32,
    /// Interest and flags.
    pub interest: u32,
    /// The entry is for the set itself.
    pub is_set: bool,
}

/// The place of an item's entry, or `NONE`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place(u32);

impl Default for Place {
    fn default() -> Self {
        Self::NONE
    }
}

impl Place {
    /// No entry.
    pub const NONE: Self = Self(u32::MAX);

    /// Makes an entry, if there is a ring and it has room.
    pub fn new(new: New) -> Self {
        let entries = ENTRIES.load(Ordering::Acquire);
        if entries.is_null() {
            return Self::NONE;
        }
        let memory = HEADER.load(Ordering::Relaxed);
        // SAFETY: in the header.
        let header32 = |at| unsafe { word32(memory, at) };
        let place = FREE.with(|first| {
            let head = first.load(Ordering::Relaxed);
            if head != 0 {
                let place = Self(head - 1);
                first.store(place.word(entries, 3).load(Ordering::Relaxed), Ordering::Relaxed);
                return place;
            }
            let used = header32(header::ITEMS).load(Ordering::Relaxed);
            if used >= header32(header::CAPACITY).load(Ordering::Relaxed) {
                header32(header::LEFT_OUT).fetch_add(1, Ordering::Relaxed);
                return Self::NONE;
            }
            header32(header::ITEMS).store(used + 1, Ordering::Relaxed);
            Self(used)
        });
        if place == Self::NONE {
            return place;
        }
        if !new.is_set {
            note_moment(memory, new.serial);
        }
        let set = if new.is_set { SET } else { 0 };
        let fd = u32::try_from(new.fd).unwrap_or(FD).min(FD);
        place
            .word(entries, 1)
            .store(new.interest & INTEREST | (new.epoll >> LOW_BITS) << HIGH & !INTEREST, Ordering::Relaxed);
        place.word(entries, 2).store(0, Ordering::Relaxed);
        place.word(entries, 3).store(new.serial, Ordering::Relaxed);
        let added = if new.is_set { 0 } else { fine(ticks()) };
        place.word(entries, 4).store(added, Ordering::Relaxed);
        if !new.is_set {
            stacks::added(place.0, new.serial);
        }
        place.word(entries, 0).store(fd | USED | set | new.epoll << LOW, Ordering::Release);
        place
    }

    /// Word `n` of the entry.
    #[inline]
    fn word<'a>(self, entries: *mut u8, n: usize) -> &'a Word32 {
        // SAFETY: an entry in the memory, which stays for ever.
        unsafe { word32(entries, self.0 as usize * layout::ITEM + n * 4) }
    }

    #[inline]
    fn with(self, work: impl FnOnce(*mut u8)) {
        let entries = ENTRIES.load(Ordering::Relaxed);
        if self != Self::NONE && !entries.is_null() {
            work(entries);
        }
    }

    #[inline]
    fn change(self, entries: *mut u8, n: usize, change: impl FnOnce(u32) -> u32) {
        let word = self.word(entries, n);
        word.store(change(word.load(Ordering::Relaxed)), Ordering::Relaxed);
    }

    /// The item is gone.
    pub fn remove(self) {
        self.with(|entries| {
            self.word(entries, 0).store(0, Ordering::Relaxed);
            FREE.with(|first| {
                self.word(entries, 3).store(first.load(Ordering::Relaxed), Ordering::Relaxed);
                first.store(self.0 + 1, Ordering::Relaxed);
            });
        });
    }

    /// The item's interest has changed.
    #[inline]
    pub fn interest(self, events: u32) {
        self.with(|entries| self.change(entries, 1, |word| word & !INTEREST | events & INTEREST));
    }

    /// The item is hot now, or no longer.
    #[inline]
    pub fn hot(self, is_hot: bool) {
        self.with(|entries| {
            self.change(entries, 0, |word| if is_hot { word | HOT } else { word & !HOT });
        });
    }

    /// The item went to the ready list. It became ready at `since`; if not `exactly`, at some time after it.
    #[inline]
    pub fn queued(self, since: u64, exactly: bool) {
        self.with(|entries| {
            let exact = if exactly { EXACT } else { 0 };
            let state = self.word(entries, 0).load(Ordering::Relaxed);
            let mut since = fine(since);
            if state & QUEUED == 0 && self.word(entries, 2).load(Ordering::Relaxed) == 0 {
                // It cannot have become ready before it was added.
                let added = self.word(entries, 4).load(Ordering::Relaxed);
                if (since.wrapping_sub(added) as i32) < 0 {
                    since = added;
                }
            }
            self.word(entries, 0).store(state & !(EXACT | AGAIN) | QUEUED | exact, Ordering::Relaxed);
            self.word(entries, 4).store(since, Ordering::Relaxed);
        });
    }

    /// A delivery put the item back on the ready list.
    #[inline]
    pub fn queued_again(self, now: u64) {
        self.with(|entries| {
            self.change(entries, 0, |word| word & !EXACT | QUEUED | AGAIN);
            self.word(entries, 4).store(fine(now), Ordering::Relaxed);
        });
    }

    /// A wakeup came while the item is on the ready list. The first one after a delivery counts.
    #[inline]
    pub fn woken(self, since: u64, exactly: bool) {
        self.with(|entries| {
            let state = self.word(entries, 0).load(Ordering::Relaxed);
            let before = self.word(entries, 4).load(Ordering::Relaxed);
            if state & AGAIN != 0 && (fine(since).wrapping_sub(before) as i32) >= 0 {
                self.queued(since, exactly);
            }
        });
    }

    /// For how many ticks the item has been queued, as seen at `now`, and whether that is exact.
    #[inline]
    pub fn queued_for(self, now: u64) -> Option<(u64, bool)> {
        let entries = ENTRIES.load(Ordering::Relaxed);
        if self == Self::NONE || entries.is_null() {
            return None;
        }
        let state = self.word(entries, 0).load(Ordering::Relaxed);
        if state & QUEUED == 0 {
            return None;
        }
        let unit = UNIT.load(Ordering::Relaxed);
        let since = self.word(entries, 4).load(Ordering::Relaxed);
        // A time that another processor noted a moment after `now` counts as now.
        let passed = fine(now).wrapping_sub(since);
        Some((if passed > u32::MAX - 1024 { 0 } else { u64::from(passed) << unit }, state & EXACT != 0))
    }

    /// The item left the ready list without a delivery. If a delivery had put it back, the time of that
    /// delivery stays.
    #[inline]
    pub fn unqueued(self, now: u64) {
        self.with(|entries| {
            if let Some((passed, _)) = self.queued_for(now) {
                let delivered = self.word(entries, 2).load(Ordering::Relaxed) != 0;
                let since = now.saturating_sub(passed);
                self.change(entries, 0, |word| word & !(QUEUED | EXACT | AGAIN));
                self.word(entries, 4)
                    .store(if delivered { coarse(since) } else { fine(since) }, Ordering::Relaxed);
            }
        });
    }

    /// The item was delivered.
    #[inline]
    pub fn delivered(self, now: u64) {
        self.with(|entries| {
            self.change(entries, 0, |word| word & !(QUEUED | EXACT | AGAIN));
            self.change(entries, 2, |count| count.wrapping_add(1));
            self.word(entries, 4).store(coarse(now), Ordering::Relaxed);
        });
    }
}

/// The entry of a set, which all threads that wait for it change.
#[derive(Debug)]
pub struct SetPlace(AtomicU32);

impl Default for SetPlace {
    fn default() -> Self {
        Self(AtomicU32::new(Place::NONE.0))
    }
}

impl SetPlace {
    /// Sets the entry.
    pub fn set(&self, place: Place) {
        self.0.store(place.0, Ordering::Relaxed);
    }

    /// A wait has returned.
    #[inline]
    pub fn waited(&self, now: u64) {
        let place = Place(self.0.load(Ordering::Relaxed));
        place.with(|entries| {
            place.word(entries, 2).fetch_add(1, Ordering::Relaxed);
            place.word(entries, 4).store(coarse(now), Ordering::Relaxed);
        });
    }

    /// The set is gone.
    pub fn remove(&self) {
        Place(self.0.swap(Place::NONE.0, Ordering::Relaxed)).remove();
    }
}

/// A moment, as an entry stores it while the item is queued.
#[inline]
fn fine(now: u64) -> u32 {
    (now.saturating_sub(BEGIN.load(Ordering::Relaxed)) >> UNIT.load(Ordering::Relaxed)) as u32
}

/// A moment, as an entry stores it for a delivery.
#[inline]
pub(crate) fn coarse(now: u64) -> u32 {
    let unit = coarse_unit();
    ((now.saturating_sub(BEGIN.load(Ordering::Relaxed)) >> unit) as u32).max(1)
}

/// The unit of that, as a power of two of ticks.
#[inline]
pub(crate) fn coarse_unit() -> u32 {
    UNIT.load(Ordering::Relaxed) + COARSER
}

/// Notes, now and then, the time at which a serial number was given, from which readers know the age of items.
/// When the list is full, every second note is dropped, and the interval doubles.
fn note_moment(memory: *mut u8, serial: u32) {
    // SAFETY: in the header.
    let word = |at| unsafe { word32(memory, at) };
    // SAFETY: as above.
    let begin = unsafe { word64(memory, header::NS) }.load(Ordering::Relaxed);
    let now = (crate::clock::coarse_ns().saturating_sub(begin) / 1_000_000) as u32;
    let place = |n: u32| header::FIRST_MOMENT + n as usize * 8;
    let get = |at| word(at).load(Ordering::Relaxed);
    let is_due = || {
        let count = get(header::MOMENTS);
        count == 0 || now.wrapping_sub(get(place(count - 1) + 4)) >= get(header::INTERVAL)
    };
    if !is_due() {
        return;
    }
    FREE.with(|_| {
        let mut count = get(header::MOMENTS);
        if count as usize >= layout::MOMENTS {
            count /= 2;
            for n in 0..count {
                word(place(n)).store(get(place(2 * n)), Ordering::Relaxed);
                word(place(n) + 4).store(get(place(2 * n) + 4), Ordering::Relaxed);
            }
            let interval = get(header::INTERVAL).saturating_mul(2);
            word(header::INTERVAL).store(interval, Ordering::Relaxed);
        }
        word(place(count)).store(serial, Ordering::Relaxed);
        word(place(count) + 4).store(now, Ordering::Relaxed);
        word(header::MOMENTS).store(count + 1, Ordering::Release);
    });
}
