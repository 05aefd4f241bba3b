//! A thread between two waits: which of the events that it got it serves now.
//!
//! With one event, that item has all of the time. With several, the thread serves an item from a read or write of its
//! file on; the item of the first read or write has the time before it as well.

use super::Key;

/// How many changes from one item to another are kept in a batch; later ones count only for the items.
const CHANGES: usize = 4096;

/// A thread.
#[derive(Clone, Debug, Default)]
pub struct Thread {
    /// The set that it waits at, or waited at last, if that is known.
    pub epoll: Option<u32>,
    /// The batch's number, of all batches of the process.
    pub batch: u64,
    /// How many events it has.
    pub events: u64,
    /// The first of them.
    first: Option<Key>,
    /// When the wait returned.
    pub since: Option<u64>,
    /// The item that is served, and since when.
    now: Option<(Key, u64)>,
    /// How long each item was served.
    pub shares: Vec<(Key, u64)>,
    /// The fd that it closed last, if the file ended with it.
    pub closed: Option<i32>,
}

/// An item was served: which, from when, how long.
pub type Served = (Key, u64, u64);

impl Thread {
    /// Begins a batch.
    pub fn begin(&mut self, batch: u64) {
        self.batch = batch;
        self.events = 0;
        (self.first, self.since, self.now) = (None, None, None);
        self.shares.clear();
    }

    /// An event is delivered.
    pub fn deliver(&mut self, key: Key) {
        self.events += 1;
        self.first.get_or_insert(key);
    }

    /// The wait returns.
    pub fn returned(&mut self, ns: u64) {
        self.since = Some(ns);
        if self.events == 1 {
            self.now = self.first.map(|key| (key, ns));
        }
    }

    /// It reads or writes the file of an item of the batch. Returns the item that it leaves for it.
    pub fn touches(&mut self, key: Key, ns: u64) -> Option<Served> {
        match self.now {
            Some((now, _)) if now == key || self.events == 1 => None,
            None => {
                self.now = self.since.map(|since| (key, since));
                None
            }
            Some(_) => {
                let left = self.leave(ns);
                self.now = Some((key, ns));
                left
            }
        }
    }

    /// The item that is served, and since when.
    pub fn serves(&self) -> Option<(Key, u64)> {
        self.now
    }

    /// It serves no item any more.
    pub fn leave(&mut self, ns: u64) -> Option<Served> {
        let (key, since) = self.now.take()?;
        let served = ns.saturating_sub(since);
        if self.shares.len() < CHANGES {
            self.shares.push((key, served));
        }
        Some((key, since, served))
    }
}
