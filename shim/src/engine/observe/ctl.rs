//! epoll_ctl(2) on a set of the kernel's.

use std::sync::Arc;

use glasspoll_reactor::eventpoll::Eventpoll;
use glasspoll_reactor::sys::Errno;
use glasspoll_reactor::uapi::{EpollEvent, EPOLL_CTL_ADD};
use libc::{c_int, c_long, epoll_event};

use super::{is_off, with_set};
use crate::errno::{answer, errno};
use crate::fdtable::{self, FdRef, Held};
use crate::process::stacks;
use crate::thread::context;

/// epoll_ctl(2), which `call` makes.
pub fn ctl(
    epfd: c_int,
    op: c_int,
    fd: c_int,
    event: *const epoll_event,
    call: &mut dyn FnMut() -> c_long,
) -> c_long {
    if is_off() {
        return call();
    }
    let Some(guard) = context::enter() else { return call() };
    let Some(set) = with_set(epfd, Arc::clone) else {
        drop(guard);
        return call();
    };
    let adding = stacks::of_ctl(op);
    let result = follow(&set, op, fd, event, call);
    drop(adding);
    // It restores errno to what it was before the call.
    drop(guard);
    answer(result.map(|()| 0)).into()
}

fn follow(
    set: &Arc<Eventpoll>,
    op: c_int,
    fd: c_int,
    event: *const epoll_event,
    call: &mut dyn FnMut() -> c_long,
) -> Result<(), Errno> {
    // SAFETY: the kernel has just read it.
    let event = || unsafe { event.cast::<EpollEvent>().read_unaligned() };
    let target = target_of(op, fd);
    let target = target.as_ref().map(|held| &*held.0);
    set.follow_ctl(op, target, fd, event, || match call() {
        0.. => Ok(()),
        _ => Err(Errno::new(errno())),
    })
}

/// The file behind `fd`, if it is open.
fn target_of(op: c_int, fd: c_int) -> Option<Held> {
    let fd = FdRef::of(fd);
    let known = if fd.is_seen() || op != EPOLL_CTL_ADD { fd.hold() } else { None };
    known.or_else(|| fdtable::track(fd).ok())
}
