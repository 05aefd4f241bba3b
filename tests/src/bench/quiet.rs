//! Whether other processes use the CPUs too: then a figure says little.

use std::time::{Duration, Instant};
use std::{fs, mem, thread};

/// The share of a CPU that others may use.
const TOLERATED: f64 = 0.15;

/// How much longer it may wait for quiet, and repeat measurements, in total.
#[derive(Debug)]
pub struct Patience(pub Duration);

impl Patience {
    /// Waits until no other process uses the CPUs.
    fn wait(&mut self) {
        let step = Duration::from_millis(300);
        let quiet = || {
            let stretch = Stretch::begin();
            thread::sleep(step);
            stretch.is_quiet()
        };
        while !self.0.is_zero() && !quiet() {
            self.0 = self.0.saturating_sub(step);
        }
    }

    /// The result of `work`, and whether others used the CPUs in the meantime. It is repeated if so.
    pub fn undisturbed<T>(&mut self, mut work: impl FnMut() -> T) -> (T, bool) {
        loop {
            let stretch = Stretch::begin();
            let given = work();
            let quiet = stretch.is_quiet();
            if quiet || self.0.is_zero() {
                return (given, !quiet);
            }
            eprintln!("something else used the CPUs: once more when it is quiet");
            self.0 = self.0.saturating_sub(stretch.start.elapsed());
            self.wait();
        }
    }
}

/// A stretch of time.
#[derive(Debug)]
struct Stretch {
    start: Instant,
    busy: f64,
    own: f64,
}

impl Stretch {
    /// From now on.
    fn begin() -> Self {
        Self { start: Instant::now(), busy: busy_seconds(), own: own_seconds() }
    }

    fn is_quiet(&self) -> bool {
        self.others() < TOLERATED
    }

    /// Which share of a CPU was used neither by this process nor by its ended children, or was taken from this machine.
    fn others(&self) -> f64 {
        let (busy, own) = (busy_seconds() - self.busy, own_seconds() - self.own);
        ((busy - own) / self.start.elapsed().as_secs_f64()).max(0.0)
    }
}

/// Seconds that the CPUs were used, all together: all fields of the first line of /proc/stat except idle and iowait.
fn busy_seconds() -> f64 {
    let stat = fs::read_to_string("/proc/stat").expect("/proc is mounted");
    let line = stat.lines().next().unwrap_or_default();
    let fields: Vec<f64> = line.split_whitespace().filter_map(|field| field.parse().ok()).collect();
    let [user, nice, system, _, _, irq, softirq, steal, ..] = fields[..] else {
        panic!("/proc/stat: {line}")
    };
    // SAFETY: sysconf takes a number.
    let ticks = unsafe { libc::sysconf(libc::_SC_CLK_TCK) } as f64;
    (user + nice + system + irq + softirq + steal) / ticks
}

fn own_seconds() -> f64 {
    let used = |who| {
        // SAFETY: an all-zero rusage is one, and getrusage fills it.
        let usage = unsafe {
            let mut usage: libc::rusage = mem::zeroed();
            libc::getrusage(who, &mut usage);
            usage
        };
        let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
        seconds(usage.ru_utime) + seconds(usage.ru_stime)
    };
    used(libc::RUSAGE_SELF) + used(libc::RUSAGE_CHILDREN)
}
