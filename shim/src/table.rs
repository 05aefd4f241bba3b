//! The descriptor table: which file is behind which number, as far as it concerns us.
//!
//! `flags` is two bytes for each possible number, so that a number that does not concern us costs one
//! load. The file behind a tracked number is in a map. A number is tracked from the first time it is
//! added to a set, or duplicated, until it is closed by any road that we see.
//!
//! Locks: the map's shards are taken for a look-up only; no lock of the reactor is taken under them.

mod inherited;

use inherited::enter_siblings;
pub use inherited::{is_armed_elsewhere, mark_inherited, received, sent};

use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU16, AtomicU32, Ordering};
use std::sync::Arc;

use dashmap::DashMap;
use glasspoll_reactor::eventpoll::{release_file, Eventpoll};
use glasspoll_reactor::file::{Device, File, Kind};
use glasspoll_reactor::sys::{self, Errno};
use glasspoll_reactor::watch::{KernelFile, Ownership};
use once_cell::sync::Lazy;

use crate::context;
use crate::runtime;

/// The map knows the file behind the number.
pub const TRACKED: u16 = 1;
/// It is an epoll descriptor of ours.
pub const EPOLL: u16 = 2;
/// It was there before us, or came from another process: its file is shared.
pub const INHERITED: u16 = 4;
/// It belongs to the shim and not to the program.
pub const OURS: u16 = 8;
/// The program's reads and writes on it are of interest.
pub const IO: u16 = 16;
/// It is an eventfd: its reads and writes are wakeups.
pub const EVENTFD: u16 = 32;

/// A socket without O_NONBLOCK: a read that sleeps on it hides a wakeup.
pub const BLOCKING: u16 = 64;

/// The program is closing the number: it is not to be tracked anew before that is done.
pub const CLOSING: u16 = 128;

/// The program's refused writes on it are of interest.
pub const ROOM: u16 = 256;

/// The file behind it has, or had, more than one number.
pub const MANY: u16 = 512;

/// Linux: `NR_OPEN`, the highest RLIMIT_NOFILE by default.
const NUMBERS: usize = 1 << 20;

static FLAGS: [AtomicU16; NUMBERS] = [const { AtomicU16::new(0) }; NUMBERS];

#[derive(Clone)]
struct Entry {
    file: Arc<File>,
    /// Device and inode at the time of tracking: a number that was closed behind our back and reused
    /// has another one, unless both are anonymous.
    identity: (u64, u64),
}

static ENTRIES: Lazy<DashMap<i32, Entry>> = Lazy::new(|| DashMap::with_shard_amount(16));

/// No number above this one is inherited.
static HIGHEST_INHERITED: AtomicI32 = AtomicI32::new(-1);

/// Whether there has been an epoll instance.
static ANY_EPOLL: AtomicBool = AtomicBool::new(false);

fn slot(fd: i32) -> Option<&'static AtomicU16> {
    FLAGS.get(usize::try_from(fd).ok()?)
}

/// What we know of a number.
#[inline]
pub fn flags(fd: i32) -> u16 {
    slot(fd).map_or(0, |slot| slot.load(Ordering::Acquire))
}

fn set(fd: i32, bits: u16) {
    if let Some(slot) = slot(fd) {
        slot.fetch_or(bits, Ordering::AcqRel);
    }
}

fn unset(fd: i32, bits: u16) {
    if let Some(slot) = slot(fd) {
        slot.fetch_and(!bits, Ordering::AcqRel);
    }
}

/// Whether there has been an epoll instance in this process.
#[inline]
pub fn any_epoll() -> bool {
    ANY_EPOLL.load(Ordering::Relaxed)
}

/// Marks a descriptor as ours.
pub fn protect(fd: i32) {
    set(fd, OURS);
}

/// It is ours no longer.
pub fn unprotect(fd: i32) {
    unset(fd, OURS);
}

/// The file behind a number, if it is tracked.
pub fn get(fd: i32) -> Option<Arc<File>> {
    if flags(fd) & TRACKED == 0 {
        return None;
    }
    ENTRIES.get(&fd).map(|entry| entry.file.clone())
}

/// Enters a new epoll instance.
pub fn insert_eventpoll(fd: i32) {
    forget(fd);
    let file = File::new(fd, Kind::Epoll(Eventpoll::new(fd)));
    ENTRIES.insert(fd, Entry { file, identity: (0, 0) });
    set(fd, TRACKED | EPOLL);
    ANY_EPOLL.store(true, Ordering::Relaxed);
}

