//! Waiting: the `ep_poll` loop, delivery of events, and asking files for their readiness.
//!
//! Delivery asks again: an item whose file is no longer ready is dropped and not reported. All files
//! of a batch that have a descriptor are asked in one ppoll.
//!
//! Linux: `fs/eventpoll.c:ep_poll`, `ep_send_events`, `ep_item_poll`, `__ep_eventpoll_poll`.

use libc::pollfd;

use crate::epitem::NO_KEY;
use crate::eventpoll::{Eventpoll, Ready, Tree};
use crate::file::{Device, File, Kind, Settled};
use crate::heat::Found;
use crate::hot::{Hot, NO_PLACE, QUIET_NS};
use crate::spin::Spin;
use crate::sync::{Arc, Ordering};
use crate::sys::{self, Errno};
use crate::trace;
use crate::uapi::*;
use crate::wait_queue::Waiter;

/// How a sleep ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slept {
    /// By a wakeup, or because a device may have something to say.
    Woken,
    /// The time is over.
    TimedOut,
    /// A signal handler of the program ran.
    Signal,
}

/// Who brings in the wakeups while a thread waits.
pub trait Watcher {
    /// Tells the items of all that has happened to their files until now.
    fn pump(&self);

    /// As `pump`, and asks the files of `hot` as poll(2) would.
    fn look(&self, hot: &mut Vec<pollfd>);

    /// Sleeps until `waiter` is woken, a file of `hot` is ready or a device had something to say, which
    /// it has told by then. Files are added to `hot` for the time of the sleep.
    fn sleep(
        &self,
        waiter: &Arc<Waiter>,
        timeout_ns: Option<u64>,
        sigmask: Option<u64>,
        hot: &mut Vec<pollfd>,
    ) -> Slept;
}

/// Where delivered events go.
pub trait EventSink {
    /// Stores an event. False: the memory is not writable, and the event is kept.
    fn put(&mut self, index: usize, event: EpollEvent) -> bool;
}

/// Room for a batch of items, kept from wait to wait. Protected by `ep.mtx`.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    batch: Vec<Asked>,
    pub(crate) pollfds: Vec<pollfd>,
    settled: Vec<(Arc<File>, u32, Settled)>,
    /// Hot items that are ready.
    pub(crate) found: Vec<Found>,
    /// Hot items that were asked for the last time.
    pub(crate) leaving: Vec<u32>,
    /// Hot items that were reported and of which nobody knows how much has come.
    pub(crate) unsure: Vec<u32>,
    /// Cold items that were delivered, with what was ready.
    delivered: Vec<(u32, u32)>,
}

#[derive(Debug)]
struct Asked {
    id: u32,
    /// Its place in `pollfds`, if it was asked there.
    pollfd: Option<u32>,
    revents: u32,
}

// SAFETY: `pollfd` is plain numbers.
unsafe impl Send for Scratch {}

impl Eventpoll {
    /// Waits for events and stores up to `maxevents` of them.
    ///
    /// `timeout_ns`: None waits forever, 0 not at all. `sigmask` is in force while asleep.
    ///
    /// # Errors
    /// EINTR if a signal handler ran; EFAULT if the first event could not be stored.
    pub fn wait(
        &self,
        watcher: &dyn Watcher,
        waiter: &Arc<Waiter>,
        sink: &mut dyn EventSink,
        maxevents: usize,
        timeout_ns: Option<u64>,
        sigmask: Option<u64>,
    ) -> Result<usize, Errno> {
        trace::wait_enter(self.fd(), maxevents, timeout_ns);
        let entered = if trace::enabled() { sys::now() } else { 0 };
        let result = self.ep_poll(watcher, waiter, sink, maxevents, timeout_ns, sigmask);
        trace::wait_return(self.fd(), result, entered);
        result
    }

