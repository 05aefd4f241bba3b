//! Delivery of events.
//!
//! A delivery asks each file again. If the file is no longer ready, the item leaves the ready list unreported.
//! One ppoll asks all files of a batch that have a descriptor.
//!
//! Linux: `fs/eventpoll.c:ep_send_events`, `ep_done_scan`.

use glasspoll_record::event::Injection;
use glasspoll_record::writer::{is_on, ticks};
use libc::pollfd;

use crate::eventpoll::event_sink::EventSink;
use crate::eventpoll::rearm::note_result;
use crate::eventpoll::scratch::{Asked, Scratch};
use crate::eventpoll::watcher::Watcher;
use crate::eventpoll::{Eventpoll, Ready, Tree};
use crate::file::{Device, PollResult, NO_POLLER_ID};
use crate::hot::list::{Hot, NO_PLACE};
use crate::hot::slot::EDGE_BITS;
use crate::mutation::is;
use crate::sync::CountedGuard;
use crate::sys::{self, Errno};
use crate::trace::ready_time::Moment;
use crate::trace::{self, Since};
use crate::uapi::*;

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
            let mut sent = 0;
            if let Some(fault) = self.send_events(tree, sink, maxevents, &mut sent, Some(watcher)) {
                return self.sent(tree, sent, fault);
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
        let mut sent = 0;
        let mut fault = false;
        if !tree.hot.is_empty() {
            let moment = if slept { Moment::now() } else { tree.hot.last_asked };
            tree.hot.last_asked = Moment { exactly: false, ..Moment::now() };
            if self.all_fit(tree, maxevents) {
                fault = self.send_hot(tree, sink, maxevents, &mut sent, moment);
            } else {
                // Hot items join the ready list, so that all items take turns.
                self.queue_hot(tree, moment);
                self.finish_leaving_all(tree);
            }
        }
        if !fault && sent < maxevents && self.events_available() {
            fault = self.send_events(tree, sink, maxevents, &mut sent, None) == Some(true);
        }
        self.sent(tree, sent, fault)
    }

    /// The result of a wait that has delivered `sent` events.
    fn sent(&self, tree: &mut Tree, sent: usize, fault: bool) -> Result<usize, Errno> {
        self.demote_unsure(tree);
        if sent != 0 {
            self.count(tree, 1 + sent as u32);
        } else if fault {
            return Err(Errno::EFAULT);
        }
        Ok(sent)
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

    /// Delivers queued items. True: a store failed. With `news` it drains wakeups in the call that asks; if
    /// there were wakeups, it delivers nothing and returns None. Linux: `fs/eventpoll.c:ep_send_events`.
    fn send_events(
        &self,
        tree: &mut Tree,
        sink: &mut dyn EventSink,
        maxevents: usize,
        sent: &mut usize,
        mut news: Option<&dyn Watcher>,
    ) -> Option<bool> {
        let Tree { scratch, hot, .. } = &mut *tree;
        let mut fault = false;
        let mut ready = self.lock.lock();
        ready.list.start_scan();
        let mut plan = if self.has_chaos() { sink.plan() } else { None };
        let maxevents = plan.as_mut().map_or(maxevents, |plan| self.stir(&mut ready, plan, maxevents));
        while *sent < maxevents && !fault {
            gather(&ready, scratch, maxevents - *sent);
            if scratch.batch.is_empty() {
                break;
            }
            drop(ready);
            scratch.measure();
            let looked = news.take().is_some_and(|watcher| scratch.look(watcher));
            if looked {
                ready = self.lock.lock();
                if ready.list.is_overtaken() {
                    ready.list.done_scan();
                    return None;
                }
                drop(ready);
            }
            self.ask(scratch);
            ready = self.lock.lock();
            fault = self.deliver(&mut ready, scratch, hot, sink, sent);
        }
        self.done_scan(ready);
        if let Some(plan) = if self.has_chaos() { sink.plan() } else { None } {
            plan.delivered(*sent);
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
        Some(fault)
    }

    /// Asks the files of the batch that have not been asked.
    fn ask(&self, scratch: &mut Scratch) {
        if !scratch.asked && sys::poll_now(&mut scratch.pollfds).is_err() {
            // With a time-out of 0 this happens only when the kernel has no memory: treat all files as not
            // ready.
            for pollfd in &mut scratch.pollfds {
                pollfd.revents = 0;
            }
        }
        for asked in &mut scratch.batch {
            asked.revents = match asked.pollfd {
                Some(at) => scratch.pollfds[at as usize].revents as u16 as u32,
                None => {
                    let ready = self.lock.lock();
                    let Some(item) = ready.list.get(asked.id) else { continue };
                    let (file, events) = (item.file.clone(), item.events);
                    drop(ready);
                    self.item_poll(&file, events, 1)
                }
            };
        }
    }

    /// Stores events for the items of the batch that are ready. True: a store failed.
    fn deliver(
        &self,
        ready: &mut Ready,
        scratch: &mut Scratch,
        hot: &mut Hot,
        sink: &mut dyn EventSink,
        sent: &mut usize,
    ) -> bool {
        let now = if is_on() { ticks() } else { 0 };
        for asked in &scratch.batch {
            ready.list.unlink(asked.id);
            let woken = ready.list.is_in_ovflist(asked.id);
            let Some(item) = ready.list.get_mut(asked.id) else { continue };
            let revents = asked.revents & item.events;
            if asked.revents & ENDS != 0 {
                item.file.note_ends(asked.revents);
            }
            let event = EpollEvent { events: revents, data: item.data };
            let result = PollResult { events: item.events, revents: asked.revents, queued: false };
            if revents == 0 {
                item.shown.unqueued(now);
                note_result(&mut scratch.results, ready, asked.id, result);
                continue;
            }
            if !sink.put(*sent, event) {
                ready.list.tx_push_front(asked.id);
                return true;
            }
            *sent += 1;
            let (passed, exactly) = item.shown.queued_for(now).unwrap_or_default();
            item.shown.delivered(now);
            if woken {
                // `done_scan` moves it to the ready list.
                item.shown.queued(now, false);
            }
            trace::deliver(
                self.about(item.serial),
                item.fd,
                *sent - 1,
                event,
                now,
                Since { passed, exactly },
            );
            if trace::enabled() {
                let since = ready.since.get(&asked.id).copied().unwrap_or(0);
                trace::log_delivery(self.fd(), item.fd, event, since);
            }
            let (oneshot, edge) = (item.events & EPOLLONESHOT != 0, item.is_edge());
            if oneshot {
                item.events &= EP_PRIVATE_BITS;
                item.shown.interest(item.events);
            }
            let (events, place) = (item.events, item.place());
            if place != NO_PLACE {
                hot.reported(place, events, asked.revents, None);
                if events & EPOLLET != 0 {
                    scratch.unsure.push(asked.id);
                }
            } else if !oneshot {
                scratch.delivered.push((asked.id, asked.revents));
            }
            let (serial, fd) = (item.serial, item.fd);
            let stays = !oneshot && !edge;
            let repeated =
                self.has_chaos() && repeats(sink, (serial, fd, events), stays, edge && !oneshot, *sent);
            let queued = (stays || repeated) && place == NO_PLACE;
            if queued {
                item.shown.queued_again(now);
                ready.list.add_tail(asked.id);
                if trace::enabled() {
                    ready.since.insert(asked.id, sys::now());
                }
            }
            let result = PollResult { events, revents: asked.revents, queued };
            note_result(&mut scratch.results, ready, asked.id, result);
        }
        false
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

/// Whether chaos reports an edge again. It was just reported as the `nth` event, counted from 1.
fn repeats(
    sink: &mut dyn EventSink,
    (serial, fd, events): (u64, i32, u32),
    stays: bool,
    may: bool,
    nth: usize,
) -> bool {
    let Some(plan) = sink.plan() else { return false };
    let repeated = may && plan.draw(Injection::Repeat, nth as u32).is_some();
    plan.reported(serial, stays || repeated);
    if repeated {
        plan.note(Injection::Repeat, fd, events);
    }
    repeated
}

/// Fills the batch with the first items of the scan, and `pollfds` with the descriptors of those that have one.
fn gather(ready: &Ready, scratch: &mut Scratch, most: usize) {
    scratch.batch.clear();
    scratch.pollfds.clear();
    let mut at = ready.list.tx_first();
    while let Some(id) = at.filter(|_| scratch.batch.len() < most) {
        let Some(item) = ready.list.get(id) else { break };
        let fd = item.file.device().and_then(|device| device.pollfd());
        let pollfd = fd.map(|fd| {
            let besides = if item.is_edge() { EDGE_BITS } else { EPOLLRDHUP };
            let events = ((item.events | besides) & POLL_BITS) as i16;
            scratch.pollfds.push(pollfd { fd, events, revents: 0 });
            scratch.pollfds.len() as u32 - 1
        });
        let is_measured = item.is_edge() && item.poller_id != NO_POLLER_ID;
        if is_measured && item.file.device().is_some_and(Device::is_measured) {
            scratch.measured.push((item.file.clone(), item.poller_id));
        }
        scratch.batch.push(Asked { id, pollfd, revents: 0 });
        at = ready.list.tx_next(id);
    }
    scratch.asked = scratch.pollfds.is_empty();
}
