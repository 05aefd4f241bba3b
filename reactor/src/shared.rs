//! What all sets of a process share: the settings, and what is counted for the process.

use glasspoll_record::chaos::Spec;

use crate::chaos::Family;
use crate::eventpoll::max_user_watches::UserWatches;
use crate::hot::Limits;
use crate::sync::global::{AtomicU32, AtomicU64};
use crate::sync::Ordering;
use crate::trace::ready_time::ReadyTime;

/// The settings of a process, which do not change.
#[derive(Clone, Debug)]
pub struct Config {
    /// When items may be hot. With chaos no item is hot, so that the order in which items become ready is
    /// known.
    pub hot: Limits,
    /// How long a wait polls before it sleeps, in nanoseconds. 0: not at all; None: as long as it pays.
    pub spin_ns: Option<u64>,
    /// The chaos that waits are subject to.
    pub chaos: Option<Spec>,
}

impl Default for Config {
    fn default() -> Self {
        Self { hot: Limits::default(), spin_ns: Some(0), chaos: None }
    }
}

/// What all sets of a process share. Made once, before the first set.
#[derive(Debug)]
pub struct Shared {
    pub(crate) config: Config,
    pub(crate) family: Family,
    pub(crate) user_watches: UserWatches,
    pub(crate) ready_time: ReadyTime,
    next_set: AtomicU32,
    next_item: AtomicU64,
}

impl Default for Shared {
    fn default() -> Self {
        Self::new(Config::default())
    }
}

impl Shared {
    /// For a process with these settings.
    pub fn new(mut config: Config) -> Self {
        if config.chaos.is_some() {
            config.hot = Limits { most: 0, ..config.hot };
        }
        Self {
            config,
            family: Family::default(),
            user_watches: UserWatches::default(),
            ready_time: ReadyTime::default(),
            next_set: AtomicU32::new(1),
            next_item: AtomicU64::new(1),
        }
    }

    /// An id for a set that no other set of the process ever has.
    pub(crate) fn next_set(&self) -> u32 {
        self.next_set.fetch_add(1, Ordering::Relaxed)
    }

    /// A serial number for an item that no other item of the process ever has.
    pub(crate) fn next_item(&self) -> u64 {
        self.next_item.fetch_add(1, Ordering::Relaxed)
    }

    /// Sets whether a thread watches the devices all the time.
    pub fn watches_all_the_time(&self, always: bool) {
        self.ready_time.all_the_time(always);
    }

    /// The process is about to fork.
    pub fn forks(&self) {
        if self.config.chaos.is_some() {
            self.family.forks();
        }
    }

    /// In a forked child.
    pub fn forked(&self) {
        self.family.forked();
    }
}
