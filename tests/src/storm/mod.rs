//! The threaded walker: threads write, wait, change and close at the same time, and some things must stay true.
//!
//! A *storm* is a row of *eras*. Each era draws a *plan* from its seed: how many epolls there are, and whether they are
//! linked into one another; how many threads wait on them, and in which way; which files, which changes. An era
//! alternates between *gusts*, in which all threads do what they like, and *lulls*, in which no thread writes or
//! changes anything. In a lull everything that is ready must be reported and used up. A lost wakeup shows there,
//! because nothing comes that could repair it.
//!
//! | invariant | what it says |
//! |---|---|
//! | lost | what is ready and asked for is reported: a lull ends with everything used up |
//! | edge | an edge-triggered item is reported at most once for each wakeup of its file, and for each ADD and MOD |
//! | deaf | a file that becomes ready again each time it is drained is reported again and again, also in lulls |
//! | oneshot | an EPOLLONESHOT item is reported once for each ADD and MOD |
//! | stale | a wait that began after a DEL, MOD or last close returned does not report the item as it was before |
//! | foreign | an event carries the data of an item of this very set |
//! | bits | an event has no bit that was not asked for |
//! | idle | an event is of a file that was ready at some time during the wait |
//! | answer | calls succeed or fail as they must; a wait without a timeout reports an event, and no wait ends early |
//! | stuck | every call comes to an end; a file in a closed epoll wakes the thread that still waits on it |
//!
//! A clock that all threads advance orders what a thread knows about another: an event of an item that was deleted at 7
//! is wrong in a wait that began at 8, and right in one that began at 6.
//!
//! Some files are *pulses*: periodic timers, timers that their reader sets anew, and files to which a writer writes as
//! soon as they are empty. The writer is a thread, or another process that has the file too. So something may come at
//! the very moment of a read. Reads continue until one is refused, or until one has got all there was; or they leave
//! something.
//!
//! Earlier storms, walks and models did not find this bug: an edge-triggered periodic timer lost its edge when it
//! expired between a read and the library's poll for what was left. Their readers read until a read was refused, so the
//! library needed no poll; their timers expired once, after a thread had set them; and no model has a poll after a
//! read. A lull sees only what stays ready while no thread acts, never a file that becomes ready again by itself.
//!
//! Every invariant was first seen to hold on the kernel. [`Fault`] makes the storm itself lie, to show that each
//! invariant notices.

mod account;
mod broker;
mod calls;
mod changes;
mod children;
mod cookies;
mod descriptors;
mod era;
mod fault;
mod files;
mod handling;
mod kind;
mod lies;
mod lull;
mod making;
mod passing;
mod plan;
mod pulse;
mod reading;
mod reads;
mod sets;
mod signals;
mod threads;
mod waiting;
mod world;

use std::time::{Duration, Instant};

pub use fault::Fault;

/// The options of a storm.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// How long it runs.
    pub length: Duration,
    /// The seed of the first era; the next one's is one more.
    pub seed: u64,
    /// The lie to tell.
    pub fault: Option<Fault>,
    /// How long something ready may go unreported, or a call may take.
    pub patience: Duration,
}

/// Counts of what the storm did.
#[derive(Clone, Copy, Debug, Default)]
pub struct Summary {
    /// Eras.
    pub eras: u64,
    /// Lulls in which everything was used up.
    pub lulls: u64,
    /// Events reported.
    pub events: u64,
    /// Waits.
    pub waits: u64,
    /// Writes.
    pub writes: u64,
    /// ADD, MOD, DEL.
    pub changes: u64,
    /// Files closed while watched.
    pub closes: u64,
    /// Epolls closed while waited on.
    pub closed_sets: u64,
    /// Children.
    pub forks: u64,
}

/// Runs a storm. If an invariant is violated, it does not return: it prints which one on stderr and exits with 1.
pub fn storm(options: Options, mut progress: impl FnMut(&Summary)) -> Summary {
    calls::handle_signals();
    signals::block();
    broker::broker();
    let mut summary = Summary::default();
    let start = Instant::now();
    while start.elapsed() < options.length {
        era::run(options.seed + summary.eras, &options, &mut summary);
        summary.eras += 1;
        progress(&summary);
    }
    summary
}
