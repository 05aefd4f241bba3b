//! Spinning before a sleep: where the next event is only microseconds away, going to sleep and being woken
//! costs more than looking again and again. Off unless asked for; never on one CPU, and not for a while after
//! another thread wanted the CPU.

use crate::sync::global::AtomicU64;
use crate::sync::Ordering;
use crate::sys;

/// How long a wait looks before it sleeps when it decides for itself, in nanoseconds.
const AUTO_NS: u64 = 100_000;
/// If it takes so long from one look to the next, another thread had the CPU meanwhile.
const GAP_NS: u64 = 30_000;
/// The longest wait that counts.
const MOST_NS: u64 = AUTO_NS * 8;
/// The value of `LONGEST` for that.
const AUTO: u64 = u64::MAX;

static LONGEST: AtomicU64 = AtomicU64::new(0);

/// How long waits look before they sleep: 0 not at all; None: as it pays. Without effect in threads that may
/// run on one CPU alone.
pub fn configure(longest_ns: Option<u64>) {
    LONGEST.store(longest_ns.unwrap_or(AUTO), Ordering::Relaxed);
}

/// How often a thread's CPUs are counted, in waits.
const COUNT_CPUS: u32 = 256;

/// What the waits of a set have shown. Protected by `ep.mtx`.
#[derive(Debug, Default)]
pub(crate) struct Spin {
    /// How long the last waits took, as a moving mean, in nanoseconds.
    mean: u64,
    waits: u32,
    /// Who waited had one CPU when they were last counted.
    on_one_cpu: bool,
}

impl Spin {
    /// How long the next wait is to look before it sleeps, in nanoseconds.
    pub(crate) fn length(&mut self) -> u64 {
        if self.waits.is_multiple_of(COUNT_CPUS) {
            self.on_one_cpu = sys::cpus() < 2;
        }
        self.waits = self.waits.wrapping_add(1);
        match LONGEST.load(Ordering::Relaxed) {
            _ if self.on_one_cpu => 0,
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
        self.mean = (self.mean * 7 + ns.min(MOST_NS)) / 8;
    }

    /// From one look to the next it took so long. If another thread had the CPU, the next waits sleep.
    pub(crate) fn note_gap(&mut self, ns: u64) {
        if ns > GAP_NS {
            self.mean = MOST_NS;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_waits_are_looked_for_and_long_ones_slept_for() {
        if sys::cpus() < 2 {
            eprintln!("SKIPPED: one CPU");
            return;
        }
        LONGEST.store(AUTO, Ordering::Relaxed);
        let mut spin = Spin::default();
        assert_eq!(spin.length(), AUTO_NS);
        (0..50).for_each(|_| spin.waited(1_000_000));
        assert_eq!(spin.length(), 0);
        (0..50).for_each(|_| spin.waited(10_000));
        assert_eq!(spin.length(), AUTO_NS);
        spin.note_gap(1_000);
        assert_eq!(spin.length(), AUTO_NS);
        spin.note_gap(4_000_000);
        assert_eq!(spin.length(), 0, "another thread had the CPU");
        LONGEST.store(0, Ordering::Relaxed);
        assert_eq!(spin.length(), 0);
    }
}
