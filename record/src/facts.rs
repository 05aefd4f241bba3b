//! What is known of each descriptor, by its number: an entry for each fd, in the ring's memory. The blocks forget what
//! was long ago; this does not, so that a descriptor which has been stuck since yesterday can be told today.
//!
//! An entry is eight words of 32 bits, all 0 for an fd of which nothing is known. Times are in ticks since the ring was
//! made, in units of 2^(`items::FINE` + `items::COARSER`), and at least 1.
//!
//! | word | what |
//! |---|---|
//! | 0 | when an event of it was last delivered |
//! | 1 | which events those were |
//! | 2 | when it was last read or accepted from |
//! | 3 | how that ended: `TOLD`, the result (3 bits), how many bytes or which errno (28 bits) |
//! | 4 | when a write was refused last; 0 if a later write was not |
//! | 5 | `TAKEN`; what came since the refusal: `ASKED`, `ROOM`; how many writes in a row were refused (16 bits) |
//! | 6 | when it was last added to a set, or its item changed |
//! | 7 | while the program has not touched it: how it came (2 bits), and when (30 bits) |
//!
//! The entry is written where an event of the fd is recorded, and begins anew when the number is closed, or gets
//! another file. Two threads that use one fd at once may leave an entry that has a part of each.

use std::ptr;
use std::sync::atomic::{AtomicI32, AtomicPtr, Ordering};

use crate::event::{Ctl, Event, Op, EPOLLONESHOT};
use crate::items::coarse;
use crate::layout::{self, header};
use crate::sync::{word32, Word32};
use crate::writer::{in_ticks, ticks, Shape};

pub(crate) const DELIVERED: usize = 0;
pub(crate) const EVENTS: usize = 1;
pub(crate) const READ: usize = 2;
pub(crate) const RESULT: usize = 3;
pub(crate) const REFUSED: usize = 4;
pub(crate) const SINCE: usize = 5;
pub(crate) const CHANGED: usize = 6;
pub(crate) const BORN: usize = 7;

/// An event was delivered since the last read.
pub(crate) const TOLD: u32 = 1 << 31;
/// The position of a read's result, and the bits of its amount.
pub(crate) const KIND: u32 = 28;
pub(crate) const AMOUNT: u32 = (1 << KIND) - 1;
/// EPOLLOUT was asked for since the refusal.
pub(crate) const ASKED: u32 = 1 << 31;
/// It was delivered since.
pub(crate) const ROOM: u32 = 1 << 30;
/// An event was delivered since the last ADD or MOD, which disarms a one-shot item.
pub(crate) const TAKEN: u32 = 1 << 29;
/// The bits of how many writes were refused.
pub(crate) const REFUSALS: u32 = 0xffff;
/// The position of how an fd came.
pub(crate) const HOW: u32 = 30;
/// The bits of when it came.
pub(crate) const WHEN: u32 = (1 << HOW) - 1;

const EPOLLOUT: u32 = 4;

/// Nothing happened for as long as this: the program has come back to the descriptor by itself.
const LATE_NS: u64 = 1_000_000_000;

/// How a read ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Result {
    /// It got all the bytes that it asked for.
    Full = 1,
    /// It got fewer.
    Short = 2,
    /// The end of the file.
    End = 3,
    /// EAGAIN.
    Again = 4,
    /// Another errno.
    Failed = 5,
    /// A connection was accepted.
    Accepted = 6,
}

impl Result {
    pub(crate) fn of(bits: u32) -> Option<Self> {
        let all = [Self::Full, Self::Short, Self::End, Self::Again, Self::Failed, Self::Accepted];
        all.into_iter().find(|result| *result as u32 == bits)
    }
}

/// How a descriptor came to the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Born {
    /// accept(2) on a watched listener.
    Accepted = 1,
    /// In a message (SCM_RIGHTS).
    Received = 2,
}

#[link_section = "glasspoll_fork"]
static ENTRIES: AtomicPtr<u8> = AtomicPtr::new(ptr::null_mut());
static HEADER: AtomicPtr<u8> = AtomicPtr::new(ptr::null_mut());

/// How many descriptors have an entry with `BORN`.
static UNTOUCHED: AtomicI32 = AtomicI32::new(0);

