//! Spinning before a sleep: if the next event is only microseconds away, to sleep and to be woken costs more
//! than to poll again and again. Off by default; never on one CPU, and not for a while after another thread
//! wanted the CPU.

use crate::sys;

/// In automatic mode, how long a wait spins before it sleeps, in nanoseconds.
const AUTO_NS: u64 = 100_000;
/// If the time from one poll to the next is longer than this, another thread had the CPU.
const GAP_NS: u64 = 30_000;
/// Longer waits count as this long.
const MOST_NS: u64 = AUTO_NS * 8;
/// The value of `longest` for the automatic mode.
const AUTO: u64 = u64::MAX;

/// Every this many waits the thread's CPUs are counted.
const COUNT_CPUS: u32 = 256;

/// Statistics of a set's waits. Protected by `ep.mtx`.
#[derive(Debug, Default)]
pub(crate) struct Spin {
    /// How long waits spin before they sleep, in nanoseconds.
    longest: u64,
    /// How long the last waits took, as a moving mean, in nanoseconds.
    mean: u64,
    waits: u32,
    /// The waiting thread had one CPU when they were last counted.
    on_one_cpu: bool,
}

impl Spin {
    /// `longest_ns`: how long waits spin before they sleep. 0: not at all; None: automatic. Without effect in
    /// threads that may run on one CPU only.
    pub(crate) fn new(longest_ns: Option<u64>) -> Self {
        Self { longest: longest_ns.unwrap_or(AUTO), ..Self::default() }
    }

    /// How long the next wait spins before it sleeps, in nanoseconds.
    pub(crate) fn length(&mut self) -> u64 {
        if self.waits.is_multiple_of(COUNT_CPUS) {
            self.on_one_cpu = sys::cpus() < 2;
        }
        self.waits = self.waits.wrapping_add(1);
        match self.longest {
            _ if self.on_one_cpu => 0,
            AUTO if self.mean <= AUTO_NS => AUTO_NS,
            AUTO => 0,
            longest => longest,
        }
    }

    /// Whether spinning is on, so that waits are measured.
    pub(crate) fn is_on(&self) -> bool {
        self.longest != 0
    }

    /// A wait that found something took `ns`.
    pub(crate) fn waited(&mut self, ns: u64) {
        self.mean = (self.mean * 7 + ns.min(MOST_NS)) / 8;
    }

    /// From one poll to the next `ns` passed. If another thread had the CPU meanwhile, the next waits sleep.
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
    fn short_waits_spin_and_long_ones_sleep() {
        if sys::cpus() < 2 {
            eprintln!("SKIPPED: one CPU");
            return;
        }
        let mut spin = Spin::new(None);
        assert_eq!(spin.length(), AUTO_NS);
        (0..50).for_each(|_| spin.waited(1_000_000));
        assert_eq!(spin.length(), 0);
        (0..50).for_each(|_| spin.waited(10_000));
        assert_eq!(spin.length(), AUTO_NS);
        spin.note_gap(1_000);
        assert_eq!(spin.length(), AUTO_NS);
        spin.note_gap(4_000_000);
        assert_eq!(spin.length(), 0, "another thread had the CPU");
        assert_eq!(Spin::new(Some(0)).length(), 0);
    }
}
