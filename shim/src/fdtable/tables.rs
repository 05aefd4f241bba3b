//! The memory of the two arrays by fd. A fork copies the kernel's page tables of what was written, so what belongs to
//! low fds lies together: the array of flags runs backwards, and ends where that of the files begins.

use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU32};

use glasspoll_reactor::file::File;

/// Linux: `NR_OPEN`, the default maximum of RLIMIT_NOFILE.
pub const NR_OPEN: usize = 1 << 20;

#[repr(C)]
struct Tables {
    backwards: [AtomicU32; NR_OPEN],
    entries: [AtomicPtr<File>; NR_OPEN],
}

static TABLES: Tables = Tables {
    backwards: [const { AtomicU32::new(0) }; NR_OPEN],
    entries: [const { AtomicPtr::new(ptr::null_mut()) }; NR_OPEN],
};

/// The word of an fd's flags.
#[inline]
pub(super) fn flags(fd: usize) -> Option<&'static AtomicU32> {
    TABLES.backwards.get((NR_OPEN - 1).wrapping_sub(fd))
}

/// The pointer to an fd's file.
#[inline]
pub(super) fn entry(fd: usize) -> Option<&'static AtomicPtr<File>> {
    TABLES.entries.get(fd)
}
