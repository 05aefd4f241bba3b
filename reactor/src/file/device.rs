//! What a file of each kind does when it is watched, and what passes between its device and the eventpolls.

use std::any::Any;
use std::fmt;

use crate::eventpoll::epitem::{PollerId, NO_POLLER_ID};
use crate::eventpoll::Eventpoll;
use crate::file::File;
use crate::sync::{Arc, Weak};

/// One registration as its device knows it.
#[derive(Clone, Debug)]
pub struct ItemRef {
    /// The eventpoll.
    pub ep: Weak<Eventpoll>,
    /// The item's slab id.
    pub id: u32,
    /// The item's serial number.
    pub serial: u64,
    /// Whether it is told only if nobody before could use the wakeup.
    pub exclusive: bool,
}

/// What an eventpoll learned about an item when it asked the device.
#[derive(Clone, Copy, Debug)]
pub struct PollResult {
    /// Interest and private bits now.
    pub events: u32,
    /// What the device said.
    pub revents: u32,
    /// Whether the item is on the ready list.
    pub queued: bool,
}

/// What the program's reads of a file told since the device was last asked for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DrainHint {
    /// A read got less than it asked for.
    pub short: bool,
    /// A read got EAGAIN.
    pub again: bool,
}

impl DrainHint {
    /// Whether a read emptied the file.
    pub fn drained(self) -> bool {
        self.short || self.again
    }
}

/// What a file does when it is watched. Linux: `f_op->poll` and the wait queue head behind it.
pub trait Device: Any + Send + Sync + fmt::Debug {
    /// The readiness now; error and hang-up are told even if `mask` does not ask for them.
    fn poll(&self, mask: u32) -> u32;

    /// A descriptor by which this device can be asked together with others in one ppoll.
    fn pollfd(&self) -> Option<i32> {
        None
    }

    /// Whether the answer depends on the thread that asks: a signalfd, of signals sent to one thread.
    fn depends_on_thread(&self) -> bool {
        false
    }

    /// From now on wakeups of `file` are told. Called before the first `poll`, so nothing is missed.
    fn attach(&self, _file: &Arc<File>, _item: &ItemRef, _events: u32) -> PollerId {
        NO_POLLER_ID
    }

    /// The interest of an item changed for which nothing is kept. Returns what is from now on.
    fn concern(&self, _file: &Arc<File>, _item: &ItemRef, _events: u32) -> PollerId {
        NO_POLLER_ID
    }

    /// Tells all wakeups, of any file, that have happened until now.
    fn catch_up(&self) {}

    /// Whether its wakeups may leave out something that an item with this interest waits for.
    fn may_lack(&self, _events: u32) -> bool {
        false
    }

    /// Whether they do now.
    fn lacks(&self, _result: PollResult) -> bool {
        false
    }

    /// From now on that is looked for. Returns what is kept for the item.
    fn fill_gap(&self, _file: &Arc<File>, _item: &ItemRef, _events: u32) -> PollerId {
        NO_POLLER_ID
    }

    /// Whether `measure` does anything.
    fn is_measured(&self) -> bool {
        false
    }

    /// The eventpoll is about to ask for the item: what comes from now on is not known to what it will `rearm`.
    fn measure(&self, _id: PollerId) {}

    /// The eventpoll asked, and this is what came of it.
    fn rearm(&self, _id: PollerId, _result: PollResult) {}

    /// The item is gone. After the return no wakeup is told on its behalf.
    fn detach(&self, _id: PollerId) {}

    /// The last descriptor is about to be closed.
    fn release(&self) {}

    /// Whether data can come though the file has hung up.
    fn hears_after_hangup(&self) -> bool {
        false
    }

    /// Whether an item with this interest may be asked by the waiting thread instead of being attached.
    fn can_be_hot(&self, _events: u32) -> bool {
        false
    }

    /// From now on reads and writes of the program leave hints.
    fn wants_drain_hints(&self) {}

    /// What they have told by number `fd` since the last time this was called.
    fn take_drain_hint(&self, _fd: i32) -> DrainHint {
        DrainHint::default()
    }

    /// How much has come so far to be read.
    fn intake(&self) -> Option<u64> {
        None
    }

    /// Returns once no thread sleeps in a ppoll that has the file and began before.
    fn quiesce(&self) {}
}
