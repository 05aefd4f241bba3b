//! Threads that wait: the waiter and the exclusive queue `ep->wq`, last in, first out.
//!
//! A wakeup takes the first waiter off the queue and wakes only that one.
//!
//! State of a waiter (`Waiter::state`):
//!
//! | state | means | left by |
//! |---|---|---|
//! | `AWAKE` | running, or about to look at the ready list | the thread itself |
//! | `FUTEX` | asleep on `state` as a futex; counted in `sleepers` | a waker, the thread on time-out |
//! | `PPOLL` | asleep in ppoll, as holder of the watch or on its own files | a waker (writes to the eventfd `wake_fd`), the thread |
//! | `WOKEN` | a wakeup is on its way | the thread itself, by `reset` |
//!
//! Linux: `fs/eventpoll.c:ep_poll` (`__add_wait_queue_exclusive`), `ep_autoremove_wake_function`.

use std::collections::VecDeque;

use crate::mutation::is;
use crate::sync::{const_unless_modelled, Arc, AtomicBool, AtomicI32, AtomicPtr, AtomicU32, Ordering};
use crate::sys;

const AWAKE: u32 = 0;
const FUTEX: u32 = 1;
const PPOLL: u32 = 2;
const WOKEN: u32 = 3;

/// How many threads sleep and depend on another thread to watch the devices.
#[derive(Debug, Default)]
pub struct Sleepers(AtomicU32);

impl Sleepers {
    const_unless_modelled! {
        /// A count of zero.
        pub fn new() -> Self {
            Self(AtomicU32::new(0))
        }
    }

    /// Whether any thread sleeps.
    pub fn any(&self) -> bool {
        self.0.load(Ordering::SeqCst) != 0
    }

    /// How many there are.
    #[cfg(loom)]
    pub(crate) fn number(&self) -> u32 {
        self.0.load(Ordering::SeqCst)
    }

    /// Counts a thread that sleeps in a ppoll of its own and depends on another thread as well.
    pub(crate) fn come(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }

    /// That thread has woken.
    pub(crate) fn go(&self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }

    /// In a forked child: forgets all threads, which exist in the parent only.
    pub fn clear(&self) {
        self.0.store(0, Ordering::SeqCst);
    }
}

/// A thread that waits.
#[derive(Debug)]
pub struct Waiter {
    state: AtomicU32,
    /// Points to the fd of the eventfd that ends the sleep in ppoll.
    wake_fd: AtomicPtr<AtomicI32>,
    interrupted: AtomicBool,
    /// The sleep is over, and was a real one: what is drained now came during it.
    slept: AtomicBool,
    /// The address of a set, only for comparison.
    signalfds_of: AtomicPtr<()>,
    sleepers: &'static Sleepers,
}

impl Waiter {
    /// A waiter for a thread; `sleepers` is the count of its process.
    pub fn new(sleepers: &'static Sleepers) -> Arc<Self> {
        Arc::new(Self {
            state: AtomicU32::new(AWAKE),
            wake_fd: AtomicPtr::new(std::ptr::null_mut()),
            interrupted: AtomicBool::new(false),
            slept: AtomicBool::new(false),
            signalfds_of: AtomicPtr::new(std::ptr::null_mut()),
            sleepers,
        })
    }

    /// Forgets an earlier wakeup. The thread itself calls this, before it queues.
    pub fn reset(&self) {
        self.slept.store(false, Ordering::Relaxed);
        self.state.store(AWAKE, Ordering::SeqCst);
    }

    /// Its sleep is over, and was a real one.
    pub(crate) fn note_sleep(&self) {
        self.slept.store(true, Ordering::Relaxed);
    }

    /// Whether what a drain finds came during the thread's sleep.
    pub(crate) fn has_slept(&self) -> bool {
        self.slept.load(Ordering::Relaxed)
    }

    /// Wakes the thread from either sleep. Safe in a signal handler.
    pub fn wake(&self) {
        match self.state.swap(WOKEN, Ordering::SeqCst) {
            FUTEX => {
                if !is("a_waker_does_not_count") {
                    self.sleepers.0.fetch_sub(1, Ordering::SeqCst);
                }
                sys::futex_wake(&self.state, 1);
            }
            PPOLL => {
                // SAFETY: `begin_ppoll` stored a reference that lives for ever.
                let wake_fd = unsafe { &*self.wake_fd.load(Ordering::SeqCst) };
                let _ = sys::write(wake_fd.load(Ordering::SeqCst), &1u64.to_ne_bytes());
            }
            _ => {}
        }
    }

    /// Ends the wait with EINTR: a signal handler of the program ran while the thread waited.
    pub fn interrupt(&self) {
        self.interrupted.store(true, Ordering::SeqCst);
        self.wake();
    }

    /// Whether `interrupt` was called since the last call of this.
    pub fn take_interrupt(&self) -> bool {
        self.interrupted.load(Ordering::SeqCst) && self.interrupted.swap(false, Ordering::SeqCst)
    }

    /// Sets the set whose signalfds the thread must sleep on itself; null: no set.
    pub fn sleeps_on_signalfds_of(&self, set: *const ()) {
        self.signalfds_of.store(set.cast_mut(), Ordering::Relaxed);
    }

    /// The set whose signalfds the thread must sleep on itself, or null. Only for comparison.
    pub fn signalfds_of(&self) -> *const () {
        self.signalfds_of.load(Ordering::Relaxed)
    }

