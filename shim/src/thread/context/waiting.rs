//! A waiting thread: its waiter, and what ends its wait from outside.

use std::mem::ManuallyDrop;
use std::ops::Deref;
use std::sync::atomic::Ordering;
use std::sync::Arc;

use glasspoll_reactor::eventpoll::wait_queue::Waiter;
use glasspoll_reactor::sys;
use glasspoll_reactor::watch::{DrainHint, Host, KernelFile};

use super::forking::be_in_order;
use super::{blocks, go_inside, go_outside, with_thread, Wants, ALL_SIGNALS, SLEEPERS, THREADS};

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

/// The waiter of the wait that this thread is in, if we run in a handler that was installed past us, or that such a
/// handler left by siglongjmp.
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

/// The program's threads as our `Host`: a thread sleeps outside.
pub struct ProgramHost;

impl Host for ProgramHost {
    fn leave(&self) {
        with_thread(go_outside);
    }

    fn take_mask(&self, mask: u64) {
        with_thread(|thread| {
            thread.own_mask.set(Some(sys::sigmask()));
            sys::sigprocmask(libc::SIG_SETMASK, mask);
        });
    }

    fn give_mask_back(&self) {
        with_thread(|thread| {
            let Some(own) = thread.own_mask.get() else { return };
            let held_back = thread.held_back.load(Ordering::SeqCst) != 0;
            sys::sigprocmask(libc::SIG_SETMASK, if held_back { ALL_SIGNALS } else { own });
            thread.own_mask.set(None);
        });
    }

    fn enter(&self) {
        with_thread(|thread| go_inside(thread, Wants::Adopted));
    }

    fn wants_io(&self, device: &KernelFile) {
        crate::fdtable::note_io(device);
    }

    fn wants_drain_hints(&self, device: &KernelFile) {
        crate::fdtable::note_io(device);
    }

    fn take_drain_hint(&self, fd: i32) -> DrainHint {
        crate::fdtable::drain_hints::take(fd)
    }

    fn protect(&self, fd: i32) {
        crate::fdtable::protect(fd);
    }

    fn may_make_a_thread(&self) -> bool {
        crate::process::may_make_a_thread()
    }

    fn say(&self, what: &str) {
        crate::process::options::complain(what);
    }

    fn was_our_signal(&self) -> bool {
        with_thread(|thread| thread.our_signal.swap(false, Ordering::SeqCst))
    }
}
