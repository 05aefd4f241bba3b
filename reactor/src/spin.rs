//! Spinning before a sleep: where the next event is only microseconds away, going to sleep and being woken
//! costs more than looking again and again. Off unless asked for; never on one CPU.

use crate::sync::{AtomicU64, Ordering};
use crate::sys;

/// How long a wait looks before it sleeps when it decides for itself, in nanoseconds.
const AUTO_NS: u64 = 50_000;
/// The value of `LONGEST` for that.
const AUTO: u64 = u64::MAX;

static LONGEST: AtomicU64 = AtomicU64::new(0);

/// How long waits look before they sleep: 0 not at all; None: as it pays. Without effect where the process
/// has one CPU.
pub fn configure(longest_ns: Option<u64>) {
    if sys::cpus() > 1 {
        LONGEST.store(longest_ns.unwrap_or(AUTO), Ordering::Relaxed);
    }
}

/// What the waits of a set have shown. Protected by `ep.mtx`.
#[derive(Debug, Default)]
pub(crate) struct Spin {
    /// How long the last waits took, as a moving mean, in nanoseconds.
    mean: u64,
}

impl Spin {
    /// How long the next wait is to look before it sleeps, in nanoseconds.
    pub(crate) fn length(&self) -> u64 {
        match LONGEST.load(Ordering::Relaxed) {
            AUTO if self.mean <= AUTO_NS => AUTO_NS,
            AUTO => 0,
            longest => longest,
        }
    }

    /// Whether waits are to be measured.
    pub(crate) fn is_on() -> bool {
        LONGEST.load(Ordering::Relaxed) != 0
    }

    /// A wait that found something took so long.
    pub(crate) fn waited(&mut self, ns: u64) {
        self.mean = (self.mean * 7 + ns.min(AUTO_NS * 8)) / 8;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_waits_are_looked_for_and_long_ones_slept_for() {
        LONGEST.store(AUTO, Ordering::Relaxed);
        let mut spin = Spin::default();
        assert_eq!(spin.length(), AUTO_NS);
        (0..50).for_each(|_| spin.waited(1_000_000));
        assert_eq!(spin.length(), 0);
        (0..50).for_each(|_| spin.waited(10_000));
        assert_eq!(spin.length(), AUTO_NS);
        LONGEST.store(0, Ordering::Relaxed);
        assert_eq!(spin.length(), 0);
    }
}
