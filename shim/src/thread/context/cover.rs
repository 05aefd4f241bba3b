//! Cover: which signals of the program wait until our frames have returned.

use std::sync::atomic::{compiler_fence, Ordering};

use glasspoll_reactor::sys;
use libc::c_int;

use crate::thread::signal::{held, ours};
use crate::thread::state::{goes_on_inside, Thread};
use crate::thread::tls::with_thread;

/// All signals except the two that glibc needs to reach every thread.
pub const ALL_SIGNALS: u64 = !(0b11 << 31);

extern "C-unwind" {
    fn pthread_setcanceltype(new: c_int, old: *mut c_int) -> c_int;
}

const PTHREAD_CANCEL_DEFERRED: c_int = 0;

/// From here to `uncover`, nothing may unwind the thread's stack by force: no handler runs, and
/// cancellation waits. Returns the argument for `uncover`.
pub fn cover() -> c_int {
    let mut before = PTHREAD_CANCEL_DEFERRED;
    // SAFETY: a valid pointer.
    unsafe { pthread_setcanceltype(PTHREAD_CANCEL_DEFERRED, &mut before) };
    with_thread(|thread| covered(thread, 1));
    before
}

/// Runs our work to its end, or until a handler of the program ends the thread.
pub fn run_to_the_end(work: &mut dyn FnMut()) {
    with_thread(|thread| thread.place.run(work));
}

/// Ends a `cover`. The handlers that were held back run here, and may unwind by force.
pub fn uncover(before: c_int) {
    let held_back =
        with_thread(|thread| covered(thread, -1) == 0 && thread.held_back.load(Ordering::SeqCst) != 0);
    if held_back {
        // Called through a pointer that the compiler cannot see through. Otherwise it would find that no call in here
        // unwinds, and would treat this call as one that needs no catch.
        std::hint::black_box(let_signals_in as fn())();
    }
    if before != PTHREAD_CANCEL_DEFERRED {
        // SAFETY: null is allowed. If the thread is to be cancelled, this call cancels it.
        unsafe { pthread_setcanceltype(before, std::ptr::null_mut()) };
    }
}

/// Changes the number of frames that cover the thread. Returns the new one.
pub(super) fn covered(thread: &Thread, by: i32) -> u32 {
    let depth = thread.covered.load(Ordering::Relaxed).wrapping_add_signed(by);
    thread.covered.store(depth, Ordering::Relaxed);
    // Only handlers in this thread read it.
    compiler_fence(Ordering::SeqCst);
    depth
}

/// Runs the handlers that were held back, unless this thread is still inside or covered.
#[cold]
pub fn let_signals_in() {
    let masks = with_thread(|thread| {
        if goes_on_inside(thread)
            || thread.covered.load(Ordering::SeqCst) != 0
            || thread.held_back.swap(0, Ordering::SeqCst) == 0
        {
            return None;
        }
        Some((thread.ended_mask.take(), thread.outer_mask.load(Ordering::SeqCst)))
    });
    let Some((ended, outer)) = masks else { return };
    if sys::on_valgrind() {
        sys::sigprocmask(libc::SIG_SETMASK, ALL_SIGNALS);
        held::give_back();
    }
    if let Some(mask) = ended {
        // The signal that ended a wait with its own mask is handled under that mask.
        sys::sigprocmask(libc::SIG_SETMASK, mask);
    }
    sys::sigprocmask(libc::SIG_SETMASK, ours::with_ours(outer));
}

pub(super) fn blocks(mask: Option<u64>, signal: i32) -> bool {
    mask.is_some_and(|mask| mask >> (signal - 1) & 1 != 0)
}

/// What a signal of the program finds in the thread that it interrupts.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Meeting {
    /// Frames of ours: the signal is held back, and its handler returns with all signals blocked.
    HoldsBack,
    /// No frames of ours: its handler may run.
    LetsThrough,
}

/// Called in a signal handler: a signal of the program interrupted this thread, which ran with `mask`.
pub fn meets(signal: i32, mask: u64) -> Meeting {
    with_thread(|thread| {
        if !goes_on_inside(thread) && thread.covered.load(Ordering::SeqCst) == 0 {
            return Meeting::LetsThrough;
        }
        // If several signals arrive at once, the kernel stacks their frames. The last one's trampoline runs first, with
        // the earlier ones blocked; only the first one's trampoline sees the thread's own mask.
        let again = thread.held_back.swap(signal, Ordering::SeqCst) != 0;
        if !again || mask != ALL_SIGNALS {
            thread.outer_mask.store(thread.own_mask.get().unwrap_or(mask), Ordering::SeqCst);
        }
        let waiter = thread.waiting.load(Ordering::SeqCst);
        if !waiter.is_null() && !blocks(thread.wait_mask.get(), signal) {
            // SAFETY: `Waiting` is alive, and keeps the waiter alive.
            unsafe { &*waiter }.interrupt();
        }
        Meeting::HoldsBack
    })
}

/// Our signal ran its handler in this thread: a system call that it interrupted goes on.
pub fn our_signal() {
    with_thread(|thread| thread.our_signal.store(true, Ordering::SeqCst));
}
