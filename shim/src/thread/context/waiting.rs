//! A waiting thread: its waiter, and what ends its wait from outside.

use std::mem::ManuallyDrop;
use std::ops::Deref;
use std::sync::atomic::Ordering;
use std::sync::Arc;

use glasspoll_reactor::eventpoll::wait_queue::{Sleepers, Waiter};
use glasspoll_reactor::sys;

use super::cover::{blocks, ALL_SIGNALS};
use super::forking::be_in_order;
use super::gate::{go_inside, go_outside, Wants};
use super::threads::THREADS;
use crate::thread::tls::with_thread;

/// Threads that sleep on a futex.
pub static SLEEPERS: Sleepers = Sleepers::new();

/// The waiter of one wait.
pub enum Part {
    /// Kept from wait to wait. Its count lasts until the thread ends.
    Kept(ManuallyDrop<Arc<Waiter>>),
    /// For a wait in a signal handler that interrupted another wait.
    Fresh(Arc<Waiter>),
}

impl Deref for Part {
    type Target = Arc<Waiter>;

    fn deref(&self) -> &Arc<Waiter> {
        match self {
            Part::Kept(waiter) => waiter,
            Part::Fresh(waiter) => waiter,
        }
    }
}

/// The waiter for a wait that the calling thread begins.
pub fn waiter() -> Part {
    with_thread(|thread| {
        if !thread.waiting.load(Ordering::Relaxed).is_null() {
            return Part::Fresh(Waiter::new(&SLEEPERS));
        }
        let mut kept = thread.waiter.load(Ordering::Relaxed).cast_const();
        if kept.is_null() {
            kept = Arc::into_raw(Waiter::new(&SLEEPERS));
            thread.waiter.store(kept.cast_mut(), Ordering::Relaxed);
        }
        // SAFETY: `waiter` stores the result of `Arc::into_raw`, and keeps one count until the thread ends.
        Part::Kept(ManuallyDrop::new(unsafe { Arc::from_raw(kept) }))
    })
}

/// Whether this thread is in a wait, or has left one by siglongjmp (`outer_waiter`).
pub fn is_waiting() -> bool {
    with_thread(|thread| !thread.waiting.load(Ordering::SeqCst).is_null())
}

/// The waiter of this thread's unfinished wait: we run in a handler that was installed past us, or such a handler left
/// the wait by siglongjmp.
pub fn outer_waiter() -> Option<Arc<Waiter>> {
    let waiter = with_thread(|thread| thread.waiting.load(Ordering::SeqCst));
    if waiter.is_null() {
        return None;
    }
    // SAFETY: the frame of that wait holds a count, whether the frame still exists or was jumped over.
    unsafe {
        Arc::increment_strong_count(waiter);
        Some(Arc::from_raw(waiter))
    }
}

/// While this lives, signals of the program and pthread_cancel end the thread's wait.
pub struct Waiting {
    outer: *mut Waiter,
}

impl Waiting {
    /// `mask` applies while the thread sleeps: a signal that it blocks does not end the wait.
    pub fn new(waiter: &Arc<Waiter>, mask: Option<u64>) -> Self {
        with_thread(|thread| {
            thread.wait_mask.set(mask);
            let outer = thread.waiting.swap(Arc::as_ptr(waiter).cast_mut(), Ordering::SeqCst);
            let held_back = thread.held_back.load(Ordering::SeqCst);
            if held_back != 0 && !blocks(mask, held_back) {
                waiter.interrupt();
            }
            Self { outer }
        })
    }

    /// The wait ends with EINTR. The signal that ended it is handled under the wait's mask.
    pub fn interrupted(&self) {
        with_thread(|thread| {
            if thread.held_back.load(Ordering::SeqCst) != 0 {
                thread.ended_mask.set(thread.wait_mask.get());
            }
        });
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        with_thread(|thread| {
            thread.waiting.store(self.outer, Ordering::SeqCst);
            thread.wait_mask.set(None);
        });
    }
}

/// Whether pthread_cancel was called for this thread, and `take_cancelled` not yet.
pub fn is_cancelled() -> bool {
    with_thread(|thread| thread.cancelled.load(Ordering::SeqCst))
}

/// Whether pthread_cancel ended this thread's wait.
pub fn take_cancelled() -> bool {
    with_thread(|thread| thread.cancelled.swap(false, Ordering::SeqCst))
}

/// Ends the wait of `pthread`, which another thread cancels.
pub fn cancel(pthread: u64) {
    be_in_order();
    THREADS.with(|list| {
        for thread in list.iter() {
            // SAFETY: a thread on the list is alive.
            let thread = unsafe { &**thread };
            if thread.pthread.get() == pthread {
                thread.cancelled.store(true, Ordering::SeqCst);
                let kept = thread.waiter.load(Ordering::SeqCst);
                if !kept.is_null() && !thread.waiting.load(Ordering::SeqCst).is_null() {
                    // SAFETY: a thread takes this waiter away with the lock held.
                    unsafe { &*kept }.interrupt();
                }
            }
        }
    });
}

/// The thread goes outside to sleep.
pub fn leave() {
    with_thread(go_outside);
}

/// The thread has slept, and goes inside again.
pub fn come_back() {
    with_thread(|thread| go_inside(thread, Wants::Adopted));
}

/// Replaces the thread's mask by the wait's.
pub fn take_mask(mask: u64) {
    with_thread(|thread| {
        thread.own_mask.set(Some(sys::sigmask()));
        sys::sigprocmask(libc::SIG_SETMASK, mask);
    });
}

/// Gives the thread its own mask back. If a signal is held back, all signals stay blocked.
pub fn give_mask_back() {
    with_thread(|thread| {
        let Some(own) = thread.own_mask.get() else { return };
        let held_back = thread.held_back.load(Ordering::SeqCst) != 0;
        sys::sigprocmask(libc::SIG_SETMASK, if held_back { ALL_SIGNALS } else { own });
        thread.own_mask.set(None);
    });
}

/// Whether our signal has run its handler in this thread since the last call.
pub fn was_our_signal() -> bool {
    with_thread(|thread| thread.our_signal.swap(false, Ordering::SeqCst))
}
