//! Traces the stations of an item's life: in the process's record (`glasspoll_record`), and as `tracing` events
//! of target `glasspoll::flow`.
//!
//! Names and fields are stable, because users filter by them and programs parse them. Without a subscriber each
//! event costs one load and a predicted branch, and without a record it costs the same again. `ready_time`
//! knows when a file that is found ready became ready. No lock is taken.

pub mod ready_time;

use glasspoll_record::event::{self, Event, Injection, Known, Source};
use glasspoll_record::writer::{is_on, record, record_at, ticks};
use tracing::{enabled as on, Level};

use crate::sys::{self, Errno};
use crate::uapi::{EpollEvent, Mask, EPOLL_CTL_ADD, EPOLL_CTL_DEL, EPOLL_CTL_MOD};

macro_rules! flow {
    ($level:ident, $name:literal, $($field:tt)*) => {
        tracing::event!(
            target: "glasspoll::flow",
            Level::$level,
            $($field)*,
            pid = sys::getpid(),
            tid = sys::gettid(),
            $name
        )
    };
}

/// Whether there is a subscriber for the events that need a time stamp.
#[inline]
pub fn enabled() -> bool {
    on!(target: "glasspoll::flow", Level::TRACE)
}

/// An instance was created, or inherited by a fork.
pub fn create(epfd: i32, epoll: u32, inherited: bool) {
    record(Event::Create { epoll, epfd, inherited });
    if !inherited {
        flow!(DEBUG, "create", epfd);
    }
}

/// The instance and the item that a call is about.
#[derive(Clone, Copy, Debug, Default)]
pub struct About {
    /// The fd of the instance at its creation.
    pub epfd: i32,
    /// The id of the instance.
    pub epoll: u32,
    /// The item's serial number, 0 for none.
    pub item: u64,
}

/// epoll_ctl(2) returns.
pub fn ctl(about: About, op: i32, fd: i32, event: EpollEvent, result: Result<(), Errno>) {
    if is_on() {
        let (events, data) = (event.events, event.data);
        let errno = result.map_or_else(|errno| errno.into_raw() as u16, |()| 0);
        let known = u8::try_from(op).ok().and_then(event::Ctl::of);
        let item = about.item as u32;
        record(Event::Ctl { epoll: about.epoll, op: known, fd, events, data, errno, item });
    }
    if !on!(target: "glasspoll::flow", Level::DEBUG) {
        return;
    }
    let epfd = about.epfd;
    let op = match op {
        EPOLL_CTL_ADD => "ADD",
        EPOLL_CTL_MOD => "MOD",
        EPOLL_CTL_DEL => "DEL",
        _ => "?",
    };
    let result = result.map_or_else(|errno| errno.name().unwrap_or("?"), |()| "0");
    let (events, data) = (Mask(event.events), event.data);
    flow!(DEBUG, "ctl", epfd, %op, fd, %events, data, %result);
}

/// The set has an item whose ADD was not seen.
pub fn found(about: About, fd: i32, event: EpollEvent) {
    let (events, data, item) = (event.events, event.data, about.item as u32);
    record(Event::Ctl { epoll: about.epoll, op: Some(event::Ctl::Found), fd, events, data, errno: 0, item });
    let (epfd, op) = (about.epfd, "FOUND");
    flow!(DEBUG, "ctl", epfd, %op, fd, events = %Mask(events), data, result = "0");
}

/// From now on the file's wakeups come from `source`.
pub fn arm(fd: i32, source: Source) {
    record(Event::Arm { fd, source, on: true });
    flow!(DEBUG, "arm", fd, %source);
}

/// The file's wakeups no longer come from `source`.
pub fn disarm(fd: i32, source: Source) {
    record(Event::Arm { fd, source, on: false });
    flow!(DEBUG, "disarm", fd, %source);
}

/// A device reported a wakeup.
pub fn wakeup(fd: i32, source: Source, pollflags: u32) {
    record(Event::Wakeup { fd, source, events: pollflags });
    log_wakeup(fd, source, pollflags);
}

/// The same for the log only. In the record the delivery has it.
pub fn log_wakeup(fd: i32, source: Source, pollflags: u32) {
    flow!(TRACE, "wakeup", fd, %source, events = %Mask(pollflags));
}

/// An item went to `rdllist`, or to `ovflist`.
pub fn ready(about: About, fd: i32, overflow: bool) {
    record(Event::Ready { epoll: about.epoll, fd, item: about.item as u32, overflow });
    if enabled() {
        let (epfd, list) = (about.epfd, if overflow { "ovflist" } else { "rdllist" });
        flow!(TRACE, "ready", epfd, fd, %list);
    }
}

