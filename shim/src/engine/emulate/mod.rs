//! Our own epoll: the reactor answers.
//!
//! The checks stand in the kernel's order. Linux: `fs/eventpoll.c:do_epoll_create`,
//! `SYSCALL_DEFINE4(epoll_ctl)`, `do_epoll_wait`.

mod cancellation;
mod ctl;
mod wait;

pub use cancellation::point;
pub use ctl::{ctl, ctl_inside};
pub use wait::wait;

use glasspoll_reactor::sys::{self, Errno};
use libc::c_int;

use super::Outcome;
use crate::fdtable::{self, pollable, FdRef, Held};
use crate::memory::alloc;
use crate::process;
use crate::thread::context;

/// Linux: `fs/eventpoll.c:do_epoll_create`.
pub fn create(flags: c_int) -> Outcome {
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
