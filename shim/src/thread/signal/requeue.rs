//! Queues a signal of the program to its thread once more, with all that it carried.
//!
//! The kernel may have no room for that: the queue is the user's, and other processes fill it. A signal without
//! anything to carry always goes through, so that one is sent, and what the real one carried waits here for it.
//!
//! Safe in a signal handler: no locks, no allocation.

use std::cell::UnsafeCell;
use std::sync::atomic::{AtomicI32, AtomicU32, Ordering};

use glasspoll_reactor::sys;
use libc::{c_int, siginfo_t};

/// What one signal carried. `thread`: whose it is; 0: nobody's; `BUSY`: it is being written or read.
struct Place {
    thread: AtomicI32,
    signal: AtomicI32,
    /// The oldest goes first.
    turn: AtomicU32,
    info: UnsafeCell<Info>,
}

#[derive(Clone, Copy)]
#[repr(C, align(8))]
struct Info([u8; size_of::<siginfo_t>()]);

// SAFETY: `info` is touched by who has made `thread` `BUSY`.
unsafe impl Sync for Place {}

const FREE: i32 = 0;
const BUSY: i32 = -1;
const NOTHING: Info = Info([0; size_of::<siginfo_t>()]);

static PLACES: [Place; 64] = [const {
    Place {
        thread: AtomicI32::new(FREE),
        signal: AtomicI32::new(0),
        turn: AtomicU32::new(0),
        info: UnsafeCell::new(NOTHING),
    }
}; 64];
static TURN: AtomicU32 = AtomicU32::new(0);
/// How many places are taken.
static KEPT: AtomicU32 = AtomicU32::new(0);

/// Queues `signal` to this thread.
///
/// # Safety
/// `info` is what the kernel gave the handler.
pub unsafe fn queue(signal: c_int, info: *const siginfo_t) {
    // SAFETY: the caller's promise, here and below.
    if unsafe { sys::queue_to_self(signal, info.cast()) }.is_ok() {
        return;
    }
    // SAFETY: as above. Where no place is left, the signal comes with nothing.
    keep(signal, unsafe { info.cast::<Info>().read() });
    send(signal);
}

fn keep(signal: c_int, info: Info) {
    for place in &PLACES {
        if place.thread.compare_exchange(FREE, BUSY, Ordering::SeqCst, Ordering::SeqCst).is_ok() {
            // SAFETY: it is ours while it is busy.
            unsafe { *place.info.get() = info };
            place.signal.store(signal, Ordering::SeqCst);
            place.turn.store(TURN.fetch_add(1, Ordering::SeqCst), Ordering::SeqCst);
            KEPT.fetch_add(1, Ordering::SeqCst);
            place.thread.store(sys::gettid(), Ordering::SeqCst);
            return;
        }
    }
}

/// A signal as kill(2) sends it, which needs no room.
fn send(signal: c_int) {
    // SAFETY: all-zero bytes are a signal of that kind, from nobody.
    let sent = unsafe { sys::queue_to_self(signal, NOTHING.0.as_ptr()) };
    if sent.is_err() {
        let _ = sys::signal_self(signal);
    }
}

/// A signal has come, with `info`: if it is one that was sent in place of another, gives it what that one carried.
///
/// # Safety
/// `info` is what the kernel gave the handler.
pub unsafe fn give_back(signal: c_int, info: *mut siginfo_t) {
    if KEPT.load(Ordering::SeqCst) == 0 {
        return;
    }
    // SAFETY: the caller's promise.
    let (code, from) = unsafe { ((*info).si_code, (*info).si_pid()) };
    let is_ours = code == libc::SI_USER && from == 0 || code == libc::SI_TKILL && from == sys::getpid();
    if !is_ours {
        return;
    }
    let thread = sys::gettid();
    let own = |place: &&Place| {
        place.thread.load(Ordering::SeqCst) == thread && place.signal.load(Ordering::SeqCst) == signal
    };
    let oldest = PLACES.iter().filter(own).min_by_key(|place| place.turn.load(Ordering::SeqCst));
    let Some(place) = oldest else { return };
    place.thread.store(BUSY, Ordering::SeqCst);
    // SAFETY: it is ours while it is busy; the caller's promise.
    unsafe { info.cast::<Info>().write(*place.info.get()) };
    KEPT.fetch_sub(1, Ordering::SeqCst);
    place.thread.store(FREE, Ordering::SeqCst);
    if PLACES.iter().any(|place| own(&place)) {
        // Those that carry nothing are one while they wait.
        send(signal);
    }
}

/// In a forked child, to which no signal of the parent passes.
pub fn forked() {
    if KEPT.load(Ordering::SeqCst) == 0 {
        return;
    }
    for place in &PLACES {
        place.thread.store(FREE, Ordering::SeqCst);
    }
    KEPT.store(0, Ordering::SeqCst);
}
