//! Numbers whose life is seen from the call that made them (`SEEN`): what kind of file it is, and what the
//! program changed of its state since.

use std::sync::atomic::{fence, AtomicBool, AtomicU32, Ordering};

use glasspoll_reactor::sys;
use glasspoll_reactor::watch::{KernelFile, Nature};
use libc::c_int;

use super::flags::{
    change, flags, numbers, renew, set, slot, EPOLL, EVENTFD, KIND, KIND_SHIFT, NONBLOCK, OURS, SEEN, TRACKED,
};
use super::{forget, get, identity, note_blocking};
use crate::interpose::guarded;
use crate::process::{self, reserved_fds};
use crate::thread::{context, fork_page};

/// A kind of file that a call makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Kind {
    Unknown,
    InetStream,
    InetDgram,
    UnixStream,
    UnixDgram,
    Pipe,
    Eventfd,
    Timerfd,
    /// Known to be none of those.
    Other,
}

impl Kind {
    const ALL: [Kind; 9] = [
        Kind::Unknown,
        Kind::InetStream,
        Kind::InetDgram,
        Kind::UnixStream,
        Kind::UnixDgram,
        Kind::Pipe,
        Kind::Eventfd,
        Kind::Timerfd,
        Kind::Other,
    ];

    fn bits(self) -> u32 {
        (self as u32) << KIND_SHIFT
    }

    /// That of a number of which `flags` are known.
    pub fn of(flags: u32) -> Self {
        Self::ALL.get(((flags & KIND) >> KIND_SHIFT) as usize).copied().unwrap_or(Kind::Other)
    }

    /// That of a socket.
    pub fn of_socket(domain: c_int, kind: c_int) -> Self {
        match (domain, kind & !(libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC)) {
            (libc::AF_INET | libc::AF_INET6, libc::SOCK_STREAM) => Kind::InetStream,
            (libc::AF_INET | libc::AF_INET6, libc::SOCK_DGRAM) => Kind::InetDgram,
            (libc::AF_UNIX, libc::SOCK_STREAM) => Kind::UnixStream,
            (libc::AF_UNIX, libc::SOCK_DGRAM) => Kind::UnixDgram,
            _ => Kind::Other,
        }
    }

    pub(super) fn is_socket(self) -> bool {
        self.nature().is_some() && !matches!(self, Kind::Pipe | Kind::Eventfd | Kind::Timerfd)
    }

    /// As its device has it; None where it must be asked.
    pub(super) fn nature(self) -> Option<Nature> {
        match self {
            Kind::InetStream => Some(Nature::InetStream),
            Kind::InetDgram => Some(Nature::InetDgram),
            Kind::UnixStream => Some(Nature::Stream),
            Kind::UnixDgram => Some(Nature::Dgram),
            Kind::Pipe => Some(Nature::Pipe),
            Kind::Eventfd => Some(Nature::Eventfd),
            Kind::Timerfd => Some(Nature::Timerfd),
            Kind::Unknown | Kind::Other => None,
        }
    }
}

/// This process has made an eventfd or a timerfd.
#[link_section = "glasspoll_fork"]
static MADE_COUNTER: AtomicBool = AtomicBool::new(false);

/// Whose child an eventfd may come to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Heir {
    /// One that has all of this process's files.
    Child,
    /// A program that has those that are not closed on exec, or are copied.
    Program,
}

/// How many of each are being made just now: an eventfd that is made meanwhile may be theirs, too.
#[link_section = "glasspoll_fork"]
static UNDER_WAY: [AtomicU32; 2] = [const { AtomicU32::new(0) }; 2];
/// Counts those that were made: an eventfd that was made while one was may be its, too.
#[link_section = "glasspoll_fork"]
static MADE: [AtomicU32; 2] = [const { AtomicU32::new(0) }; 2];

/// How many heirs there were.
pub fn heirs() -> [u32; 2] {
    [Heir::Child, Heir::Program].map(|heir| MADE[heir as usize].load(Ordering::SeqCst))
}

/// Whether an eventfd made with `flags` since there were so many heirs may be theirs, too. It is known by its number.
pub fn has_heir_since(before: [u32; 2], flags: c_int) -> bool {
    fence(Ordering::SeqCst);
    // In this order: who is made meanwhile is counted before he is under way no more.
    let under_way =
        [Heir::Child, Heir::Program].map(|heir| UNDER_WAY[heir as usize].load(Ordering::SeqCst) != 0);
    let now = heirs();
    let may = |heir: Heir| under_way[heir as usize] || now[heir as usize] != before[heir as usize];
    may(Heir::Child) || flags & libc::EFD_CLOEXEC == 0 && may(Heir::Program)
}

/// An heir is about to be made, and what is there is shared with it.
pub fn heir_begins(heir: Heir) {
    if process::is_vfork_child() {
        return;
    }
    UNDER_WAY[heir as usize].fetch_add(1, Ordering::SeqCst);
    fence(Ordering::SeqCst);
}

/// It is made, or has failed.
pub fn heir_made(heir: Heir) {
    if process::is_vfork_child() {
        return;
    }
    MADE[heir as usize].fetch_add(1, Ordering::SeqCst);
    // In a child this may have been forgotten before.
    let _ = UNDER_WAY[heir as usize]
        .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |count| count.checked_sub(1));
}

/// In a forked child, whose own heirs count.
pub(super) fn forked() {
    UNDER_WAY.iter().for_each(|count| count.store(0, Ordering::SeqCst));
}

