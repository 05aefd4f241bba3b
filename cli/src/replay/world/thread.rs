//! A thread: its wait, or what its last wait gave.

/// The most events of a batch that are followed.
const BATCH: usize = 4096;

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
    /// The events of its last wait, in their order: the first 4096.
    pub batch: Vec<Delivered>,
    /// How many they are in all.
    pub events: u64,
    /// The batch's number, of all batches of the process.
    pub number: u64,
    /// When the last wait ended, and what it gave.
    pub returned: Option<(u64, i32)>,
    /// When it did the last thing that is known.
    pub seen_ns: u64,
    /// The fd that it closed last, if the file ended with it and its release may follow.
    pub(super) closed: Option<i32>,
    /// The fd whose file was released last, if its close may follow.
    pub(super) released: Option<i32>,
}

impl Thread {
    /// Whether it serves the events of a wait.
    pub fn serves(&self) -> bool {
        self.serves_since().is_some()
    }

    /// Since when it serves the events of a wait.
    pub fn serves_since(&self) -> Option<u64> {
        self.returned.filter(|_| self.waits_since.is_none()).map(|(ns, _)| ns)
    }

    /// Begins a batch.
    pub(super) fn begin(&mut self, number: u64) {
        self.batch.clear();
        (self.events, self.number) = (0, number);
    }

    /// It gets an event.
    pub(super) fn deliver(&mut self, delivered: Delivered) {
        self.events += 1;
        if self.batch.len() < BATCH {
            self.batch.push(delivered);
        }
    }
}
