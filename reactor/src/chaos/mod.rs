//! Legal chaos: what epoll(7) allows and rarely does, done often (`glasspoll_record::chaos` has the words).
//!
//! All of it is decided by a number that is made of the seed, the set and how often the set was waited for; so a program
//! that does the same sees the same again. What is done stays within what any program must take: no event is lost,
//! none is reported of a file that could not have been ready a moment ago, no edge is given away.
//!
//! | done | where | why it is legal |
//! |---|---|---|
//! | short, reorder | `stir` | the rest could have become ready later, or in that order |
//! | coalesce | `stir` | so could this one; what comes meanwhile is one edge with it |
//! | repeat | `Eventpoll::deliver` | as another wakeup does; the next wait asks the file |
//! | spurious | `spurious` | another process could have taken what was there |
//! | eintr | `wait` | as SIGSTOP and SIGCONT do; only of a wait that finds nothing |
//! | delay | `wait` | a thread may be scheduled late |
//!
//! No item is hot, so that the order of becoming ready is known.

mod plan;
mod spurious;
mod stir;
mod wait;

pub(crate) use plan::Plan;
pub(crate) use wait::{pause, Waits};

use std::collections::{HashMap, HashSet};

use glasspoll_record::chaos::Spec;
use once_cell::sync::{Lazy, OnceCell};

use crate::hot;
use crate::sync::global::{AtomicBool, AtomicU64};
use crate::sync::{Mutex, Ordering};

static ON: AtomicBool = AtomicBool::new(false);
static SPEC: OnceCell<Spec> = OnceCell::new();
/// Tells a forked child from its parent and its siblings.
static PROCESS: AtomicU64 = AtomicU64::new(0);
static FORKS: AtomicU64 = AtomicU64::new(0);
static SETS: Lazy<Mutex<HashMap<u32, Past>>> = Lazy::new(Mutex::default);

/// What is kept of a set from wait to wait.
#[derive(Debug, Default)]
struct Past {
    waits: u32,
    /// Serial numbers of the items that were kept back and not reported since.
    held: HashSet<u64>,
    /// In which wait an item went back to the ready list as it was reported, or before which it came to it.
    queued: HashMap<u64, u32>,
}

/// From now on every wait may be tampered with.
pub fn start(spec: Spec) {
    hot::configure(0, true);
    if SPEC.set(spec).is_ok() {
        ON.store(true, Ordering::Relaxed);
    }
}

/// Whether waits are tampered with.
#[inline]
pub fn is_on() -> bool {
    ON.load(Ordering::Relaxed)
}

/// There is no such set any more.
pub(crate) fn forget(epoll: u32) {
    if is_on() {
        SETS.lock().remove(&epoll);
    }
}

/// The process is about to fork.
pub fn forks() {
    if is_on() {
        FORKS.fetch_add(1, Ordering::Relaxed);
    }
}

/// In a forked child: from here on its own schedule.
pub fn forked() {
    if !is_on() {
        return;
    }
    let which = FORKS.swap(0, Ordering::Relaxed);
    PROCESS.store(mix(PROCESS.load(Ordering::Relaxed) ^ which), Ordering::Relaxed);
}

/// A number in which every bit depends on every bit of this one (`splitmix64`).
fn mix(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ z >> 31
}
