//! What a waiting thread asks of the watch: to look, and to sleep.

use libc::pollfd;

use crate::eventpoll::wait_queue::Waiter;
use crate::eventpoll::watcher::{Slept, Watcher};
use crate::mutation::is;
use crate::sync::Arc;
use crate::sys;
use crate::trace::ready_time::Look;
use crate::watch::drain::{call_back, Pump};
use crate::watch::holder::{self, Holder};
use crate::watch::Watch;

impl Watcher for &'static Watch {
    fn look(&self, hot: &mut Vec<pollfd>) {
        if hot.is_empty() {
            return self.drain_wakeups();
        }
        let look = Look::begins();
        let own = hot.len();
        // The kernel looks at the signalfd after the files, so the signal of a file found ready is queued by then, and
        // before the polled files, so what became ready before a signalled file is found with it.
        hot.push(pollfd { fd: self.signals.fd(), events: libc::POLLIN, revents: 0 });
        let polled = hot.len();
        // A thread that asks the polled files has the pump. If there are none, a look needs it for a moment only.
        let mut pump = self.poller.is_active().then(|| self.pump.lock());
        if let Some(pump) = &mut pump {
            pump.asked.clear();
            self.poller.add(true, hot, &mut pump.asked);
        }
        let asked = sys::poll_now(hot);
        holder::forget_unless(asked.is_ok(), hot);
        let told = asked.is_err() || hot[own].revents != 0 || self.has_overflowed();
        // Another thread may drain right now, and have read a signal that came before.
        let mut pump = pump.unwrap_or_else(|| self.pump.lock());
        if told {
            self.drain_signals_locked(&mut pump);
        }
        if asked.is_ok() && polled != hot.len() {
            let Pump { asked, fired, .. } = &mut *pump;
            self.poller.answered(asked, &hot[polled..], fired);
            call_back(fired);
        }
        hot.truncate(own);
        look.ends(&self.shared.ready_time);
    }

    fn has_no_news(&self) -> bool {
        // A thread that has read a signal keeps the pump until it has called back the items.
        !self.poller.is_active()
            && !self.has_overflowed()
            && !self.signals.are_pending()
            && (self.pump.is_free() || is("no_news_asks_nobody"))
    }

    fn is_alone(&self) -> bool {
        *self.holder.lock() == Holder::Nobody && !self.sleepers.any()
    }

    fn sleep(
        &self,
        waiter: &Arc<Waiter>,
        timeout_ns: Option<u64>,
        sigmask: Option<u64>,
        hot: &mut Vec<pollfd>,
    ) -> Slept {
        self.park(waiter, timeout_ns, sigmask, hot)
    }
}
