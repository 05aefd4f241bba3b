//! A number that is being closed: nobody takes it for what it was, nor what comes after for that.

use std::sync::atomic::{AtomicU32, Ordering};

use glasspoll_reactor::sys::{self, Errno};

use super::flags::{all_fds, flags, renew, set, unset, CLOSING, EPOLL, INHERITED, OURS, TRACKED};
use super::{forget, Held};
use crate::process;
use crate::thread::context;

/// Whether a number may be closed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Closing {
    /// Go on.
    Yes,
    /// It is ours, and for the program not open.
    NotOpen,
}

/// A close of the number is under way in another thread: after it the number may stand for a new file.
pub(super) fn wait_for_close(fd: i32) {
    if !sleep_while(|| flags(fd) & CLOSING != 0) {
        // The kernel gives the number up before anything that can take time.
        unset(fd, CLOSING);
    }
}

/// Sleeps for short times while it is so, a second in all at the most. Whether it is so no more.
fn sleep_while(is_so: impl Fn() -> bool) -> bool {
    static NEVER: AtomicU32 = AtomicU32::new(0);
    let mut patience = 20_000;
    while is_so() {
        if patience == 0 {
            return false;
        }
        patience -= 1;
        let _ = sys::futex_wait(&NEVER, 0, Some(50_000));
    }
    true
}

/// In a forked child: the threads that were closing numbers, or making epoll instances, are not here.
pub(super) fn forked() {
    for fd in all_fds().filter(|fd| flags(*fd) & CLOSING != 0) {
        unset(fd, CLOSING);
    }
    UNDER_WAY.store(0, Ordering::SeqCst);
}

/// Whether an epoll descriptor may be behind the number: it is one, or what was there is just going.
pub fn may_be_epoll(fd: i32) -> bool {
    flags(fd) & (EPOLL | CLOSING) != 0
}

/// The epoll instance behind a number. One that is being closed is waited for, so that nobody takes the
/// eventfd beneath, which is open a little longer, for what the program means.
pub fn held_eventpoll(fd: i32) -> Option<Held> {
    let held = || Held::get(fd).filter(|held| held.0.eventpoll().is_some());
    held().or_else(|| {
        let going = flags(fd) & CLOSING != 0;
        wait_for_close(fd);
        if going {
            held()
        } else {
            None
        }
    })
}

/// How many epoll instances have a number and are not in the table yet.
#[link_section = "glasspoll_fork"]
static UNDER_WAY: AtomicU32 = AtomicU32::new(0);
/// How many were begun.
static BEGUN: AtomicU32 = AtomicU32::new(0);

/// Makes an epoll instance and enters it.
pub fn making<T>(make: impl FnOnce() -> T) -> T {
    UNDER_WAY.fetch_add(1, Ordering::SeqCst);
    BEGUN.fetch_add(1, Ordering::SeqCst);
    let made = make();
    UNDER_WAY.fetch_sub(1, Ordering::SeqCst);
    made
}

/// A moment when every epoll instance that has a number is in the table.
pub fn all_made() -> u32 {
    // Not for ever: this may be a child forked past libc that has not noticed yet.
    sleep_while(|| UNDER_WAY.load(Ordering::SeqCst) != 0);
    BEGUN.load(Ordering::SeqCst)
}

/// Whether that is still so.
pub fn none_made_since(moment: u32) -> bool {
    BEGUN.load(Ordering::SeqCst) == moment
}

/// Runs a call that puts another file on the number, which has flags, and enters it in the table.
pub fn replacing<T>(fd: i32, call: impl FnOnce() -> T) -> T {
    let known = flags(fd) != 0;
    if known {
        set(fd, CLOSING);
    }
    let done = call();
    if known {
        unset(fd, CLOSING);
    }
    done
}

/// Closes a number of which no more is known than what it stands for, past libc: so it is done for sure.
/// None: more is known.
pub fn close_untracked(fd: i32) -> Option<Result<(), Errno>> {
    let known = flags(fd);
    if known & (TRACKED | EPOLL | INHERITED | OURS | CLOSING) != 0 || process::is_vfork_child() {
        return None;
    }
    // Whoever tracks it meanwhile has changed the flags, or finds it closing.
    if !renew(fd, known, CLOSING) {
        return None;
    }
    let closed = sys::close(fd);
    unset(fd, CLOSING);
    Some(closed)
}

/// Closes a number that has flags, past libc: so it is no cancellation point, and is done for sure.
///
/// # Errors
/// As close(2).
pub fn close(fd: i32) -> Result<(), Errno> {
    set(fd, CLOSING);
    let closing = closing(fd);
    let closed = if closing == Closing::Yes { sys::close(fd) } else { Err(Errno::EBADF) };
    unset(fd, CLOSING);
    closed
}

/// The program is about to close a number that has flags.
pub fn closing(fd: i32) -> Closing {
    if process::is_vfork_child() {
        return Closing::Yes;
    }
    let Some(_guard) = context::enter_as_is() else { return Closing::Yes };
    if flags(fd) & OURS != 0 {
        return Closing::NotOpen;
    }
    forget(fd);
    Closing::Yes
}
