//! The process, the thread, and the CPUs.

use super::{args_of, syscall, Sysno};

/// How many CPUs the calling thread may run on; 1 if the kernel does not say.
pub fn cpus() -> u32 {
    let mut set = [0u64; 128];
    match call!(sched_getaffinity, 0, size_of_val(&set), set.as_mut_ptr()) {
        Ok(_) => set.iter().map(|word| word.count_ones()).sum(),
        Err(_) => 1,
    }
}

/// Whether the effective user is root.
pub fn is_root() -> bool {
    call!(geteuid) == Ok(0)
}

/// Lets another thread run.
pub fn yield_now() {
    let _ = call!(sched_yield);
}

/// The process id, as the kernel says it.
pub fn getpid() -> i32 {
    call!(getpid).unwrap_or(0) as i32
}

/// The thread id.
pub fn gettid() -> i32 {
    call!(gettid).unwrap_or(0) as i32
}
