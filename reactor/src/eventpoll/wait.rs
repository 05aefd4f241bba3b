//! Waiting: the `ep_poll` loop. Delivery: `send_events`.
//!
//! Linux: `fs/eventpoll.c:ep_poll`.

use libc::pollfd;

use crate::chaos::{pause, Waits};
use crate::eventpoll::event_sink::EventSink;
use crate::eventpoll::timeout::Timeout;
use crate::eventpoll::wait_queue::Waiter;
use crate::eventpoll::watcher::{Slept, Watcher};
use crate::eventpoll::{Eventpoll, Tree};
use crate::hot::state::HotState;
use crate::hot::QUIET_NS;
use crate::mutation::is;
use crate::sync::{Arc, CountedGuard, Ordering};
use crate::sys::{self, Errno};
use crate::trace::ready_time::Sleep;
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
        let result = if self.has_chaos() {
            self.chaotic_poll(&Waits { watcher, waiter, maxevents, sigmask }, sink, timeout)
        } else {
            self.ep_poll(watcher, waiter, sink, maxevents, timeout, sigmask)
        };
        self.note_return(result, entered);
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
            self.look_and_send(&mut tree, watcher, sink, maxevents)
        };
        self.found_nothing.store(result == Ok(0), Ordering::Relaxed);
        self.note_return(result, entered);
        result
    }

    fn note_return(&self, result: Result<usize, Errno>, entered: Entered) {
        let now = trace::wait_return(self.about(0), result, entered);
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
    fn begin_wait(&self) -> CountedGuard<'_, Tree> {
        let mut tree = self.mtx.lock();
        if tree.hot.taken && !is("a_second_waiter_demotes_nothing") {
            // Another thread sleeps on the hot items. Of two waiters a wakeup wakes one, so it must come from
            // the device.
            self.demote_all(&mut tree);
            tree.hot.rest();
        }
        tree
    }

    /// Linux: `fs/eventpoll.c:ep_poll`.
    pub(crate) fn ep_poll(
        &self,
        watcher: &dyn Watcher,
        waiter: &Arc<Waiter>,
        sink: &mut dyn EventSink,
        maxevents: usize,
        timeout: &mut Timeout,
        sigmask: Option<u64>,
    ) -> Result<usize, Errno> {
        let mut timed_out = timeout.is_zero();
        let mut signal = false;
        // Whether a sleep has just asked all files, and whether the thread really slept.
        let (mut asked, mut slept_well) = (false, false);
        loop {
            if timed_out && !timeout.is_zero() && is("a_waiter_that_times_out_does_not_look") {
                return Ok(0);
            }
            if signal && is("a_waiter_that_is_interrupted_does_not_look") {
                return Err(Errno::EINTR);
            }
            let mut tree = self.begin_wait();
            if !asked {
                self.prepare_round(&mut tree);
            }
            if asked || timed_out || signal || self.events_available() {
                let sent = if asked {
                    self.send(&mut tree, sink, maxevents, slept_well)?
                } else {
                    self.look_and_send(&mut tree, watcher, sink, maxevents)?
                };
                match () {
                    () if sent != 0 => return Ok(sent),
                    () if self.has_chaos() && sink.plan().is_some_and(|plan| plan.is_to_pause()) => {
                        drop(tree);
                        pause(&Waits { watcher, waiter, maxevents, sigmask }, sink);
                        (asked, slept_well) = (false, false);
                        continue;
                    }
                    () if timed_out => return Ok(0),
                    () if signal => return Err(Errno::EINTR),
                    () if std::mem::take(&mut asked) => self.prepare_round(&mut tree),
                    () => {}
                }
            }
            let of_this = self.depends_on_thread.load(Ordering::SeqCst);
            waiter.sleeps_on_signalfds_of(if of_this { self.address() } else { std::ptr::null() });
            // Reset first: an interruption that comes after `take_interrupt` must end the sleep.
            waiter.reset();
            signal = waiter.take_interrupt();
            if signal {
                // Events that came before the interruption are delivered first.
                continue;
            }
            let began = if tree.spin.is_on() { sys::now() } else { 0 };
            if began != 0 {
                let spin = tree.spin.length();
                let until = began + timeout.left().map_or(spin, |left| spin.min(left));
                drop(tree);
                asked = self.look_until(until, watcher, waiter);
                tree = self.mtx.lock();
                if asked {
                    slept_well = false;
                    tree.spin.waited(sys::now().saturating_sub(began));
                    drop(tree);
                    continue;
                }
            }
            {
                let mut ready = self.lock.lock();
                if ready.list.events_available() && !is("a_waiter_sleeps_without_a_look") {
                    continue;
                }
                ready.wq.push(waiter.clone());
            }
            let mut hot = tree.hot.lend();
            let mut lent = !hot.is_empty();
            drop(tree);
            let mut quiet = false;
            let slept = loop {
                let left = timeout.left();
                if left == Some(0) {
                    break Slept::TimedOut;
                }
                let capped = !hot.is_empty() && left.is_none_or(|left| left > QUIET_NS);
                let most = if capped { Some(QUIET_NS) } else { left };
                let sleep = Sleep::begins();
                let slept = watcher.sleep(waiter, most, sigmask, &mut hot);
                slept_well = sleep.was_real(hot.len());
                quiet = capped && slept == Slept::TimedOut;
                let found = hot.iter().any(|pollfd| pollfd.revents != 0);
                if quiet || found || slept != Slept::Woken || waiter.is_woken() {
                    break slept;
                }
                if lent {
                    hot = self.tidy(hot);
                    lent = !hot.is_empty();
                }
            };
            self.dequeue(waiter);
            if began != 0 {
                self.mtx.lock().spin.waited(sys::now().saturating_sub(began));
            }
            self.take_back(hot, lent, quiet);
            match slept {
                _ if quiet => {}
                Slept::TimedOut => timed_out = true,
                Slept::Signal => signal = true,
                Slept::Woken => asked = true,
            }
        }
    }

    /// Asks the files again and again until `until`. Returns whether something is ready.
    fn look_until(&self, until: u64, watcher: &dyn Watcher, waiter: &Waiter) -> bool {
        let mut last = sys::now();
        while last < until {
            let mut tree = self.mtx.lock();
            if tree.hot.taken || waiter.is_woken() {
                return false;
            }
            tree.hot.asks();
            watcher.look(&mut tree.hot.fds);
            let found = tree.hot.fds.iter().any(|pollfd| pollfd.revents != 0);
            if found || self.events_available() {
                return true;
            }
            let now = sys::now();
            tree.spin.note_gap(now.saturating_sub(last));
            last = now;
        }
        false
    }

    /// Takes items that are no longer hot out of the list of a sleep that goes on. A sleep on a file keeps it
    /// open.
    fn tidy(&self, hot: Vec<pollfd>) -> Vec<pollfd> {
        let mut tree = self.mtx.lock();
        if !tree.hot.is_stale() {
            return hot;
        }
        let mut ready = self.lock.lock();
        tree.hot.tidy(hot, |id, place| {
            if let Some(item) = ready.list.get_mut(id) {
                item.hot_state = HotState::hot(place);
            }
        })
    }

    /// Ends a sleep on the hot items. `quiet`: nothing came for `QUIET_NS`, so all items go cold.
    fn take_back(&self, hot: Vec<pollfd>, lent: bool, quiet: bool) {
        let mut tree = self.mtx.lock();
        let mut ready = self.lock.lock();
        tree.hot.give_back(hot, lent, |id, place| {
            if let Some(item) = ready.list.get_mut(id) {
                item.hot_state = HotState::hot(place);
            }
        });
        drop(ready);
        if quiet {
            self.demote_all(&mut tree);
            tree.hot.reset_load();
            self.count(&mut tree, 0);
        }
    }
}
