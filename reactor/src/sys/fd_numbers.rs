//! Keeps our descriptors at fds out of the program's way; the limit on fds.

use super::{args_of, close, fcntl, syscall, Sysno};
use crate::sync::global::AtomicU32;
use crate::sync::{static_lock, Ordering};

/// How many fds stay free between the program's and ours.
pub const GAP: u32 = 64;

/// The lowest fd for a descriptor of ours, if the limit is not lower. Not near a high limit: the kernel has a
/// table of all fds up to the highest in use, and each fork copies it.
static FLOOR: AtomicU32 = AtomicU32::new(1024 - GAP);

/// Our descriptors must be well above `fd`, which the program uses, from now on. Returns the lowest fd for
/// them.
pub fn stay_above(fd: i32) -> i32 {
    let least = (fd.unsigned_abs() + GAP).saturating_mul(2).min(i32::MAX as u32);
    FLOOR.fetch_max(least, Ordering::Relaxed).max(least) as i32
}

/// Duplicates a descriptor of ours to an fd out of the program's way, close-on-exec.
pub fn duplicate_high(fd: i32) -> Option<i32> {
    let top = soft_limit();
    let last = top.saturating_sub(GAP as usize);
    // The limit is raised now. Take an fd just above the program's limit, if that does not need a large table.
    let first = if top <= 2048 { last } else { last.min(FLOOR.load(Ordering::Relaxed) as usize) };
    [first, top / 2].into_iter().find_map(|floor| fcntl(fd, libc::F_DUPFD_CLOEXEC, floor).ok())
}

/// Moves a descriptor of ours to an fd out of the program's way, close-on-exec.
pub fn move_high(fd: i32) -> i32 {
    duplicate_high(fd).map_or(fd, |high| {
        let _ = close(fd);
        high
    })
}

static_lock! {
    /// Held while RLIMIT_NOFILE is raised, and while the shim reads or changes it for the program.
    pub static LIMIT
}

/// The soft and the hard limit of fds. None: the kernel does not say.
pub fn descriptor_limits() -> Option<[u64; 2]> {
    let mut limits = [0u64; 2];
    call!(prlimit64, 0, libc::RLIMIT_NOFILE, 0, limits.as_mut_ptr()).ok().map(|_| limits)
}

/// The soft limit, up to which fds are tried; a usual value if the kernel does not say.
fn soft_limit() -> usize {
    descriptor_limits().map_or(1024, |limits| limits[0].min(1 << 20)) as usize
}

/// Runs `work` with the limit of fds raised, as far as the hard limit permits. Meanwhile `move_high` finds fds
/// above all those that the program can get, if the program's limit is low.
pub fn with_raised_limit<T>(work: impl FnOnce() -> T) -> T {
    let _limit = LIMIT.lock();
    let Some(limits) = descriptor_limits() else { return work() };
    let raised = [limits[1].min(limits[0].saturating_add(64)), limits[1]];
    let is_raised = call!(prlimit64, 0, libc::RLIMIT_NOFILE, raised.as_ptr(), 0).is_ok();
    let done = work();
    // If the kernel refuses this once, try again. A kernel that always refuses would have refused to raise the
    // limit.
    let mut tries = 0..3;
    while is_raised
        && call!(prlimit64, 0, libc::RLIMIT_NOFILE, limits.as_ptr(), 0).is_err()
        && tries.next().is_some()
    {}
    done
}

/// Duplicates the file to an fd out of the program's way that `is_fit`. The caller closes it.
pub(crate) fn alias(fd: i32, is_fit: impl Fn(i32) -> bool) -> Option<i32> {
    /// Where to start the search.
    static NEXT: AtomicU32 = AtomicU32::new(0);
    with_raised_limit(|| {
        let top = (soft_limit() as u32).min(FLOOR.load(Ordering::Relaxed).saturating_mul(4));
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
