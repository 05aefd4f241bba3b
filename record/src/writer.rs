//! Writes to this process's ring: without locks, without allocation, from any thread.
//!
//! Each thread has a block of its own, so that a record takes a few stores. If a thread slept while other
//! threads took all blocks, it finds that its own was taken, and takes another. If it is preempted between that
//! check and the stores, it may spoil a record of the new owner, which the record's check reveals.

use std::cell::Cell;
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU32, Ordering};

use crate::clock::{self, Moment};
use crate::event::Event;
use crate::facts;
use crate::items;
use crate::layout::{self, block, header};
use crate::mutation::is;
use crate::stacks;
use crate::sync::{fence, thread, word32, word64};

/// The memory of this process's ring; null if there is none.
#[link_section = "glasspoll_fork"]
static RING: AtomicPtr<u8> = AtomicPtr::new(ptr::null_mut());
/// About how many ticks a microsecond has.
static SPEED: AtomicU32 = AtomicU32::new(1000);
/// Where ticks come from: `CLOCK`, `COUNTER` or `NONE`.
static COUNTS: AtomicU32 = AtomicU32::new(CLOCK);
const CLOCK: u32 = 0;
/// The processor's counter.
const COUNTER: u32 = 1;
/// Time stands still: some thread may not read the counter, nor the clock, which reads it too.
const NONE: u32 = 2;

/// The shape of a ring.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// How many blocks of 1024 bytes.
    pub blocks: u32,
    /// How many items the ring has room for.
    pub capacity: u32,
    /// How many call stacks it has room for; 0: none are kept.
    pub stacks: u32,
    /// Of how many fds it keeps facts.
    pub fds: u32,
}

impl Shape {
    /// The shape of a ring whose blocks take `bytes`.
    pub fn new(bytes: usize) -> Self {
        Self {
            blocks: (bytes / layout::BLOCK).clamp(4, layout::MOST_BLOCKS as usize) as u32,
            capacity: layout::MOST_ITEMS,
            stacks: 0,
            fds: layout::MOST_FDS,
        }
    }

    /// The size of the memory in bytes. Pages that are never written to cost nothing.
    pub fn size(self) -> usize {
        match self.stacks {
            0 => layout::size(self.blocks, self.capacity, self.fds),
            stacks => self.stacks_at() + stacks::size(stacks, self.capacity),
        }
    }

    /// Where the region of the stacks begins.
    fn stacks_at(self) -> usize {
        layout::size(self.blocks, self.capacity, self.fds).next_multiple_of(layout::HEADER)
    }
}

/// The process of a ring, and how the process began.
#[derive(Clone, Copy, Debug, Default)]
pub struct Owner {
    /// Its id.
    pub pid: u32,
    /// The id of its parent.
    pub ppid: u32,
    /// The times at which files became ready are exact.
    pub exact: bool,
    /// It was forked with sets of its parent's.
    pub forked: bool,
    /// The kernel's epoll answers, and we only record.
    pub observed: bool,
}

/// Makes `memory`, which is fresh, this process's ring.
///
/// # Safety
/// `memory` is zeroed, aligned to a page, has `shape.size()` bytes and stays for ever.
pub unsafe fn start(memory: *mut u8, shape: Shape, owner: Owner) {
    let counts = clock::has_counter();
    let now = Moment::now(counts);
    // SAFETY: all offsets lie in the header, and are aligned.
    let put32 = |at: usize, value: u32| unsafe { word32(memory, at) }.store(value, Ordering::Relaxed);
    // SAFETY: as above.
    let put64 = |at: usize, value: u64| unsafe { word64(memory, at) }.store(value, Ordering::Relaxed);
    put32(header::VERSION, layout::VERSION);
    put32(header::BLOCKS, shape.blocks);
    put32(header::CAPACITY, shape.capacity);
    put32(header::FDS, shape.fds);
    put32(header::PID, owner.pid);
    put32(header::PPID, owner.ppid);
    put32(header::CLOCK, counts.into());
    put32(header::EXACT, owner.exact.into());
    put32(header::FORKED, owner.forked.into());
    put32(header::OBSERVED, owner.observed.into());
    put64(header::TICKS, now.ticks);
    put64(header::NS, now.ns);
    put64(header::REALTIME, clock::realtime_ns());
    put32(header::INTERVAL, 1000);
    if shape.stacks != 0 {
        put32(header::STACKS, shape.stacks);
        put32(header::STACKS_AT, (shape.stacks_at() / layout::HEADER) as u32);
        // SAFETY: the region lies in the memory.
        unsafe { stacks::begin(memory.add(shape.stacks_at()), shape.stacks, shape.capacity) };
    }
    // SAFETY: as above. Stored last: a reader does not accept a ring without it.
    unsafe { word64(memory, header::MAGIC) }.store(layout::MAGIC, Ordering::Release);
    COUNTS.store(if counts { COUNTER } else { CLOCK }, Ordering::Relaxed);
    // A guess, until some time has passed.
    SPEED.store(if counts { 2000 } else { 1000 }, Ordering::Relaxed);
    items::begin(memory, shape, now.ticks, counts);
    facts::begin(memory, shape);
    RING.store(memory, Ordering::Release);
}

