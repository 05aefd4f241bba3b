//! Clocks, and sleeping by them.

#[cfg(loom)]
use super::enter;
use super::{futex_wait, ppoll, NSEC_PER_SEC};

pub(super) fn timespec(ns: u64) -> libc::timespec {
    let sec = (ns / NSEC_PER_SEC).min(i64::MAX as u64);
    libc::timespec { tv_sec: sec as _, tv_nsec: (ns % NSEC_PER_SEC) as _ }
}

/// Sleeps for `ns`, or less if a signal comes.
pub fn pause(ns: u64) {
    let _ = ppoll(&mut Vec::new(), Some(ns), None);
}

/// Sleeps for `ns` or less, by futex(2). Every program needs that call, so no sandbox refuses it.
pub(crate) fn nap(ns: u64) {
    let _ = futex_wait(&crate::sync::AtomicU32::new(0), 0, Some(ns));
}

/// CLOCK_MONOTONIC in nanoseconds.
pub fn now() -> u64 {
    #[cfg(loom)]
    return enter::now();
    #[cfg(not(loom))]
    clock(libc::CLOCK_MONOTONIC)
}

/// The time of the clock's last tick, which is at most some milliseconds ago, for a quarter of the cost.
pub fn now_coarse() -> u64 {
    #[cfg(loom)]
    return enter::now();
    #[cfg(not(loom))]
    clock(libc::CLOCK_MONOTONIC_COARSE)
}

#[cfg(not(loom))]
#[inline]
fn clock(clock: libc::clockid_t) -> u64 {
    let mut ts = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `ts` lives; the vDSO answers without a system call.
    unsafe { libc::clock_gettime(clock, &mut ts) };
    ts.tv_sec as u64 * NSEC_PER_SEC + ts.tv_nsec as u64
}
