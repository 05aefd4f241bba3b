//! What we know of each number, in four bytes: a number that does not concern us costs one load.

use std::sync::atomic::{AtomicI32, AtomicU32, Ordering};

/// The table knows the file behind the number.
pub const TRACKED: u32 = 1;
/// It is an epoll descriptor of ours.
pub const EPOLL: u32 = 1 << 1;
/// It was there before us, or came from another process: its file is shared.
pub const INHERITED: u32 = 1 << 2;
/// It belongs to the shim and not to the program.
pub const OURS: u32 = 1 << 3;
/// The program's reads and writes on it are of interest.
pub const IO: u32 = 1 << 4;
/// It is an eventfd: its reads and writes are wakeups.
pub const EVENTFD: u32 = 1 << 5;
/// A socket without O_NONBLOCK: a read that sleeps on it hides a wakeup.
pub const BLOCKING: u32 = 1 << 6;
/// The program is closing the number: it is not to be tracked anew before that is done.
pub const CLOSING: u32 = 1 << 7;
/// The program's refused writes on it are of interest.
pub const ROOM: u32 = 1 << 8;
/// The file behind it has, or had, more than one number.
pub const MANY: u32 = 1 << 9;
/// Its whole life was seen: who made it, that no other process has it, and that the program takes no
/// signals from it. Nothing need be asked of the kernel to watch it.
pub const SEEN: u32 = 1 << 10;
/// With `SEEN`, before it is tracked: it has O_NONBLOCK.
pub const NONBLOCK: u32 = 1 << 11;
/// What kind of file it is, a number of `provenance`; 0 is unknown.
pub const KIND: u32 = 0xf << 12;
/// Where `KIND` begins.
pub const KIND_SHIFT: u32 = 12;
/// `identity` knows the file behind it.
pub const IDENTIFIED: u32 = 1 << 16;
/// Reads of it, and writes that are refused, leave hints (`drain_hints`).
pub const HINT: u32 = 1 << 17;

/// An inherited number that was asked which file it stands for.
pub const ASKED: u32 = 1 << 18;

/// What is known of every number that the program makes; by itself it concerns no call but those that
/// close, duplicate and steer.
pub const PROVENANCE: u32 = SEEN | NONBLOCK | KIND;

/// Linux: `NR_OPEN`, the highest RLIMIT_NOFILE by default.
pub const NR_OPEN: usize = 1 << 20;

static FLAGS: [AtomicU32; NR_OPEN] = [const { AtomicU32::new(0) }; NR_OPEN];

/// No number above this one ever had flags, but for ours.
#[link_section = "glasspoll_fork"]
static HIGHEST: AtomicI32 = AtomicI32::new(-1);

pub(super) fn word(fd: i32) -> Option<&'static AtomicU32> {
    FLAGS.get(usize::try_from(fd).ok()?)
}

/// Where a number's flags were last written: the epoch of the process. What was written in an earlier one is its
/// parent's.
const EPOCH: u32 = 0xff << 24;

/// The epoch of this process, if it is a forked child that has not yet looked which numbers it inherited; else 0. Then
/// every number of which it has not written itself is one it inherited, and a fork costs nothing for any of them.
#[link_section = "glasspoll_fork"]
static FORKED: AtomicU32 = AtomicU32::new(0);

/// The last epoch there was.
#[link_section = "glasspoll_fork"]
static LAST_EPOCH: AtomicU32 = AtomicU32::new(0);

/// What the flags of a number mean in this process.
#[inline]
fn as_of(epoch: u32, written: u32) -> u32 {
    let bits = written & !EPOCH;
    if epoch == 0 || written & EPOCH == epoch || bits & OURS != 0 {
        bits
    } else {
        // What kind of file it is stays true.
        bits & !(SEEN | NONBLOCK) | INHERITED
    }
}

/// This process is a forked child: all numbers are inherited.
pub(super) fn forked() {
    let mut epoch = LAST_EPOCH.load(Ordering::Relaxed).wrapping_add(1 << 24) & EPOCH;
    if epoch == 0 {
        // It was given before. What was written then is an ancestor's as well.
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

/// Whether each number that was not written is taken for inherited.
pub(super) fn takes_all_for_inherited() -> bool {
    FORKED.load(Ordering::SeqCst) != 0
}

/// From now on the flags say which numbers are inherited: `find` has it written of those that are.
pub(super) fn write_inherited(find: impl FnOnce()) {
    let is_known = |fd: &i32| word(*fd).is_some_and(|word| word.load(Ordering::Acquire) != 0);
    all_fds().filter(is_known).for_each(|fd| set(fd, 0));
    find();
    FORKED.store(0, Ordering::SeqCst);
}

/// What we know of a number.
#[inline]
pub fn flags(fd: i32) -> u32 {
    word(fd).map_or(0, |word| as_of(FORKED.load(Ordering::Relaxed), word.load(Ordering::Acquire)))
}

/// The highest number that ever had flags; our own numbers do not count.
pub(super) fn highest() -> i32 {
    HIGHEST.load(Ordering::Acquire)
}

/// All numbers that ever had flags.
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

/// The number is ours: above those of the program, so it does not count for `all_fds`.
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

/// The number, of which the flags were `before`, stands for a new file, of which this is known.
#[inline]
pub(super) fn renew(fd: i32, before: u32, bits: u32) -> bool {
    raise(fd);
    word(fd).is_some_and(|word| write(word, |now| (now == before).then_some(bits)))
}

/// Changes the flags of a number to what `change` makes of them, unless that is None.
pub(super) fn change(fd: i32, change: impl FnMut(u32) -> Option<u32>) -> bool {
    let Some(word) = word(fd) else { return false };
    raise(fd);
    write(word, change)
}
