//! The source of wakeups, as a wait sees it.

use libc::pollfd;

use crate::eventpoll::wait_queue::Waiter;
use crate::sync::Arc;

/// How a sleep ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slept {
    /// By a wakeup, or because a device may have wakeups to drain.
    Woken,
    /// By wakeups that signals told of. Files without signals have not been asked since.
    Told,
    /// The time is over.
    TimedOut,
    /// A signal handler of the program ran.
    Signal,
}

/// The source of wakeups for a thread that waits.
pub trait Watcher {
    /// Drains all wakeups that have come until now, and asks `files` as poll(2) does.
    fn look(&self, files: &mut Vec<pollfd>);

    /// Whether there are no wakeups to drain. May return false spuriously.
    fn has_no_news(&self) -> bool;

    /// Whether no other thread drains wakeups while the calling thread sleeps. It is a guess: the answer may change at
    /// any time.
    fn is_alone(&self) -> bool {
        true
    }

    /// Sleeps until `waiter` is woken, a file of `hot` is ready, or a wakeup came from a device, which is
    /// drained before the return. During the sleep `hot` has further files.
    fn sleep(
        &self,
        waiter: &Arc<Waiter>,
        timeout_ns: Option<u64>,
        sigmask: Option<u64>,
        hot: &mut Vec<pollfd>,
    ) -> Slept;
}
