//! A wait that may sleep. It takes one step after the other:
//!
//! | step | finds nothing: next |
//! |---|---|
//! | `Look`: asks the files, if an item may be ready | sleeps |
//! | `Deliver` what a sleep or the spinning has found | sleeps |
//! | `LastLook`: asks the files once more | the wait ends |
//!
//! | the sleep ends | next |
//! |---|---|
//! | by a wakeup, or a file of the hot list is ready | `Deliver` |
//! | at the end of the time | `LastLook` |
//! | by a signal handler of the program; also before it begins | `LastLook` |
//! | after `QUIET_NS` without an event of a hot item | `Look` |
//! | before it begins, because an item may be ready | `Look` |
//!
//! Linux: `fs/eventpoll.c:ep_poll`.

use libc::pollfd;

use crate::chaos::{pause, Waits};
use crate::eventpoll::event_sink::EventSink;
use crate::eventpoll::timeout::Timeout;
use crate::eventpoll::wait_queue::{Receiver, Waiter};
use crate::eventpoll::watcher::{Slept, Watcher};
use crate::eventpoll::{Eventpoll, Tree};
use crate::hot::state::HotState;
use crate::hot::QUIET_NS;
use crate::mutation::is;
use crate::sync::{CountedGuard, Ordering};
use crate::sys::{self, Errno};
use crate::trace::ready_time::Sleep;

/// What a wait does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Look,
    /// All files were asked just now, or those with signals have `told`. `slept`: a sleep was long enough that what it
    /// found became ready then.
    Deliver {
        slept: bool,
        told: bool,
    },
    LastLook(End),
}

/// Why a wait ends without events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// The call must not wait.
    AtOnce,
    TimedOut,
    Interrupted,
}

impl End {
    fn result(self) -> Result<usize, Errno> {
        match self {
            Self::AtOnce | Self::TimedOut => Ok(0),
            Self::Interrupted => Err(Errno::EINTR),
        }
    }

    /// Events that came before the end are delivered first.
    fn looks(self) -> bool {
        match self {
            Self::AtOnce => true,
            Self::TimedOut => !is("a_waiter_that_times_out_does_not_look"),
            Self::Interrupted => !is("a_waiter_that_is_interrupted_does_not_look"),
        }
    }
}

impl Eventpoll {
    /// Linux: `fs/eventpoll.c:ep_poll`.
    pub(crate) fn ep_poll(
        &self,
        waits: &Waits<'_>,
        sink: &mut dyn EventSink,
        timeout: &mut Timeout,
    ) -> Result<usize, Errno> {
        let mut step = if timeout.is_zero() { Step::LastLook(End::AtOnce) } else { Step::Look };
        loop {
            let mut tree = self.begin_wait();
            let sent = match step {
                Step::Deliver { told: true, .. } if tree.hot.is_empty() => {
                    self.look_and_send(&mut tree, waits.watcher, sink, waits.maxevents)?
                }
                Step::Deliver { slept, .. } => self.send(&mut tree, sink, waits.maxevents, slept)?,
                Step::LastLook(end) if !end.looks() => 0,
                Step::Look | Step::LastLook(_) => {
                    self.prepare_round(&mut tree);
                    match step {
                        Step::Look => self.rest(&tree, waits),
                        // What came during the sleep came after the item had left.
                        _ => self.lock.lock().list.end_rest(),
                    }
                    if step == Step::Look && !self.events_available() {
                        0
                    } else {
                        self.look_and_send(&mut tree, waits.watcher, sink, waits.maxevents)?
                    }
                }
            };
            if sent != 0 {
                tree.delivered_to = Receiver::new(Some(waits.waiter));
                return Ok(sent);
            }
            if self.has_chaos() && sink.plan().is_some_and(|plan| plan.is_to_pause()) {
                drop(tree);
                pause(waits, sink);
                step = if let Step::LastLook(_) = step { step } else { Step::Look };
                continue;
            }
            if let Step::LastLook(end) = step {
                return end.result();
            }
            if let Step::Deliver { .. } = step {
                self.prepare_round(&mut tree);
            }
            step = self.sleep(tree, waits, timeout);
        }
    }