    /// Whether a wakeup has come since `reset`.
    pub fn is_woken(&self) -> bool {
        self.state.load(Ordering::SeqCst) == WOKEN
    }

    /// The thread is about to sleep in ppoll with `wake_fd` among its descriptors. False: it was woken already
    /// and must not sleep.
    pub fn begin_ppoll(&self, wake_fd: &'static AtomicI32) -> bool {
        self.wake_fd.store(std::ptr::from_ref(wake_fd).cast_mut(), Ordering::SeqCst);
        if is("a_sleep_begins_over_a_wakeup") {
            self.state.store(PPOLL, Ordering::SeqCst);
            return true;
        }
        self.transit(AWAKE, PPOLL)
    }

    /// The end of that sleep. True if `wake` ended it.
    pub fn end_ppoll(&self) -> bool {
        !self.transit(PPOLL, AWAKE)
    }

    /// The thread is about to sleep on its futex. False: it was woken already and must not sleep.
    pub fn begin_futex(&self) -> bool {
        let late = is("a_sleeper_is_counted_late");
        if !late {
            self.sleepers.0.fetch_add(1, Ordering::SeqCst);
        }
        let asleep = self.transit(AWAKE, FUTEX);
        if asleep && late {
            self.sleepers.0.fetch_add(1, Ordering::SeqCst);
        }
        if !asleep && !late {
            self.sleepers.0.fetch_sub(1, Ordering::SeqCst);
        }
        asleep
    }

    /// Sleeps until `wake`, a signal, or the end of the time. Called between `begin_futex` and `end_futex`.
    pub fn sleep_futex(&self, timeout_ns: Option<u64>) -> Result<(), sys::Errno> {
        if self.state.load(Ordering::SeqCst) != FUTEX {
            return Ok(());
        }
        sys::futex_wait(&self.state, FUTEX, timeout_ns)
    }

    /// The end of that sleep. True if `wake` ended it.
    pub fn end_futex(&self) -> bool {
        let woken = !self.transit(FUTEX, AWAKE);
        if !woken {
            self.sleepers.0.fetch_sub(1, Ordering::SeqCst);
        }
        woken
    }

    fn transit(&self, from: u32, to: u32) -> bool {
        self.state.compare_exchange(from, to, Ordering::SeqCst, Ordering::SeqCst).is_ok()
    }
}

/// The thread that received the last delivery, for comparison.
#[derive(Debug, Default)]
pub(crate) struct Receiver(usize);

impl Receiver {
    /// The thread of this waiter; None: a thread that does not wait.
    pub(crate) fn new(waiter: Option<&Arc<Waiter>>) -> Self {
        Self(waiter.map_or(0, |waiter| Arc::as_ptr(waiter).addr()))
    }

    /// Whether it was the thread of this waiter.
    pub(crate) fn is(&self, waiter: &Arc<Waiter>) -> bool {
        self.0 == Arc::as_ptr(waiter).addr()
    }
}

/// The exclusive waiters of one eventpoll. Protected by `ep.lock`.
#[derive(Debug, Default)]
pub struct WaitQueue(VecDeque<Arc<Waiter>>);

impl WaitQueue {
    /// Puts a waiter first in the queue. Linux: `__add_wait_queue_exclusive`.
    pub fn push(&mut self, waiter: Arc<Waiter>) {
        self.0.push_front(waiter);
    }

    /// Takes the first waiter off; the caller wakes it once `ep.lock` is dropped.
    pub fn pop(&mut self) -> Option<Arc<Waiter>> {
        self.0.pop_front()
    }

    /// The waiter that has waited longest.
    pub fn last(&self) -> Option<Arc<Waiter>> {
        self.0.back().cloned()
    }

    /// Takes off a waiter that leaves by itself. False: a wakeup has taken it off before.
    pub fn remove(&mut self, waiter: &Arc<Waiter>) -> bool {
        let at = self.0.iter().position(|other| Arc::ptr_eq(other, waiter));
        at.map(|at| self.0.remove(at)).is_some()
    }

    /// In a forked child: forgets all waiters, which exist in the parent only.
    pub fn clear(&mut self) {
        self.0.clear();
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    static SLEEPERS: Sleepers = Sleepers::new();

    #[test]
    fn the_last_to_come_is_woken_first() {
        let (a, b) = (Waiter::new(&SLEEPERS), Waiter::new(&SLEEPERS));
        let mut queue = WaitQueue::default();
        queue.push(a.clone());
        queue.push(b.clone());
        assert!(Arc::ptr_eq(&queue.pop().unwrap(), &b));
        assert!(queue.remove(&a));
        assert!(!queue.remove(&a));
        assert!(queue.pop().is_none());
    }

    #[test]
    fn a_wakeup_before_the_sleep_is_not_lost() {
        let waiter = Waiter::new(&SLEEPERS);
        waiter.wake();
        assert!(!waiter.begin_futex());
        waiter.reset();
        assert!(waiter.begin_futex());
        assert_eq!(waiter.sleep_futex(Some(1_000_000)), Err(sys::Errno::ETIMEDOUT));
        assert!(!waiter.end_futex());
    }

    #[test]
    fn a_sleeper_is_woken_by_another_thread() {
        let waiter = Waiter::new(&SLEEPERS);
        assert!(waiter.begin_futex());
        let waker = {
            let waiter = waiter.clone();
            std::thread::spawn(move || waiter.wake())
        };
        while !waiter.is_woken() {
            let _ = waiter.sleep_futex(None);
        }
        assert!(waiter.end_futex());
        waker.join().unwrap();
    }
}
