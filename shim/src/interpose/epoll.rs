//! epoll_create(2), epoll_ctl(2), epoll_wait(2) and their kin.
//!
//! The checks stand in the kernel's order. Linux: `fs/eventpoll.c:do_epoll_create`,
//! `SYSCALL_DEFINE4(epoll_ctl)`, `do_epoll_wait`.

use std::sync::Arc;

use glasspoll_reactor::eventpoll::timeout::Timeout;
use glasspoll_reactor::eventpoll::Eventpoll;
use glasspoll_reactor::sys::{self, Errno, NSEC_PER_SEC};
use glasspoll_reactor::uapi::*;
use libc::{c_int, epoll_event, sigset_t, timespec};

use crate::fdtable::{self, pollable, FdRef, Held};
use crate::interpose::outcome::Outcome;
use crate::interpose::{answer, guarded, pthread_cancel};
use crate::memory::alloc;
use crate::memory::user_memory::{access_ok, read_event, read_u64, Events};
use crate::process;
use crate::thread::context::{self, Waiting};
use crate::thread::signal::ours;

/// Linux: `fs/eventpoll.c:do_epoll_create`.
pub fn create(flags: c_int) -> Outcome {
    process::start();
    let Some(_guard) = context::enter() else { return Outcome::Kernel };
    if flags & !libc::EPOLL_CLOEXEC != 0 {
        return Outcome::Done(Err(Errno::EINVAL));
    }
    if process::is_inert() {
        return Outcome::Kernel;
    }
    if !alloc::has_room() {
        return Outcome::Done(Err(Errno::ENOMEM));
    }
    fdtable::making(|| {
        // The program's fd comes first: if only one is left, the program gets it.
        let fd = match pollable::make_fd(flags) {
            Ok(fd) => fd,
            Err(errno) => return Outcome::Done(Err(errno)),
        };
        if process::watch().is_none() {
            let _ = sys::close(fd);
            return Outcome::Kernel;
        }
        fdtable::insert_eventpoll(process::shared(), fd);
        pollable::mark_as_set(fd);
        Outcome::Done(Ok(fd))
    })
}

/// Linux: `fs/eventpoll.c:SYSCALL_DEFINE1(epoll_create)`.
pub fn create_sized(size: c_int) -> Outcome {
    if size <= 0 {
        return Outcome::Done(Err(Errno::EINVAL));
    }
    create(0)
}

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

