//! Delivery of events.
//!
//! A delivery asks each file again. If the file is no longer ready, the item leaves the ready list unreported.
//! One ppoll asks all files of a batch that have a descriptor.
//!
//! Linux: `fs/eventpoll.c:ep_send_events`, `ep_done_scan`.

use crate::eventpoll::deliver::{Delivered, Delivery, Observer, Origin};
use crate::eventpoll::event_sink::EventSink;
use crate::eventpoll::rearm::note_result;
use crate::eventpoll::scratch::Scratch;
use crate::eventpoll::watcher::Watcher;
use crate::eventpoll::{Eventpoll, Ready, Tree};
use crate::file::PollResult;
use crate::hot::list::Hot;
use crate::hot::state::NO_PLACE;
use crate::mutation::is;
use crate::sync::CountedGuard;
use crate::sys::{self, Errno};
use crate::trace;
use crate::trace::ready_time::Moment;
use crate::uapi::*;

/// How a scan of the ready list ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scan {
    Done,
    /// It has delivered nothing, because there were wakeups: it must begin anew.
    Overtaken,
}

impl Eventpoll {
    /// Drains all wakeups that have come until now, and delivers.
    pub(crate) fn look_and_send(
        &self,
        tree: &mut Tree,
        watcher: &dyn Watcher,
        sink: &mut dyn EventSink,
        maxevents: usize,
    ) -> Result<usize, Errno> {
        if tree.hot.is_empty() && self.events_available() {
            // One system call both drains wakeups and asks the files of queued items.
            let mut to = Delivery::new(sink, maxevents);
            if self.send_events(tree, &mut to, Some(watcher)) == Scan::Done {
                return self.sent(tree, &to);
            }
        } else {
            tree.hot.asks();
            watcher.look(&mut tree.hot.fds);
        }
        self.send(tree, sink, maxevents, false)
    }

    /// Delivers hot items that are ready, then queued items. `slept`: a sleep has just found them ready.
    pub(crate) fn send(
        &self,
        tree: &mut Tree,
        sink: &mut dyn EventSink,
        maxevents: usize,
        slept: bool,
    ) -> Result<usize, Errno> {
        let mut to = Delivery::new(sink, maxevents);
        if !tree.hot.is_empty() {
            let moment = if slept { Moment::now() } else { tree.hot.last_asked };
            tree.hot.last_asked = Moment { exactly: false, ..Moment::now() };
            if self.all_fit(tree, maxevents) {
                self.send_hot(tree, &mut to, moment);
            } else {
                // Hot items join the ready list, so that all items take turns.
                self.queue_hot(tree, moment);
                self.finish_leaving_all(tree);
            }
        }
        if to.room() != 0 && self.events_available() {
            self.send_events(tree, &mut to, None);
        }
        self.sent(tree, &to)
    }

    /// A wait has delivered. Returns its result.
    fn sent(&self, tree: &mut Tree, to: &Delivery<'_>) -> Result<usize, Errno> {
        self.demote_unsure(tree);
        if to.sent != 0 {
            self.count(tree, 1 + to.sent as u32);
        }
        to.result()
    }

    /// Whether the hot items that are ready and the queued items fit into one delivery, or no item is queued.
    fn all_fit(&self, tree: &Tree, maxevents: usize) -> bool {
        let queued = self.lock.lock().list.count_ready(maxevents);
        if queued == 0 {
            return true;
        }
        let ready = tree.hot.fds.iter().filter(|pollfd| pollfd.revents != 0).count();
        queued + ready <= maxevents
    }

    /// Delivers queued items. With `news` it drains wakeups in the call that asks.
    /// Linux: `fs/eventpoll.c:ep_send_events`.
    fn send_events(&self, tree: &mut Tree, to: &mut Delivery<'_>, mut news: Option<&dyn Watcher>) -> Scan {
        let Tree { scratch, hot, .. } = &mut *tree;
        let mut ready = self.lock.lock();
        ready.list.start_scan();
        let mut most = to.maxevents;
        if self.has_chaos() {
            most = to.sink.plan().map_or(most, |plan| self.stir(&mut ready, plan, most));
        }
        while to.sent < most && to.fault.is_none() {
            scratch.gather(&ready, most - to.sent);
            if scratch.batch.is_empty() {
                break;
            }
            drop(ready);
            scratch.measure();
            if let Some(watcher) = news.take() {
                scratch.look(watcher);
                ready = self.lock.lock();
                if ready.list.is_overtaken() {
                    ready.list.done_scan();
                    return Scan::Overtaken;
                }
                drop(ready);
            }
            self.ask(scratch);
            ready = self.lock.lock();
            self.deliver(&mut ready, scratch, hot, to);
        }
        self.done_scan(ready);
        if self.has_chaos() {
            if let Some(plan) = to.sink.plan() {
                plan.delivered(to.sent);
            }
        }
        self.rearm_all(tree);
        if tree.hot.is_busy() {
            let mut delivered = std::mem::take(&mut tree.scratch.delivered);
            for (id, revents) in delivered.drain(..) {
                self.promote_if_frequent(tree, id, revents);
            }
            tree.scratch.delivered = delivered;
        }
        tree.scratch.delivered.clear();
        Scan::Done
    }

    /// Stores events for the items of the batch that are ready.
    fn deliver(&self, ready: &mut Ready, scratch: &mut Scratch, hot: &mut Hot, to: &mut Delivery<'_>) {
        let observer = Observer::new(self);
        for asked in &scratch.batch {
            ready.list.unlink(asked.id);
            let woken = ready.list.is_in_ovflist(asked.id);
            let since_ns = ready.ready_since(asked.id);
            let Some(item) = ready.list.get_mut(asked.id) else { continue };
            let origin = Origin::Queued { woken, since_ns };
            let delivered = to.deliver_one(item, asked.revents, origin, observer);
            let (events, place) = (item.events, item.place());
            let mut queued = false;
            let mut may_rest = false;
            match delivered {
                Delivered::Fault => return ready.list.tx_push_front(asked.id),
                Delivered::NotReady => item.shown.unqueued(observer.now),
                Delivered::AndStays | Delivered::AndLeaves if place != NO_PLACE => {
                    hot.reported(place, events, asked.revents, None);
                    if events & EPOLLET != 0 {
                        scratch.unsure.push((asked.id, 0));
                    }
                }
                Delivered::AndStays | Delivered::AndLeaves => {
                    if events & EPOLLONESHOT == 0 {
                        scratch.delivered.push((asked.id, asked.revents));
                    }
                    queued = delivered == Delivered::AndStays;
                    may_rest = queued && item.may_rest(asked.revents);
                }
            }
            if queued {
                item.shown.queued_again(observer.now);
                ready.list.add_tail(asked.id);
                if may_rest {
                    ready.list.settle(asked.id);
                }
                if trace::enabled() {
                    ready.since.insert(asked.id, sys::now());
                }
            }
            let result = PollResult { events, revents: asked.revents, queued };
            note_result(&mut scratch.results, ready, asked.id, result);
        }
    }

    /// Linux: `fs/eventpoll.c:ep_done_scan`.
    pub(crate) fn done_scan(&self, mut ready: CountedGuard<'_, Ready>) {
        ready.list.done_scan();
        let waiter =
            if ready.list.any_ready() && !is("a_scan_wakes_nobody_on") { ready.wq.pop() } else { None };
        drop(ready);
        if let Some(waiter) = waiter {
            waiter.wake();
        }
    }
}
