//! What a call finds behind an fd.

use std::sync::Arc;

use glasspoll_reactor::file::File;

use super::entries::{self, FileRef};
use super::fd_kind::FdKind;
use super::flags::{flags, CLOSING, EPOLL, KERNEL_SET, OURS, SEEN, TRACKED};

/// An fd, and what we know of it: looked up once, at the door of a call, and passed on.
///
/// Meanwhile another thread may close the fd or put another file there. The call goes on with what it found. `get` and
/// `hold` look up its file, and find none once the fd has left the table. A call that must know of a close that is
/// under way waits for it, and looks the fd up again.
///
/// Looked up inside (`thread::context`), where a forked child has been put in order: before that, the flags are the
/// parent's.
#[derive(Clone, Copy)]
pub struct FdRef {
    fd: i32,
    flags: u32,
}

impl FdRef {
    /// Looks the fd up: one load.
    #[inline]
    pub fn of(fd: i32) -> Self {
        Self { fd, flags: flags(fd) }
    }

    #[inline]
    pub fn fd(self) -> i32 {
        self.fd
    }

    /// What we know of it.
    #[inline]
    pub fn flags(self) -> u32 {
        self.flags
    }

    /// Whether one of these flags is set.
    #[inline]
    pub fn is(self, bits: u32) -> bool {
        self.flags & bits != 0
    }

    /// Whether we know its provenance, and so need not ask the kernel about it.
    pub fn is_seen(self) -> bool {
        self.flags & (SEEN | CLOSING) == SEEN
    }

    /// Whether it is also tracked, and no epoll descriptor. Then `is_behind` tells which file it is.
    pub fn is_tracked_and_seen(self) -> bool {
        self.flags & (SEEN | TRACKED | CLOSING | EPOLL) == SEEN | TRACKED
    }

    /// Whether it is an epoll descriptor, ours or the kernel's, that no thread is closing.
    pub fn is_set(self) -> bool {
        self.flags & (EPOLL | KERNEL_SET) != 0 && self.flags & CLOSING == 0
    }

    /// Whether a thread is closing it.
    pub fn is_closing(self) -> bool {
        self.is(CLOSING)
    }

    /// Whether it is the library's own.
    pub fn is_ours(self) -> bool {
        self.is(OURS)
    }

    /// The kind of its file.
    pub fn kind(self) -> FdKind {
        FdKind::of(self.flags)
    }

    /// Whether some set has its file. Such a file was checked when it was added.
    pub fn is_watched(self) -> bool {
        self.get().is_some_and(|file| !file.wait_head().is_empty())
    }

    /// Its file, if it is tracked.
    pub fn get(self) -> Option<Arc<File>> {
        if self.is(TRACKED) {
            entries::get(self.fd)
        } else {
            None
        }
    }

    /// Its file, if it is tracked, held. Linux: `fdget`.
    pub fn hold(self) -> Option<Held> {
        if self.is(TRACKED) {
            entries::hold(self.fd).map(Held)
        } else {
            None
        }
    }
}

/// The file behind a tracked fd.
pub fn get(fd: i32) -> Option<Arc<File>> {
    FdRef::of(fd).get()
}

/// Whether `fd` is one of this file.
pub fn is_behind(fd: i32, file: &Arc<File>) -> bool {
    entries::is(fd, file)
}

/// A file that a call holds: it lives on if its last fd is closed meanwhile.
pub struct Held(pub FileRef);