    /// Sleeps, unless something is ready by now. Returns the step that follows.
    fn sleep<'a>(
        &'a self,
        mut tree: CountedGuard<'a, Tree>,
        waits: &Waits<'_>,
        timeout: &mut Timeout,
    ) -> Step {
        let waiter = waits.waiter;
        let of_this = self.depends_on_thread.load(Ordering::SeqCst);
        waiter.sleeps_on_signalfds_of(if of_this { self.address() } else { std::ptr::null() });
        // Reset first: an interruption that comes after `take_interrupt` must end the sleep.
        waiter.reset();
        if waiter.take_interrupt() {
            return Step::LastLook(End::Interrupted);
        }
        let began = if tree.spin.is_on() { sys::now() } else { 0 };
        if began != 0 {
            match self.spin(tree, began, waits, timeout) {
                Some(still) => tree = still,
                None => return Step::Deliver { slept: false, told: false },
            }
        }
        {
            let mut ready = self.lock.lock();
            if ready.list.events_available() && !is("a_waiter_sleeps_without_a_look") {
                return Step::Look;
            }
            ready.wq.push(waiter.clone());
        }
        let hot = tree.hot.lend();
        let mut room = std::mem::take(&mut tree.scratch.sleep);
        drop(tree);
        let (next, hot) = self.sleep_on(hot, &mut room, waits, timeout);
        self.dequeue(waiter);
        let mut tree = self.mtx.lock();
        tree.scratch.sleep = room;
        if began != 0 {
            tree.spin.waited(sys::now().saturating_sub(began));
        }
        self.take_back(tree, hot, next == Step::Look);
        next
    }

    /// Sleeps on the hot list, if it is lent to this thread, and on all else that may wake it. Returns the step
    /// that follows, and the list. `room` is for the sleep's descriptors if there is no list.
    fn sleep_on(
        &self,
        mut hot: Option<Vec<pollfd>>,
        room: &mut Vec<pollfd>,
        waits: &Waits<'_>,
        timeout: &mut Timeout,
    ) -> (Step, Option<Vec<pollfd>>) {
        loop {
            let left = timeout.left();
            if left == Some(0) {
                return (Step::LastLook(End::TimedOut), hot);
            }
            let is_capped = hot.is_some() && left.is_none_or(|left| left > QUIET_NS);
            let most = if is_capped { Some(QUIET_NS) } else { left };
            let fds = hot.as_mut().unwrap_or(room);
            let sleep = Sleep::begins();
            let slept = waits.watcher.sleep(waits.waiter, most, waits.sigmask, fds);
            let was_real = sleep.was_real(fds.len());
            let is_found = fds.iter().any(|pollfd| pollfd.revents != 0);
            match slept {
                Slept::TimedOut if is_capped => return (Step::Look, hot),
                Slept::TimedOut => return (Step::LastLook(End::TimedOut), hot),
                Slept::Signal => return (Step::LastLook(End::Interrupted), hot),
                Slept::Woken | Slept::Told if is_found || waits.waiter.is_woken() => {
                    return (Step::Deliver { slept: was_real, told: slept == Slept::Told }, hot)
                }
                // The wakeups were none of this set's.
                Slept::Woken | Slept::Told => hot = hot.and_then(|hot| self.tidy(hot)),
            }
        }
    }

    /// Asks the files again and again, for a time. None: something is ready.
    #[cold]
    fn spin<'a>(
        &'a self,
        mut tree: CountedGuard<'a, Tree>,
        began: u64,
        waits: &Waits<'_>,
        timeout: &mut Timeout,
    ) -> Option<CountedGuard<'a, Tree>> {
        let spin = tree.spin.length();
        let until = began + timeout.left().map_or(spin, |left| spin.min(left));
        drop(tree);
        let is_found = self.look_until(until, waits.watcher, waits.waiter);
        let mut tree = self.mtx.lock();
        if is_found {
            tree.spin.waited(sys::now().saturating_sub(began));
            return None;
        }
        Some(tree)
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
    /// open. None: no item is left, and the list is no longer lent.
    fn tidy(&self, hot: Vec<pollfd>) -> Option<Vec<pollfd>> {
        let mut tree = self.mtx.lock();
        if !tree.hot.is_stale() {
            return Some(hot);
        }
        let mut ready = self.lock.lock();
        tree.hot.tidy(hot, |id, place| {
            if let Some(item) = ready.list.get_mut(id) {
                item.hot_state = HotState::hot(place);
            }
        })
    }

    /// Ends a sleep on the hot items. `is_quiet`: nothing came for `QUIET_NS`, so all items go cold.
    fn take_back(&self, mut tree: CountedGuard<'_, Tree>, hot: Option<Vec<pollfd>>, is_quiet: bool) {
        if hot.is_none() && !is_quiet {
            return tree.hot.give_back(None, |_, _| ());
        }
        let mut ready = self.lock.lock();
        tree.hot.give_back(hot, |id, place| {
            if let Some(item) = ready.list.get_mut(id) {
                item.hot_state = HotState::hot(place);
            }
        });
        drop(ready);
        if is_quiet {
            self.demote_all(&mut tree);
            tree.hot.reset_load();
            self.count(&mut tree, 0);
        }
    }
}
