//! How a file comes into the table.

use std::sync::Arc;

use glasspoll_reactor::file::File;
use glasspoll_reactor::sys::Errno;

use super::entries::{self, FileRef, Refused};
use super::fd_ref::Held;
use super::flags::{change, CLOSING, MANY, OURS, TRACKED};

/// Enters a file under an fd, and holds it for the call. `bits` makes the new flags from the old ones. Both change
/// under the entry's lock, so a thread that finds the file finds the flags.
///
/// # Errors
/// EBADF if the fd is being closed, or `bits` returns None.
pub(super) fn enter(fd: i32, file: Arc<File>, bits: impl Fn(u32) -> Option<u32>) -> Result<Held, Errno> {
    let bits = |now: u32| bits(now).filter(|_| now & (OURS | CLOSING) == 0).map(|bits| now | TRACKED | bits);
    let by_fd = FileRef::first(file);
    let by_call = by_fd.another();
    match entries::enter(fd, by_fd, || change(fd, bits)) {
        Ok(()) => Ok(Held(by_call)),
        // Another thread was faster.
        Err(Refused::Taken(other)) => Ok(Held(other)),
        Err(Refused::NotAgreed) => Err(Errno::EBADF),
    }
}

/// Enters another fd of a file.
pub(super) fn put_another(fd: i32, file: FileRef, bits: u32) -> bool {
    entries::enter(fd, file, || change(fd, |now| Some(now & CLOSING | bits | MANY))).is_ok()
}
