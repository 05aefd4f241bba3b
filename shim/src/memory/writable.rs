//! Memory that can surely be written: what the program itself mapped by libc's functions, and pages of its own image and
//! of the heap of brk(2) that the kernel has written to, as long as the program takes nothing back.
//!
//! It saves a system call for each delivery. What is not known costs that call (`user_memory`), and nothing else. Not
//! known is what libc maps for itself: the heaps of threads, large blocks of malloc(3), stacks of threads.
//!
//! A reader takes no lock: it reads `CHANGES` before and after. A writer that finds another one at work does not wait
//! for ever, because it may be a handler that has interrupted it: what it would add is left out, and if it cannot
//! remove something, nothing is known from then on.
//!
//! Limits: memory that the program takes back by system calls of its own code is thought to be writable, and a store to
//! it is a SIGSEGV where the kernel would give EFAULT.

use std::sync::atomic::{fence, AtomicBool, AtomicUsize, Ordering};

/// How many ranges are known at most.
const ROOM: usize = 16;
/// A smaller range is not worth a place.
const LEAST: usize = 64 << 10;
/// How often a writer tries again.
const TRIES: u32 = 1000;
/// The most that an image and its heap can have.
const MOST: usize = 1 << 38;
const PAGE: usize = 4096;

struct Range {
    start: AtomicUsize,
    end: AtomicUsize,
}

static RANGES: [Range; ROOM] =
    [const { Range { start: AtomicUsize::new(0), end: AtomicUsize::new(0) } }; ROOM];
/// Odd while a writer is at work.
static CHANGES: AtomicUsize = AtomicUsize::new(0);
/// Nothing is known any more.
static IS_LOST: AtomicBool = AtomicBool::new(false);
/// Pages of the image or the heap to which the kernel has written, each in a place by its number; 0: none.
static PAGES: [AtomicUsize; ROOM] = [const { AtomicUsize::new(0) }; ROOM];

impl Range {
    fn get(&self) -> (usize, usize) {
        (self.start.load(Ordering::Relaxed), self.end.load(Ordering::Relaxed))
    }

    fn set(&self, start: usize, end: usize) {
        self.start.store(start, Ordering::Relaxed);
        self.end.store(end, Ordering::Relaxed);
    }
}

/// Whether `len` bytes at `addr` can surely be written.
#[inline]
pub fn holds(addr: usize, len: usize) -> bool {
    let Some(end) = addr.checked_add(len) else { return false };
    is_page(addr, end) || is_mapped(addr, end)
}

/// The kernel has written to this page.
pub fn note(page: usize) {
    if in_image_or_heap(page * PAGE, (page + 1) * PAGE) && !IS_LOST.load(Ordering::Relaxed) {
        PAGES[page % ROOM].store(page, Ordering::Relaxed);
    }
}

fn is_mapped(addr: usize, end: usize) -> bool {
    let before = CHANGES.load(Ordering::Acquire);
    if !before.is_multiple_of(2) || IS_LOST.load(Ordering::Relaxed) {
        return false;
    }
    let is_in = RANGES.iter().map(Range::get).any(|(start, stop)| start <= addr && end <= stop);
    fence(Ordering::Acquire);
    is_in && CHANGES.load(Ordering::Relaxed) == before
}

fn is_page(addr: usize, end: usize) -> bool {
    let is_known = |page: usize| page != 0 && PAGES[page % ROOM].load(Ordering::Relaxed) == page;
    is_known(addr / PAGE)
        && is_known((end - 1) / PAGE)
        && end <= end_of_heap()
        && !IS_LOST.load(Ordering::Relaxed)
}

/// Whether the bytes lie between the start of the program's image and the end of the heap, where nothing else is.
fn in_image_or_heap(addr: usize, end: usize) -> bool {
    // SAFETY: it only reads what the kernel gave the process.
    let headers = unsafe { libc::getauxval(libc::AT_PHDR) } as usize;
    let heap = end_of_heap();
    (headers..headers.saturating_add(MOST)).contains(&heap) && headers <= addr && end <= heap
}

/// The end of the heap of brk(2).
fn end_of_heap() -> usize {
    extern "C" {
        /// libc's own variable. It exports it for programs that are older than the library.
        static __curbrk: AtomicUsize;
    }
    // SAFETY: libc writes whole words to it.
    unsafe { __curbrk.load(Ordering::Relaxed) }
}

/// Runs `change`, if no other writer is at work, or comes to an end. Returns whether it ran.
fn change(tries: u32, change: impl FnOnce()) -> bool {
    for _ in 0..tries {
        let before = CHANGES.load(Ordering::Relaxed);
        let is_mine = before.is_multiple_of(2)
            && CHANGES.compare_exchange(before, before + 1, Ordering::Acquire, Ordering::Relaxed).is_ok();
        if is_mine {
            fence(Ordering::Release);
            change();
            CHANGES.store(before + 2, Ordering::Release);
            return true;
        }
        std::hint::spin_loop();
    }
    false
}

