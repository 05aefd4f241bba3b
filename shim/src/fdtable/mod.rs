//! The descriptor table: which file is behind which fd, as far as it concerns us.
//!
//! An fd is tracked from its first ADD to a set, or its first dup, until a close that we see. If we see the call that
//! makes an fd (`provenance`), we know everything about it from then on, and tracking it needs no system call.
//!
//! Locks: an entry or a shard of a map is taken for a look-up only; no lock of the reactor is taken under them.

mod closing;
pub mod drain_hints;
mod early;
mod entries;
mod flags;
mod identity;
mod inherited;
mod inheritors;
mod last_set;
pub mod pollable;
mod provenance;
mod tables;

pub use closing::{
    all_made, close, close_untracked, closing, held_eventpoll, making, may_be_epoll, none_made_since,
    replacing, Closing,
};
pub use early::take_all as take_put_by;
use entries::FileRef;
use flags::{all_fds, change, set, set_ours, unset, word, CLOSING, MANY, NONBLOCK};
pub use flags::{
    flags, BLOCKING, EPOLL, EVENTFD, HINT, INHERITED, IO, NR_OPEN, OURS, PROVENANCE, ROOM, SEEN, TRACKED,
};
use inherited::enter_siblings;
pub use inherited::{find_inherited, is_armed_elsewhere, mark_inherited, received, sent};
pub use inheritors::{
    has_inheritor_since, inheritor_begins, inheritor_made, inheritors, share_counter, share_counters,
    share_kept_counters, will_be_copied, Inheritor,
};
pub use last_set::{forget_set, with_set};
pub use provenance::{kind_of, lost_sight, note_made, note_mode, FdKind};

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;

use glasspoll_reactor::eventpoll::Eventpoll;
use glasspoll_reactor::file::{self, Device, File};
use glasspoll_reactor::sys::{self, Errno};
use glasspoll_reactor::watch::{KernelFile, Ownership};
use glasspoll_record::event::Event;

use crate::process::{self, record, reserved_fds};
use crate::thread::context;
use closing::wait_for_close;

static ANY_EPOLL: AtomicBool = AtomicBool::new(false);

/// Whether this process has ever had an epoll instance.
#[inline]
pub fn any_epoll() -> bool {
    ANY_EPOLL.load(Ordering::Relaxed)
}

/// In a forked child.
pub fn forked() {
    closing::forked();
    inheritors::forked();
    flags::forked();
}

/// Marks a descriptor as ours.
pub fn protect(fd: i32) {
    set_ours(fd);
    reserved_fds::is_at(fd);
}

/// Takes that mark off.
pub fn unprotect(fd: i32) {
    unset(fd, OURS);
}

/// The file behind a tracked fd.
pub fn get(fd: i32) -> Option<Arc<File>> {
    if flags(fd) & TRACKED == 0 {
        return None;
    }
    entries::get(fd)
}

/// Enters a new epoll instance.
pub fn insert_eventpoll(fd: i32) {
    forget(fd);
    loop {
        // Another thread's close has freed the fd, but may not be done with the table.
        wait_for_close(fd);
        let file = File::new(fd, file::Backing::Epoll(Eventpoll::new(fd)));
        if enter(fd, file, |_| Some(EPOLL)).is_ok() || flags(fd) & OURS != 0 || word(fd).is_none() {
            break;
        }
    }
    ANY_EPOLL.store(true, Ordering::Relaxed);
}

/// Enters a file under an fd. `bits` makes the new flags from the old ones. Both change under the entry's lock, so a
/// thread that finds the file finds the flags.
///
/// # Errors
/// EBADF if the fd is being closed, or `bits` returns None.
fn enter(fd: i32, file: Arc<File>, bits: impl Fn(u32) -> Option<u32>) -> Result<Arc<File>, Errno> {
    let bits = |now: u32| bits(now).filter(|_| now & (OURS | CLOSING) == 0).map(|bits| now | TRACKED | bits);
    match entries::enter(fd, FileRef::first(file.clone()), || change(fd, bits)) {
        Ok(()) => Ok(file),
        // Another thread was faster.
        Err(Some(other)) => Ok(other),
        Err(None) => Err(Errno::EBADF),
    }
}

