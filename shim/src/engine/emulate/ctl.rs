//! epoll_ctl(2) on a set of ours. Linux: `fs/eventpoll.c:SYSCALL_DEFINE4(epoll_ctl)`.

use std::sync::Arc;

use glasspoll_reactor::eventpoll::Eventpoll;
use glasspoll_reactor::sys::Errno;
use glasspoll_reactor::uapi::*;
use libc::{c_int, epoll_event};

use super::set_behind;
use crate::engine::Outcome;
use crate::fdtable::{self, pollable, FdRef, Held};
use crate::memory::alloc;
use crate::memory::user_memory::read_event;
use crate::process::{self, stacks};
use crate::thread::context;

/// Linux: `fs/eventpoll.c:SYSCALL_DEFINE4(epoll_ctl)`, `do_epoll_ctl`.
pub fn ctl(epfd: c_int, op: c_int, fd: c_int, event: *const epoll_event) -> Outcome {
    let Some(_guard) = context::enter() else { return Outcome::Kernel };
    ctl_inside(epfd, op, fd, event)
}

/// `ctl` for a thread that is already inside.
pub fn ctl_inside(epfd: c_int, op: c_int, fd: c_int, event: *const epoll_event) -> Outcome {
    let event = match op {
        EPOLL_CTL_DEL => Ok(EpollEvent::default()),
        _ => read_event(event),
    };
    let _adding = stacks::of_ctl(op);
    Outcome::Done(event.and_then(|event| checked_ctl(FdRef::of(epfd), op, FdRef::of(fd), event)))
        .or_kernel(epfd)
}

fn checked_ctl(epfd: FdRef, op: c_int, fd: FdRef, event: EpollEvent) -> Result<i32, Errno> {
    if let Some(done) = fast_ctl(epfd, op, fd, event) {
        return done.map(|()| 0);
    }
    if epfd.is_ours() || fd.is_ours() {
        return Err(Errno::EBADF);
    }
    let set = set_behind(epfd)?;
    let ep = set.as_ref().and_then(|set| set.0.eventpoll());
    match target_of(ep, op, fd) {
        Ok((ep, Held(target))) => {
            drain_wakeups(ep, op);
            ep.ctl(op, &target, fd.fd(), event)?;
            Ok(0)
        }
        Err(errno) => {
            if let Some(ep) = ep {
                ep.refuse(op, fd.fd(), event, errno);
            }
            Err(errno)
        }
    }
}

/// The file that an epoll_ctl names, held: if another thread closes it meanwhile, the release removes the new item.
fn target_of(ep: Option<&Arc<Eventpoll>>, op: c_int, fd: FdRef) -> Result<(&Arc<Eventpoll>, Held), Errno> {
    if op == EPOLL_CTL_ADD && !alloc::has_room() {
        return Err(Errno::ENOMEM);
    }
    let known = fd.is_seen() || op != EPOLL_CTL_ADD && fd.is_watched();
    if !known {
        pollable::check(fd.fd())?;
    }
    let ep = ep.ok_or(Errno::EINVAL)?;
    let target = if known { fd.hold() } else { None };
    Ok((ep, target.map_or_else(|| fdtable::track(fd), Ok)?))
}

/// `ctl` for an fd whose provenance is known. None: the call takes the full path.
fn fast_ctl(epfd: FdRef, op: c_int, fd: FdRef, event: EpollEvent) -> Option<Result<(), Errno>> {
    if !fd.is_tracked_and_seen() {
        return None;
    }
    let by_fd = match op {
        EPOLL_CTL_ADD if !alloc::has_room() => return None,
        EPOLL_CTL_ADD => false,
        EPOLL_CTL_MOD => event.events & EPOLLEXCLUSIVE == 0,
        EPOLL_CTL_DEL => true,
        _ => return None,
    };
    fdtable::with_set(epfd, |ep| {
        if by_fd {
            drain_wakeups(ep, op);
            return ep.change(op, fd.fd(), |file| fdtable::is_behind(fd.fd(), file), event);
        }
        let Held(target) = &fd.hold()?;
        drain_wakeups(ep, op);
        Some(ep.ctl(op, target, fd.fd(), event))
    })?
}

/// Drains the signals that are pending before the set changes.
fn drain_wakeups(ep: &Eventpoll, op: c_int) {
    match process::WATCH.get() {
        // An outer set must see what became ready before the item goes.
        Some(watch) if ep.is_watched() => watch.drain_wakeups(),
        // What became ready earlier gets the earlier place on the ready list. Polled files are not asked here:
        // adding n of them would cost n² polls.
        Some(watch) if op != EPOLL_CTL_DEL && !ep.is_busy() => watch.drain_signals(),
        _ => {}
    }
}
