//! The wakeup callback: a file became ready, and its items go to the ready list.
//!
//! Takes `ep.lock` alone, never `ep.mtx`; waiters are woken after it is dropped.
//!
//! Linux: `fs/eventpoll.c:ep_poll_callback`.

use crate::eventpoll::ready_list::Queued;
use crate::eventpoll::{Eventpoll, Ready};
use crate::mutation::is;
use crate::sys;
use crate::trace;
use crate::trace::ready_time::Moment;
use crate::uapi::*;

impl Eventpoll {
    /// Queues the item and wakes one waiter. `pollflags` is what became ready, 0 if unknown. `has_new_end` says
    /// whether the file has come to an end; it is called only if the answer matters.
    ///
    /// Returns whether the item used the wakeup. An EPOLLEXCLUSIVE item that did ends the walk.
    pub fn poll_callback(
        &self,
        id: u32,
        serial: u64,
        pollflags: u32,
        has_new_end: &mut dyn FnMut() -> bool,
    ) -> bool {
        let mut pollflags = pollflags;
        let mut ready = self.lock.lock();
        let is_it = |found: u64| found == serial || is("a_callback_trusts_the_number");
        let Some(item) = ready.list.get(id).filter(|item| is_it(item.serial)) else { return false };
        let (mut events, exclusive) = (item.events, item.is_exclusive());
        if item.is_disarmed() || pollflags != 0 && pollflags & events == 0 {
            return !exclusive;
        }
        if pollflags & !ENDS != 0 && pollflags & events & !ENDS == 0 {
            // "Readable" may mean an end (`READ_SIDE`), and the item's interest meets these bits only in an
            // end.
            drop(ready);
            if !has_new_end() {
                return !exclusive;
            }
            pollflags = 0;
            ready = self.lock.lock();
            let Some(item) = ready.list.get(id).filter(|item| item.serial == serial) else { return false };
            events = item.events;
        }
        if ready.list.rests() && ready.wq.last().is_some_and(|waiter| waiter.has_slept()) {
            // It came during the sleep, when the item that rests had left the list.
            ready.list.end_rest();
        }
        match ready.list.queue(id) {
            Queued::Already => {
                if let Some(item) = ready.list.get(id) {
                    let moment = self.shared.ready_time.found();
                    item.shown.woken(moment.ticks, moment.exactly);
                }
            }
            Queued::Ready => self.note_ready(&mut ready, id, self.shared.ready_time.found()),
            Queued::Overflow => {
                if let Some(item) = ready.list.get(id) {
                    let moment = self.shared.ready_time.found();
                    if ready.list.is_linked(id) {
                        // The scan under way has it, and delivers it now or soon.
                        item.shown.woken(moment.ticks, moment.exactly);
                    } else {
                        item.shown.queued(moment.ticks, moment.exactly);
                    }
                    trace::ready(self.about(item.serial), item.fd, true);
                }
                if trace::enabled() && !ready.list.is_linked(id) {
                    ready.since.insert(id, sys::now());
                }
            }
        }
        let waiter = ready.wq.pop();
        let anybody = waiter.is_some() || is("an_exclusive_wakeup_is_used_by_nobody");
        let used = !exclusive || anybody && wakes_exclusive(pollflags, events);
        let pwake = !self.poll_wait.is_empty();
        drop(ready);
        if let Some(waiter) = waiter {
            waiter.wake();
        }
        if pwake {
            self.safewake();
        }
        used
    }

    /// Notes in the record and in the log that an item went to `rdllist`, and became ready at `moment`.
    pub(crate) fn note_ready(&self, ready: &mut Ready, id: u32, moment: Moment) {
        if trace::enabled() {
            ready.since.insert(id, sys::now());
        }
        if let Some(item) = ready.list.get(id) {
            item.shown.queued(moment.ticks, moment.exactly);
            trace::ready(self.about(item.serial), item.fd, false);
        }
    }
}

/// Whether an EPOLLEXCLUSIVE item can use a wakeup with this pollflags.
fn wakes_exclusive(pollflags: u32, events: u32) -> bool {
    match pollflags & EPOLLINOUT_BITS {
        EPOLLIN => events & EPOLLIN != 0,
        EPOLLOUT => events & EPOLLOUT != 0,
        0 => true,
        // The kernel's devices never report both. Ours do when they cannot tell them apart.
        _ => events & EPOLLINOUT_BITS != 0,
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::sync::LazyLock;

    use super::*;
    use crate::file::{Backing, Device, File};
    use crate::shared::Shared;

    #[derive(Debug)]
    struct Quiet;

    impl Device for Quiet {
        fn poll(&self, _mask: u32) -> u32 {
            0
        }
    }

    #[test]
    fn a_wakeup_that_does_not_concern_an_item_does_not_queue_it() {
        static SHARED: LazyLock<Shared> = LazyLock::new(Shared::default);
        let (ep, file) = (Eventpoll::new(&SHARED, 3), File::new(4, Backing::Device(Box::new(Quiet))));
        let set = |op, events| ep.ctl(op, &file, 4, EpollEvent { events, data: 0 }).unwrap();
        set(EPOLL_CTL_ADD, EPOLLIN);
        file.wake(EPOLLOUT);
        assert!(!ep.events_available(), "it did not ask for that");
        // The state in which a delivery leaves a oneshot item.
        ep.lock.lock().list.for_each(|item| item.events = EPOLLONESHOT);
        [0, EPOLLIN, EPOLLHUP].into_iter().for_each(|pollflags| file.wake(pollflags));
        assert!(!ep.events_available(), "it is disarmed");
        set(EPOLL_CTL_MOD, EPOLLIN | EPOLLONESHOT);
        file.wake(0);
        assert!(ep.events_available(), "it may be what it asked for");
    }
}
