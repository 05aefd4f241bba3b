//! An fd that leaves its file.

use glasspoll_reactor::file::File;
use glasspoll_reactor::watch::WATCH;

use super::backing;
use super::early;
use super::ending::end;
use super::entries;
use super::fd_ref::FdRef;
use super::flags::{flags, unset, BORN, CLOSING, MANY, OURS, TRACKED};
use super::identity;
use super::makers;
use super::untouched;
use crate::thread::context;

/// The fd leaves its file.
pub fn forget(fd: i32) {
    leave(FdRef::of(fd));
}

/// `forget` for an fd that was looked up.
pub(super) fn leave(found: FdRef) {
    let fd = found.fd();
    if found.is(BORN) {
        untouched::touched(fd);
    }
    let is_early = early::is_early();
    if is_early && !found.is(TRACKED) {
        // We know only that it is inherited.
        identity::forget(fd);
        unset(fd, !(OURS | CLOSING));
        return;
    }
    if !is_early {
        // Another thread may be adopting. Until the end of that, a change to a file may change the parent's.
        context::wait_for_adoption();
    }
    if !is_early && found.get().is_some_and(|file| is_seen_from_outside(&file)) {
        // Outer sets must see what became ready before the file goes.
        if let Some(watch) = WATCH.get() {
            watch.drain_wakeups();
        }
    }
    if backing::watches_nothing() {
        if let Some(file) = found.get() {
            backing::note_sharers(fd, &file);
        }
    }
    identity::forget(fd);
    makers::forget(fd);
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

/// Whether a set that has the file is watched by another set or a poll(2).
fn is_seen_from_outside(file: &File) -> bool {
    let items = file.wait_head().items();
    items.iter().any(|item| item.ep.upgrade().is_some_and(|ep| ep.is_watched()))
}
