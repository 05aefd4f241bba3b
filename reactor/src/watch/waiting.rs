//! What a waiting thread asks of the watch: to look, and to sleep.

use libc::pollfd;

use crate::eventpoll::wait_queue::Waiter;
use crate::eventpoll::watcher::{Slept, Watcher};
use crate::mutation::is;
use crate::sync::Arc;
use crate::sys;
use crate::trace::ready_time::Look;
use crate::watch::holder::{self, Holder};
use crate::watch::Watch;

impl Watcher for &'static Watch {
    fn look(&self, hot: &mut Vec<pollfd>) {
        if hot.is_empty() {
            return self.drain_wakeups();
        }
        let look = Look::begins();
        let own = hot.len();
        let asks = self.poller.is_active();
        // The signalfd is last: ppoll looks at it after the files, so the signal of a file found ready is
        // queued by then.
        hot.push(pollfd { fd: self.signals.fd(), events: libc::POLLIN, revents: 0 });
        let asked = sys::poll_now(hot);
        holder::forget_unless(asked.is_ok(), hot);
        let told = asked.is_err() || hot[own].revents != 0 || self.has_overflowed();
        hot.truncate(own);
        if told || asks {
            self.drain_in(look, told, true);
        } else {
            // Another thread may drain right now, and have read a signal that came before.
            drop(self.pump.lock());
            look.ends(&self.shared.ready_time);
        }
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