pub(crate) fn begin(memory: *mut u8, shape: Shape) {
    HEADER.store(memory, Ordering::Relaxed);
    UNTOUCHED.store(0, Ordering::Relaxed);
    let at = if shape.fds == 0 {
        ptr::null_mut()
    } else {
        // SAFETY: it lies in the memory.
        unsafe { memory.add(layout::facts(shape.blocks, shape.capacity)) }
    };
    ENTRIES.store(at, Ordering::Release);
}

pub(crate) fn end() {
    ENTRIES.store(ptr::null_mut(), Ordering::Release);
}

/// The entry of an fd.
#[derive(Clone, Copy)]
struct Entry(*mut u8);

impl Entry {
    #[inline]
    fn of(fd: i32) -> Option<Self> {
        let entries = ENTRIES.load(Ordering::Relaxed);
        if entries.is_null() {
            return None;
        }
        let fd = usize::try_from(fd).ok()?;
        let fds = in_header(header::FDS).load(Ordering::Relaxed) as usize;
        // SAFETY: an entry in the memory, which stays for ever.
        (fd < fds).then(|| Self(unsafe { entries.add(fd * layout::FD) }))
    }

    #[inline]
    fn word<'a>(self, n: usize) -> &'a Word32 {
        // SAFETY: as above.
        unsafe { word32(self.0, n * 4) }
    }

    #[inline]
    fn get(self, n: usize) -> u32 {
        self.word(n).load(Ordering::Relaxed)
    }

    #[inline]
    fn set(self, n: usize, value: u32) {
        self.word(n).store(value, Ordering::Relaxed);
    }

    fn clear(self) {
        (0..layout::FD / 4).for_each(|n| self.set(n, 0));
    }

    #[inline]
    fn delivered(self, now: u32, events: u32) {
        self.set(DELIVERED, now);
        self.set(EVENTS, events);
        self.set(RESULT, self.get(RESULT) | TOLD);
        let room = if events & EPOLLOUT != 0 && self.get(REFUSED) != 0 { ROOM } else { 0 };
        self.set(SINCE, self.get(SINCE) | TAKEN | room);
    }

    #[inline]
    fn read(self, now: u32, result: Result, amount: u64) {
        let (before, told) = (self.get(READ), self.get(RESULT) & TOLD != 0);
        if before != 0 && is_late(if told { self.get(DELIVERED) } else { before }, now) {
            count(header::CAME_BACK);
        }
        self.set(READ, now);
        self.set(RESULT, (result as u32) << KIND | amount.min(AMOUNT.into()) as u32);
    }

    #[inline]
    fn wrote(self, now: u32, is_refused: bool) {
        let before = self.get(REFUSED);
        if before == 0 && !is_refused {
            return;
        }
        let since = self.get(SINCE);
        if before != 0 && since & ROOM == 0 && is_late(before, now) {
            count(header::RETRIED);
        }
        let refusals = if is_refused { ((since & REFUSALS) + 1).min(REFUSALS) } else { 0 };
        self.set(SINCE, since & TAKEN | refusals);
        self.set(REFUSED, if is_refused { now } else { 0 });
    }

    fn modified(self, now: u32, events: u32) {
        let since = self.get(SINCE);
        if events & EPOLLONESHOT != 0 && since & TAKEN != 0 && is_late(self.get(DELIVERED), now) {
            count(header::REARMED);
        }
        self.set(CHANGED, now);
        let asks = events & EPOLLOUT != 0 && self.get(REFUSED) != 0;
        self.set(SINCE, since & (REFUSALS | ASKED) | if asks { ASKED } else { 0 });
    }
}

fn in_header<'a>(at: usize) -> &'a Word32 {
    // SAFETY: in the header, which is there before the entries are.
    unsafe { word32(HEADER.load(Ordering::Relaxed), at) }
}

#[cold]
fn count(at: usize) {
    in_header(at).fetch_add(1, Ordering::Relaxed);
}

#[inline]
fn is_late(then: u32, now: u32) -> bool {
    // Another thread may have noted a time that is a moment ahead of ours.
    let passed = now.saturating_sub(then).saturating_sub(1);
    passed != 0 && u64::from(passed) << crate::items::coarse_unit() >= in_ticks(LATE_NS)
}

