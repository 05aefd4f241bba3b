//! A level-triggered item whose file the program has emptied since the delivery: it is not asked again.
//!
//! The kernel asks the file of a delivered item once more when the next wait begins, and finds it empty. We need no
//! system call for that, if
//!
//! - the file is a TCP connection of this process alone, whose arrivals are signalled,
//! - the delivery found it readable and nothing else,
//! - no wakeup has come for it since it was asked,
//! - this thread delivered it, has delivered nothing since, and has read less from it than it asked for, or EAGAIN,
//! - no other thread drains wakeups while this one sleeps.
//!
//! A signal that is not drained yet ends the sleep at once. The item then takes the place that it would have had. What comes
//! during the sleep is queued in its own order. Which of the two it was, the length of the sleep tells.
//!
//! Limits: after a read that the kernel cut short because the program's buffer ends in the middle (EFAULT after some
//! bytes), the rest is reported with the next arrival only.

use crate::chaos::Waits;
use crate::eventpoll::epitem::Epitem;
use crate::eventpoll::{Eventpoll, Tree};
use crate::file::NO_POLLER_ID;
use crate::trace::ready_time::Moment;
use crate::uapi::*;

/// "There is something to read", and nothing else.
const READABLE: u32 = EPOLLIN | EPOLLRDNORM;

impl Epitem {
    /// Whether its interest permits it to rest.
    pub(crate) fn waits_for_arrivals(&self) -> bool {
        self.events & !(READABLE | ENDS | EPOLLWAKEUP) == 0
    }

    /// Whether it may rest after this delivery, once the thread has emptied the file.
    pub(crate) fn may_rest(&self, revents: u32) -> bool {
        if revents & !READABLE != 0 || !self.waits_for_arrivals() || self.poller_id != NO_POLLER_ID {
            return false;
        }
        let device = self.file.device().filter(|device| device.tells_arrivals());
        device.inspect(|device| device.forget_reads()).is_some()
    }
}

impl Eventpoll {
    /// Called when a wait begins: takes the item that was delivered last off the ready list, if it is the only one and
    /// its file is empty.
    pub(crate) fn rest(&self, tree: &Tree, waits: &Waits<'_>) {
        if !tree.hot.is_empty() || self.has_chaos() {
            return;
        }
        let ready = self.lock.lock();
        let Some(id) = ready.list.settled_alone() else { return };
        let Some(item) = ready.list.get(id).filter(|item| item.waits_for_arrivals()) else { return };
        let (file, fd) = (item.file.clone(), item.fd);
        drop(ready);
        let is_emptied = file.device().is_some_and(|device| device.is_emptied(fd));
        if !is_emptied || !tree.delivered_to.is(waits.waiter) || !waits.watcher.is_alone() {
            return;
        }
        let mut ready = self.lock.lock();
        // A wakeup may have come meanwhile.
        if ready.list.settled_alone() == Some(id) {
            if let Some(item) = ready.list.get(id) {
                item.shown.unqueued(Moment::now().ticks);
            }
            ready.list.rest(id);
        }
    }
}
