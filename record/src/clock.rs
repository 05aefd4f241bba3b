//! The time of records: ticks of the processor's counter if it runs at one speed and never stops, else
//! CLOCK_MONOTONIC.

/// CLOCK_MONOTONIC, in nanoseconds.
pub fn now_ns() -> u64 {
    time(libc::CLOCK_MONOTONIC)
}

/// The same at the last tick of the kernel's clock, for a quarter of the cost.
pub fn coarse_ns() -> u64 {
    time(libc::CLOCK_MONOTONIC_COARSE)
}

/// The time since 1970, in nanoseconds.
pub fn realtime_ns() -> u64 {
    time(libc::CLOCK_REALTIME)
}

fn time(clock: libc::clockid_t) -> u64 {
    let mut ts = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `ts` lives.
    unsafe { libc::clock_gettime(clock, &mut ts) };
    ts.tv_sec as u64 * 1_000_000_000 + ts.tv_nsec as u64
}

/// Whether the counter can be trusted.
#[cfg(target_arch = "x86_64")]
pub fn has_counter() -> bool {
    use std::arch::x86_64::__cpuid;
    if cfg!(miri) {
        return false;
    }
    // "Invariant TSC". Intel SDM, volume 3, 18.17.1.
    __cpuid(0x8000_0000).eax >= 0x8000_0007 && __cpuid(0x8000_0007).edx & 1 << 8 != 0
}

/// The counter.
#[cfg(target_arch = "x86_64")]
#[inline]
pub fn counter() -> u64 {
    // SAFETY: every x86_64 has it.
    unsafe { std::arch::x86_64::_rdtsc() }
}

/// Whether the counter can be trusted: by the architecture, always.
#[cfg(target_arch = "aarch64")]
pub fn has_counter() -> bool {
    true
}

/// The counter.
#[cfg(target_arch = "aarch64")]
#[inline]
pub fn counter() -> u64 {
    let ticks: u64;
    // SAFETY: Linux lets every program read it.
    unsafe { std::arch::asm!("mrs {}, cntvct_el0", out(reg) ticks, options(nomem, nostack)) };
    ticks
}

/// A moment, in both kinds of time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moment {
    /// Ticks.
    pub ticks: u64,
    /// CLOCK_MONOTONIC, in nanoseconds.
    pub ns: u64,
}

impl Moment {
    /// Now, with ticks as a ring has them.
    pub fn now(counts: bool) -> Self {
        let ns = now_ns();
        Self { ticks: if counts { counter() } else { ns }, ns }
    }

    /// How many nanoseconds a tick takes, computed from two moments that lie well apart.
    pub fn speed(self, later: Self) -> Option<f64> {
        let (ticks, ns) = (later.ticks.checked_sub(self.ticks)?, later.ns.checked_sub(self.ns)?);
        (ticks != 0 && ns >= 100_000).then(|| ns as f64 / ticks as f64)
    }
}
