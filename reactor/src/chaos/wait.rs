//! A wait with chaos: around `Eventpoll::ep_poll`.

use glasspoll_record::event::Injection;

use crate::chaos::stirred::Stirred;
use crate::chaos::Plan;
use crate::eventpoll::event_sink::EventSink;
use crate::eventpoll::timeout::Timeout;
use crate::eventpoll::wait_queue::Waiter;
use crate::eventpoll::watcher::{Slept, Watcher};
use crate::eventpoll::Eventpoll;
use crate::sync::Arc;
use crate::sys::{self, Errno};

/// A wait: its thread and its arguments.
pub(crate) struct Waits<'a> {
    pub(crate) watcher: &'a dyn Watcher,
    pub(crate) waiter: &'a Arc<Waiter>,
    pub(crate) maxevents: usize,
    pub(crate) sigmask: Option<u64>,
}

/// How long a wait pauses that has only held items.
const PAUSE_NS: u64 = 1_000_000;

/// A wait that chaos ends early first waits normally, for a part of its time and at most this long.
const GRACE_US: u32 = 1_000;

impl Eventpoll {
    /// As `ep_poll`.
    pub(crate) fn chaotic_poll(
        &self,
        waits: &Waits<'_>,
        sink: &mut dyn EventSink,
        timeout: &mut Timeout,
    ) -> Result<usize, Errno> {
        let Some(chaos) = &self.chaos else { return self.poll_for(waits, sink, timeout) };
        let plan = Plan::next(chaos.clone(), self.about(0));
        let mut sink = Stirred { sink, plan };
        if let Some(us) = sink.plan.delay().filter(|us| *us != 0) {
            sink.plan.note(Injection::Delay, -1, us);
            sleep(waits, u64::from(us) * 1_000);
        }
        let eintr = sink.plan.draw(Injection::Eintr, 0).filter(|_| !timeout.is_zero());
        let spurious = sink.plan.draw(Injection::Spurious, 0);
        if let Some(drawn) = eintr.or(spurious).filter(|_| !timeout.is_zero()) {
            let us = sink.plan.bits(drawn, 0) % GRACE_US;
            let most = timeout.left().map_or(u64::MAX, |left| left / 2);
            let part = (u64::from(us) * 1_000).min(most);
            let sent = self.poll_for(waits, &mut sink, &mut Timeout::new(Some(part)))?;
            if sent == 0 && eintr.is_some() {
                sink.plan.note(Injection::Eintr, -1, (part / 1_000) as u32);
                return Err(Errno::EINTR);
            }
            let sent = sent + self.spurious(&mut sink, sent, waits.maxevents, spurious);
            if sent != 0 {
                return Ok(sent);
            }
        }
        let sent = self.poll_for(waits, &mut sink, timeout)?;
        Ok(sent + self.spurious(&mut sink, sent, waits.maxevents, spurious))
    }

    fn poll_for(
        &self,
        waits: &Waits<'_>,
        sink: &mut dyn EventSink,
        timeout: &mut Timeout,
    ) -> Result<usize, Errno> {
        self.ep_poll(waits, sink, timeout)
    }
}

/// Pauses as planned.
///
/// Preconditions: no lock is held.
pub(crate) fn pause(waits: &Waits<'_>, sink: &mut dyn EventSink) {
    if sink.plan().is_some_and(|plan| std::mem::take(&mut plan.is_to_pause)) {
        sleep(waits, PAUSE_NS);
    }
}

/// Sleeps for `ns`, even if something is ready. A signal ends the sleep, and the wait still sees it.
fn sleep(waits: &Waits<'_>, ns: u64) {
    let until = sys::now().saturating_add(ns);
    loop {
        waits.waiter.reset();
        if waits.waiter.take_interrupt() {
            return waits.waiter.interrupt();
        }
        let left = until.saturating_sub(sys::now());
        if left == 0 {
            return;
        }
        let mut none = Vec::new();
        if waits.watcher.sleep(waits.waiter, Some(left), waits.sigmask, &mut none) == Slept::Signal {
            return waits.waiter.interrupt();
        }
    }
}
