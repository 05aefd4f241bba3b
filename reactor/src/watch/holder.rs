//! Which thread holds the watch, and how the other threads sleep.
//!
//! | holder | becomes | when |
//! |---|---|---|
//! | nobody | a thread | the thread is about to sleep |
//! | a thread | nobody | the thread wakes and no other thread sleeps |
//! | a thread | the helper | the thread wakes and other threads still sleep |
//! | the helper | nobody | the helper wakes and no thread sleeps |
//! | the helper | a thread | the thread is about to sleep and no other thread sleeps |
//!
//! The holder of the watch sleeps in ppoll. A follower sleeps on a futex, or in ppoll if it has files that no
//! other thread can watch for it: its hot items, and the signalfds of its set, which show the signals of a
//! thread only to that thread.

use libc::pollfd;

use crate::eventpoll::wait_queue::Waiter;
use crate::eventpoll::watcher::Slept;
use crate::mutation::is;
use crate::sync::{Arc, Ordering};
use crate::sys::{self, Errno};
use crate::trace::ready_time::Sleep;
use crate::watch::park::Parker;
use crate::watch::{poll, Watch};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holder {
    Nobody,
    /// A thread, for the sleep with this number.
    Thread(u64),
    Helper,
}

/// How late a wakeup may be if no other thread can watch for a sleeper.
const LATE_NS: u64 = 5_000_000;
/// A thread takes the watch from the helper after it was the only sleeper this many times.
const ALONE: u32 = if cfg!(loom) { 0 } else { 32 };

/// How a sleep in ppoll ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ended {
    /// A file or the eventfd ended it, not the time.
    woken: bool,
    /// There are wakeups to drain, or there may be.
    pub(super) news: bool,
    /// The sleep has found no polled file ready: only signals are to be drained.
    of_signals: bool,
    /// The polled files need not be asked either.
    sees_all: bool,
    /// It was long enough that what ended it came during it.
    was_real: bool,
}

impl Watch {
    /// Sleeps in ppoll on all devices and on `hot`, in one of the two parkers, if `may_sleep` still returns
    /// true when the thread has announced the sleep.
    pub(super) fn sleep_in(
        &self,
        parker: &Parker,
        may_sleep: impl FnOnce() -> bool,
        timeout_ns: Option<u64>,
        sigmask: Option<u64>,
        hot: &mut Vec<pollfd>,
    ) -> Result<Ended, Errno> {
        let built = self.poller.generation();
        let wake_fd = parker.wake_fd.load(Ordering::SeqCst);
        let own = hot.len();
        hot.push(pollin(wake_fd));
        let poll::poller::Sleep { look_again_ns: look_again, sees_all } = self.poller.sleep_set(hot);
        // The last one: a file that is found ready was signalled by then.
        hot.push(pollin(self.signals.fd()));
        let look_again =
            if wake_fd < 0 { Some(look_again.map_or(LATE_NS, |ns| ns.min(LATE_NS))) } else { look_again };
        let capped = look_again.filter(|most| timeout_ns.is_none_or(|ns| ns > *most));
        parker.begin_park();
        // From here on `quiesce` waits for us. If a file was taken out of the poller before, we see the change
        // of the generation.
        let mut slept = Ok(1);
        let mut was_real = false;
        let is_old = self.poller.changed_since(built) && !is("a_sleeper_parks_on_an_old_list");
        let asleep = !is_old && !self.has_overflowed() && may_sleep();
        if asleep {
            self.host.leave();
            let sleep = Sleep::begins();
            slept = sys::ppoll(hot, capped.or(timeout_ns), sigmask);
            sleep.ends(hot.len(), &self.shared.ready_time);
            was_real = sleep.was_real(hot.len());
        }
        forget_unless(asleep && slept.is_ok(), hot);
        parker.end_park();
        if asleep {
            self.host.enter();
        }
        if hot[own].revents != 0 {
            // Read `wake_fd` again: the eventfd may have moved, and the program may have taken the old fd.
            let _ = sys::read(parker.wake_fd.load(Ordering::SeqCst), &mut [0; 8]);
        }
        let polled = &hot[own + 1..];
        self.poller.keep_news(polled);
        let news = !asleep || look_again.is_some() || polled.iter().any(|pollfd| pollfd.revents != 0);
        // The signalfd is the last one.
        let of_signals =
            asleep && look_again.is_none() && polled.iter().rev().skip(1).all(|pollfd| pollfd.revents == 0);
        hot.truncate(own);
        slept.map(|ready| Ended {
            woken: ready != 0 || capped.is_some(),
            news,
            of_signals,
            sees_all,
            was_real,
        })
    }