/// Takes an event that happens at `now`, in ticks.
#[inline]
pub(crate) fn take(now: u64, event: &Event) {
    match *event {
        Event::Deliver { fd, events, .. } => {
            if let Some(entry) = Entry::of(fd) {
                entry.delivered(coarse(now), events);
            }
        }
        Event::Io { fd, op, result, asked, errno } => io(now, fd, op, result, asked, errno),
        Event::Ctl { op: Some(op), fd, events, errno: 0, .. } => ctl(now, op, fd, events),
        Event::Close { fd, errno: 0, .. } => forget(fd),
        Event::Dup { old, new } => {
            forget(new);
            touched(old);
        }
        // The close of what is in no set is recorded when it is over: another file may have the number by now. `closing`
        // has forgotten the old one.
        Event::Fork { .. } if !ENTRIES.load(Ordering::Relaxed).is_null() => {
            in_header(header::LAST_FORK).store(coarse(now), Ordering::Relaxed);
        }
        _ => {}
    }
}

#[inline]
fn io(now: u64, fd: i32, op: Op, result: i64, asked: u64, errno: u16) {
    let Some(entry) = Entry::of(fd) else { return };
    let now = coarse(now);
    let is_again = i32::from(errno) == libc::EAGAIN;
    match op {
        Op::Read | Op::Accept => {
            let (how, amount) = match result {
                ..=-1 if is_again => (Result::Again, 0),
                ..=-1 => (Result::Failed, errno.into()),
                _ if op == Op::Accept => (Result::Accepted, 0),
                0 if asked != 0 => (Result::End, 0),
                _ if result as u64 >= asked => (Result::Full, result as u64),
                _ => (Result::Short, result as u64),
            };
            entry.read(now, how, amount);
            if op == Op::Accept && result >= 0 {
                // Another file has the number from now on.
                forget(result as i32);
            }
        }
        Op::Write => entry.wrote(now, result < 0 && is_again),
        Op::Shutdown => entry.set(REFUSED, 0),
        Op::Connect | Op::Wait => {}
    }
}

fn ctl(now: u64, op: Ctl, fd: i32, events: u32) {
    let Some(entry) = Entry::of(fd) else { return };
    match op {
        Ctl::Add | Ctl::Found => {
            touched(fd);
            entry.clear();
            // When it was added or changed is not known of an item that the set has had before.
            if op == Ctl::Add {
                entry.set(CHANGED, coarse(now));
            }
        }
        Ctl::Mod => entry.modified(coarse(now), events),
        Ctl::Del => {}
    }
}

/// Another file has the number from now on, or none.
#[cold]
pub fn forget(fd: i32) {
    if let Some(entry) = Entry::of(fd) {
        take_born(entry);
        entry.clear();
    }
}

/// An fd that is in no set is about to be closed. Most such descriptors have no entry, and their memory is not to be used
/// for that.
#[inline]
pub fn closing(fd: i32) {
    if has_untouched() {
        forget(fd);
    }
}

/// Whether the program has not touched some descriptor that came.
#[inline]
pub fn has_untouched() -> bool {
    UNTOUCHED.load(Ordering::Relaxed) > 0
}

/// The process has got a descriptor, and has not touched it yet.
pub fn born(fd: i32, how: Born) {
    let Some(entry) = Entry::of(fd) else { return };
    forget(fd);
    UNTOUCHED.fetch_add(1, Ordering::Relaxed);
    entry.set(BORN, coarse(ticks()) & WHEN | (how as u32) << HOW);
    count(header::BORN);
}

/// The program has touched it.
pub fn touched(fd: i32) {
    let Some(entry) = Entry::of(fd).filter(|_| has_untouched()) else { return };
    let born = take_born(entry);
    if born != 0 && is_late(born & WHEN, coarse(ticks()) & WHEN) {
        count(header::LATE);
    }
}

/// Ends that it is untouched. Of several threads that touch it at once, one gets how and when it came; the others get 0.
fn take_born(entry: Entry) -> u32 {
    if entry.get(BORN) == 0 {
        return 0;
    }
    let born = entry.word(BORN).swap(0, Ordering::Relaxed);
    if born != 0 {
        UNTOUCHED.fetch_sub(1, Ordering::Relaxed);
    }
    born
}
