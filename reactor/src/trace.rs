//! The stations of an item's life, as `tracing` events of target `glasspoll::flow`.
//!
//! Names and fields are stable: they are what a person filters and a program parses. With no
//! subscriber each costs one load and a branch that is predicted.

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

/// Whether anybody listens to the stations that need a time stamp.
#[inline]
pub fn enabled() -> bool {
    on!(target: "glasspoll::flow", Level::TRACE)
}

/// An instance was made.
pub fn create(epfd: i32) {
    flow!(DEBUG, "create", epfd);
}

/// epoll_ctl(2) was answered.
pub fn ctl(epfd: i32, op: i32, fd: i32, event: EpollEvent, result: Result<(), Errno>) {
    if !on!(target: "glasspoll::flow", Level::DEBUG) {
        return;
    }
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

/// A file's wakeups come in from now on through `source`.
pub fn arm(fd: i32, source: &'static str) {
    flow!(DEBUG, "arm", fd, %source);
}

/// They no longer do.
pub fn disarm(fd: i32, source: &'static str) {
    flow!(DEBUG, "disarm", fd, %source);
}

/// A device told that it became ready.
pub fn wakeup(fd: i32, source: &'static str, key: u32) {
    flow!(TRACE, "wakeup", fd, %source, events = %Mask(key));
}

/// An item went to `list`.
pub fn ready(epfd: i32, fd: i32, list: &'static str) {
    flow!(TRACE, "ready", epfd, fd, %list);
}

/// A thread asks for events.
pub fn wait_enter(epfd: i32, maxevents: usize, timeout_ns: Option<u64>) {
    flow!(TRACE, "wait_enter", epfd, maxevents, timeout_ns = timeout_ns.map_or(-1, |ns| ns as i64));
}

/// An event was handed over, `ready_ns` after the item became ready.
pub fn deliver(epfd: i32, fd: i32, event: EpollEvent, ready_at: u64) {
    if enabled() {
        let ready_ns = sys::now().saturating_sub(ready_at);
        let (events, data) = (Mask(event.events), event.data);
        flow!(TRACE, "deliver", epfd, fd, %events, data, ready_ns);
    }
}

/// The thread got its answer, `waited_ns` after it asked.
pub fn wait_return(epfd: i32, result: Result<usize, Errno>, entered: u64) {
    if enabled() {
        let waited_ns = sys::now().saturating_sub(entered);
        match result {
            Ok(n) => flow!(TRACE, "wait_return", epfd, n, waited_ns),
            Err(errno) => {
                let errno = errno.name().unwrap_or("?");
                flow!(TRACE, "wait_return", epfd, %errno, waited_ns);
            }
        }
    }
}

/// A watched file lost its last descriptor and left `items` registrations.
pub fn release(fd: i32, items: usize) {
    flow!(DEBUG, "release", fd, items);
}
