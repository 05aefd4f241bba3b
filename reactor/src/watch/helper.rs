//! The helper thread: it holds the watch while the threads that sleep cannot hold it themselves.
//!
//! It starts when a thread that may come to depend on it goes to sleep. It ends after a second without
//! sleepers, or when all threads of the program have ended, so that it keeps no process alive. An idle process
//! has no wakeups: while a thread sleeps the helper waits without a time-out, and checks again when a thread of
//! the program ends. A *guest* is a thread that sleeps in a poll(2) of its own and depends on wakeups: it makes
//! the helper hold the watch.

#[cfg(not(loom))]
use std::ffi::c_void;

use crate::mutation::is;
use crate::sync::{AtomicBool, AtomicU32, AtomicU64, Mutex, Ordering};
use crate::sys;
use crate::watch::{Holder, Watch};

/// After this time with nothing to do the thread ends.
const IDLE_NS: u64 = 1_000_000_000;
/// After the kernel has refused a thread, we do not try again for this time.
const REFUSED_NS: u64 = 100_000_000;

#[derive(Debug, Default)]
pub(super) struct Helper {
    /// Whether the thread exists.
    running: Mutex<bool>,
    /// The same, readable without the lock. False while the thread decides whether to end.
    alive: AtomicBool,
    /// A thread is being made.
    starting: AtomicBool,
    /// The kernel refused the thread: followers must check for wakeups themselves from time to time.
    broken: AtomicBool,
    /// The user has been told that it is broken.
    said: AtomicBool,
    /// We do not try to start the thread before this time.
    not_before: AtomicU64,
    /// Counts calls. The thread sleeps on it as a futex.
    calls: AtomicU32,
    guests: AtomicU32,
    /// The program's threads have ended: the helper ends at once when it has nothing to do.
    retired: AtomicBool,
}

impl Helper {
    /// Tells the helper thread that it holds the watch now. Starts the thread if necessary.
    pub(super) fn call(&self, watch: &'static Watch) {
        let mut running = self.running.lock();
        self.retired.store(false, Ordering::SeqCst);
        self.calls.fetch_add(1, Ordering::SeqCst);
        if *running {
            sys::futex_wake(&self.calls, 1);
            return;
        }
        self.begin(watch, &mut running);
    }

    /// Starts the thread for a caller that is about to sleep, and is counted among the sleepers or guests,
    /// while another thread holds the watch. If we waited until that thread wakes, the kernel could refuse the
    /// helper then, and the sleeper would not learn it.
    pub(super) fn be_there(&self, watch: &'static Watch) {
        if !self.alive.load(Ordering::SeqCst) {
            let mut running = self.running.lock();
            if !*running {
                self.begin(watch, &mut running);
            }
        }
    }

    fn begin(&self, watch: &'static Watch, running: &mut bool) {
        if self.is_broken() && sys::now() < self.not_before.load(Ordering::Relaxed) {
            return;
        }
        self.starting.store(true, Ordering::SeqCst);
        let is_allowed = watch.host.may_make_a_thread();
        *running = is_allowed && start(watch);
        self.starting.store(false, Ordering::SeqCst);
        self.alive.store(*running, Ordering::SeqCst);
        if !*running && is_allowed {
            self.not_before.store(sys::now() + REFUSED_NS, Ordering::Relaxed);
        }
        self.broken.store(!*running, Ordering::SeqCst);
        if !*running && is_allowed && !self.said.swap(true, Ordering::SeqCst) {
            watch.host.say("no helper thread is to be had: threads that wait together wake up to 5 ms late");
        }
    }

    /// Returns when no thread is being made. A later one asks the host first.
    pub(super) fn await_start(&self) {
        while self.starting.load(Ordering::SeqCst) {
            // A pause, for the thread that makes it may have a lower priority.
            sys::nap(20_000);
        }
    }

    /// Makes the thread check whether another thread sleeps, if it does not hold the watch.
    pub(super) fn poke(&self) {
        if self.alive.load(Ordering::SeqCst) {
            self.calls.fetch_add(1, Ordering::SeqCst);
            sys::futex_wake(&self.calls, 1);
        }
    }

    /// Makes the thread end, unless it is called again.
    pub(super) fn retire(&self) {
        self.retired.store(true, Ordering::SeqCst);
        self.calls.fetch_add(1, Ordering::SeqCst);
        sys::futex_wake(&self.calls, 1);
    }

