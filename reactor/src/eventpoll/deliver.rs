//! Delivers one item, queued or hot: stores its event, and tells the record, the log and chaos of it.

use glasspoll_record::event::{Injection, Source};
use glasspoll_record::writer::{is_on, ticks};

use crate::eventpoll::epitem::Epitem;
use crate::eventpoll::event_sink::EventSink;
use crate::eventpoll::Eventpoll;
use crate::sys::{self, Errno};
use crate::trace::ready_time::Moment;
use crate::trace::{self, About, Since};
use crate::uapi::*;

/// The delivery of one wait: where the events go, and how many were stored.
pub(crate) struct Delivery<'a> {
    pub(crate) sink: &'a mut dyn EventSink,
    pub(crate) maxevents: usize,
    pub(crate) sent: usize,
    /// A store failed, so the delivery is over.
    pub(crate) fault: Option<Errno>,
}

/// What became of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Delivered {
    /// The file is not ready for what the item waits for.
    NotReady,
    /// The event could not be stored. The item is as before.
    Fault,
    /// Stored. The next wait asks the file again: the item is level-triggered, or chaos repeats the edge.
    AndStays,
    /// Stored. Only another wakeup or EPOLL_CTL_MOD reports the item again.
    AndLeaves,
}

/// Where an item was found ready.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Origin {
    /// On the ready list.
    Queued {
        /// A wakeup came since the scan began, so `done_scan` moves the item to the ready list.
        woken: bool,
        /// When it went there, in nanoseconds, for the log.
        since_ns: u64,
    },
    /// By the ppoll of the hot items, not before this moment.
    Hot(Moment),
}

impl<'a> Delivery<'a> {
    pub(crate) fn new(sink: &'a mut dyn EventSink, maxevents: usize) -> Self {
        Self { sink, maxevents, sent: 0, fault: None }
    }

    /// How many events still fit.
    pub(crate) fn room(&self) -> usize {
        match self.fault {
            Some(_) => 0,
            None => self.maxevents - self.sent,
        }
    }

    /// A failed store is an error only if it was the first.
    pub(crate) fn result(&self) -> Result<usize, Errno> {
        match self.fault {
            Some(errno) if self.sent == 0 => Err(errno),
            _ => Ok(self.sent),
        }
    }

    /// Stores the item's event, if its file, which was asked and answered `revents`, is ready for the item. An
    /// EPOLLONESHOT item is disarmed.
    pub(crate) fn deliver_one(
        &mut self,
        item: &mut Epitem,
        revents: u32,
        origin: Origin,
        observer: Observer,
    ) -> Delivered {
        if revents & ENDS != 0 {
            item.file.note_ends(revents);
        }
        let event = EpollEvent { events: revents & item.events, data: item.data };
        if event.events == 0 {
            return Delivered::NotReady;
        }
        if let Err(errno) = self.sink.put(self.sent, event) {
            self.fault = Some(errno);
            return Delivered::Fault;
        }
        self.sent += 1;
        let stays = observer.stored(item, event, origin, self);
        if item.events & EPOLLONESHOT != 0 {
            item.events &= EP_PRIVATE_BITS;
            item.shown.interest(item.events);
        }
        if stays {
            Delivered::AndStays
        } else {
            Delivered::AndLeaves
        }
    }
}

/// Observes the deliveries of one batch: the record, the log and chaos.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Observer {
    set: About,
    has_chaos: bool,
    /// The time for the record, in ticks.
    pub(crate) now: u64,
}

impl Observer {
    /// An observer for a batch of the set.
    pub(crate) fn new(set: &Eventpoll) -> Self {
        let (set, has_chaos) = (set.about(0), set.has_chaos());
        Self { set, has_chaos, now: if is_on() { ticks() } else { 0 } }
    }

    /// The item's event was stored, as the last one so far. Returns whether the item stays on the ready list.
    fn stored(self, item: &Epitem, event: EpollEvent, origin: Origin, to: &mut Delivery<'_>) -> bool {
        let now = self.now;
        let since = match origin {
            Origin::Hot(moment) => {
                item.shown.delivered(now);
                moment.since(now)
            }
            Origin::Queued { woken, .. } => {
                let (passed, exactly) = item.shown.queued_for(now).unwrap_or_default();
                item.shown.delivered(now);
                if woken {
                    item.shown.queued(now, false);
                }
                Since { passed, exactly }
            }
        };
        trace::deliver(About { item: item.serial, ..self.set }, item.fd, to.sent - 1, event, now, since);
        if trace::enabled() {
            self.log(item, event, origin);
        }
        let is_level = item.events & (EPOLLET | EPOLLONESHOT) == 0;
        if self.has_chaos {
            return is_level | repeats(item, is_level, to);
        }
        is_level
    }

    #[cold]
    fn log(self, item: &Epitem, event: EpollEvent, origin: Origin) {
        let since_ns = match origin {
            Origin::Queued { since_ns, .. } => since_ns,
            Origin::Hot(_) => {
                trace::log_wakeup(item.fd, Source::Hot, event.events);
                sys::now()
            }
        };
        trace::log_delivery(self.set.epfd, item.fd, event, since_ns);
    }
}

/// Tells chaos that the item was reported. Returns whether chaos reports the edge again.
#[cold]
fn repeats(item: &Epitem, is_level: bool, to: &mut Delivery<'_>) -> bool {
    let nth = to.sent as u32;
    let Some(plan) = to.sink.plan() else { return false };
    let may = item.is_edge() && item.events & EPOLLONESHOT == 0;
    let repeated = may && plan.draw(Injection::Repeat, nth).is_some();
    plan.reported(item.serial, is_level || repeated);
    if repeated {
        plan.note(Injection::Repeat, item.fd, item.events);
    }
    repeated
}
