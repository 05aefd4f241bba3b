//! futex(2).

use super::{lock, sleep, Sleep};
use crate::sync::{AtomicU32, Ordering};
use crate::sys::Errno;

/// Sleeps while `word` is `value`, at most `timeout_ns`.
pub fn futex_wait(word: &AtomicU32, value: u32, timeout_ns: Option<u64>) -> Result<(), Errno> {
    let state = lock();
    if word.load(Ordering::SeqCst) != value {
        return Err(Errno::EAGAIN);
    }
    match sleep(state, Sleep::Futex(std::ptr::from_ref(word) as usize), timeout_ns) {
        (_, true) => Ok(()),
        (_, false) => Err(Errno::ETIMEDOUT),
    }
}

/// Wakes up to `count` threads that sleep on `word`.
pub fn futex_wake(word: &AtomicU32, count: i32) {
    let at = Sleep::Futex(std::ptr::from_ref(word) as usize);
    lock().wake(count as usize, |on| *on == at);
}

/// Lets others run, in a loop that waits for another thread.
pub fn relax(word: &AtomicU32, while_value: u32) {
    if word.load(Ordering::Acquire) == while_value {
        loom::thread::yield_now();
    }
}
