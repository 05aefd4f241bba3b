//! Signals that are held back on valgrind.
//!
//! Elsewhere we queue a signal that comes at the wrong time again, and the handler writes a mask that blocks all
//! signals into the thread's context. valgrind restores the mask from before the handler, so the signal would come
//! again at once, for ever. On valgrind we keep the signal here until the thread lets signals in. Of the first 31
//! signals we keep one of a kind, as the kernel does.
//!
//! Used in signal handlers: takes no lock, allocates nothing. Without valgrind no page of it is touched.

use std::cell::UnsafeCell;
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};

use glasspoll_reactor::sys;

use crate::thread::signal::requeue;

const FREE: i32 = 0;
const TAKEN: i32 = -1;
/// Linux: `SIGRTMIN`. From here on the kernel queues every signal of a kind.
const FIRST_QUEUED: i32 = 32;
/// Bytes in a `siginfo_t`.
const INFO: usize = 128;

#[repr(C, align(8))]
struct Info([u8; INFO]);

struct HeldSignal {
    /// The thread; `FREE`; or `TAKEN` while the entry is filled in.
    tid: AtomicI32,
    signal: AtomicI32,
    order: AtomicU64,
    info: UnsafeCell<Info>,
}

// SAFETY: only the thread that took the entry touches `info`.
unsafe impl Sync for HeldSignal {}

static HELD: [HeldSignal; 256] = [const {
    HeldSignal {
        tid: AtomicI32::new(FREE),
        signal: AtomicI32::new(0),
        order: AtomicU64::new(0),
        info: UnsafeCell::new(Info([0; INFO])),
    }
}; 256];
static ORDER: AtomicU64 = AtomicU64::new(0);

fn own(tid: i32) -> impl Iterator<Item = &'static HeldSignal> {
    HELD.iter().filter(move |held| held.tid.load(Ordering::SeqCst) == tid)
}

/// What became of a signal.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    Yes,
    NoRoom,
}

/// Keeps a signal of this thread.
///
/// # Safety
/// `info` points to a `siginfo_t`.
pub unsafe fn keep(signal: i32, info: *const u8) -> Kept {
    let tid = sys::gettid();
    if signal < FIRST_QUEUED && own(tid).any(|held| held.signal.load(Ordering::SeqCst) == signal) {
        return Kept::Yes;
    }
    let take = |held: &&HeldSignal| {
        held.tid.compare_exchange(FREE, TAKEN, Ordering::SeqCst, Ordering::SeqCst).is_ok()
    };
    let Some(held) = HELD.iter().find(take) else { return Kept::NoRoom };
    // SAFETY: the entry is ours; the caller's promise on `info`.
    unsafe { std::ptr::copy_nonoverlapping(info, held.info.get().cast(), INFO) };
    held.signal.store(signal, Ordering::SeqCst);
    held.order.store(ORDER.fetch_add(1, Ordering::SeqCst), Ordering::SeqCst);
    held.tid.store(tid, Ordering::SeqCst);
    Kept::Yes
}

/// Queues the signals that are kept for this thread, in their order. The thread blocks them.
pub fn give_back() {
    let tid = sys::gettid();
    while let Some(held) = own(tid).min_by_key(|held| held.order.load(Ordering::SeqCst)) {
        // SAFETY: a `siginfo_t` that `keep` stored; the entry is ours until it is free.
        unsafe { requeue::queue(held.signal.load(Ordering::SeqCst), held.info.get().cast()) };
        held.tid.store(FREE, Ordering::SeqCst);
    }
}
