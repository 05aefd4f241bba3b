//! An fd that is being closed. Meanwhile no thread takes it for the old file, or the next file for the old one.

use std::sync::atomic::AtomicU32;

use glasspoll_reactor::sys::{self, Errno};

use super::fd_ref::FdRef;
use super::flags::{all_fds, flags, renew, set, unset, CLOSING, EPOLL, INHERITED, OURS, TRACKED};
use super::leaving::leave;
use super::makers;
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
    if sleep_while(|| flags(fd) & CLOSING != 0) == Slept::TooLong {
        // The kernel frees the fd before anything that can take time.
        unset(fd, CLOSING);
    }
}

/// How a sleep ended.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Slept {
    /// The condition has ended.
    Enough,
    /// The condition still holds.
    TooLong,
}

/// Sleeps while `is_so` holds, in short steps, for a second at most.
pub(super) fn sleep_while(is_so: impl Fn() -> bool) -> Slept {
    static NEVER: AtomicU32 = AtomicU32::new(0);
    let mut patience = 20_000;
    while is_so() {
        if patience == 0 {
            return Slept::TooLong;
        }
        patience -= 1;
        let _ = sys::futex_wait(&NEVER, 0, Some(50_000));
    }
    Slept::Enough
}

/// In a forked child. The threads that were closing fds do not exist here.
pub(super) fn forked() {
    for fd in all_fds().filter(|fd| flags(*fd) & CLOSING != 0) {
        unset(fd, CLOSING);
    }
}

/// Runs a call that puts another file on `fd` and enters it in the table. Meanwhile an fd with flags counts as closing.
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

/// What happened to an fd of which we may know only its provenance.
pub enum Untracked {
    /// It was closed.
    Closed(Result<(), Errno>),
    /// Nothing yet: we know more about it.
    KnownMore,
}

/// Closes an fd of which we know only its provenance. It goes past libc, so no cancellation prevents the close.
pub fn close_untracked(fd: FdRef) -> Untracked {
    if fd.is(TRACKED | EPOLL | INHERITED | OURS | CLOSING) || process::is_vfork_child() {
        return Untracked::KnownMore;
    }
    // A thread that tracks the fd meanwhile has either changed the flags, or finds CLOSING.
    if !renew(fd.fd(), fd.flags(), CLOSING) {
        return Untracked::KnownMore;
    }
    makers::forget(fd.fd());
    let closed = sys::close(fd.fd());
    unset(fd.fd(), CLOSING);
    Untracked::Closed(closed)
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
    let fd = FdRef::of(fd);
    if fd.is_ours() {
        return Closing::NotOpen;
    }
    leave(fd);
    Closing::Yes
}
