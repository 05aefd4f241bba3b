//! Nested epolls: refuses cycles, more than `EP_MAX_NESTS` levels, and too many wakeup paths.
//!
//! Takes `EPMUTEX`, the first level of the lock order, then each `ep.mtx` from the outside in.
//!
//! Linux: `fs/eventpoll.c:ep_loop_check`, `reverse_path_check`.

use crate::eventpoll::Eventpoll;
use crate::file::{File, WaitHead};
use crate::sync::global::AtomicU64;
use crate::sync::{static_lock, Arc, Mutex, MutexGuard, Ordering};
use crate::sys::Errno;
use crate::uapi::EP_MAX_NESTS;

static_lock! {
    /// Serialises insertions that can form a loop. Linux: `fs/eventpoll.c:epnested_mutex`.
    pub(crate) static EPMUTEX
}

/// Linux: `fs/eventpoll.c:loop_check_gen`; protected by `EPMUTEX`.
static GENERATION: AtomicU64 = AtomicU64::new(0);

/// Linux: `fs/eventpoll.c:path_limits`.
const PATH_LIMITS: [u32; EP_MAX_NESTS as usize + 1] = [1000, 500, 100, 50, 10];

const LOOP: i32 = i32::MAX;

/// One insertion's check, with `EPMUTEX` held.
pub(crate) struct Check {
    generation: u64,
    /// Files whose paths grow by the insertion. Linux: `fs/eventpoll.c:tfile_check_list`.
    files: Mutex<Vec<Arc<File>>>,
    _epmutex: MutexGuard<'static, ()>,
}

/// Starts a check.
pub(crate) fn begin() -> Check {
    let guard = EPMUTEX.lock();
    let generation = GENERATION.fetch_add(1, Ordering::Relaxed) + 1;
    Check { generation, files: Mutex::default(), _epmutex: guard }
}

impl Check {
    /// Refuses to put `inner` below `ep` if that makes a cycle or goes too deep.
    pub(crate) fn refuse_loops(&self, ep: &Arc<Eventpoll>, inner: &Arc<Eventpoll>) -> Result<(), Errno> {
        let below = self.depth_below(ep, inner, 0);
        if below > EP_MAX_NESTS {
            return Err(Errno::ELOOP);
        }
        let above = self.depth_above(ep);
        if below + 1 + above > EP_MAX_NESTS {
            return Err(Errno::ELOOP);
        }
        Ok(())
    }

    /// Linux: `fs/eventpoll.c:ep_loop_check_proc`.
    fn depth_below(&self, inserting: &Arc<Eventpoll>, ep: &Arc<Eventpoll>, depth: i32) -> i32 {
        if ep.generation.load(Ordering::Relaxed) == self.generation {
            return ep.depth.load(Ordering::Relaxed);
        }
        let _tree = ep.mtx.lock();
        ep.generation.store(self.generation, Ordering::Relaxed);
        let files: Vec<Arc<File>> = ep.lock.lock().list.iter().map(|(_, item)| item.file.clone()).collect();
        let mut result = 0;
        for file in files {
            match file.eventpoll() {
                Some(inner) if Arc::ptr_eq(inner, inserting) || depth > EP_MAX_NESTS => result = LOOP,
                Some(inner) => {
                    let below = self.depth_below(inserting, inner, depth + 1);
                    result = result.max(below.saturating_add(1));
                }
                None => self.files.lock().push(file),
            }
            if result > EP_MAX_NESTS {
                break;
            }
        }
        ep.depth.store(result, Ordering::Relaxed);
        result
    }

    /// Linux: `fs/eventpoll.c:ep_get_upwards_depth_proc`.
    fn depth_above(&self, ep: &Eventpoll) -> i32 {
        if ep.generation.load(Ordering::Relaxed) == self.generation {
            return ep.depth.load(Ordering::Relaxed);
        }
        let outer = ep.poll_wait.items();
        let depths = outer.iter().filter_map(|item| item.ep.upgrade());
        let result = depths.map(|outer| self.depth_above(&outer).saturating_add(1)).max().unwrap_or(0);
        ep.generation.store(self.generation, Ordering::Relaxed);
        ep.depth.store(result, Ordering::Relaxed);
        result
    }

    /// Whether a file has more wakeup paths than allowed, now that `target` is inserted.
    /// Linux: `fs/eventpoll.c:reverse_path_check`.
    pub(crate) fn too_many_paths(&self, target: &Arc<File>) -> bool {
        let mut files = std::mem::take(&mut *self.files.lock());
        if target.eventpoll().is_none() {
            files.push(target.clone());
        }
        files.iter().any(|file| {
            let mut counts = [0u32; PATH_LIMITS.len()];
            count_paths(file.wait_head(), 0, &mut counts).is_err()
        })
    }
}

/// Linux: `fs/eventpoll.c:reverse_path_check_proc`, `path_count_inc`.
fn count_paths(head: &WaitHead, depth: usize, counts: &mut [u32; PATH_LIMITS.len()]) -> Result<(), ()> {
    if depth > EP_MAX_NESTS as usize {
        return Err(());
    }
    for item in head.items() {
        let Some(ep) = item.ep.upgrade() else { continue };
        if !ep.poll_wait.items().is_empty() {
            count_paths(&ep.poll_wait, depth + 1, counts)?;
        } else if depth > 0 {
            counts[depth] += 1;
            if counts[depth] > PATH_LIMITS[depth] {
                return Err(());
            }
        }
    }
    Ok(())
}