/// The file behind an open number, tracked from now on.
///
/// # Errors
/// EBADF if the number is not open.
pub fn track(fd: i32) -> Result<Arc<File>, Errno> {
    if flags(fd) & EPOLL != 0 {
        return get(fd).ok_or(Errno::EBADF);
    }
    wait_for_close(fd);
    let stat = sys::fstat(fd)?;
    let identity = (stat.st_dev, stat.st_ino);
    if flags(fd) & TRACKED != 0 {
        if let Some(entry) = ENTRIES.get(&fd).map(|entry| entry.clone()) {
            if entry.identity == identity {
                return Ok(entry.file);
            }
        }
        forget(fd);
    }
    if flags(fd) & (OURS | CLOSING) != 0 || slot(fd).is_none() {
        return Err(Errno::EBADF);
    }
    let status = sys::fcntl(fd, libc::F_GETFL, 0)?;
    // With O_ASYNC the program has signals of its own on it.
    let shared = flags(fd) & INHERITED != 0 || status & libc::O_ASYNC != 0;
    let ownership = if shared { Ownership::Shared } else { Ownership::Alone };
    let anonymous = stat.st_mode & libc::S_IFMT == 0;
    let eventfd = if anonymous && is_eventfd(fd) { EVENTFD | IO } else { 0 };
    let file = match ENTRIES.entry(fd) {
        // Another thread was faster.
        dashmap::Entry::Occupied(entry) => return Ok(entry.get().file.clone()),
        dashmap::Entry::Vacant(place) => {
            let device = KernelFile::new(&runtime::WATCH, fd, ownership);
            if stat.st_mode & libc::S_IFMT == libc::S_IFCHR {
                device.look_for_terminal();
            }
            let file = File::new(fd, Kind::Device(Box::new(device)));
            let entry = place.insert(Entry { file, identity });
            // Before the shard's lock is dropped, so that whoever finds the entry finds the flag.
            set(fd, TRACKED | eventfd);
            entry.file.clone()
        }
    };
    if flags(fd) & INHERITED != 0 {
        enter_siblings(fd, &file, identity);
    }
    if stat.st_mode & libc::S_IFMT == libc::S_IFSOCK && status & libc::O_NONBLOCK == 0 {
        set(fd, BLOCKING);
    }
    Ok(file)
}

/// The program made an eventfd.
pub fn made_eventfd(fd: i32) {
    set(fd, EVENTFD);
}

/// A close of the number is under way in another thread: after it the number may stand for a new file.
fn wait_for_close(fd: i32) {
    static NEVER: AtomicU32 = AtomicU32::new(0);
    let mut patience = 2000;
    while flags(fd) & CLOSING != 0 {
        if patience == 0 {
            // The kernel gives the number up before anything that can take time; or this is a child,
            // and the thread that closed it is not here.
            return unset(fd, CLOSING);
        }
        patience -= 1;
        let _ = sys::futex_wait(&NEVER, 0, Some(50_000));
    }
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

/// Looks whether reads on the number can sleep.
pub fn note_blocking(fd: i32) {
    let socket = sys::fstat(fd).is_ok_and(|stat| stat.st_mode & libc::S_IFMT == libc::S_IFSOCK);
    let nonblocking = sys::fcntl(fd, libc::F_GETFL, 0).is_ok_and(|flags| flags & libc::O_NONBLOCK != 0);
    match get(fd) {
        Some(file) if socket => {
            for fd in numbers_of(&file) {
                if nonblocking {
                    unset(fd, BLOCKING);
                } else {
                    set(fd, BLOCKING);
                }
            }
        }
        _ => {}
    }
}

/// Has the program's reads and writes on the file's numbers noted.
pub fn note_io(device: &KernelFile) {
    let io = if device.wants_io() { IO } else { 0 };
    let room = if device.wants_refusals() { ROOM } else { 0 };
    let is_it = |file: &File| file.device_as::<KernelFile>().is_some_and(|other| std::ptr::eq(other, device));
    let own = device.pollfd().unwrap_or(-1);
    if ENTRIES.get(&own).is_some_and(|entry| is_it(&entry.file)) {
        set(own, io | room);
        // Looked at after that: a dup that goes on meanwhile either finds what was set, or is found here.
        if flags(own) & MANY == 0 {
            return;
        }
    }
    for entry in ENTRIES.iter().filter(|entry| is_it(&entry.file)) {
        set(*entry.key(), io | room);
    }
}

fn numbers_of(file: &Arc<File>) -> Vec<i32> {
    let same = ENTRIES.iter().filter(|entry| Arc::ptr_eq(&entry.file, file));
    same.map(|entry| *entry.key()).collect()
}

/// `new` is another number for the file behind `old`.
pub fn duplicated(old: i32, new: i32) {
    if flags(new) & TRACKED != 0 {
        // It was closed behind our back.
        forget(new);
    }
    let Ok(file) = track(old) else { return };
    let Some(identity) = ENTRIES.get(&old).map(|entry| entry.identity) else { return };
    file.get();
    set(old, MANY);
    ENTRIES.insert(new, Entry { file, identity });
    set(new, flags(old) & !(OURS | CLOSING));
}

/// Whether a number may be closed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Closing {
    /// Go on.
    Yes,
    /// It is ours, and for the program not open.
    NotOpen,
}