    /// Sleeps until `waiter` is woken or there may be wakeups to drain.
    pub(super) fn park(
        &'static self,
        waiter: &Arc<Waiter>,
        timeout_ns: Option<u64>,
        sigmask: Option<u64>,
        hot: &mut Vec<pollfd>,
    ) -> Slept {
        let mut holder = self.holder.lock();
        let alone = !self.sleepers.any() && !self.helper.has_guests();
        let times = if alone { self.alone.fetch_add(1, Ordering::Relaxed) } else { 0 };
        if !alone {
            self.alone.store(0, Ordering::Relaxed);
        }
        let free = match *holder {
            Holder::Nobody => true,
            // Several event loops that sleep in turn must not take the watch from the helper each time.
            Holder::Helper => alone && times >= ALONE || self.helper.is_broken(),
            Holder::Thread(_) => false,
        };
        if free {
            let sleep = Holder::Thread(self.sleeps.fetch_add(1, Ordering::Relaxed));
            let stolen = std::mem::replace(&mut *holder, sleep) == Holder::Helper;
            drop(holder);
            if stolen {
                self.helper_parker.unpark();
            }
            return self.hold(sleep, waiter, timeout_ns, sigmask, hot);
        }
        // From here on the holder of the watch wakes this thread.
        if !hot.is_empty() || !waiter.signalfds_of().is_null() {
            self.sleepers.come();
            drop(holder);
            self.helper.be_there(self);
            let slept = self.follow_in_ppoll(waiter, timeout_ns, sigmask, hot);
            self.sleepers.go();
            return slept;
        }
        let asleep = waiter.begin_futex();
        drop(holder);
        if !asleep {
            return Slept::Woken;
        }
        self.helper.be_there(self);
        self.follow(waiter, timeout_ns, sigmask)
    }

    /// Gives the watch of a thread to the helper if other threads sleep, else to nobody.
    fn hand_over(&'static self, mine: impl FnOnce(Holder) -> bool) {
        let mut holder = self.holder.lock();
        if !mine(*holder) {
            return;
        }
        let others = (self.sleepers.any() || self.helper.has_guests()) && !is("the_watch_goes_to_nobody");
        *holder = if others { Holder::Helper } else { Holder::Nobody };
        drop(holder);
        if others {
            self.helper.call(self);
        }
    }

    fn hold(
        &'static self,
        sleep: Holder,
        waiter: &Arc<Waiter>,
        timeout_ns: Option<u64>,
        sigmask: Option<u64>,
        hot: &mut Vec<pollfd>,
    ) -> Slept {
        let parker = &self.thread_parker;
        let slept = self.sleep_in(parker, || waiter.begin_ppoll(&parker.wake_fd), timeout_ns, sigmask, hot);
        waiter.end_ppoll();
        self.hand_over(|holder| holder == sleep);
        if slept.is_ok_and(|ended| ended.was_real) {
            waiter.note_sleep();
        }
        match slept {
            Ok(Ended { news: true, of_signals: true, sees_all: true, .. }) => self.drain_signals(),
            // The delivery asks the polled files together with those that were signalled. Hot items have no such call.
            Ok(Ended { news: true, of_signals: true, .. }) if hot.is_empty() => {
                self.drain_signals();
                return Slept::Told;
            }
            Ok(Ended { news: true, .. }) => self.drain_wakeups(),
            _ => {}
        }
        self.verdict(slept)
    }

