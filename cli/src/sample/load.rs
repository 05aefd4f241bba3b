//! How long the threads of a process ran, had no processor, or were stopped, all together: a few times a second.
//!
//! A finding about a thread that was late needs to know that, also where the late thread itself was not looked at, or
//! slept because another one had no processor.

use std::collections::HashMap;
use std::fs;

use glasspoll_record::Sample;

use super::look::{self, Times};

/// Between two looks at the times, and at whether it is stopped: a quota by signals stops it for some 50 ms.
const TIMES_NS: u64 = 250_000_000;
const STATE_NS: u64 = 50_000_000;
/// Threads had no processor for less than this part of the time: not worth keeping.
const PART: u64 = 20;
/// The most threads.
const THREADS: usize = 256;

/// The threads of a process.
#[derive(Debug)]
pub struct Load {
    pid: u32,
    since_ns: u64,
    due_ns: u64,
    is_stopped: bool,
    threads: HashMap<u32, Times>,
}

impl Load {
    pub fn new(pid: u32) -> Self {
        Self { pid, since_ns: 0, due_ns: 0, is_stopped: false, threads: HashMap::new() }
    }

    /// Looks, if it is time to. Says what was since the last look, if threads had no processor or were stopped.
    pub fn look(&mut self, now: u64) -> Option<Sample> {
        if now < self.due_ns {
            return None;
        }
        self.due_ns = now + STATE_NS;
        let is_stopped = look::state(self.pid, self.pid) == Some(b'T');
        let passed = now.saturating_sub(self.since_ns);
        if is_stopped == self.is_stopped && passed < TIMES_NS {
            return None;
        }
        let used = self.used();
        let since_ns = std::mem::replace(&mut self.since_ns, now);
        let was_stopped = std::mem::replace(&mut self.is_stopped, is_stopped);
        let is_worth = was_stopped || used.waited.saturating_mul(PART) >= passed;
        (since_ns != 0 && is_worth).then(|| Sample {
            ns: now,
            since_ns,
            ran_ns: used.ran,
            waited_ns: used.waited,
            tid: Sample::ALL,
            fd: -1,
            state: if was_stopped { b'T' } else { b'R' },
            ..Sample::default()
        })
    }

    /// What all threads have used since the last call. At the first one they begin; later a thread that was not known
    /// is new, and all that it has used is of this time.
    fn used(&mut self) -> Times {
        let entries = fs::read_dir(format!("/proc/{}/task", self.pid)).into_iter().flatten().flatten();
        let tids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).take(THREADS);
        let now: HashMap<u32, Times> =
            tids.filter_map(|tid| Some((tid, look::times(self.pid, tid)?))).collect();
        let mut used = Times::default();
        let knows_all = !self.threads.is_empty() && now.len() < THREADS;
        for (tid, times) in &now {
            let new = knows_all.then(Times::default);
            if let Some(before) = self.threads.get(tid).copied().or(new) {
                used.ran += times.ran.saturating_sub(before.ran);
                used.waited += times.waited.saturating_sub(before.waited);
            }
        }
        self.threads = now;
        used
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;
    use std::time::Duration;

    use glasspoll_record::clock;

    use super::*;

    #[test]
    fn a_process_that_is_stopped_is_seen_so() {
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let pid = child.id();
        let mut load = Load::new(pid);
        assert_eq!(load.look(clock::now_ns()), None, "nothing is known of the time before");
        // SAFETY: our child.
        assert_eq!(unsafe { libc::kill(pid as i32, libc::SIGSTOP) }, 0);
        let seen = loop {
            std::thread::sleep(Duration::from_millis(20));
            let sample = load.look(clock::now_ns()).filter(|sample| sample.state == b'T');
            if let Some(sample) = sample {
                break sample;
            }
        };
        assert!(seen.tid == Sample::ALL && seen.ns - seen.since_ns >= TIMES_NS, "{seen:?}");
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
