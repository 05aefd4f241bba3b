//! What a call finds behind an fd.

use std::sync::Arc;

use glasspoll_reactor::file::File;

use super::entries::{self, FileRef};
use super::flags::{flags, CLOSING, EPOLL, SEEN, TRACKED};

/// The file behind a tracked fd.
pub fn get(fd: i32) -> Option<Arc<File>> {
    if flags(fd) & TRACKED == 0 {
        return None;
    }
    entries::get(fd)
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