/// There is a child, or is about to be, that has all eventfds as well.
pub fn share_counters() {
    MADE[Heir::Child as usize].fetch_add(1, Ordering::SeqCst);
    if MADE_COUNTER.swap(false, Ordering::SeqCst) {
        numbers().for_each(share_counter);
    }
}

/// Numbers of which a spawned program is to have a copy, closed on exec or not. They are not taken back: the actions that
/// say so may be used again.
static COPIED: [AtomicU32; 2048] = [const { AtomicU32::new(0) }; 2048];

fn copied(fd: c_int) -> Option<(&'static AtomicU32, u32)> {
    let fd = fd as u32;
    COPIED.get((fd / 32) as usize).map(|word| (word, 1 << (fd % 32)))
}

/// Programs that will be spawned may have a copy of this number.
pub fn will_be_copied(fd: c_int) {
    if let Some((word, bit)) = copied(fd) {
        word.fetch_or(bit, Ordering::SeqCst);
    }
}

/// Another program is about to start that has those eventfds as well that are not closed on exec, or are copied.
pub fn share_kept_counters() {
    MADE[Heir::Program as usize].fetch_add(1, Ordering::SeqCst);
    if MADE_COUNTER.load(Ordering::SeqCst) {
        let is_kept = |fd: &c_int| {
            is_counter(*fd)
                && (sys::fcntl(*fd, libc::F_GETFD, 0).is_ok_and(|all| all & libc::FD_CLOEXEC == 0)
                    // Of those above nobody keeps count.
                    || copied(*fd).is_none_or(|(word, bit)| word.load(Ordering::SeqCst) & bit != 0))
        };
        numbers().filter(is_kept).for_each(share_counter);
    }
}

fn is_counter(fd: c_int) -> bool {
    let known = flags(fd);
    known & EVENTFD != 0 || known & SEEN != 0 && Kind::of(known) == Kind::Timerfd
}

/// Another process may have the file behind this number from now on. Only an eventfd or a timerfd changes by that.
pub fn share_counter(fd: c_int) {
    if !is_counter(fd) {
        return;
    }
    lost_sight(fd);
    if context::is_early_child() {
        // Once settled, this process counts all its files as shared.
        return;
    }
    if let Some(device) = get(fd).as_ref().and_then(|file| file.device_as::<KernelFile>()) {
        device.share_counter();
    }
}

/// The program made a descriptor. Nothing but a store in the usual case.
#[inline]
pub fn born(fd: c_int, kind: Kind, nonblocking: bool) {
    if slot(fd).is_none() || process::is_inert() || process::is_vfork_child() {
        return;
    }
    if fork_page::was_forked() {
        // What is written now is this child's own.
        guarded((), || drop(context::enter_as_is()));
    }
    let seen = if kind.nature().is_some() { SEEN } else { 0 };
    let nonblock = if nonblocking { NONBLOCK } else { 0 };
    let eventfd = if kind == Kind::Eventfd { EVENTFD } else { 0 };
    let is_counter = matches!(kind, Kind::Eventfd | Kind::Timerfd);
    let bits = seen | nonblock | eventfd | kind.bits();
    loop {
        let before = flags(fd);
        if before & (TRACKED | EPOLL | OURS) != 0 {
            if !give_up(fd) {
                return;
            }
        } else if renew(fd, before, bits) {
            // Else another thread adds the number before the call that made it has returned.
            if is_counter {
                MADE_COUNTER.store(true, Ordering::SeqCst);
            }
            reserved_fds::keep_clear_of(fd);
            return;
        }
    }
}

/// Forgets what was known of a number that was closed behind our back. False: it is ours, or another
/// thread was so fast as to track the new file already.
#[cold]
fn give_up(fd: c_int) -> bool {
    guarded(false, || {
        let Some(_guard) = context::enter_as_is() else { return false };
        let is_new = identity::get(fd).is_some_and(|known| identity::ask(fd) == Ok(known));
        if is_new || flags(fd) & OURS != 0 {
            return false;
        }
        forget(fd);
        true
    })
}

/// The kind of a listening socket, and so of what it accepts. Asked once where it is not known.
pub fn kind_of(fd: c_int) -> Kind {
    match Kind::of(flags(fd)) {
        Kind::Unknown => {
            let option = |name| sys::getsockopt(fd, libc::SOL_SOCKET, name).unwrap_or(-1);
            let kind = Kind::of_socket(option(libc::SO_DOMAIN), option(libc::SO_TYPE));
            set(fd, kind.bits());
            kind
        }
        kind => kind,
    }
}

/// Whether the number can be trusted no more: it is asked again when it is next added.
pub fn lost_sight(fd: c_int) {
    if flags(fd) & SEEN != 0 {
        change(fd, |now| Some(now & !(SEEN | NONBLOCK)));
    }
}

/// The program changed the mode of a number whose life is seen.
pub fn note_mode(fd: c_int, nonblocking: bool) {
    let changed = change(fd, |now| {
        let mode = if nonblocking { NONBLOCK } else { 0 };
        (now & SEEN != 0).then_some(now & !NONBLOCK | mode)
    });
    // Looked at after that: who tracks it meanwhile has found the new mode, or is found here.
    if changed && flags(fd) & TRACKED != 0 {
        guarded((), || {
            let Some(_guard) = context::enter_as_is() else { return };
            note_blocking(fd);
        });
    }
}