/// The program has mapped memory of its own that can be written.
pub fn add(start: usize, len: usize) {
    if len < LEAST || IS_LOST.load(Ordering::Relaxed) {
        return;
    }
    change(1, || put(start, start.saturating_add(len)));
}

/// Enters a range: joins it to a neighbour, or takes the place of the smallest one.
fn put(start: usize, end: usize) {
    for range in &RANGES {
        let (low, high) = range.get();
        if high == start && high != 0 {
            return range.set(low, end);
        }
        if low == end {
            return range.set(start, high);
        }
    }
    let size = |range: &&Range| range.end.load(Ordering::Relaxed) - range.start.load(Ordering::Relaxed);
    if let Some(smallest) = RANGES.iter().min_by_key(size).filter(|range| size(range) < end - start) {
        smallest.set(start, end);
    }
}

/// The program is about to take memory back, or to change what it may do with it.
pub fn remove(start: usize, len: usize) {
    if IS_LOST.load(Ordering::Relaxed) {
        return;
    }
    // The kernel takes whole pages.
    // SAFETY: it only reads what the kernel gave the process.
    let last = (unsafe { libc::getauxval(libc::AT_PAGESZ) } as usize).max(PAGE) - 1;
    let end = start.saturating_add(len).saturating_add(last) & !last;
    let overlaps = |(low, high): (usize, usize)| low < end && start < high;
    for page in &PAGES {
        let page_start = page.load(Ordering::Relaxed) * PAGE;
        if overlaps((page_start, page_start + PAGE)) {
            page.store(0, Ordering::Relaxed);
        }
    }
    let is_idle = || CHANGES.load(Ordering::Acquire).is_multiple_of(2);
    if is_idle() && !RANGES.iter().map(Range::get).any(overlaps) && is_idle() {
        return;
    }
    let is_removed = change(TRIES, || {
        for range in RANGES.iter().filter(|range| overlaps(range.get())) {
            let (low, high) = range.get();
            // Keeps the larger of the two ends that are left.
            let (below, above) = (start.saturating_sub(low), high.saturating_sub(end));
            match below >= above {
                true if below == 0 => range.set(0, 0),
                true => range.set(low, start),
                false => range.set(end, high),
            }
        }
    });
    if !is_removed {
        IS_LOST.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_back_is_not_known_any_more() {
        let (page, big) = (4096, 1 << 20);
        let start = 0x7000_0000_0000;
        add(start, page);
        assert!(!is_mapped(start, start + 8), "too small");
        add(start, big);
        add(start + big, big);
        assert!(is_mapped(start + big - 8, start + big + 8), "neighbours are one range");
        assert!(!is_mapped(start + 2 * big - 8, start + 2 * big + 8) && !is_mapped(start - 8, start));
        remove(start + big, page);
        assert!(!is_mapped(start + big, start + big + 8));
        assert!(is_mapped(start, start + big) || is_mapped(start + big + page, start + 2 * big));
        remove(start - page, 4 * big);
        assert!(!is_mapped(start, start + 8));
        let smaller = LEAST..LEAST + 2 * ROOM;
        smaller.clone().for_each(|len| add(start + len * 100 * page, len));
        let known = |len: usize| is_mapped(start + len * 100 * page, start + len * 100 * page + len);
        assert!(smaller.clone().rev().take(ROOM).all(known), "the largest stay");
        assert!(!smaller.clone().take(ROOM).any(known));
        remove(start, usize::MAX);
        assert!(!smaller.clone().any(known));
    }

    #[test]
    fn a_page_is_known_until_it_is_taken_back() {
        static IN_IMAGE: AtomicUsize = AtomicUsize::new(1);
        let addr = &raw const IN_IMAGE as usize;
        assert!(!is_page(addr, addr + 8));
        note(addr / PAGE);
        assert!(is_page(addr, addr + 8));
        remove(addr + PAGE, PAGE);
        assert!(is_page(addr, addr + 8));
        remove(addr & !(PAGE - 1), PAGE);
        assert!(!is_page(addr, addr + 8));
        let on_the_stack = 0u8;
        let addr = &raw const on_the_stack as usize;
        note(addr / PAGE);
        assert!(!is_page(addr, addr + 1), "not in the image, and not in the heap");
        assert!(!is_page(8, 16));
        note(end_of_heap() / PAGE);
        assert!(!is_page(end_of_heap(), end_of_heap() + 1));
    }
}
