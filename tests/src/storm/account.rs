//! What went into a file and came out of it, in memory shared with the broker process.

use std::ptr;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::OnceLock;

/// How many files an era may have.
pub const FILES: usize = 1 << 15;

/// `begun` and `ops_begun` go up before an operation, `read` and `ops_done` after it. So there was something to read at
/// some time only if `begun` is now more than `read` was before.
#[derive(Debug)]
#[repr(C)]
pub struct Account {
    /// Bytes; the value of an eventfd; the settings of a timer; signals; changes of an inotify's file.
    pub begun: AtomicU64,
    pub read: AtomicU64,
    /// Writes, and all else that wakes.
    pub ops_begun: AtomicU64,
    pub ops_done: AtomicU64,
}

/// The accounts of all files, by their numbers. The first call must come before the first fork.
pub fn accounts() -> &'static [Account] {
    static ALL: OnceLock<&[Account]> = OnceLock::new();
    ALL.get_or_init(|| {
        let (read_write, shared) =
            (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED | libc::MAP_ANONYMOUS);
        // SAFETY: a new mapping, never unmapped; all-zero bytes are valid accounts.
        unsafe {
            let at = libc::mmap(ptr::null_mut(), FILES * size_of::<Account>(), read_write, shared, -1, 0);
            assert!(at != libc::MAP_FAILED, "no memory to share");
            std::slice::from_raw_parts(at.cast::<Account>(), FILES)
        }
    })
}

impl Account {
    /// Forgets the file of an era that is over.
    pub fn reset(&self) {
        for count in [&self.begun, &self.read, &self.ops_begun, &self.ops_done] {
            count.store(0, SeqCst);
        }
    }

    /// A write of `amount`: `put` makes it and returns its result.
    pub fn write(&self, amount: u64, put: impl FnOnce() -> isize) -> isize {
        self.begun.fetch_add(amount, SeqCst);
        self.ops_begun.fetch_add(1, SeqCst);
        let put = put();
        self.ops_done.fetch_add(1, SeqCst);
        self.begun.fetch_sub(amount - put.clamp(0, amount as isize) as u64, SeqCst);
        put
    }

    /// Counts something else that wakes, once it is done.
    pub fn woke(&self) {
        self.ops_begun.fetch_add(1, SeqCst);
        self.ops_done.fetch_add(1, SeqCst);
    }
}