/// The epoll instance behind an fd. None: the fd is open, and is no epoll instance of ours.
fn set_behind(epfd: FdRef) -> Result<Option<Held>, Errno> {
    if let Some(set) = fdtable::held_eventpoll(epfd) {
        return Ok(Some(set));
    }
    loop {
        let moment = fdtable::all_made();
        let set = fdtable::held_eventpoll(FdRef::of(epfd.fd()));
        if set.is_some() {
            return Ok(set);
        }
        pollable::must_be_open(epfd.fd())?;
        // Otherwise the fd may belong to a new epoll instance: its eventfd exists, its table entry does not yet.
        if fdtable::none_made_since(moment) {
            return Ok(None);
        }
    }
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

impl Outcome {
    /// Turns EINVAL into `Kernel` if `epfd` is an epoll instance of the kernel's.
    ///
    /// Looks the fd up again: while the call waited, another thread may have made the instance.
    fn or_kernel(self, epfd: c_int) -> Self {
        match self {
            Outcome::Done(Err(Errno::EINVAL)) if fdtable::flags(epfd) & fdtable::EPOLL == 0 => {
                if pollable::is_kernel_epoll(epfd) {
                    return Outcome::Kernel;
                }
                if pollable::is_set_of_another(epfd) {
                    tracing::warn!(target: "glasspoll", epfd, "an epoll descriptor from before exec or of another process is no set here");
                }
                self
            }
            other => other,
        }
    }
}

/// The wait that all the calls share. `sigmask` may be null.
///
/// Linux: `fs/eventpoll.c:do_epoll_wait`, `do_epoll_pwait`.
pub fn wait(
    epfd: c_int,
    events: *mut epoll_event,
    maxevents: c_int,
    timeout: &mut Timeout,
    sigmask: *const u64,
) -> Outcome {
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

pub fn milliseconds(timeout: c_int) -> Option<u64> {
    u64::try_from(timeout).ok().map(|ms| ms * 1_000_000)
}

crate::hook! {
    unsafe fn epoll_create(size: c_int) -> c_int => hooked_create {
        match create_sized(size) {
            Outcome::Done(result) => answer(result),
            Outcome::Kernel => crate::real_call!(epoll_create(size)),
        }
    }
}

crate::hook! {
    unsafe fn epoll_create1(flags: c_int) -> c_int => hooked_create1 {
        match create(flags) {
            Outcome::Done(result) => answer(result),
            Outcome::Kernel => crate::real_call!(epoll_create1(flags)),
        }
    }
}

crate::hook! {
    unsafe fn epoll_ctl(epfd: c_int, op: c_int, fd: c_int, event: *mut epoll_event) -> c_int => hooked_ctl {
        match ctl(epfd, op, fd, event) {
            Outcome::Done(result) => answer(result),
            Outcome::Kernel => crate::real_call!(epoll_ctl(epfd, op, fd, event)),
        }
    }
}

/// The result of a wait, as the program gets it.
enum Answer {
    Value(c_int),
    Kernel,
}

/// Waits as a cancellation point.
///
/// # Safety
/// May unwind by force: neither this frame nor its callers' frames have destructors.
unsafe fn cancellable(
    epfd: c_int,
    events: *mut epoll_event,
    maxevents: c_int,
    timeout_ns: Option<u64>,
    sigmask: *const u64,
) -> Answer {
    // SAFETY: the caller's promise.
    match unsafe {
        pthread_cancel::point(timeout_ns, &mut |timeout| wait(epfd, events, maxevents, timeout, sigmask))
    } {
        Outcome::Done(result) => Answer::Value(answer(result)),
        Outcome::Kernel => Answer::Kernel,
    }
}

crate::interpose! {
    /// epoll_wait(2).
    fn epoll_wait(epfd: c_int, events: *mut epoll_event, maxevents: c_int, timeout: c_int) -> c_int |real| {
        // SAFETY: no destructor in this frame.
        match unsafe { cancellable(epfd, events, maxevents, milliseconds(timeout), std::ptr::null()) } {
            Answer::Value(value) => value,
            // SAFETY: libc's own function; no destructor in this frame.
            Answer::Kernel => unsafe { real()(epfd, events, maxevents, timeout) },
        }
    }
}

crate::interpose! {
    /// epoll_pwait(2).
    fn epoll_pwait(epfd: c_int, events: *mut epoll_event, maxevents: c_int, timeout: c_int, sigmask: *const sigset_t) -> c_int |real| {
        // SAFETY: no destructor in this frame.
        match unsafe { cancellable(epfd, events, maxevents, milliseconds(timeout), sigmask.cast()) } {
            Answer::Value(value) => value,
            // SAFETY: libc's own function; no destructor in this frame.
            Answer::Kernel => unsafe { real()(epfd, events, maxevents, timeout, sigmask) },
        }
    }
}

crate::interpose! {
    /// epoll_pwait2(2).
    fn epoll_pwait2(epfd: c_int, events: *mut epoll_event, maxevents: c_int, timeout: *const timespec, sigmask: *const sigset_t) -> c_int |real| {
        let timeout_ns = match guarded(Err(Errno::EFAULT), || nanoseconds(timeout)) {
            Ok(ns) => ns,
            Err(errno) => return answer(Err(errno)),
        };
        // SAFETY: no destructor in this frame.
        match unsafe { cancellable(epfd, events, maxevents, timeout_ns, sigmask.cast()) } {
            Answer::Value(value) => value,
            // SAFETY: libc's own function; no destructor in this frame.
            Answer::Kernel => unsafe { real()(epfd, events, maxevents, timeout, sigmask) },
        }
    }
}

/// Linux: `get_timespec64`, `poll_select_set_timeout`.
pub fn nanoseconds(timeout: *const timespec) -> Result<Option<u64>, Errno> {
    if timeout.is_null() {
        return Ok(None);
    }
    let sec = read_u64(timeout.cast())? as i64;
    let nsec = read_u64(timeout.cast::<u64>().wrapping_add(1))?;
    let sec = u64::try_from(sec).map_err(|_| Errno::EINVAL)?;
    if nsec >= NSEC_PER_SEC {
        return Err(Errno::EINVAL);
    }
    Ok(Some(sec.saturating_mul(NSEC_PER_SEC).saturating_add(nsec)))
}
