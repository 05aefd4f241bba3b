//! Waiting: the `ep_poll` loop, delivery of events, and asking files for their readiness.
//!
//! Delivery asks again: an item whose file is no longer ready is dropped and not reported. All files
//! of a batch that have a descriptor are asked in one ppoll.
//!
//! Linux: `fs/eventpoll.c:ep_poll`, `ep_send_events`, `ep_item_poll`, `__ep_eventpoll_poll`.

use libc::pollfd;

use crate::epitem::NO_KEY;
use crate::eventpoll::{Eventpoll, Ready};
use crate::file::{Device, File, Kind, Settled};
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

    /// Sleeps until `waiter` is woken or a device may have something to say.
    fn sleep(&self, waiter: &Arc<Waiter>, timeout_ns: Option<u64>, sigmask: Option<u64>) -> Slept;
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
    pollfds: Vec<pollfd>,
    settled: Vec<(Arc<File>, u32, Settled)>,
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
        watcher.pump();
        loop {
            if self.lock.lock().list.events_available() {
                let sent = self.send_events(sink, maxevents)?;
                if sent != 0 {
                    return Ok(sent);
                }
            }
            if timed_out {
                return Ok(0);
            }
            waiter.looks_itself(self.depends_on_thread.load(Ordering::SeqCst));
            // Before the question: an interruption after it must not be forgotten.
            waiter.reset();
            if signal || waiter.take_interrupt() {
                return Err(Errno::EINTR);
            }
            {
                let mut ready = self.lock.lock();
                if ready.list.events_available() {
                    continue;
                }
                ready.wq.push(waiter.clone());
            }
            loop {
                let left = deadline.map(|deadline| deadline.saturating_sub(sys::now()));
                let slept =
                    if left == Some(0) { Slept::TimedOut } else { watcher.sleep(waiter, left, sigmask) };
                watcher.pump();
                timed_out |= slept == Slept::TimedOut;
                signal |= slept == Slept::Signal;
                if timed_out || signal || waiter.is_woken() {
                    break;
                }
            }
            self.dequeue(waiter);
        }
    }

    /// Linux: `fs/eventpoll.c:ep_send_events`.
    fn send_events(&self, sink: &mut dyn EventSink, maxevents: usize) -> Result<usize, Errno> {
        let mut tree = self.mtx.lock();
        let scratch = &mut tree.scratch;
        self.lock.lock().list.start_scan();
        let mut sent = 0;
        let mut fault = false;
        while sent < maxevents && !fault {
            self.gather(scratch, maxevents - sent);
            if scratch.batch.is_empty() {
                break;
            }
            self.ask(scratch);
            fault = self.deliver(scratch, sink, &mut sent);
        }
        self.done_scan();
        for (file, key, settled) in scratch.settled.drain(..) {
            if let Some(device) = file.device() {
                device.settle(key, settled);
            }
        }
        if fault && sent == 0 {
            return Err(Errno::EFAULT);
        }
        Ok(sent)
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
    fn deliver(&self, scratch: &mut Scratch, sink: &mut dyn EventSink, sent: &mut usize) -> bool {
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
            let events = item.events;
            let queued = !oneshot && !edge;
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
