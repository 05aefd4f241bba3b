//! What /proc says about a server's processes.

use crate::processes;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// What they use.
#[derive(Clone, Copy, Debug, Default)]
pub struct Usage {
    /// Processes.
    pub processes: u64,
    /// Their memory in bytes; shared pages count once (Pss).
    pub bytes: u64,
    /// Open descriptors.
    pub descriptors: u64,
    /// Threads.
    pub threads: u64,
    /// Queued signals of the user: those of all the user's processes.
    pub queued: u64,
    /// The limit on queued signals.
    pub queue: u64,
}

/// The processes of a server: its group, and all whose working directory is its folder.
pub fn pids(group: u32, dir: &Path) -> Vec<u32> {
    processes::of(group, dir).into_iter().collect()
}

/// Their total use.
pub fn usage(pids: &[u32]) -> Usage {
    let mut sum = Usage::default();
    for pid in pids {
        let Some(bytes) = memory(*pid) else { continue };
        sum.processes += 1;
        sum.bytes += bytes;
        sum.descriptors += fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, |all| all.count() as u64);
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        sum.threads += field(&status, "Threads:").and_then(|text| text.parse().ok()).unwrap_or(0);
        let queue = field(&status, "SigQ:").and_then(|text| text.split_once('/')).unwrap_or(("0", "0"));
        sum.queued = sum.queued.max(queue.0.parse().unwrap_or(0));
        sum.queue = queue.1.parse().unwrap_or(0);
    }
    sum
}

fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    Some(text.lines().find_map(|line| line.strip_prefix(name))?.trim())
}

fn memory(pid: u32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    field(&text, "Pss:")?.strip_suffix(" kB")?.parse::<u64>().ok().map(|kib| kib * 1024)
}

/// Whether a process exists, and has not ended.
pub fn lives(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}

/// How often each thread has gone to sleep, with its name.
pub fn sleeps(pids: &[u32]) -> BTreeMap<(u32, u32), (String, u64)> {
    let mut all = BTreeMap::new();
    for pid in pids {
        let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else { continue };
        for tid in threads.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok()) {
            let status = fs::read_to_string(format!("/proc/{pid}/task/{tid}/status")).unwrap_or_default();
            let count = field(&status, "voluntary_ctxt_switches:").and_then(|text| text.parse().ok());
            let name = field(&status, "Name:").unwrap_or_default().to_owned();
            all.extend(count.map(|count| ((*pid, tid), (name, count))));
        }
    }
    all
}

/// Sends a signal.
pub fn signal(pid: u32, signal: i32) {
    // SAFETY: kill takes two numbers; the process is one of ours, or has ended.
    unsafe { libc::kill(pid as i32, signal) };
}
