//! What we know of each fd, in four bytes: an fd that does not concern us costs one load.
//!
//! Plain words and no `bitflags`: the same word holds a number (`KIND`) and the epoch of a process, and all of it
//! changes by one compare-and-swap.

use std::sync::atomic::{AtomicI32, AtomicU32, Ordering};

use super::tables;

/// The table knows the file behind it.
pub const TRACKED: u32 = 1;
/// It is an epoll descriptor of ours.
pub const EPOLL: u32 = 1 << 1;
/// It existed before us, or came from another process: its file is shared.
pub const INHERITED: u32 = 1 << 2;
/// It is the library's own, not the program's.
pub const OURS: u32 = 1 << 3;
/// We note the program's reads and writes on it.
pub const IO: u32 = 1 << 4;
/// It is an eventfd: its reads and writes are wakeups.
pub const EVENTFD: u32 = 1 << 5;
/// A socket without O_NONBLOCK: a read that sleeps on it hides a wakeup.
pub const BLOCKING: u32 = 1 << 6;
/// A thread is closing it: no other thread tracks it before the close is done.
pub const CLOSING: u32 = 1 << 7;
/// We note the program's refused writes on it.
pub const ROOM: u32 = 1 << 8;
/// The file behind it has, or had, more than one fd.
pub const MANY: u32 = 1 << 9;
/// Its provenance is known: we saw the call that made it, no other process has it, and the program takes no
/// signals from it. To watch it we ask the kernel nothing.
pub const SEEN: u32 = 1 << 10;
/// With `SEEN`: it has O_NONBLOCK, and had it from the start or since before it was tracked.
pub const NONBLOCK: u32 = 1 << 11;
/// The kind of its file, a `FdKind`; 0 is unknown.
pub const KIND: u32 = 0xf << 12;
/// The position of `KIND`.
pub const KIND_SHIFT: u32 = 12;
/// `identity` knows its file.
pub const IDENTIFIED: u32 = 1 << 16;
/// Reads of it, and writes that are refused, leave drain hints (`drain_hints`).
pub const HINT: u32 = 1 << 17;

/// It is inherited, and we asked the kernel which file it is.
pub const ASKED: u32 = 1 << 18;

/// It is an epoll descriptor of the kernel's, whose calls we record.
pub const KERNEL_SET: u32 = 1 << 19;

/// It came by accept(2) on a watched listener, or in a message, and the program has not touched it: its first use is
/// recorded (`record::facts`).
pub const BORN: u32 = 1 << 20;

/// What we know of every fd that the program makes. By itself it concerns only calls that close, duplicate or change
/// the fd.
pub const PROVENANCE: u32 = SEEN | NONBLOCK | KIND;

/// No fd above this one ever had flags, except our own.
#[link_section = "glasspoll_fork"]
static HIGHEST: AtomicI32 = AtomicI32::new(-1);

pub(super) fn word(fd: i32) -> Option<&'static AtomicU32> {
    tables::flags(usize::try_from(fd).ok()?)
}

/// The epoch of the process that last wrote an fd's flags. A process of an earlier epoch is an ancestor.
const EPOCH: u32 = 0xff << 24;

/// The epoch of this process, if it is a forked child that has not yet found out which fds it inherited; else 0. In
/// such a child every fd that it has not written itself counts as inherited, so a fork costs nothing per fd.
#[link_section = "glasspoll_fork"]
static FORKED: AtomicU32 = AtomicU32::new(0);

/// The last epoch in use.
#[link_section = "glasspoll_fork"]
static LAST_EPOCH: AtomicU32 = AtomicU32::new(0);

/// What the flags that were written in an epoch mean in this process.
#[inline]
fn as_of(epoch: u32, written: u32) -> u32 {
    let bits = written & !EPOCH;
    if epoch == 0 || written & EPOCH == epoch || bits & OURS != 0 {
        bits
    } else {
        // The kind of the file stays true.
        bits & !(SEEN | NONBLOCK) | INHERITED
    }
}

/// In a forked child: every fd is inherited.
pub(super) fn forked() {
    let mut epoch = LAST_EPOCH.load(Ordering::Relaxed).wrapping_add(1 << 24) & EPOCH;
    if epoch == 0 {
        // The epochs start anew. A word that already has this epoch is an ancestor's too, so all words lose theirs.
        epoch = 1 << 24;
        all_fds().for_each(|fd| {
            if let Some(word) = word(fd) {
                word.store(word.load(Ordering::Relaxed) & !EPOCH, Ordering::Relaxed);
            }
        });
    }
    LAST_EPOCH.store(epoch, Ordering::Relaxed);
    FORKED.store(epoch, Ordering::SeqCst);
}

/// Whether every fd that this process has not written counts as inherited.
pub(super) fn takes_all_for_inherited() -> bool {
    FORKED.load(Ordering::SeqCst) != 0
}

/// From now on the flags themselves say which fds are inherited. `find` writes that for those that are.
pub(super) fn write_inherited(find: impl FnOnce()) {
    let is_known = |fd: &i32| word(*fd).is_some_and(|word| word.load(Ordering::Acquire) != 0);
    all_fds().filter(is_known).for_each(|fd| set(fd, 0));
    find();
    FORKED.store(0, Ordering::SeqCst);
}

/// What we know of an fd.
#[inline]
pub fn flags(fd: i32) -> u32 {
    word(fd).map_or(0, |word| as_of(FORKED.load(Ordering::Relaxed), word.load(Ordering::Acquire)))
}

/// The highest fd that ever had flags; our own do not count.
pub(super) fn highest() -> i32 {
    HIGHEST.load(Ordering::Acquire)
}

/// All fds that ever had flags.
pub(super) fn all_fds() -> impl Iterator<Item = i32> {
    0..=highest()
}

#[inline]
pub(super) fn raise(fd: i32) {
    if HIGHEST.load(Ordering::Relaxed) < fd {
        HIGHEST.fetch_max(fd, Ordering::AcqRel);
    }
}

pub(super) fn set(fd: i32, bits: u32) {
    change(fd, |now| Some(now | bits));
}

/// Marks an fd as ours. Ours lie above the program's, and `all_fds` does not include them.
pub(super) fn set_ours(fd: i32) {
    if let Some(word) = word(fd) {
        word.fetch_or(OURS, Ordering::AcqRel);
    }
}

pub(super) fn unset(fd: i32, bits: u32) {
    if let Some(word) = word(fd) {
        write(word, |now| Some(now & !bits));
    }
}

fn write(word: &AtomicU32, mut change: impl FnMut(u32) -> Option<u32>) -> bool {
    let epoch = FORKED.load(Ordering::Acquire);
    let changed = |now| change(as_of(epoch, now)).map(|bits| bits | epoch);
    word.fetch_update(Ordering::AcqRel, Ordering::Acquire, changed).is_ok()
}

/// Gives an fd that belongs to a new file its flags, unless they are no longer `before`.
#[inline]
pub(super) fn renew(fd: i32, before: u32, bits: u32) -> bool {
    raise(fd);
    word(fd).is_some_and(|word| write(word, |now| (now == before).then_some(bits)))
}

/// Changes an fd's flags to what `change` returns; None leaves them.
pub(super) fn change(fd: i32, change: impl FnMut(u32) -> Option<u32>) -> bool {
    let Some(word) = word(fd) else { return false };
    raise(fd);
    write(word, change)
}
