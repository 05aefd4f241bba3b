//! Writes the region. `module` and `stack` are called by one thread at a time; the others by any.

use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, Ordering};

use super::{head, Parts, BUILD_ID, FRAMES, HEAD, INDEX, LATEST, LONGEST_PATH, MODULE, MODULES, PATH, STACK};
use crate::writer;

/// The region; null: no stacks are kept.
static REGION: AtomicPtr<u8> = AtomicPtr::new(ptr::null_mut());
static STACKS: AtomicU32 = AtomicU32::new(0);
static CAPACITY: AtomicU32 = AtomicU32::new(0);

/// Begins a region. `stacks` (at most `STACKS`) and `capacity` are how many stacks and items it has room for.
///
/// # Safety
/// `region` is zeroed, aligned to 8 and stays for ever.
pub(crate) unsafe fn begin(region: *mut u8, stacks: u32, capacity: u32) {
    STACKS.store(stacks.min(super::STACKS), Ordering::Relaxed);
    CAPACITY.store(capacity, Ordering::Relaxed);
    REGION.store(region, Ordering::Release);
}

/// Stops: the region is another process's.
pub(crate) fn end() {
    REGION.store(ptr::null_mut(), Ordering::Release);
}

/// Whether stacks are kept.
#[inline]
pub fn is_on() -> bool {
    !REGION.load(Ordering::Relaxed).is_null()
}

/// Until it is dropped, an item that this thread adds has a stack.
#[derive(Debug)]
pub struct Adding(());

impl Adding {
    /// By the number of the stack.
    pub fn of(stack: u32) -> Self {
        writer::set_adding(stack);
        Self(())
    }
}

impl Drop for Adding {
    fn drop(&mut self) {
        writer::set_adding(0);
    }
}

/// The item has the entry `place` and this serial number.
#[inline]
pub(crate) fn added(place: u32, serial: u32) {
    if is_on() {
        note(place, serial, writer::adding());
    }
}

fn note(place: u32, serial: u32, stack: u32) {
    let Some(region) = Region::new() else { return };
    let value = u64::from(serial) << 32 | u64::from(stack);
    if place < region.capacity {
        region.word64(region.parts.present + place as usize * 8).store(value, Ordering::Relaxed);
    }
    if stack != 0 {
        let at = region.parts.latest + serial as usize % LATEST * 8;
        region.word64(at).store(value, Ordering::Relaxed);
    }
}

/// Enters a module. None: there is no room for more.
pub fn module(path: &[u8], build_id: &[u8]) -> Option<u16> {
    let region = Region::new()?;
    let count = region.word32(head::MODULES);
    let number = count.load(Ordering::Relaxed);
    if number as usize >= MODULES {
        return None;
    }
    let at = HEAD + number as usize * MODULE;
    let path = if path.len() > LONGEST_PATH { &[] } else { path };
    let build_id = if build_id.len() > BUILD_ID { &[] } else { build_id };
    region.word32(at).store(path.len() as u32, Ordering::Relaxed);
    region.word32(at + 4).store(build_id.len() as u32, Ordering::Relaxed);
    for (at, bytes) in [(at + 8, build_id), (at + PATH, path)] {
        // SAFETY: they lie in the module's entry, which no one else writes.
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), region.memory.add(at), bytes.len()) };
    }
    count.store(number + 1, Ordering::Release);
    Some(number as u16 + 1)
}

/// The number of a stack, which is entered if it is new; 0: there is no room for it. `goes_on`: it has more frames.
pub fn stack(frames: &[u64], goes_on: bool) -> u32 {
    let Some(region) = Region::new() else { return 0 };
    let frames = &frames[..frames.len().min(FRAMES)];
    let hash = hash(frames);
    let mut at = hash as usize % INDEX;
    loop {
        let number = region.index(at).load(Ordering::Relaxed);
        if number == 0 {
            break;
        }
        if region.is(number, frames, goes_on, hash) {
            return number;
        }
        at = (at + 1) % INDEX;
    }
    let count = region.word32(head::STACKS);
    let number = count.load(Ordering::Relaxed) + 1;
    if number > region.stacks {
        region.word32(head::LEFT_OUT).fetch_add(1, Ordering::Relaxed);
        return 0;
    }
    region.index(at).store(number, Ordering::Relaxed);
    let at = region.stack(number);
    region.word32(at).store(hash, Ordering::Relaxed);
    region.word32(at + 4).store(frames.len() as u32, Ordering::Relaxed);
    region.word32(at + 8).store(goes_on.into(), Ordering::Relaxed);
    for (n, frame) in frames.iter().enumerate() {
        region.word64(at + 16 + n * 8).store(*frame, Ordering::Relaxed);
    }
    count.store(number, Ordering::Release);
    number
}

fn hash(frames: &[u64]) -> u32 {
    let mixed = frames.iter().fold(0x9e37_79b9_7f4a_7c15_u64, |hash, frame| {
        (hash.rotate_left(5) ^ frame).wrapping_mul(0x517c_c1b7_2722_0a95)
    });
    (mixed >> 32) as u32
}

struct Region {
    memory: *mut u8,
    stacks: u32,
    capacity: u32,
    parts: Parts,
}

impl Region {
    fn new() -> Option<Self> {
        let memory = REGION.load(Ordering::Acquire);
        let (stacks, capacity) = (STACKS.load(Ordering::Relaxed), CAPACITY.load(Ordering::Relaxed));
        (!memory.is_null()).then(|| Self { memory, stacks, capacity, parts: Parts::new(stacks, capacity) })
    }

    fn word32(&self, at: usize) -> &AtomicU32 {
        // SAFETY: it lies in the region and is aligned.
        unsafe { AtomicU32::from_ptr(self.memory.add(at).cast()) }
    }

    fn word64(&self, at: usize) -> &AtomicU64 {
        // SAFETY: as above.
        unsafe { AtomicU64::from_ptr(self.memory.add(at).cast()) }
    }

    fn index(&self, at: usize) -> &AtomicU32 {
        self.word32(self.parts.index + at * 4)
    }

    fn stack(&self, number: u32) -> usize {
        self.parts.stacks + (number as usize - 1) * STACK
    }

    fn is(&self, number: u32, frames: &[u64], goes_on: bool, hash: u32) -> bool {
        let at = self.stack(number);
        let get = |at| self.word32(at).load(Ordering::Relaxed);
        get(at) == hash
            && get(at + 4) as usize == frames.len()
            && get(at + 8) == u32::from(goes_on)
            && frames
                .iter()
                .enumerate()
                .all(|(n, frame)| self.word64(at + 16 + n * 8).load(Ordering::Relaxed) == *frame)
    }
}
