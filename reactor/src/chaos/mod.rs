//! Legal chaos: does often what epoll(7) permits and the kernel rarely does (`glasspoll_record::chaos` has the
//! words).
//!
//! All decisions come from a number that is computed from the seed, the set, and the count of the set's waits.
//! So a program that does the same sees the same again. Chaos does only what every program must tolerate: it
//! loses no event and no edge, and reports no file that could not have been ready a moment ago.
//!
//! | injection | where | why it is legal |
//! |---|---|---|
//! | short, reorder | `stir` | the rest could have become ready later, or in that order |
//! | coalesce | `stir` | this edge could have come later; what comes meanwhile merges with it |
//! | repeat | `Eventpoll::deliver` | another wakeup does the same; the next wait asks the file |
//! | spurious | `spurious` | another process could have taken what was there |
//! | eintr | `wait` | SIGSTOP and SIGCONT do the same; only for a wait that finds nothing |
//! | delay | `wait` | a thread may be scheduled late |
//!
//! No item is hot, so that the order in which items become ready is known.

mod plan;
mod spurious;
mod stir;
mod stirred;
mod wait;

pub(crate) use plan::Plan;
pub(crate) use wait::{pause, Waits};

use glasspoll_record::chaos::Spec;

use crate::hash::{Map, Set};
use crate::sync::global::AtomicU64;
use crate::sync::{Mutex, Ordering};

/// Which process of a family of forked processes this is: each has a schedule of its own.
#[derive(Debug, Default)]
pub(crate) struct Family {
    /// Tells a forked child from its parent and its siblings.
    process: AtomicU64,
    forks: AtomicU64,
}

impl Family {
    /// The process is about to fork.
    pub(crate) fn forks(&self) {
        self.forks.fetch_add(1, Ordering::Relaxed);
    }

    /// In a forked child: it has a schedule of its own from now on.
    pub(crate) fn forked(&self) {
        let which = self.forks.swap(0, Ordering::Relaxed);
        self.process.store(mix(self.process.load(Ordering::Relaxed) ^ which), Ordering::Relaxed);
    }
}

/// The chaos of a set.
#[derive(Debug)]
pub(crate) struct Chaos {
    spec: &'static Spec,
    family: &'static Family,
    past: Mutex<Past>,
}

/// State of a set, kept from wait to wait.
#[derive(Debug, Default)]
struct Past {
    waits: u32,
    /// Serial numbers of the items that were held back and not reported since.
    held: Set<u64>,
    /// By serial number: the wait in which the item was reported and went back to the ready list, or the first
    /// wait that found it there.
    queued: Map<u64, u32>,
}

impl Chaos {
    /// For a new set.
    pub(crate) fn new(spec: &'static Spec, family: &'static Family) -> Self {
        Self { spec, family, past: Mutex::default() }
    }
}

/// Mixes the bits of a number: every bit of the result depends on every bit of `number` (`splitmix64`).
fn mix(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ z >> 31
}