    /// Sleeps on the hot items of its own set and on the set's signalfds, while another thread holds the watch.
    fn follow_in_ppoll(
        &self,
        waiter: &Arc<Waiter>,
        timeout_ns: Option<u64>,
        sigmask: Option<u64>,
        hot: &mut Vec<pollfd>,
    ) -> Slept {
        // Drains wakeups that came before this thread was counted; one for its set ends the sleep.
        self.drain_wakeups();
        let parker = self.parkers.take(self.host, usize::MAX);
        let own = hot.len();
        let wake_fd = parker.wake_fd.load(Ordering::SeqCst);
        hot.push(pollin(wake_fd));
        let set = waiter.signalfds_of();
        let built = self.poller.generation();
        if !set.is_null() {
            self.poller.own_signalfds(set, hot);
            self.parkers.follow_poller(parker);
        }
        parker.begin_park();
        let mut slept = Ok(1);
        let is_old = !set.is_null() && self.poller.changed_since(built);
        let asleep = !is_old && waiter.begin_ppoll(&parker.wake_fd);
        // Without an eventfd no other thread can wake it.
        let must_look = wake_fd < 0 || self.helper.is_broken();
        let capped = must_look && timeout_ns.is_none_or(|ns| ns > LATE_NS);
        if asleep {
            self.host.leave();
            slept = sys::ppoll(hot, if capped { Some(LATE_NS) } else { timeout_ns }, sigmask);
        }
        forget_unless(asleep && slept.is_ok(), hot);
        parker.end_park();
        if asleep {
            self.host.enter();
        }
        waiter.end_ppoll();
        if hot[own].revents != 0 {
            let _ = sys::read(parker.wake_fd.load(Ordering::SeqCst), &mut [0; 8]);
        }
        let signalled = hot[own + 1..].iter().any(|pollfd| pollfd.revents != 0);
        hot.truncate(own);
        self.parkers.give_back(parker);
        if signalled {
            self.drain_wakeups();
        }
        if capped && slept == Ok(0) {
            self.drain_wakeups();
            return Slept::Woken;
        }
        self.verdict(slept.map(|ready| Ended {
            woken: ready != 0,
            news: signalled,
            of_signals: false,
            sees_all: false,
            was_real: false,
        }))
    }

    fn follow(&self, waiter: &Arc<Waiter>, timeout_ns: Option<u64>, sigmask: Option<u64>) -> Slept {
        // Drains wakeups that came before this thread was counted; one for its set ends the sleep.
        self.drain_before_following();
        // A signal handler that runs when the mask is set wakes the waiter, so the sleep does not begin.
        self.host.leave();
        if let Some(mask) = sigmask {
            self.host.take_mask(mask);
        }
        // Without a helper it can be that no thread holds the watch.
        let capped = self.helper.is_broken() && timeout_ns.is_none_or(|ns| ns > LATE_NS);
        let slept = waiter.sleep_futex(if capped { Some(LATE_NS) } else { timeout_ns });
        if sigmask.is_some() {
            self.host.give_mask_back();
        }
        self.host.enter();
        let woken = waiter.end_futex();
        if !woken && !self.sleepers.any() && self.helper_parker.asleep().is_some() {
            // No thread depends on the helper any more.
            self.helper_parker.unpark();
        }
        if !woken {
            self.drain_wakeups();
        }
        match slept {
            _ if woken => Slept::Woken,
            Err(Errno::ETIMEDOUT) if !capped => Slept::TimedOut,
            Err(Errno::EINTR) => self.verdict(Err(Errno::EINTR)),
            _ => Slept::Woken,
        }
    }

    fn verdict(&self, slept: Result<Ended, Errno>) -> Slept {
        match slept {
            Ok(Ended { woken: true, .. }) => Slept::Woken,
            Ok(Ended { woken: false, .. }) => Slept::TimedOut,
            Err(Errno::EINTR) if !self.host.was_our_signal() => Slept::Signal,
            Err(_) => Slept::Woken,
        }
    }
}

/// Clears `revents`, which is from an earlier ppoll, unless the files were asked.
pub(super) fn forget_unless(asked: bool, fds: &mut [pollfd]) {
    if !asked {
        fds.iter_mut().for_each(|pollfd| pollfd.revents = 0);
    }
}

fn pollin(fd: i32) -> pollfd {
    pollfd { fd, events: libc::POLLIN, revents: 0 }
}