/// A thread begins a wait.
pub fn wait_enter(about: About, maxevents: usize, timeout_ns: Option<u64>) -> Entered {
    let timeout_ns = timeout_ns.map_or(-1, |ns| ns as i64);
    let at = if is_on() || enabled() { ticks() } else { 0 };
    record_at(at, Event::WaitEnter { epoll: about.epoll, maxevents: maxevents as u32, timeout_ns });
    flow!(TRACE, "wait_enter", epfd = about.epfd, maxevents, timeout_ns);
    Entered { ticks: at, ns: if enabled() { sys::now() } else { 0 } }
}

/// A thread begins a wait that cannot sleep. `entered` records it, or `waited_for_nothing`.
pub fn enters_later() -> Entered {
    Entered { ticks: ticks(), ns: if enabled() { sys::now() } else { 0 } }
}

/// Records a wait that began at `entered`.
pub fn entered(about: About, maxevents: usize, timeout_ns: i64, entered: Entered) {
    let event = Event::WaitEnter { epoll: about.epoll, maxevents: maxevents as u32, timeout_ns };
    record_at(entered.ticks, event);
    flow!(TRACE, "wait_enter", epfd = about.epfd, maxevents, timeout_ns);
}

/// A wait with a time-out of 0 has found nothing.
pub fn waited_for_nothing(about: About, maxevents: usize) {
    record(Event::WaitedForNothing { epoll: about.epoll, maxevents: maxevents as u32 });
    if enabled() {
        let epfd = about.epfd;
        flow!(TRACE, "wait_enter", epfd, maxevents, timeout_ns = 0i64);
        flow!(TRACE, "wait_return", epfd, n = 0, waited_ns = 0);
    }
}

/// When a wait began.
#[derive(Clone, Copy, Debug)]
pub struct Entered {
    pub(crate) ticks: u64,
    ns: u64,
}

/// When an item became ready, as far as we know.
#[derive(Clone, Copy, Debug)]
pub struct Since {
    /// The ticks since then.
    pub passed: u64,
    /// It became ready just then. If false: at some time after that.
    pub exactly: bool,
}

/// An event was delivered at `now`, as number `nth` of the batch.
pub fn deliver(about: About, fd: i32, nth: usize, event: EpollEvent, now: u64, since: Since) {
    if is_on() {
        let known = if since.exactly { Known::Exactly } else { Known::NotBefore };
        record_at(
            now,
            Event::Deliver {
                epoll: about.epoll,
                fd,
                item: about.item as u32,
                events: event.events,
                nth: nth as u16,
                ready_ns: since.passed,
                known,
            },
        );
    }
}

/// The same for the log; `ready_at` is in nanoseconds.
pub fn log_delivery(epfd: i32, fd: i32, event: EpollEvent, ready_at: u64) {
    if enabled() {
        let ready_ns = sys::now().saturating_sub(ready_at);
        let (events, data) = (Mask(event.events), event.data);
        flow!(TRACE, "deliver", epfd, fd, %events, data, ready_ns);
    }
}

/// A wait returns, at `now` if that is not 0. Returns the time, in ticks.
pub fn wait_return(about: About, result: Result<usize, Errno>, entered: Entered, mut now: u64) -> u64 {
    let epfd = about.epfd;
    if is_on() {
        if now == 0 {
            now = ticks();
        }
        let n = result.map_or_else(|errno| -errno.into_raw(), |n| n as i32);
        let waited_ns = now.saturating_sub(entered.ticks);
        record_at(now, Event::WaitReturn { epoll: about.epoll, n, waited_ns });
    }
    if enabled() {
        let waited_ns = sys::now().saturating_sub(entered.ns);
        match result {
            Ok(n) => flow!(TRACE, "wait_return", epfd, n, waited_ns),
            Err(errno) => {
                let errno = errno.name().unwrap_or("?");
                flow!(TRACE, "wait_return", epfd, %errno, waited_ns);
            }
        }
    }
    now
}

/// Chaos did something in the set's wait with this number; see `Event::Chaos`.
pub(crate) fn chaos(about: About, wait: u32, what: Injection, fd: i32, amount: u32) {
    record(Event::Chaos { epoll: about.epoll, wait, what, fd, amount });
    flow!(DEBUG, "chaos", epfd = about.epfd, epoll = about.epoll, wait, %what, fd, amount);
}

/// A watched file has lost its last descriptor, which removed `items` items. If it is `shared`, it may live on in
/// another process.
pub fn release(fd: i32, items: usize, shared: bool) {
    record(Event::Release { fd, items: items as u32, shared });
    if shared {
        flow!(DEBUG, "release", fd, items, shared);
    } else {
        flow!(DEBUG, "release", fd, items);
    }
}
