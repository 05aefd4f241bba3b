//! What a file of each kind does when it is watched, and how its device knows an item.

use std::any::Any;
use std::fmt;

use crate::eventpoll::Eventpoll;
use crate::file::{wait_head, DrainHint, File, PollResult, PollerId, NO_POLLER_ID};
use crate::sync::{Arc, Weak};

/// An item, as its device knows it.
#[derive(Clone, Debug)]
pub struct ItemRef {
    /// The eventpoll.
    pub ep: Weak<Eventpoll>,
    /// The item's slab id.
    pub id: u32,
    /// The item's serial number.
    pub serial: u64,
    /// Whether a wakeup reaches it only if no exclusive item before it used that wakeup.
    pub exclusive: bool,
}

/// The wait queue of a file, or of an eventpoll.
pub type WaitHead = wait_head::WaitHead<ItemRef>;

impl wait_head::Item for ItemRef {
    fn serial(&self) -> u64 {
        self.serial
    }

    fn is_exclusive(&self) -> bool {
        self.exclusive
    }

    #[inline]
    fn call_back(&self, pollflags: u32, has_new_end: &mut dyn FnMut() -> bool) -> bool {
        let Some(ep) = self.ep.upgrade() else { return false };
        ep.poll_callback(self.id, self.serial, pollflags, has_new_end)
    }
}

/// What a file does when it is watched. Linux: `f_op->poll` and the wait queue head behind it.
pub trait Device: Any + Send + Sync + fmt::Debug {
    /// The readiness now. Error and hang-up are reported even if `mask` does not have them.
    fn poll(&self, mask: u32) -> u32;

    /// A descriptor for asking this device together with others in one ppoll; None if `poll` must be called.
    fn pollfd(&self) -> Option<i32> {
        None
    }

    /// Whether the answer depends on the thread that asks: a signalfd shows a thread the signals sent to that
    /// thread.
    fn depends_on_thread(&self) -> bool {
        false
    }

    /// Begins to report wakeups of `file` for the item. Called before the first `poll`, so that no wakeup is
    /// missed. Returns the item's entry with the poller, if the device made one.
    fn attach(&self, _file: &Arc<File>, _item: &ItemRef, _events: u32) -> PollerId {
        NO_POLLER_ID
    }

    /// The interest of an item without an entry changed. Returns the item's entry, if the device made one.
    fn interest_changed(&self, _file: &Arc<File>, _item: &ItemRef, _events: u32) -> PollerId {
        NO_POLLER_ID
    }

    /// Drains all wakeups, of any file, that have come until now.
    fn catch_up(&self) {}

    /// Whether there may be a gap: its wakeups do not report something that an item with this interest waits
    /// for.
    fn may_have_gap(&self, _events: u32) -> bool {
        false
    }

    /// Whether there is a gap now.
    fn has_gap(&self, _result: PollResult) -> bool {
        false
    }

    /// Begins to poll for what falls into the gap. Returns the item's entry.
    fn fill_gap(&self, _file: &Arc<File>, _item: &ItemRef, _events: u32) -> PollerId {
        NO_POLLER_ID
    }

    /// Whether `measure` has an effect.
    fn is_measured(&self) -> bool {
        false
    }

    /// The eventpoll is about to ask the file. What arrives after this call is new to the `PollResult` that
    /// `rearm` will get.
    fn measure(&self, _id: PollerId) {}

    /// The eventpoll has asked the file and got this result: watch for what comes next.
    fn rearm(&self, _id: PollerId, _result: PollResult) {}

    /// The item is gone. After the return no wakeup reaches it.
    fn detach(&self, _id: PollerId) {}

    /// The last descriptor is about to be closed.
    fn release(&self) {}

    /// Whether data can arrive after the file has hung up.
    fn hears_after_hangup(&self) -> bool {
        false
    }

    /// Whether an item with this interest may be hot: the waiting thread asks the file, and the item is not
    /// attached.
    fn can_be_hot(&self, _events: u32) -> bool {
        false
    }

    /// From now on the program's reads and refused writes must leave hints.
    fn wants_drain_hints(&self) {}

    /// The hints left at `fd` since the last call of this.
    fn take_drain_hint(&self, _fd: i32) -> DrainHint {
        DrainHint::default()
    }

    /// Whether each arrival is a wakeup, and this process alone reads the file.
    fn tells_arrivals(&self) -> bool {
        false
    }

    /// From now on the calling thread's reads of the file count for `is_emptied`; earlier ones are forgotten.
    fn forget_reads(&self) {}

    /// Whether the calling thread has emptied the file, by a read of `fd`, since `forget_reads`.
    fn is_emptied(&self, _fd: i32) -> bool {
        false
    }

    /// How many bytes have arrived in the file's life, if the kernel counts them.
    fn intake(&self) -> Option<u64> {
        None
    }

    /// Whether another process may have the file, so that the kernel goes on to report its items.
    fn may_live_on(&self) -> bool {
        false
    }

    /// Returns once every ppoll has ended that began before the call and may have the file.
    fn quiesce(&self) {}
}
