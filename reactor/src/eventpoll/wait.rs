//! The doors to a wait: `wait`, which may sleep (`ep_poll`), and `wait_now`, which does not.

use crate::chaos::Waits;
use crate::eventpoll::event_sink::EventSink;
use crate::eventpoll::timeout::Timeout;
use crate::eventpoll::wait_queue::{Receiver, Waiter};
use crate::eventpoll::watcher::Watcher;
use crate::eventpoll::{Eventpoll, Tree};
use crate::mutation::is;
use crate::sync::{Arc, CountedGuard, Ordering};
use crate::sys::Errno;
use crate::trace::{self, Entered};

impl Eventpoll {
    /// Waits for events and stores up to `maxevents` of them. `sigmask` is in force while asleep.
    ///
    /// # Errors
    /// EINTR if a signal handler ran; EFAULT if the first event could not be stored.
    pub fn wait(
        &self,
        watcher: &dyn Watcher,
        waiter: &Arc<Waiter>,
        sink: &mut dyn EventSink,
        maxevents: usize,
        timeout: &mut Timeout,
        sigmask: Option<u64>,
    ) -> Result<usize, Errno> {
        let entered = trace::wait_enter(self.about(0), maxevents, timeout.ns());
        let waits = Waits { watcher, waiter, maxevents, sigmask };
        let result = if self.has_chaos() {
            self.chaotic_poll(&waits, sink, timeout)
        } else {
            self.ep_poll(&waits, sink, timeout)
        };
        self.note_return(result, entered, 0);
        result
    }

    /// As `wait` with a time-out of 0: stores the events that are ready now.
    ///
    /// # Errors
    /// EFAULT if the first event could not be stored.
    pub fn wait_now(
        &self,
        watcher: &dyn Watcher,
        sink: &mut dyn EventSink,
        maxevents: usize,
    ) -> Result<usize, Errno> {
        if self.has_nothing(watcher) {
            trace::waited_for_nothing(self.about(0), maxevents);
            return Ok(0);
        }
        let entered = trace::wait_enter(self.about(0), maxevents, Some(0));
        let result = {
            let mut tree = self.begin_wait();
            self.prepare_round(&mut tree);
            tree.delivered_to = Receiver::new(None);
            self.look_and_send(&mut tree, watcher, sink, maxevents)
        };
        self.found_nothing.store(result == Ok(0), Ordering::Relaxed);
        self.note_return(result, entered, 0);
        result
    }

    pub(super) fn note_return(&self, result: Result<usize, Errno>, entered: Entered, now: u64) {
        let now = trace::wait_return(self.about(0), result, entered, now);
        if now != 0 {
            self.shown.waited(now);
        }
    }

    /// Whether nothing is ready, as far as this can be known without draining wakeups. Checked only if the last
    /// `wait_now` found nothing.
    fn has_nothing(&self, watcher: &dyn Watcher) -> bool {
        let nothing = || self.mtx.count() == 0 && !self.events_available();
        if !self.found_nothing.load(Ordering::Relaxed) || !nothing() {
            return false;
        }
        // A wakeup that another thread drained meanwhile is on the ready list by now.
        let nothing = watcher.has_no_news() && nothing();
        self.found_nothing.store(nothing, Ordering::Relaxed);
        nothing
    }

    /// Locks the set for a thread that begins to wait. No other thread sleeps on the hot items afterwards.
    pub(crate) fn begin_wait(&self) -> CountedGuard<'_, Tree> {
        let mut tree = self.mtx.lock();
        if tree.hot.taken && !is("a_second_waiter_demotes_nothing") {
            // Another thread sleeps on the hot items. Of two waiters a wakeup wakes one, so it must come from
            // the device.
            self.demote_all(&mut tree);
            tree.hot.rest();
        }
        tree
    }
}
