//! A thread: its wait, or what its last wait gave.

/// An event of a batch.
#[derive(Clone, Copy, Debug)]
pub struct Delivered {
    /// The fd.
    pub fd: i32,
    /// The item.
    pub item: u32,
}

/// What a thread does.
#[derive(Clone, Debug, Default)]
pub struct Thread {
    /// The set that it waits on, or last waited on; 0: none.
    pub epoll: u32,
    /// Since when it waits.
    pub waits_since: Option<u64>,
    /// How many events it asks for.
    pub maxevents: u32,
    /// Its timeout.
    pub timeout_ns: i64,
    /// The events of its last wait, in their order.
    pub batch: Vec<Delivered>,
    /// When the last wait ended, and what it gave.
    pub returned: Option<(u64, i32)>,
    /// When it did the last thing that is known.
    pub seen_ns: u64,
}

impl Thread {
    /// Whether it serves the events of a wait.
    pub fn serves(&self) -> bool {
        self.waits_since.is_none() && self.returned.is_some()
    }
}