/// Stops recording: this process is a child, and the ring is its parent's. Returns the memory, in which the
/// child may make a ring of its own.
pub fn stop() -> *mut u8 {
    items::end();
    stacks::end();
    facts::end();
    CURSOR.with(|cursor| cursor.ring.set(ptr::null_mut()));
    RING.swap(ptr::null_mut(), Ordering::AcqRel)
}

/// Stops recording because some thread may not read the clock any more.
pub fn end() {
    COUNTS.store(NONE, Ordering::Relaxed);
    stop();
}

/// Whether this process has a ring.
#[inline]
pub fn is_on() -> bool {
    !RING.load(Ordering::Relaxed).is_null()
}

/// A thread's place in the ring.
struct Cursor {
    ring: Cell<*mut u8>,
    /// Its block.
    block: Cell<*mut u8>,
    serial: Cell<u64>,
    /// When it was taken.
    ticks: Cell<u64>,
    /// How many records it has.
    len: Cell<u32>,
    tid: Cell<u32>,
    /// It has waited on a set.
    has_waited: Cell<bool>,
    /// The stack of the ADD that the thread is about to make (`stacks`).
    adding: Cell<u32>,
}

impl Cursor {
    const fn new() -> Self {
        Self {
            ring: Cell::new(ptr::null_mut()),
            block: Cell::new(ptr::null_mut()),
            serial: Cell::new(0),
            ticks: Cell::new(0),
            len: Cell::new(0),
            tid: Cell::new(0),
            has_waited: Cell::new(false),
            adding: Cell::new(0),
        }
    }
}

#[cfg(not(loom))]
thread_local! {
    static CURSOR: Cursor = const { Cursor::new() };
}

#[cfg(loom)]
loom::thread_local! {
    static CURSOR: Cursor = Cursor::new();
}

/// Now, in the ring's ticks.
#[inline]
pub fn ticks() -> u64 {
    match COUNTS.load(Ordering::Relaxed) {
        CLOCK => clock::now_ns(),
        COUNTER => clock::counter(),
        _ => 0,
    }
}

/// The calling thread's id, without a system call if it has a place in the ring.
#[inline]
pub fn tid() -> u32 {
    let ring = RING.load(Ordering::Acquire);
    CURSOR.with(|cursor| {
        if cursor.ring.get() != ring {
            cursor.begin(ring);
        }
        cursor.tid.get()
    })
}

/// The stack of the ADD that the calling thread is about to make.
pub(crate) fn adding() -> u32 {
    CURSOR.with(|cursor| cursor.adding.get())
}

pub(crate) fn set_adding(stack: u32) {
    CURSOR.with(|cursor| cursor.adding.set(stack));
}

/// Whether the calling thread has waited on a set, and there is a record.
#[inline]
pub fn has_waited() -> bool {
    is_on() && CURSOR.with(|cursor| cursor.has_waited.get())
}

/// About how many ticks `ns` nanoseconds are.
#[inline]
pub fn in_ticks(ns: u64) -> u64 {
    ns.saturating_mul(u64::from(SPEED.load(Ordering::Relaxed))) / 1000
}

/// About how many nanoseconds these ticks are.
#[inline]
pub fn in_ns(ticks: u64) -> u64 {
    ticks.saturating_mul(1000) / u64::from(SPEED.load(Ordering::Relaxed).max(1))
}

/// The same, by the clock as it is now: the speed of ticks is a guess at first.
#[cold]
pub fn in_ns_exactly(ticks: u64) -> u64 {
    let ring = RING.load(Ordering::Acquire);
    if ring.is_null() {
        return in_ns(ticks);
    }
    as_ns(ring, Moment::now(COUNTS.load(Ordering::Relaxed) != CLOCK), ticks)
}

/// Records an event that happens now.
#[inline]
pub fn record(event: Event) {
    if is_on() {
        record_at(ticks(), event);
    }
}

