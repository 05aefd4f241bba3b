//! An fd that is being closed. Meanwhile no thread takes it for the old file, or the next file for the old one.

use std::sync::atomic::{AtomicU32, Ordering};

use glasspoll_reactor::sys::{self, Errno};

use super::flags::{all_fds, flags, renew, set, unset, CLOSING, EPOLL, INHERITED, OURS, TRACKED};
use super::{forget, Held};
use crate::process;
use crate::thread::context;

/// Whether the program may close an fd.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Closing {
    /// It may.
    Yes,
    /// The fd is ours: for the program it is not open.
    NotOpen,
}

/// Waits until no other thread is closing the fd. After that the fd may belong to a new file.
pub(super) fn wait_for_close(fd: i32) {
    if !sleep_while(|| flags(fd) & CLOSING != 0) {
        // The kernel frees the fd before anything that can take time.
        unset(fd, CLOSING);
    }
}

/// Sleeps while `is_so` holds, in short steps, for a second at most. False: it still holds.
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

/// In a forked child. The threads that were closing fds, or making epoll instances, do not exist here.
pub(super) fn forked() {
    for fd in all_fds().filter(|fd| flags(*fd) & CLOSING != 0) {
        unset(fd, CLOSING);
    }
    UNDER_WAY.store(0, Ordering::SeqCst);
}

/// Whether the fd may be an epoll descriptor: it is one, or another thread is closing it.
pub fn may_be_epoll(fd: i32) -> bool {
    flags(fd) & (EPOLL | CLOSING) != 0
}

/// The epoll instance behind an fd. If another thread is closing the fd, waits for that: the eventfd beneath stays
/// open a little longer, and the program does not mean that one.
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

/// How many epoll instances have an fd but no table entry yet.
#[link_section = "glasspoll_fork"]
static UNDER_WAY: AtomicU32 = AtomicU32::new(0);
/// Counts the calls of `making`.
static BEGUN: AtomicU32 = AtomicU32::new(0);

/// Makes an epoll instance and enters it.
pub fn making<T>(make: impl FnOnce() -> T) -> T {
    UNDER_WAY.fetch_add(1, Ordering::SeqCst);
    BEGUN.fetch_add(1, Ordering::SeqCst);
    let made = make();
    UNDER_WAY.fetch_sub(1, Ordering::SeqCst);
    made
}

/// Returns when every epoll instance that has an fd is in the table. The value is for `none_made_since`.
pub fn all_made() -> u32 {
    // Not for ever: this may be a child forked past libc that has not noticed that yet.
    sleep_while(|| UNDER_WAY.load(Ordering::SeqCst) != 0);
    BEGUN.load(Ordering::SeqCst)
}

/// Whether no epoll instance was begun since that moment.
pub fn none_made_since(moment: u32) -> bool {
    BEGUN.load(Ordering::SeqCst) == moment
}

/// Runs a call that puts another file on `fd` and enters it in the table. An fd with flags counts as closing meanwhile.
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

/// Closes an fd of which we know only its provenance. It goes past libc, so no cancellation prevents the close.
/// None: we know more about the fd.
pub fn close_untracked(fd: i32) -> Option<Result<(), Errno>> {
    let known = flags(fd);
    if known & (TRACKED | EPOLL | INHERITED | OURS | CLOSING) != 0 || process::is_vfork_child() {
        return None;
    }
    // A thread that tracks the fd now has either changed the flags, or finds CLOSING.
    if !renew(fd, known, CLOSING) {
        return None;
    }
    let closed = sys::close(fd);
    unset(fd, CLOSING);
    Some(closed)
}

/// Closes an fd that has flags. It goes past libc, so it is no cancellation point, and always closes.
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

/// Called before the program closes an fd that has flags.
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
