//! A wait's events on their way through chaos.

use crate::chaos::Plan;
use crate::eventpoll::event_sink::EventSink;
use crate::sys::Errno;
use crate::uapi::EpollEvent;

/// Where the events of a wait with chaos go.
pub(super) struct Stirred<'a> {
    pub(super) sink: &'a mut dyn EventSink,
    pub(super) plan: Plan,
}

impl EventSink for Stirred<'_> {
    fn put(&mut self, index: usize, event: EpollEvent) -> Result<(), Errno> {
        self.sink.put(index, event)
    }

    fn plan(&mut self) -> Option<&mut Plan> {
        Some(&mut self.plan)
    }
}
