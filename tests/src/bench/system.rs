//! What a measurement needs from the system: a CPU, descriptors, the CPU time and memory of other processes.

use std::fs;
use std::io;
use std::mem;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// The CPU of the servers.
pub const SERVER_CPU: usize = 0;

/// The CPU of the load.
pub const LOAD_CPU: usize = 1;

/// Runs `command` on `cpu` alone, if the machine has that CPU.
pub fn pin(command: &mut Command, cpu: usize) {
    // SAFETY: the closure makes one system call, on memory of its own.
    unsafe { command.pre_exec(move || pin_self(cpu)) };
}

fn pin_self(cpu: usize) -> io::Result<()> {
    // SAFETY: an all-zero cpu_set_t is the empty set; both functions stay within it.
    let result = unsafe {
        let mut set: libc::cpu_set_t = mem::zeroed();
        libc::CPU_SET(cpu, &mut set);
        libc::sched_setaffinity(0, mem::size_of_val(&set), &set)
    };
    // A machine with one CPU: server and load share it.
    let error = io::Error::last_os_error();
    if result == 0 || error.raw_os_error() == Some(libc::EINVAL) {
        Ok(())
    } else {
        Err(error)
    }
}

/// How many CPUs this process may use.
pub fn cpus() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Lets this process have `wanted` descriptors.
///
/// # Panics
/// If the hard limit is lower.
pub fn allow_descriptors(wanted: u64) {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the limit is ours to write and to read.
    let result = unsafe {
        libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit);
        limit.rlim_cur = limit.rlim_max.max(wanted);
        limit.rlim_max = limit.rlim_cur;
        libc::setrlimit(libc::RLIMIT_NOFILE, &limit)
    };
    let error = io::Error::last_os_error();
    assert!(result == 0, "no {wanted} descriptors: {error}; raise the hard limit (ulimit -Hn)");
}

/// The CPU time, in nanoseconds, that the threads of `pid` have used.
pub fn cpu_time(pid: u32) -> u64 {
    let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else { return 0 };
    let one = |thread: io::Result<fs::DirEntry>| {
        let text = fs::read_to_string(thread.ok()?.path().join("schedstat")).ok()?;
        text.split(' ').next()?.parse::<u64>().ok()
    };
    threads.filter_map(one).sum()
}

/// The resident memory of `pid` in bytes: counted page by page, not by the kernel's lazy counters.
pub fn resident(pid: u32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).expect("the server runs");
    let line = text.lines().find_map(|line| line.strip_prefix("Rss:"));
    let kib = line.and_then(|rest| rest.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kib.expect("smaps_rollup has a line Rss") * 1024
}
