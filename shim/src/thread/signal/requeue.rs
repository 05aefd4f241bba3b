//! Queues a signal of the program to its thread again, with everything that it carried.
//!
//! The kernel's queue may be full: all processes of the user share it. A signal that carries nothing always gets
//! through. So we send such a signal, and keep here what the real signal carried until the other one comes.
//!
//! Safe in a signal handler: no locks, no allocation.

use std::cell::UnsafeCell;
use std::sync::atomic::{AtomicI32, AtomicU32, Ordering};

use glasspoll_reactor::sys;
use libc::{c_int, siginfo_t};

/// What one signal carried. `thread`: whose signal it is; `FREE`: unused; `BUSY`: being written or read.
struct Place {
    thread: AtomicI32,
    signal: AtomicI32,
    /// The place with the oldest turn goes first.
    turn: AtomicU32,
    info: UnsafeCell<Info>,
}

#[derive(Clone, Copy)]
#[repr(C, align(8))]
struct Info([u8; size_of::<siginfo_t>()]);

// SAFETY: only the thread that has made `thread` `BUSY` touches `info`.
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
/// How many places are in use.
static KEPT: AtomicU32 = AtomicU32::new(0);

/// Queues `signal` to this thread.
///
/// # Safety
/// `info` comes from the kernel, as the handler's argument.
pub unsafe fn queue(signal: c_int, info: *const siginfo_t) {
    // SAFETY: the caller's promise, here and below.
    if unsafe { sys::queue_to_self(signal, info.cast()) }.is_ok() {
        return;
    }
    // SAFETY: as above. If no place is free, the signal comes without what it carried.
    keep(signal, unsafe { info.cast::<Info>().read() });
    send(signal);
}

fn keep(signal: c_int, info: Info) {
    for place in &PLACES {
        if place.thread.compare_exchange(FREE, BUSY, Ordering::SeqCst, Ordering::SeqCst).is_ok() {
            // SAFETY: the place is ours while it is busy.
            unsafe { *place.info.get() = info };
            place.signal.store(signal, Ordering::SeqCst);
            place.turn.store(TURN.fetch_add(1, Ordering::SeqCst), Ordering::SeqCst);
            KEPT.fetch_add(1, Ordering::SeqCst);
            place.thread.store(sys::gettid(), Ordering::SeqCst);
            return;
        }
    }
}

/// Sends a signal as kill(2) does. It needs no room in the queue.
fn send(signal: c_int) {
    // SAFETY: all-zero bytes are such a signal, without a sender.
    let sent = unsafe { sys::queue_to_self(signal, NOTHING.0.as_ptr()) };
    if sent.is_err() {
        let _ = sys::signal_self(signal);
    }
}

/// A signal has come with `info`. If we sent it in place of another one, fills in what that one carried.
///
/// # Safety
/// `info` comes from the kernel, as the handler's argument.
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
    // SAFETY: the place is ours while it is busy; the caller's promise.
    unsafe { info.cast::<Info>().write(*place.info.get()) };
    KEPT.fetch_sub(1, Ordering::SeqCst);
    place.thread.store(FREE, Ordering::SeqCst);
    if PLACES.iter().any(|place| own(&place)) {
        // The kernel merges pending signals that carry nothing, so send one for the next place.
        send(signal);
    }
}

/// In a forked child. The parent's pending signals do not pass to it.
pub fn forked() {
    if KEPT.load(Ordering::SeqCst) == 0 {
        return;
    }
    for place in &PLACES {
        place.thread.store(FREE, Ordering::SeqCst);
    }
    KEPT.store(0, Ordering::SeqCst);
}