    /// Whether followers must check for wakeups themselves.
    pub(super) fn is_broken(&self) -> bool {
        self.broken.load(Ordering::Relaxed)
    }

    pub(super) fn guest_comes(&self) {
        self.guests.fetch_add(1, Ordering::SeqCst);
    }

    pub(super) fn guest_leaves(&self) {
        self.guests.fetch_sub(1, Ordering::SeqCst);
    }

    pub(super) fn has_guests(&self) -> bool {
        self.guests.load(Ordering::SeqCst) != 0
    }

    /// Whether a thread sleeps that may come to depend on the helper.
    fn is_needed(&self, watch: &Watch) -> bool {
        watch.sleepers.any() || self.has_guests()
    }

    /// In a forked child: forgets the helper, which exists in the parent only.
    pub(super) fn forget(&self) {
        *self.running.lock() = false;
        self.starting.store(false, Ordering::SeqCst);
        self.alive.store(false, Ordering::SeqCst);
        self.broken.store(false, Ordering::SeqCst);
        self.guests.store(0, Ordering::SeqCst);
    }
}

/// Starts the thread, in a model.
#[cfg(loom)]
fn start(watch: &'static Watch) -> bool {
    crate::model::spawn_helper(move || run(watch));
    true
}

/// Starts the thread by libc's function: Rust's own allocates in the new thread before we can mark the thread
/// as inside.
#[cfg(not(loom))]
fn start(watch: &'static Watch) -> bool {
    extern "C" fn main(watch: *mut c_void) -> *mut c_void {
        // SAFETY: what `start` gave.
        run(unsafe { &*watch.cast::<Watch>() });
        std::ptr::null_mut()
    }
    // Blocks all signals except the two with which glibc reaches every thread (setuid, pthread_cancel).
    let before = sys::sigprocmask(libc::SIG_SETMASK, !(0b11 << 31));
    let mut thread = 0;
    // SAFETY: all-zero bytes are room for the attributes, which are initialised here.
    let started = unsafe {
        let mut attributes: libc::pthread_attr_t = std::mem::zeroed();
        libc::pthread_attr_init(&mut attributes);
        libc::pthread_attr_setdetachstate(&mut attributes, libc::PTHREAD_CREATE_DETACHED);
        libc::pthread_attr_setstacksize(&mut attributes, 256 << 10);
        let argument = std::ptr::from_ref(watch).cast_mut().cast();
        let failed = libc::pthread_create(&mut thread, &attributes, main, argument);
        libc::pthread_attr_destroy(&mut attributes);
        failed == 0
    };
    sys::sigprocmask(libc::SIG_SETMASK, before);
    started
}

fn run(watch: &'static Watch) {
    watch.host.enter();
    loop {
        let seen = watch.helper.calls.load(Ordering::SeqCst);
        let mine = *watch.holder.lock() == Holder::Helper;
        if mine {
            stand(watch);
            continue;
        }
        let mut over = watch.helper.retired.load(Ordering::SeqCst);
        if !over {
            watch.host.leave();
            let slept = sys::futex_wait(
                &watch.helper.calls,
                seen,
                (!watch.helper.is_needed(watch)).then_some(IDLE_NS),
            );
            watch.host.enter();
            over = slept == Err(sys::Errno::ETIMEDOUT);
        }
        if over {
            let mut running = watch.helper.running.lock();
            // A later caller sees `alive == false`, or we see its `calls` increment.
            watch.helper.alive.store(false, Ordering::SeqCst);
            let is_called = watch.helper.calls.load(Ordering::SeqCst) != seen;
            if !is_called && !watch.helper.is_needed(watch) || is("an_ending_helper_hears_nothing") {
                *running = false;
                break;
            }
            watch.helper.retired.store(false, Ordering::SeqCst);
            watch.helper.alive.store(true, Ordering::SeqCst);
        }
    }
    watch.host.leave();
}

/// One round as holder of the watch: drains, then gives the watch up if no thread needs it, else sleeps.
fn stand(watch: &'static Watch) {
    watch.drain_wakeups();
    {
        let mut holder = watch.holder.lock();
        if *holder != Holder::Helper {
            return;
        }
        if !watch.sleepers.any() && !watch.helper.has_guests() {
            *holder = Holder::Nobody;
            return;
        }
    }
    let parker = &watch.helper_parker;
    let still_mine = || *watch.holder.lock() == Holder::Helper;
    let _ = watch.sleep_in(parker, still_mine, None, None, &mut Vec::new());
}
