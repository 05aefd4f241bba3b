//! A fault for tests: with `GLASSPOLL_ATTACH_DIE_AT=N` the command ends by SIGKILL at the Nth step of an attach or
//! detach. Whatever the step, the target lives and serves.

use std::sync::atomic::{AtomicU64, Ordering};

static STEPS: AtomicU64 = AtomicU64::new(0);

/// A step is done.
pub fn step() {
    let number = STEPS.fetch_add(1, Ordering::Relaxed) + 1;
    let last = std::env::var("GLASSPOLL_ATTACH_DIE_AT").ok().and_then(|text| text.parse().ok());
    if last == Some(number) {
        crate::sys::kill(std::process::id(), libc::SIGKILL);
        // The signal takes effect before this call returns to us, or while we wait here.
        loop {
            std::thread::park();
        }
    }
}
