//! Files that this process did not make: it inherited them, or they came with a message.
//!
//! Another process may have them too, and such a file may have several fds without any dup.

use std::sync::atomic::Ordering;

use glasspoll_reactor::sys;

use super::backing;
use super::duplicates::duplicated;
use super::fd_ref::FdRef;
use super::flags::{
    all_fds, change, flags, highest, takes_all_for_inherited, unset, write_inherited, BORN, INHERITED,
    NONBLOCK, OURS, PROVENANCE, SEEN, TRACKED,
};
use super::identity;
use super::inheritors::share_counter;
use super::leaving::forget;
use super::provenance::lost_sight;
use super::siblings::HIGHEST_INHERITED;
use super::track::track;
use super::untouched;
use crate::thread::signal::ours;

/// The program sent an fd in a message: from now on another process may have the file, and the file may come back
/// under another fd.
pub fn sent(fd: i32) {
    share_counter(fd);
    lost_sight(fd);
    if flags(fd) & BORN != 0 {
        untouched::touched(fd);
    }
    let fd = FdRef::of(fd);
    if !fd.is(TRACKED) {
        let _ = track(fd);
    }
    backing::share(fd.fd());
}

/// An fd came with a message, from another process or from this one.
pub fn received(fd: i32) {
    if flags(fd) & TRACKED != 0 {
        // The program closed it unseen.
        forget(fd);
    }
    let alike = identity::ask(fd).map(identity::alike).unwrap_or_default();
    match alike.into_iter().find(|other| sys::is_same_file(*other, fd)) {
        Some(other) => duplicated(other, fd),
        None => {
            unset(fd, PROVENANCE);
            inherited(fd);
            untouched::received(fd);
        }
    }
}

/// Whether the file behind an inherited fd sends our signal to another process.
pub fn is_armed_elsewhere(fd: i32) -> bool {
    let armed = sys::fcntl(fd, libc::F_GETFL, 0).is_ok_and(|flags| flags & libc::O_ASYNC != 0);
    armed && sys::fcntl(fd, sys::F_GETSIG, 0) == Ok(ours::signal())
}

/// Another process has the file behind `fd`, so it must be polled.
fn inherited(fd: i32) {
    // The kind of the file stays true.
    change(fd, |now| Some(now & !(SEEN | NONBLOCK) | INHERITED));
    HIGHEST_INHERITED.fetch_max(fd, Ordering::Relaxed);
}

/// Marks an open fd as inherited, unless this process is a forked child that made it.
fn mark(fd: i32) {
    if !takes_all_for_inherited() || flags(fd) & INHERITED != 0 {
        inherited(fd);
    }
}

/// Marks every open fd as inherited: another process may have each file that is open now.
pub fn mark_inherited() {
    if !mark_from_proc() {
        mark_by_polling();
    }
}

/// The fds that are open and were not made here.
pub fn inherited_fds() -> Vec<i32> {
    all_fds().filter(|fd| flags(*fd) & (INHERITED | OURS) == INHERITED).collect()
}

/// A forked child with more fds than this does not read /proc/self/fd: the kernel makes an entry for each, and the
/// parent pays for their removal when it reaps the child.
const MANY_FDS: i32 = 256;

/// Finds out which fds were open at the fork, in a forked child that is about to watch files. A file that the child
/// has opened since by a call that we do not see (open(2) of a FIFO, say) counts as inherited. If there are many fds,
/// all of them keep counting as inherited until this process closes them.
pub fn find_inherited() {
    if takes_all_for_inherited() && highest() < MANY_FDS {
        write_inherited(mark_inherited);
    }
}

fn mark_from_proc() -> bool {
    let Ok(dir) = sys::open(c"/proc/self/fd", libc::O_RDONLY | libc::O_DIRECTORY, 0) else { return false };
    let mut buf = vec![0u8; 4096];
    let is_whole = loop {
        let read = match sys::getdents(dir, &mut buf) {
            Ok(0) => break true,
            Ok(read) => read,
            Err(_) => break false,
        };
        let mut at = 0;
        // Linux: `struct linux_dirent64`: the record's length at 16, the name at 19.
        while at + 19 < read {
            let length = u16::from_ne_bytes([buf[at + 16], buf[at + 17]]) as usize;
            let name = &buf[at + 19..at + length];
            let name = name.split(|byte| *byte == 0).next().unwrap_or(&[]);
            let fd = std::str::from_utf8(name).ok().and_then(|name| name.parse::<i32>().ok());
            if let Some(fd) = fd.filter(|fd| *fd != dir && flags(*fd) & OURS == 0) {
                mark(fd);
            }
            at += length.max(19);
        }
    };
    let _ = sys::close(dir);
    is_whole
}

/// Without /proc: poll(2) tells which fds are open.
fn mark_by_polling() {
    for start in (0..4096).step_by(512) {
        let pollfd = |fd| libc::pollfd { fd, events: 0, revents: 0 };
        let mut fds: Vec<_> = (start..start + 512).map(pollfd).collect();
        // If poll fails, all of them count as open.
        let _ = sys::poll_now(&mut fds);
        for pollfd in fds.iter().filter(|pollfd| pollfd.revents & libc::POLLNVAL == 0) {
            mark(pollfd.fd);
        }
    }
}