/// The file behind an open fd, which is tracked from now on.
///
/// # Errors
/// EBADF if the fd is not open.
pub fn track(fd: i32) -> Result<Arc<File>, Errno> {
    if flags(fd) & EPOLL != 0 {
        return get(fd).ok_or(Errno::EBADF);
    }
    wait_for_close(fd);
    track_seen(fd).map_or_else(|| track_unseen(fd), Ok)
}

/// An fd of known provenance: asks the kernel nothing.
fn track_seen(fd: i32) -> Option<Arc<File>> {
    let known = flags(fd);
    if known & SEEN == 0 {
        return None;
    }
    if known & TRACKED != 0 {
        return get(fd);
    }
    let kind = FdKind::of(known);
    let device = KernelFile::of_kind(fd, kind.device_kind()?);
    let file = File::new(fd, file::Backing::Kernel(device));
    let bits = |now: u32| {
        let blocking = if kind.is_socket() && now & NONBLOCK == 0 { BLOCKING } else { 0 };
        let eventfd = if kind == FdKind::Eventfd { IO } else { 0 };
        (now & SEEN != 0).then_some(blocking | eventfd)
    };
    enter(fd, file, bits).ok()
}

fn track_unseen(fd: i32) -> Result<Arc<File>, Errno> {
    let stat = match sys::fstat(fd) {
        Err(errno) if errno != Errno::EBADF => return track_unknown(fd),
        stat => stat?,
    };
    let identity = (stat.st_dev, stat.st_ino);
    if let Some(file) = get(fd) {
        match identity::get(fd) {
            Some(known) if known != identity => {}
            known => {
                if known.is_none() {
                    identity::note(fd, identity);
                }
                return Ok(file);
            }
        }
    }
    if flags(fd) & TRACKED != 0 {
        // It was closed unseen.
        forget(fd);
    }
    if flags(fd) & (OURS | CLOSING) != 0 || word(fd).is_none() {
        return Err(Errno::EBADF);
    }
    let status = match sys::fcntl(fd, libc::F_GETFL, 0) {
        // Refused (by seccomp, say): assume that it has both.
        Err(errno) if errno != Errno::EBADF => libc::O_ASYNC | libc::O_NONBLOCK,
        status => status?,
    };
    // With O_ASYNC the program takes signals from it itself.
    let shared = flags(fd) & INHERITED != 0 || status & libc::O_ASYNC != 0;
    let ownership = if shared { Ownership::Shared } else { Ownership::Alone };
    let kind = stat.st_mode & libc::S_IFMT;
    let eventfd = if kind == 0 && is_eventfd(fd) { EVENTFD | IO } else { 0 };
    let blocking = if kind == libc::S_IFSOCK && status & libc::O_NONBLOCK == 0 { BLOCKING } else { 0 };
    let device = KernelFile::new(fd, ownership);
    if kind == libc::S_IFCHR {
        device.look_for_terminal();
    }
    let file = File::new(fd, file::Backing::Kernel(device));
    let file = enter(fd, file, |_| Some(eventfd | blocking))?;
    if identity::get(fd).is_none() {
        identity::note(fd, identity);
    }
    if flags(fd) & INHERITED != 0 {
        enter_siblings(fd, identity);
    }
    Ok(file)
}

/// An fd about which the kernel refuses to say anything. It is polled, whatever it is.
fn track_unknown(fd: i32) -> Result<Arc<File>, Errno> {
    if let Some(file) = get(fd) {
        return Ok(file);
    }
    if flags(fd) & (OURS | CLOSING) != 0 || word(fd).is_none() {
        return Err(Errno::EBADF);
    }
    let eventfd = if is_eventfd(fd) { EVENTFD | IO } else { 0 };
    let file = File::new(fd, file::Backing::Kernel(KernelFile::new(fd, Ownership::Shared)));
    enter(fd, file, |_| Some(eventfd))
}