    /// Linux: `fs/eventpoll.c:ep_poll`.
    fn ep_poll(
        &self,
        watcher: &dyn Watcher,
        waiter: &Arc<Waiter>,
        sink: &mut dyn EventSink,
        maxevents: usize,
        timeout_ns: Option<u64>,
        sigmask: Option<u64>,
    ) -> Result<usize, Errno> {
        let deadline = timeout_ns.filter(|ns| *ns != 0).map(|ns| sys::now().saturating_add(ns));
        let mut timed_out = timeout_ns == Some(0);
        let mut signal = false;
        // Whether a sleep has just asked everything.
        let mut asked = false;
        loop {
            let mut tree = self.mtx.lock();
            if tree.hot.taken {
                // Another thread sleeps on them: of two waiters one is to be woken, and that is told.
                self.cool_all(&mut tree);
                tree.hot.rest();
            }
            if !asked {
                self.prepare_round(&mut tree);
            }
            if asked || timed_out || signal || self.lock.lock().list.events_available() {
                if !asked {
                    tree.hot.asks();
                    watcher.look(&mut tree.hot.fds);
                }
                let sent = self.send(&mut tree, sink, maxevents)?;
                if sent != 0 {
                    self.count(&mut tree, 1 + sent as u32);
                    return Ok(sent);
                }
                match () {
                    () if timed_out => return Ok(0),
                    () if signal => return Err(Errno::EINTR),
                    () if std::mem::take(&mut asked) => self.prepare_round(&mut tree),
                    () => {}
                }
            }
            waiter.looks_itself(self.depends_on_thread.load(Ordering::SeqCst));
            // Before the question: an interruption after it must not be forgotten.
            waiter.reset();
            signal = waiter.take_interrupt();
            if signal {
                // What happened before it comes first.
                continue;
            }
            let began = if Spin::is_on() { sys::now() } else { 0 };
            if began != 0 {
                let spin = tree.spin.length();
                let until =
                    began + deadline.map_or(spin, |deadline| spin.min(deadline.saturating_sub(began)));
                drop(tree);
                asked = self.look_until(until, watcher, waiter);
                tree = self.mtx.lock();
                if asked {
                    tree.spin.waited(sys::now().saturating_sub(began));
                    drop(tree);
                    continue;
                }
            }
            {
                let mut ready = self.lock.lock();
                if ready.list.events_available() {
                    continue;
                }
                ready.wq.push(waiter.clone());
            }
            let mut hot = tree.hot.lend();
            let mut lent = !hot.is_empty();
            drop(tree);
            let mut quiet = false;
            let slept = loop {
                let left = deadline.map(|deadline| deadline.saturating_sub(sys::now()));
                if left == Some(0) {
                    break Slept::TimedOut;
                }
                let capped = !hot.is_empty() && left.is_none_or(|left| left > QUIET_NS);
                let most = if capped { Some(QUIET_NS) } else { left };
                let slept = watcher.sleep(waiter, most, sigmask, &mut hot);
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

    /// Looks again and again. Whether something was found, or somebody wants the thread to look up.
    fn look_until(&self, until: u64, watcher: &dyn Watcher, waiter: &Waiter) -> bool {
        while sys::now() < until {
            let mut tree = self.mtx.lock();
            if tree.hot.taken || waiter.is_woken() {
                return false;
            }
            tree.hot.asks();
            watcher.look(&mut tree.hot.fds);
            let found = tree.hot.fds.iter().any(|pollfd| pollfd.revents != 0);
            if found || self.lock.lock().list.events_available() {
                return true;
            }
        }
        false
    }

    /// Takes those that are hot no more out of the list of a sleep that goes on: to sleep on a file keeps it
    /// open.
    fn tidy(&self, hot: Vec<pollfd>) -> Vec<pollfd> {
        let mut tree = self.mtx.lock();
        if !tree.hot.is_stale() {
            return hot;
        }
        let mut ready = self.lock.lock();
        tree.hot.tidy(hot, |id, place| {
            if let Some(item) = ready.list.get_mut(id) {
                item.place = place;
            }
        })
    }

    /// A sleep on the hot items has ended.
    fn take_back(&self, hot: Vec<pollfd>, lent: bool, quiet: bool) {
        let mut tree = self.mtx.lock();
        let mut ready = self.lock.lock();
        tree.hot.give_back(hot, lent, |id, place| {
            if let Some(item) = ready.list.get_mut(id) {
                item.place = place;
            }
        });
        drop(ready);
        if quiet {
            self.cool_all(&mut tree);
            tree.hot.calm_down();
            self.count(&mut tree, 0);
        }
    }

    /// Delivers what is hot and ready and what is queued.
    fn send(&self, tree: &mut Tree, sink: &mut dyn EventSink, maxevents: usize) -> Result<usize, Errno> {
        let mut sent = 0;
        let mut fault = false;
        if !tree.hot.is_empty() {
            if self.all_fit(tree, maxevents) {
                fault = self.send_hot(tree, sink, maxevents, &mut sent);
            } else {
                // All take their turns in one line.
                self.queue_hot(tree);
                self.finish_leaving_all(tree);
            }
        }
        if !fault && sent < maxevents && self.lock.lock().list.events_available() {
            fault = self.send_events(tree, sink, maxevents, &mut sent);
        }
        self.cool_unsure(tree);
        if fault && sent == 0 {
            return Err(Errno::EFAULT);
        }
        Ok(sent)
    }

    /// Whether what is hot and ready and what is queued fit into one delivery, or all of it is hot.
    fn all_fit(&self, tree: &Tree, maxevents: usize) -> bool {
        let queued = self.lock.lock().list.count_ready(maxevents);
        if queued == 0 {
            return true;
        }
        let ready = tree.hot.fds.iter().filter(|pollfd| pollfd.revents != 0).count();
        queued + ready <= maxevents
    }

    /// Delivers what is queued. True: a store failed. Linux: `fs/eventpoll.c:ep_send_events`.
    fn send_events(
        &self,
        tree: &mut Tree,
        sink: &mut dyn EventSink,
        maxevents: usize,
        sent: &mut usize,
    ) -> bool {
        let Tree { scratch, hot, .. } = &mut *tree;
        self.lock.lock().list.start_scan();
        let mut fault = false;
        while *sent < maxevents && !fault {
            self.gather(scratch, maxevents - *sent);
            if scratch.batch.is_empty() {
                break;
            }
            self.ask(scratch);
            fault = self.deliver(scratch, hot, sink, sent);
        }
        self.done_scan();
        for (file, key, settled) in scratch.settled.drain(..) {
            if let Some(device) = file.device() {
                device.settle(key, settled);
            }
        }
        if tree.hot.is_busy() {
            for (id, revents) in std::mem::take(&mut tree.scratch.delivered) {
                self.warm_up(tree, id, revents);
            }
        }
        tree.scratch.delivered.clear();
        fault
    }

    /// Notes the first items of the scan, and the descriptors of those that have one.
    fn gather(&self, scratch: &mut Scratch, most: usize) {
        scratch.batch.clear();
        scratch.pollfds.clear();
        let ready = self.lock.lock();
        let mut at = ready.list.tx_first();
        while let Some(id) = at.filter(|_| scratch.batch.len() < most) {
            let Some(item) = ready.list.get(id) else { break };
            let fd = item.file.device().and_then(|device| device.pollfd());
            let pollfd = fd.map(|fd| {
                let events = ((item.events | EPOLLRDHUP) & POLL_BITS) as i16;
                scratch.pollfds.push(pollfd { fd, events, revents: 0 });
                scratch.pollfds.len() as u32 - 1
            });
            scratch.batch.push(Asked { id, pollfd, revents: 0 });
            at = ready.list.tx_next(id);
        }
    }

    /// Asks the files of the batch.
    fn ask(&self, scratch: &mut Scratch) {
        if !scratch.pollfds.is_empty() && sys::ppoll(&mut scratch.pollfds, Some(0), None).is_err() {
            // Never seen with a time-out of 0 but for want of memory: take all for not ready now.
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

    /// Hands the ready ones of the batch over. True: a store failed.
    fn deliver(
        &self,
        scratch: &mut Scratch,
        hot: &mut Hot,
        sink: &mut dyn EventSink,
        sent: &mut usize,
    ) -> bool {
        let mut ready = self.lock.lock();
        let ready = &mut *ready;
        for asked in &scratch.batch {
            ready.list.unlink(asked.id);
            let Some(item) = ready.list.get_mut(asked.id) else { continue };
            let revents = asked.revents & item.events;
            if asked.revents & ENDS != 0 {
                item.file.note_ends(asked.revents);
            }
            let event = EpollEvent { events: revents, data: item.data };
            let settled = Settled { events: item.events, revents: asked.revents, queued: false };
            if revents == 0 {
                note_settled(&mut scratch.settled, ready, asked.id, settled);
                continue;
            }
            if !sink.put(*sent, event) {
                ready.list.tx_push_front(asked.id);
                return true;
            }
            *sent += 1;
            if trace::enabled() {
                let since = ready.since.get(&asked.id).copied().unwrap_or(0);
                trace::deliver(self.fd(), item.fd, event, since);
            }
            let (oneshot, edge) = (item.events & EPOLLONESHOT != 0, item.is_edge());
            if oneshot {
                item.events &= EP_PRIVATE_BITS;
            }
            let (events, place) = (item.events, item.place);
            if place != NO_PLACE {
                hot.reported(place, events, asked.revents, None);
                if events & EPOLLET != 0 {
                    scratch.unsure.push(asked.id);
                }
            } else if !oneshot {
                scratch.delivered.push((asked.id, asked.revents));
            }
            let queued = !oneshot && !edge && place == NO_PLACE;
            if queued {
                ready.list.add_tail(asked.id);
                if trace::enabled() {
                    ready.since.insert(asked.id, sys::now());
                }
            }
            let settled = Settled { events, revents: asked.revents, queued };
            note_settled(&mut scratch.settled, ready, asked.id, settled);
        }
        false
    }

    /// Linux: `fs/eventpoll.c:ep_done_scan`.
    fn done_scan(&self) {
        let waiter = {
            let mut ready = self.lock.lock();
            ready.list.done_scan();
            if ready.list.any_ready() {
                ready.wq.pop()
            } else {
                None
            }
        };
        if let Some(waiter) = waiter {
            waiter.wake();
        }
    }

    /// Asks one file; may say more than `events`. Linux: `fs/eventpoll.c:ep_item_poll`.
    pub(crate) fn item_poll(&self, file: &File, events: u32, depth: i32) -> u32 {
        match file.kind() {
            Kind::Kernel(device) => device.poll((events | EPOLLRDHUP) & POLL_BITS),
            Kind::Device(device) => device.poll((events | EPOLLRDHUP) & POLL_BITS),
            Kind::Epoll(inner) => inner.poll(depth),
        }
    }

    /// Whether the instance itself is readable. Items that are no longer ready leave the ready list.
    /// Linux: `fs/eventpoll.c:__ep_eventpoll_poll`.
    pub fn poll(&self, depth: i32) -> u32 {
        if depth > EP_MAX_NESTS + 1 {
            return 0;
        }
        let mut tree = self.mtx.lock();
        let settled = &mut tree.scratch.settled;
        self.lock.lock().list.start_scan();
        let mut revents = 0;
        loop {
            let ready = self.lock.lock();
            let Some(id) = ready.list.tx_first() else { break };
            let Some(item) = ready.list.get(id) else { break };
            let (file, events) = (item.file.clone(), item.events);
            drop(ready);
            let found = self.item_poll(&file, events, depth + 1);
            if found & events != 0 {
                revents = EPOLLIN | EPOLLRDNORM;
                break;
            }
            let mut ready = self.lock.lock();
            ready.list.unlink(id);
            let now = Settled { events, revents: found, queued: false };
            note_settled(settled, &ready, id, now);
        }
        self.done_scan();
        for (file, key, now) in tree.scratch.settled.drain(..) {
            if let Some(device) = file.device() {
                device.settle(key, now);
            }
        }
        revents
    }
}

/// Notes what a device with a watcher entry is to be told once `ep.lock` is dropped.
fn note_settled(settled: &mut Vec<(Arc<File>, u32, Settled)>, ready: &Ready, id: u32, now: Settled) {
    if let Some(item) = ready.list.get(id).filter(|item| item.key != NO_KEY) {
        settled.push((item.file.clone(), item.key, now));
    }
}
