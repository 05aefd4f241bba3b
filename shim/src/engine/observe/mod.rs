//! The kernel's epoll, observed: each call goes to the kernel unchanged, and the record gets what the kernel answers.
//!
//! We keep the items of each set, to say which file an event is about. Nothing of the process changes: no signal, no
//! thread, no limit, no mode of a file. The record's memory is the one descriptor.
//!
//! The program's handlers may run on top of our frames, and a call of theirs then passes unrecorded
//! (`context::enter`).

mod ctl;
mod each_second;
mod existing;
mod wait;

pub use ctl::ctl;
pub use wait::{begins, returned};

use std::sync::Arc;

use glasspoll_reactor::eventpoll::Eventpoll;
use libc::{c_int, c_long};

use crate::fdtable::{self, pollable, FdRef};
use crate::process;
use crate::thread::context;
use crate::thread::guarded::guarded;

/// Whether calls are recorded: not in a process with privileges, and not in a child that has our memory, but other
/// descriptors.
fn is_off() -> bool {
    process::is_inert() || process::is_vfork_child()
}

/// epoll_create(2) and epoll_create1(2), which `call` makes.
pub fn create(call: &mut dyn FnMut() -> c_long) -> c_long {
    if is_off() {
        return call();
    }
    // Until it is in the table, another thread that uses its number waits.
    fdtable::making(|| {
        let made = call();
        if let Ok(fd @ 0..) = c_int::try_from(made) {
            guarded((), || {
                let Some(_guard) = context::enter() else { return };
                process::begin_observing();
                fdtable::insert_kernel_set(process::shared(), fd, false);
            });
        }
        made
    })
}

/// Runs `work` with what we keep of the kernel's set behind `epfd`. A set that we see for the first time came with an
/// exec, in a message, or by a call that we did not see. None: `epfd` is no set.
///
/// Preconditions: the thread is inside.
fn with_set<T>(epfd: c_int, work: impl Fn(&Arc<Eventpoll>) -> T) -> Option<T> {
    let known = || fdtable::with_set(FdRef::of(epfd), &work);
    known().or_else(|| {
        loop {
            let moment = fdtable::all_made();
            if let Some(done) = known() {
                return Some(done);
            }
            // Not while it is being closed: its number may belong to another file in a moment.
            if !pollable::is_kernel_epoll(epfd) || FdRef::of(epfd).is_closing() {
                return None;
            }
            // Otherwise it may be a set that another thread is making, or has closed since.
            if pollable::is_kernel_epoll(epfd) && fdtable::none_made_since(moment) {
                break;
            }
        }
        existing::enter(epfd);
        known()
    })
}

/// Begins to observe in the midst of the program's life: enters the sets that exist. Waits call `each_second`.
///
/// Preconditions: the thread is inside.
pub fn arrive(each_second: fn()) {
    each_second::set(Some(each_second));
    process::begin_observing();
    let is_set =
        |fd: &c_int| pollable::is_kernel_epoll(*fd) && fdtable::with_set(FdRef::of(*fd), |_| ()).is_none();
    fdtable::inherited_fds().into_iter().filter(is_set).for_each(existing::enter);
}

/// Ends that. Calls that come later pass by.
///
/// Preconditions: the thread is inside.
pub fn depart() {
    each_second::set(None);
    process::end_observing();
}