fn is_eventfd(fd: i32) -> bool {
    if flags(fd) & EVENTFD != 0 {
        return true;
    }
    let path = format!("/proc/self/fd/{fd}\0");
    let mut link = [0u8; 64];
    let read = sys::readlink(path.as_bytes(), &mut link).unwrap_or(0);
    link[..read].starts_with(b"anon_inode:[eventfd]")
}

/// Finds out whether reads on the fd can sleep.
pub fn note_blocking(fd: i32) {
    let Some(file) = get(fd) else { return };
    if !sys::fstat(fd).is_ok_and(|stat| stat.st_mode & libc::S_IFMT == libc::S_IFSOCK) {
        return;
    }
    let nonblocking = sys::fcntl(fd, libc::F_GETFL, 0).is_ok_and(|flags| flags & libc::O_NONBLOCK != 0);
    for fd in fds_of(fd, &file) {
        if nonblocking {
            unset(fd, BLOCKING);
        } else {
            set(fd, BLOCKING);
        }
    }
}

/// Turns on the notes of reads and writes that the device wants, for all fds of its file.
pub fn note_io(device: &KernelFile) {
    let io = if device.wants_io() { IO } else { 0 };
    let room =
        if device.wants_refusals() { ROOM } else { 0 } | if device.wants_drain_hints() { HINT } else { 0 };
    let is_it = |file: &File| file.device_as::<KernelFile>().is_some_and(|other| std::ptr::eq(other, device));
    let own = device.pollfd().unwrap_or(-1);
    if get(own).is_some_and(|file| is_it(&file)) {
        set(own, io | room);
        // Read after the store: a concurrent dup either copies the new flags, or has set MANY.
        if flags(own) & MANY == 0 {
            return;
        }
    }
    for (fd, _) in files().into_iter().filter(|(_, file)| is_it(file)) {
        set(fd, io | room);
    }
}

/// The fds of a file; `fd` is or was one of them.
fn fds_of(fd: i32, file: &Arc<File>) -> Vec<i32> {
    if flags(fd) & (TRACKED | MANY) == TRACKED {
        return vec![fd];
    }
    all_fds().filter(|fd| flags(*fd) & TRACKED != 0 && entries::is(*fd, file)).collect()
}

/// `new` is another fd of `old`'s file.
pub fn duplicated(old: i32, new: i32) {
    if flags(new) & TRACKED != 0 {
        // It was closed unseen.
        forget(new);
    }
    if early::duplicated(old, new) {
        return;
    }
    if track(old).is_err() {
        return;
    }
    let Some(Held(file)) = Held::get(old) else { return };
    set(old, MANY);
    let bits = || flags(old) & !(OURS | CLOSING | flags::IDENTIFIED);
    if put_another(new, file, bits()) {
        // Flags that changed meanwhile.
        set(new, bits());
        if let Some(identity) = identity::get(old) {
            identity::note(new, identity);
        }
        record::note(Event::Dup { old, new });
    }
}

/// Enters another fd of a file.
fn put_another(fd: i32, file: FileRef, bits: u32) -> bool {
    entries::enter(fd, file, || change(fd, |now| Some(now & CLOSING | bits | MANY))).is_ok()
}

/// Whether we know the fd's provenance, and so need not ask the kernel about it.
pub fn is_seen(fd: i32) -> bool {
    flags(fd) & (SEEN | CLOSING) == SEEN
}

/// Whether it is also tracked, and no epoll descriptor. Then `is_behind` tells which file it is.
pub fn is_tracked_and_seen(fd: i32) -> bool {
    flags(fd) & (SEEN | TRACKED | CLOSING | EPOLL) == SEEN | TRACKED
}

