//! What the eventpoll tells a device after it has asked a file.

/// The id of an item's entry with the poller (`watch::poll`).
pub type PollerId = u32;

/// No entry.
pub const NO_POLLER_ID: PollerId = u32::MAX;

/// What the eventpoll found when it asked the file of an item.
#[derive(Clone, Copy, Debug)]
pub struct PollResult {
    /// Interest and private bits now.
    pub events: u32,
    /// The device's answer.
    pub revents: u32,
    /// Whether the item is on the ready list.
    pub queued: bool,
}
