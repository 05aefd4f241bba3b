//! The limit on items, `/proc/sys/fs/epoll/max_user_watches`.
//!
//! The kernel counts for each user; here each process counts for itself.
//!
//! Linux: `fs/eventpoll.c:max_user_watches`.

use std::sync::OnceLock;

use crate::sync::global::AtomicUsize;
use crate::sync::Ordering;
use crate::sys::{self, Errno};

/// How many items the process has, and how many it may have.
#[derive(Debug, Default)]
pub(crate) struct UserWatches {
    in_use: AtomicUsize,
    limit: OnceLock<usize>,
}

impl UserWatches {
    /// Counts one more item.
    ///
    /// # Errors
    /// ENOSPC at the limit.
    pub(crate) fn take(&self) -> Result<(), Errno> {
        let limit = *self.limit.get_or_init(|| read_limit().unwrap_or(usize::MAX));
        if self.in_use.fetch_add(1, Ordering::Relaxed) >= limit {
            self.in_use.fetch_sub(1, Ordering::Relaxed);
            return Err(Errno::ENOSPC);
        }
        Ok(())
    }

    /// Counts `count` items less.
    pub(crate) fn give_back(&self, count: usize) {
        self.in_use.fetch_sub(count, Ordering::Relaxed);
    }
}

fn read_limit() -> Option<usize> {
    let fd = sys::open(c"/proc/sys/fs/epoll/max_user_watches", libc::O_RDONLY, 0).ok()?;
    let mut buf = [0u8; 32];
    let read = sys::read(fd, &mut buf);
    let _ = sys::close(fd);
    std::str::from_utf8(&buf[..read.ok()?]).ok()?.trim().parse().ok()
}