/// Whether `fd` is one of this file.
pub fn is_behind(fd: i32, file: &Arc<File>) -> bool {
    entries::is(fd, file)
}

/// Whether some set has the file behind an fd. Such a file was checked when it was added.
pub fn is_watched(fd: i32) -> bool {
    get(fd).is_some_and(|file| !file.wait_head().is_empty())
}

/// A file that a call holds: it lives on if its last fd is closed meanwhile.
pub struct Held(pub FileRef);

impl Held {
    /// The file behind an fd. Linux: `fdget`.
    pub fn get(fd: i32) -> Option<Self> {
        if flags(fd) & TRACKED == 0 {
            return None;
        }
        entries::hold(fd).map(Self)
    }
}

/// The fd leaves its file.
pub fn forget(fd: i32) {
    let is_early = early::is_early();
    if is_early && flags(fd) & TRACKED == 0 {
        // We know only that it is inherited.
        identity::forget(fd);
        unset(fd, !(OURS | CLOSING));
        return;
    }
    if !is_early {
        // Another thread may be adopting. Until it is done, a change to a file may change the parent's.
        context::wait_for_adoption();
    }
    if !is_early && get(fd).is_some_and(|file| is_seen_from_outside(&file)) {
        // Outer sets must see what became ready before the file goes.
        if let Some(watch) = process::WATCH.get() {
            watch.drain_wakeups();
        }
    }
    identity::forget(fd);
    let mut many = false;
    let file = entries::take(fd, || {
        many = flags(fd) & MANY != 0;
        unset(fd, !(OURS | CLOSING));
    });
    match file {
        Some(file) if is_early => early::put_by(fd, file),
        Some(file) => end(fd, file, many),
        None => {}
    }
}

/// Drops the reference that an fd held. `many`: the file may have other fds.
fn end(fd: i32, file: FileRef, many: bool) {
    let Some(file) = file.end() else {
        record::note(Event::Close { fd, lives_as: -1, errno: 0 });
        return;
    };
    let mut lives_as = file.fd();
    if lives_as == fd {
        // If there is no other fd, a call holds the file, and will end it.
        let other = if many { fds_of(fd, &file).first().copied() } else { None };
        let other = other.unwrap_or(-1);
        lives_as = other;
        match file.device_as::<KernelFile>() {
            Some(device) => device.moved(&file, other),
            None => file.set_fd(other),
        }
    }
    record::note(Event::Close { fd, lives_as, errno: 0 });
}

/// Whether a set that has the file is watched by another set or a poll(2).
fn is_seen_from_outside(file: &File) -> bool {
    let items = file.wait_head().items();
    items.iter().any(|item| item.ep.upgrade().is_some_and(|ep| ep.is_watched()))
}

/// The fds from `first` to `last` of which we know something.
pub fn known(first: u32, last: u32) -> Vec<i32> {
    let inside = |fd: &i32| u32::try_from(*fd).is_ok_and(|fd| (first..=last).contains(&fd));
    let known = |fd: &i32| flags(*fd) & !CLOSING != 0 && flags(*fd) & OURS == 0;
    all_fds().filter(|fd| inside(fd) && known(fd)).collect()
}

/// All tracked fds, with their files.
pub fn files() -> Vec<(i32, Arc<File>)> {
    all_fds().filter_map(|fd| get(fd).map(|file| (fd, file))).collect()
}

/// How many of our own fds we protect from the program's closes by range, at most.
pub const MOST_OURS: usize = 1024;

/// The first of our own fds from `from` to `to`.
pub fn first_of_ours(from: u32, to: u32) -> Option<u32> {
    let _guard = context::enter_as_is();
    let ours = process::descriptors().into_iter().filter(|fd| flags(*fd) & OURS != 0);
    ours.filter_map(|fd| u32::try_from(fd).ok()).filter(|fd| (from..=to).contains(fd)).min()
}
