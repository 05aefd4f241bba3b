//! Provenance: fds that we saw being made (`SEEN`), the kind of their file, and how the program has changed its mode
//! since.

use std::sync::atomic::{AtomicBool, Ordering};

use glasspoll_reactor::sys;
use libc::c_int;

use super::fd_kind::FdKind;
use super::flags::{change, flags, renew, set, unset, word, EPOLL, EVENTFD, NONBLOCK, OURS, SEEN, TRACKED};
use super::identity;
use super::leaving::forget;
use super::makers;
use super::notes::note_blocking;
use crate::process;
use crate::thread::guarded::guarded;
use crate::thread::{context, fork_page};

/// This process has made an eventfd or a timerfd.
#[link_section = "glasspoll_fork"]
pub(super) static MADE_COUNTER: AtomicBool = AtomicBool::new(false);

/// What becomes of an fd that the program made.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Made {
    /// Its provenance is known from now on.
    Noted,
    /// Nothing: we do not keep track here, the fd is ours, or another thread has already tracked the new file.
    Passed,
}

/// The program made an fd. Usually this is one store.
#[inline]
pub fn note_made(fd: c_int, kind: FdKind, nonblocking: bool) -> Made {
    if word(fd).is_none() || process::is_inert() || process::is_vfork_child() {
        return Made::Passed;
    }
    if fork_page::was_forked() {
        // Become an early child first: what is written after that is this child's own.
        guarded((), || drop(context::enter_as_is()));
    }
    let seen = if kind.device_kind().is_some() { SEEN } else { 0 };
    let nonblock = if nonblocking { NONBLOCK } else { 0 };
    let eventfd = if kind == FdKind::Eventfd { EVENTFD } else { 0 };
    let is_counter = matches!(kind, FdKind::Eventfd | FdKind::Timerfd);
    let bits = seen | nonblock | eventfd | kind.bits();
    loop {
        let before = flags(fd);
        if before & (TRACKED | EPOLL | OURS) != 0 {
            if give_up(fd) == GivenUp::No {
                return Made::Passed;
            }
        } else if renew(fd, before, bits) {
            // If `renew` fails, another thread added the fd to a set before the call that made it returned.
            if is_counter {
                MADE_COUNTER.store(true, Ordering::SeqCst);
            }
            makers::note(fd);
            return Made::Noted;
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum GivenUp {
    Yes,
    /// It is ours, or another thread has already tracked the new file.
    No,
}

/// Forgets an fd that was closed unseen.
#[cold]
fn give_up(fd: c_int) -> GivenUp {
    guarded(GivenUp::No, || {
        let Some(_guard) = context::enter_as_is() else { return GivenUp::No };
        let is_new = identity::get(fd).is_some_and(|known| identity::ask(fd) == Ok(known));
        if is_new || flags(fd) & OURS != 0 {
            return GivenUp::No;
        }
        forget(fd);
        GivenUp::Yes
    })
}

/// The kind of a listening socket, and so of the sockets that it accepts. Asks the kernel once if it is unknown.
pub fn kind_of(fd: c_int) -> FdKind {
    match FdKind::of(flags(fd)) {
        FdKind::Unknown => {
            let option = |name| sys::getsockopt(fd, libc::SOL_SOCKET, name).unwrap_or(-1);
            let kind = FdKind::of_socket(option(libc::SO_DOMAIN), option(libc::SO_TYPE));
            set(fd, kind.bits());
            kind
        }
        kind => kind,
    }
}

/// The fd's provenance no longer holds: the next ADD asks the kernel again.
pub fn lost_sight(fd: c_int) {
    if flags(fd) & SEEN != 0 {
        change(fd, |now| Some(now & !(SEEN | NONBLOCK)));
    }
}

/// The program changed the mode of a tracked fd: from now on the kernel is asked for it.
pub fn mode_changed(fd: c_int) {
    unset(fd, NONBLOCK);
}

/// The program changed the mode of an fd with known provenance.
pub fn note_mode(fd: c_int, nonblocking: bool) {
    let changed = change(fd, |now| {
        let mode = if nonblocking { NONBLOCK } else { 0 };
        (now & SEEN != 0).then_some(now & !NONBLOCK | mode)
    });
    // Read after the store: a thread that tracks the fd meanwhile either finds the new mode, or is found here.
    if changed && flags(fd) & TRACKED != 0 {
        guarded((), || {
            let Some(_guard) = context::enter_as_is() else { return };
            note_blocking(fd);
        });
    }
}
