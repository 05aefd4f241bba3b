//! Our signal: the real-time signal that carries wakeups. Every thread blocks it, and only our signalfd reads it.

use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};

use glasspoll_reactor::sys;

use crate::thread::tls::with_thread;

/// The kernel's SIGRTMAX. The program's SIGRTMAX is one less.
static SIGNAL: AtomicI32 = AtomicI32::new(64);
/// valgrind uses 64 itself.
const SIGNAL_ON_VALGRIND: i32 = 63;

static USED: AtomicBool = AtomicBool::new(false);

/// Chooses the signal. If it `is_used`, wakeups come by signal in this process from now on: blocks it in the first
/// thread; all other threads inherit the mask.
pub fn begin(is_used: bool) {
    if sys::on_valgrind() {
        SIGNAL.store(SIGNAL_ON_VALGRIND, Ordering::Relaxed);
    }
    if !is_used {
        return;
    }
    USED.store(true, Ordering::Release);
    let before = sys::sigprocmask(libc::SIG_BLOCK, mask());
    with_thread(|thread| thread.blocks_ours.set(before & mask() != 0));
}

/// The signal.
pub fn signal() -> i32 {
    SIGNAL.load(Ordering::Relaxed)
}

/// Whether wakeups come by signal in this process.
pub fn is_used() -> bool {
    USED.load(Ordering::Acquire)
}

/// The signal, as a mask.
pub fn mask() -> u64 {
    1 << (signal() - 1)
}

/// A mask with the signal blocked.
pub fn with_ours(mask_of_program: u64) -> u64 {
    if is_used() {
        mask_of_program | mask()
    } else {
        mask_of_program
    }
}

/// Whether this is the signal, and in use. The program cannot use it, as it cannot use glibc's own.
pub fn is_ours(number: i32) -> bool {
    number == signal() && is_used()
}
