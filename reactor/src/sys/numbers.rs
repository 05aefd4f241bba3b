//! Numbers of descriptors out of the program's way, and the limit on them.

use super::{args_of, close, fcntl, syscall, Sysno};
use crate::sync::{AtomicU32, Mutex, Ordering};

/// Moves a descriptor of ours out of the way of the program's numbers, close-on-exec.
pub fn move_high(fd: i32) -> i32 {
    let top = descriptor_limits()[0].min(1 << 20) as usize;
    for floor in [top.saturating_sub(64), top / 2] {
        if let Ok(high) = fcntl(fd, libc::F_DUPFD_CLOEXEC, floor) {
            let _ = close(fd);
            return high;
        }
    }
    fd
}

/// Held while RLIMIT_NOFILE is raised, and by who reads or changes it for the program.
pub static LIMIT: Mutex<()> = Mutex::new(());

/// The soft and the hard limit of descriptors.
pub fn descriptor_limits() -> [u64; 2] {
    let mut limits = [0u64; 2];
    let _ = call!(prlimit64, 0, libc::RLIMIT_NOFILE, 0, limits.as_mut_ptr());
    limits
}

/// Runs `work` with the limit of descriptors raised, as far as the hard limit lets it: what is opened
/// meanwhile by `move_high` lies above all the numbers that the program can get.
pub fn with_raised_limit<T>(work: impl FnOnce() -> T) -> T {
    let _limit = LIMIT.lock();
    let limits = descriptor_limits();
    let raised = [limits[1].min(limits[0] + 64), limits[1]];
    let _ = call!(prlimit64, 0, libc::RLIMIT_NOFILE, raised.as_ptr(), 0);
    let done = work();
    let _ = call!(prlimit64, 0, libc::RLIMIT_NOFILE, limits.as_ptr(), 0);
    done
}

/// Another number of the file, out of the way, that `is_fit`. The caller closes it.
pub(crate) fn alias(fd: i32, is_fit: impl Fn(i32) -> bool) -> Option<i32> {
    /// Where to look first.
    static NEXT: AtomicU32 = AtomicU32::new(0);
    with_raised_limit(|| {
        let top = descriptor_limits()[0].min(1 << 20) as u32;
        let mut floor = NEXT.load(Ordering::Relaxed).clamp(top / 2, top.saturating_sub(1));
        for _ in 0..256 {
            let Ok(alias) = fcntl(fd, libc::F_DUPFD_CLOEXEC, floor as usize) else {
                if std::mem::replace(&mut floor, top / 2) == top / 2 {
                    return None;
                }
                continue;
            };
            floor = alias as u32 + 1;
            if is_fit(alias) {
                NEXT.store(floor, Ordering::Relaxed);
                return Some(alias);
            }
            let _ = close(alias);
        }
        None
    })
}
