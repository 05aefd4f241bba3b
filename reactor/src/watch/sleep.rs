//! Sleeping: as holder of the watch in ppoll, or as follower on a futex.

use crate::poll::Slept;
use crate::sync::{Arc, Ordering};
use crate::sys::{self, Errno};
use crate::wait_queue::Waiter;
use crate::watch::bed::Bed;
use crate::watch::{Holder, Watch};

/// How late a wakeup may be where nobody can watch for a thread.
const LATE_NS: u64 = 5_000_000;

impl Watch {
    /// Sleeps in ppoll on all devices, in one of the two beds, if `lie_down` still agrees then.
    /// Returns whether a device or a kick ended the sleep, not the time.
    pub(super) fn sleep_in(
        &self,
        bed: &Bed,
        lie_down: impl FnOnce() -> bool,
        timeout_ns: Option<u64>,
        sigmask: Option<u64>,
    ) -> Result<bool, Errno> {
        let built = self.poller.generation();
        let kick = bed.kick.load(Ordering::SeqCst);
        let mut fds = vec![pollin(self.signals.fd()), pollin(kick)];
        let look_again = self.poller.sleep_set(&mut fds);
        let capped = look_again.filter(|most| timeout_ns.is_none_or(|ns| ns > *most));
        bed.lie_down();
        // From here on `quiesce` waits for us; what it took out before, we see as a change.
        let mut slept = Ok(1);
        let asleep = !self.poller.changed_since(built) && !self.has_overflowed() && lie_down();
        if asleep {
            self.host.leave();
            slept = sys::ppoll(&mut fds, capped.or(timeout_ns), sigmask);
        }
        bed.get_up();
        if asleep {
            self.host.enter();
        }
        if fds[1].revents != 0 {
            // By its number now: the program may have taken the old one meanwhile.
            let _ = sys::read(bed.kick.load(Ordering::SeqCst), &mut [0; 8]);
        }
        self.poller.keep_news(&fds[2..]);
        slept.map(|ready| ready != 0 || capped.is_some())
    }

    /// Sleeps until `waiter` is woken or a device may have something to say.
    pub(super) fn lie_down(
        &'static self,
        waiter: &Arc<Waiter>,
        timeout_ns: Option<u64>,
        sigmask: Option<u64>,
    ) -> Slept {
        let mut holder = self.holder.lock();
        let free = match *holder {
            Holder::Nobody => true,
            Holder::Helper => !self.sleepers.any() && !self.helper.has_guests(),
            Holder::Thread(_) => false,
        };
        if free {
            let sleep = Holder::Thread(self.sleeps.fetch_add(1, Ordering::Relaxed));
            let stolen = std::mem::replace(&mut *holder, sleep) == Holder::Helper;
            drop(holder);
            if stolen {
                self.helper_bed.kick();
            }
            self.hold(sleep, waiter, timeout_ns, sigmask)
        } else {
            let asleep = waiter.begin_futex();
            drop(holder);
            if !asleep {
                return Slept::Woken;
            }
            self.follow(waiter, timeout_ns, sigmask)
        }
    }

    /// The watch goes from a thread to the helper if others sleep, else to nobody.
    fn hand_over(&'static self, mine: impl FnOnce(Holder) -> bool) {
        let mut holder = self.holder.lock();
        if !mine(*holder) {
            return;
        }
        let others = self.sleepers.any() || self.helper.has_guests();
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
    ) -> Slept {
        let bed = &self.thread_bed;
        let slept = self.sleep_in(bed, || waiter.begin_ppoll(&bed.kick), timeout_ns, sigmask);
        waiter.end_ppoll();
        self.hand_over(|holder| holder == sleep);
        self.verdict(slept)
    }

    fn follow(&self, waiter: &Arc<Waiter>, timeout_ns: Option<u64>, sigmask: Option<u64>) -> Slept {
        // A handler that runs when the mask is swapped writes the futex, so the sleep does not begin.
        self.host.leave();
        if let Some(mask) = sigmask {
            self.host.take_mask(mask);
        }
        // With no helper nobody may be at the watch, and a signalfd shows this thread's signals to
        // this thread alone.
        let capped =
            (self.helper.is_broken() || waiter.must_look()) && timeout_ns.is_none_or(|ns| ns > LATE_NS);
        let slept = waiter.sleep_futex(if capped { Some(LATE_NS) } else { timeout_ns });
        if sigmask.is_some() {
            self.host.give_mask_back();
        }
        self.host.enter();
        let woken = waiter.end_futex();
        if !woken && !self.sleepers.any() && self.helper_bed.asleep().is_some() {
            // Nobody depends on the helper any more.
            self.helper_bed.kick();
        }
        match slept {
            _ if woken => Slept::Woken,
            Err(Errno::ETIMEDOUT) if !capped => Slept::TimedOut,
            Err(Errno::EINTR) => self.verdict(Err(Errno::EINTR)),
            _ => Slept::Woken,
        }
    }

    fn verdict(&self, slept: Result<bool, Errno>) -> Slept {
        match slept {
            Ok(true) => Slept::Woken,
            Ok(false) => Slept::TimedOut,
            Err(Errno::EINTR) if !self.host.was_our_signal() => Slept::Signal,
            Err(_) => Slept::Woken,
        }
    }
}

fn pollin(fd: i32) -> libc::pollfd {
    libc::pollfd { fd, events: libc::POLLIN, revents: 0 }
}
