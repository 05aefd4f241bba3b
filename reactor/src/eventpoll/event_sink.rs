//! Where a wait puts its events.

use crate::chaos::Plan;
use crate::sys::Errno;
use crate::uapi::EpollEvent;

/// Where delivered events go.
pub trait EventSink {
    /// Stores an event.
    ///
    /// # Errors
    /// EFAULT if the memory is not writable; the event is kept.
    fn put(&mut self, index: usize, event: EpollEvent) -> Result<(), Errno>;

    /// What chaos does in this wait; None without chaos.
    fn plan(&mut self) -> Option<&mut Plan> {
        None
    }
}
