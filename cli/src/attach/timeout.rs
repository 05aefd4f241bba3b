//! How long a thread has slept, so that an epoll_wait that was interrupted goes on with what is left of its timeout. The
//! kernel itself keeps no deadline of epoll_wait(2): made once more, the call would take its whole timeout again.
//!
//! /proc/PID/task/TID/sched tells when the thread ran last, by the clock of its processor. The clocks of two processors
//! differ, so we read ours on the same one.
//!
//! Linux: `kernel/sched/debug.c:proc_sched_show_task`, `kernel/sched/fair.c:update_curr`.

use std::time::Duration;

use nix::sched::{sched_getaffinity, sched_setaffinity, CpuSet};
use nix::unistd::Pid;

use super::arch::Registers;
use crate::procfs::names;

const THIS_THREAD: Pid = Pid::from_raw(0);

/// A thread's sleep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sleep {
    length: Duration,
    /// How often the thread had left its processor.
    switches: u64,
}

impl Sleep {
    /// The sleep of a thread up to now; None: the kernel does not tell.
    pub fn of(pid: u32, tid: u32) -> Option<Self> {
        let stat = names::read(format!("/proc/{pid}/task/{tid}/stat"))?;
        let cpu = stat.rsplit(')').next()?.split_whitespace().nth(36)?.parse().ok()?;
        let (ran, switches) = times(&names::read(sched(pid, tid))?)?;
        let now = on(cpu, || {
            // The time is that of the last switch.
            std::thread::sleep(Duration::from_micros(1));
            times(&names::read("/proc/thread-self/sched".into())?)
        })??
        .0;
        Some(Self { length: now.checked_sub(ran)?, switches })
    }

    /// With which registers the thread makes its call once more: a timeout is what is left of it. The thread has stopped
    /// since.
    pub fn shorten(self, pid: u32, tid: u32, again: &mut Registers, number: u64) {
        // It woke for the stop alone.
        let switches = || Some(times(&names::read(sched(pid, tid))?)?.1);
        let timeout = again.timeout(number).and_then(|timeout| u64::try_from(timeout).ok());
        if let Some(timeout) = timeout.filter(|_| switches() == Some(self.switches + 1)) {
            let left = Duration::from_millis(timeout).saturating_sub(self.length);
            again.set_timeout(left.as_nanos().div_ceil(1_000_000) as u64);
        }
    }
}

fn sched(pid: u32, tid: u32) -> String {
    format!("/proc/{pid}/task/{tid}/sched")
}

/// Runs `work` on a processor; None: this thread may not.
fn on<T>(cpu: usize, work: impl FnOnce() -> T) -> Option<T> {
    let before = sched_getaffinity(THIS_THREAD).ok()?;
    let mut only = CpuSet::new();
    only.set(cpu).ok()?;
    sched_setaffinity(THIS_THREAD, &only).ok()?;
    let done = work();
    let _ = sched_setaffinity(THIS_THREAD, &before);
    Some(done)
}

/// When a thread last ran, by the clock of its processor, and how often it has left one.
fn times(sched: &str) -> Option<(Duration, u64)> {
    let value = |name: &str| {
        let line = sched.lines().find_map(|line| line.strip_prefix(name)?.trim().strip_prefix(':'));
        line.map(str::trim)
    };
    let (milliseconds, rest) = value("se.exec_start")?.split_once('.')?;
    let nanoseconds = milliseconds.parse::<u64>().ok()?.checked_mul(1_000_000)? + rest.parse::<u64>().ok()?;
    Some((Duration::from_nanos(nanoseconds), value("nr_switches")?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_lines_are_read() {
        let text = "cat (14272, #threads: 1)\n-----\nse.exec_start                                :      35541620.910748\n\
                    se.vruntime : 67578.277669\nnr_switches                                  :          31\n";
        assert_eq!(times(text), Some((Duration::from_nanos(35_541_620_910_748), 31)));
        assert_eq!(times(""), None);
    }

    #[test]
    fn a_sleep_is_as_long_as_it_was() {
        let (tid, receiver) = std::sync::mpsc::channel();
        let (hold, held) = std::sync::mpsc::channel::<()>();
        let thread = std::thread::spawn(move || {
            tid.send(nix::unistd::gettid().as_raw() as u32).unwrap();
            let _ = held.recv();
        });
        let tid = receiver.recv().unwrap();
        std::thread::sleep(Duration::from_millis(300));
        if let Some(sleep) = Sleep::of(std::process::id(), tid) {
            assert!((250..60_000).contains(&sleep.length.as_millis()), "{sleep:?}");
        }
        drop(hold);
        thread.join().unwrap();
    }
}
