//! futex(2).

use std::ptr;

use super::{args_of, syscall, timespec, Errno, Sysno};
use crate::sync::{AtomicU32, Ordering};

/// Sleeps while `word` is `value`, at most `timeout_ns`.
pub fn futex_wait(word: &AtomicU32, value: u32, timeout_ns: Option<u64>) -> Result<(), Errno> {
    let ts = timeout_ns.map(timespec);
    let ts = ts.as_ref().map_or(ptr::null(), ptr::from_ref);
    let op = libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG;
    call!(futex, word.as_ptr(), op, value, ts).map(drop)
}

/// Wakes up to `count` threads that sleep on `word`.
pub fn futex_wake(word: &AtomicU32, count: i32) {
    let op = libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG;
    let _ = call!(futex, word.as_ptr(), op, count);
}

/// Waits for a moment, in a loop that waits for another thread.
pub fn relax(word: &AtomicU32, while_value: u32) {
    if word.load(Ordering::Acquire) == while_value {
        let _ = futex_wait(word, while_value, Some(1_000_000));
    }
}
