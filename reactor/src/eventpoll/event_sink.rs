//! Where a wait puts its events.

use crate::chaos::Plan;
use crate::uapi::EpollEvent;

/// Where delivered events go.
pub trait EventSink {
    /// Stores an event. False: the memory is not writable, and the event is kept.
    fn put(&mut self, index: usize, event: EpollEvent) -> bool;

    /// What chaos does in this wait; None without chaos.
    fn plan(&mut self) -> Option<&mut Plan> {
        None
    }
}