/// Whether some set has the file behind a number, so that it was checked before.
pub fn is_watched(fd: i32) -> bool {
    get(fd).is_some_and(|file| !file.wait_head().is_empty())
}

/// A file that a call holds on to: closing its last descriptor meanwhile does not end it.
pub struct Held(pub Arc<File>);

impl Held {
    /// The file behind a number. Linux: `fdget`.
    pub fn get(fd: i32) -> Option<Self> {
        if flags(fd) & TRACKED == 0 {
            return None;
        }
        // Under the shard's lock, so that the last reference is not put meanwhile.
        ENTRIES.get(&fd).map(|entry| {
            entry.file.get();
            Self(entry.file.clone())
        })
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if self.0.put() {
            release_file(&self.0);
        }
    }
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
    if runtime::is_vfork_child() {
        return Closing::Yes;
    }
    let Some(_guard) = context::enter() else { return Closing::Yes };
    if flags(fd) & OURS != 0 {
        return Closing::NotOpen;
    }
    forget(fd);
    Closing::Yes
}

/// The number no longer stands for its file.
pub fn forget(fd: i32) {
    if get(fd).is_some_and(|file| is_seen_from_outside(&file)) {
        // Outer sets are told of what became ready before it goes.
        if let Some(watch) = runtime::WATCH.get() {
            watch.take_in();
        }
    }
    unset(fd, TRACKED | EPOLL | INHERITED | IO | EVENTFD | BLOCKING | ROOM | MANY);
    let Some((_, Entry { file, .. })) = ENTRIES.remove(&fd) else { return };
    if file.put() {
        release_file(&file);
        return;
    }
    if file.fd() == fd {
        // With no other number it is held by a call: nothing is to be done by this one then.
        let other = numbers_of(&file).first().copied().unwrap_or(-1);
        match file.device_as::<KernelFile>() {
            Some(device) => device.moved(&file, other),
            None => file.set_fd(other),
        }
    }
}

/// Whether a set that has the file is itself watched.
fn is_seen_from_outside(file: &File) -> bool {
    let items = file.wait_head().items();
    items.iter().any(|item| item.ep.upgrade().is_some_and(|ep| ep.is_watched()))
}

/// The numbers of a range that we know something of, both ends included.
pub fn known(first: u32, last: u32) -> Vec<i32> {
    let top = HIGHEST_INHERITED.load(Ordering::Relaxed);
    let inherited = (first as i64..=i64::from(last).min(i64::from(top))).map(|fd| fd as i32);
    let mut known: Vec<i32> =
        inherited.filter(|fd| flags(*fd) & (INHERITED | TRACKED) == INHERITED).collect();
    let inside = |fd: &i32| u32::try_from(*fd).is_ok_and(|fd| (first..=last).contains(&fd));
    known.extend(ENTRIES.iter().map(|entry| *entry.key()).filter(inside));
    known
}

/// All files, each once for every number.
pub fn files() -> Vec<(i32, Arc<File>)> {
    ENTRIES.iter().map(|entry| (*entry.key(), entry.file.clone())).collect()
}

/// The most numbers of the shim's that are kept from the program's closes by range.
pub const MOST_OURS: usize = 1024;

/// The numbers of the shim, in order, and how many.
pub fn ours() -> ([i32; MOST_OURS], usize) {
    let _guard = context::enter();
    let mut all = [0; MOST_OURS];
    let mut count = 0;
    for fd in runtime::descriptors().into_iter().filter(|fd| flags(*fd) & OURS != 0).take(MOST_OURS) {
        all[count] = fd;
        count += 1;
    }
    all[..count].sort_unstable();
    (all, count)
}
