//! epoll_wait(2) on a set of ours. Linux: `fs/eventpoll.c:do_epoll_wait`.

use std::sync::Arc;

use glasspoll_reactor::eventpoll::timeout::Timeout;
use glasspoll_reactor::eventpoll::Eventpoll;
use glasspoll_reactor::sys::Errno;
use glasspoll_reactor::uapi::*;
use libc::{c_int, epoll_event};

use super::set_behind;
use crate::engine::{Outcome, Wait};
use crate::fdtable::{self, FdRef};
use crate::memory::user_memory::{access_ok, read_u64, Events};
use crate::process;
use crate::thread::context::{self, Waiting};
use crate::thread::signal::ours;

/// The wait that all the calls share.
///
/// Linux: `fs/eventpoll.c:do_epoll_wait`, `do_epoll_pwait`.
pub fn wait(wait: Wait, timeout: &mut Timeout) -> Outcome {
    let Wait { epfd, events, maxevents, sigmask, .. } = wait;
    let Some(_guard) = context::enter() else { return Outcome::Kernel };
    let set = FdRef::of(epfd);
    if timeout.is_zero() && sigmask.is_null() {
        if let Some(done) = wait_now(set, events, maxevents) {
            return Outcome::Done(done);
        }
    }
    Outcome::Done(checked_wait(set, events, maxevents, timeout, sigmask)).or_kernel(epfd)
}

/// A wait that does not sleep and cannot be interrupted. None: the call takes the full path.
fn wait_now(epfd: FdRef, events: *mut epoll_event, maxevents: c_int) -> Option<Result<i32, Errno>> {
    let watch = process::WATCH.get().filter(|_| !context::is_waiting())?;
    let wait = |ep: &Arc<Eventpoll>| {
        check_events(events, maxevents)?;
        ep.wait_now(&watch, &mut Events::new(events), maxevents as usize).map(|sent| sent as i32)
    };
    fdtable::with_set(epfd, |ep| (!ep.has_chaos()).then(|| wait(ep))).flatten()
}

/// Checks the buffer and its size.
fn check_events(events: *mut epoll_event, maxevents: c_int) -> Result<(), Errno> {
    if maxevents <= 0 || maxevents > EP_MAX_EVENTS {
        return Err(Errno::EINVAL);
    }
    if !access_ok(events as usize, maxevents as usize * size_of::<EpollEvent>()) {
        return Err(Errno::EFAULT);
    }
    Ok(())
}

fn checked_wait(
    epfd: FdRef,
    events: *mut epoll_event,
    maxevents: c_int,
    timeout: &mut Timeout,
    sigmask: *const u64,
) -> Result<i32, Errno> {
    let sigmask = if sigmask.is_null() { None } else { Some(ours::with_ours(read_u64(sigmask)?)) };
    let set = set_behind(epfd)?;
    check_events(events, maxevents)?;
    let held = set.ok_or(Errno::EINVAL)?;
    let ep = held.0.eventpoll().ok_or(Errno::EINVAL)?;
    // A set exists, so the watch exists.
    let watch = process::WATCH.get().ok_or(Errno::ENOMEM)?;
    if let Some(outer) = context::outer_waiter() {
        // This waiter has been woken already. If its frame was left by force, it must not take a later wakeup.
        ep.dequeue(&outer);
    }
    let waiter = context::waiter();
    // Clears an interrupt of an earlier wait. From the next line on another thread may interrupt this one.
    waiter.take_interrupt();
    let waiting = Waiting::new(&waiter, sigmask);
    if context::is_cancelled() {
        // The signal came before it could interrupt this wait.
        return Err(Errno::EINTR);
    }
    let mut sink = Events::new(events);
    let sent = ep.wait(&watch, &waiter, &mut sink, maxevents as usize, timeout, sigmask);
    if sent == Err(Errno::EINTR) {
        waiting.interrupted();
    }
    sent.map(|sent| sent as i32)
}