/// Records an event that happened at `now`, by `ticks`.
#[inline]
pub fn record_at(now: u64, event: Event) {
    let ring = RING.load(Ordering::Acquire);
    if ring.is_null() {
        return;
    }
    facts::take(now, &event);
    let (kind, words) = event.pack();
    CURSOR.with(|cursor| {
        if matches!(event, Event::WaitReturn { .. } | Event::WaitedForNothing { .. }) {
            cursor.has_waited.set(true);
        }
        cursor.put(ring, now, kind, words);
    });
}

impl Cursor {
    #[inline]
    fn put(&self, ring: *mut u8, now: u64, kind: u8, [a, b, c]: [u64; 3]) {
        let mut since = now.saturating_sub(self.ticks.get());
        if self.ring.get() != ring
            || self.len.get() as usize >= layout::RECORDS
            || since >> 40 != 0
            || self.was_taken()
        {
            since = self.take_block(ring, now);
        }
        // A signal handler that records something meanwhile takes the next place.
        let place = self.len.get() as usize;
        if place >= layout::RECORDS {
            return;
        }
        self.len.set(place as u32 + 1);
        let (block, serial) = (self.block.get(), self.serial.get());
        let first = since | u64::from(kind) << 40;
        let check = layout::check(serial, place, [first, a, b, c]);
        let at = block::RECORDS + place * layout::RECORD;
        for (n, word) in [first | check << 48, a, b, c].into_iter().enumerate() {
            // SAFETY: the record lies in the block.
            unsafe { word64(block, at + n * 8) }.store(word, Ordering::Relaxed);
        }
        let order = if is("the_length_is_relaxed") { Ordering::Relaxed } else { Ordering::Release };
        // SAFETY: as above.
        unsafe { word32(block, block::LEN) }.store(place as u32 + 1, order);
    }

    /// The thread has no block of the ring yet.
    #[cold]
    fn begin(&self, ring: *mut u8) {
        self.tid.set(thread());
        self.len.set(layout::RECORDS as u32);
        self.ring.set(ring);
    }

    /// Whether other threads have taken all blocks since, including this one.
    fn was_taken(&self) -> bool {
        // SAFETY: a block that was taken from the ring, which stays for ever.
        unsafe { word64(self.block.get(), block::SERIAL) }.load(Ordering::Relaxed) != self.serial.get()
    }

    /// Takes the next block. Returns the time from the block's moment to `now`.
    #[cold]
    fn take_block(&self, ring: *mut u8, now: u64) -> u64 {
        if self.ring.get() != ring {
            self.begin(ring);
        }
        // SAFETY: in the header.
        let next = unsafe { word64(ring, header::NEXT) };
        let number = if is("a_number_is_taken_in_two_steps") {
            let number = next.load(Ordering::Relaxed);
            next.store(number + 1, Ordering::Relaxed);
            number
        } else {
            // A reader that sees it sees all records in the thread's previous block.
            next.fetch_add(1, Ordering::Release)
        };
        // SAFETY: as above.
        let blocks = unsafe { word32(ring, header::BLOCKS) }.load(Ordering::Relaxed).max(1);
        let at = layout::HEADER + (number % u64::from(blocks)) as usize * layout::BLOCK;
        // SAFETY: a block of the ring's.
        let taken = unsafe { ring.add(at) };
        let moment = Moment::now(COUNTS.load(Ordering::Relaxed) != CLOCK);
        let ticks = moment.ticks.min(now);
        // The moment of the block is that of its first record.
        let ns = moment.ns.saturating_sub(as_ns(ring, moment, moment.ticks - ticks));
        // SAFETY: as above.
        let put64 = |at, value| unsafe { word64(taken, at) }.store(value, Ordering::Relaxed);
        // SAFETY: as above.
        let put32 = |at, value| unsafe { word32(taken, at) }.store(value, Ordering::Relaxed);
        put64(block::SERIAL, 0);
        fence(Ordering::Release);
        put32(block::LEN, 0);
        put64(block::TICKS, ticks);
        put64(block::NS, ns);
        put32(block::TID, self.tid.get());
        // SAFETY: as above.
        unsafe { word64(taken, block::SERIAL) }.store(number + 1, Ordering::Release);
        self.block.set(taken);
        self.serial.set(number + 1);
        self.ticks.set(ticks);
        self.len.set(0);
        now.saturating_sub(ticks)
    }
}

/// Converts ticks that have just passed to nanoseconds.
fn as_ns(ring: *mut u8, now: Moment, ticks: u64) -> u64 {
    // SAFETY: in the header.
    let get = |at| unsafe { word64(ring, at) }.load(Ordering::Relaxed);
    let begin = Moment { ticks: get(header::TICKS), ns: get(header::NS) };
    let Some(speed) = begin.speed(now) else { return 0 };
    SPEED.store((1000.0 / speed) as u32, Ordering::Relaxed);
    (ticks as f64 * speed) as u64
}
