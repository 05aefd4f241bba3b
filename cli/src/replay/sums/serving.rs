//! A thread between two waits: which of the events that it got it serves now.
//!
//! With one event, that item has all of the time. With several, the thread serves an item from a read or write of its
//! file on; the item of the first read or write has the time before it as well.

use crate::replay::world::Thread;
use crate::replay::Key;

/// How many changes from one item to another are kept in a batch; later ones count only for the items.
const CHANGES: usize = 4096;

/// What a thread serves.
#[derive(Clone, Debug, Default)]
pub struct Serving {
    /// The number of its batch.
    batch: u64,
    /// The item that is served, and since when.
    now: Option<(Key, u64)>,
    /// How long each item was served.
    pub shares: Vec<(Key, u64)>,
}

/// An item was served: which, from when, how long.
pub type Served = (Key, u64, u64);

impl Serving {
    /// If this is a new batch, nothing of it has been served yet.
    fn of_batch(&mut self, number: u64) {
        if self.batch != number {
            (self.batch, self.now) = (number, None);
            self.shares.clear();
        }
    }

    /// The wait returns.
    pub fn returned(&mut self, thread: &Thread, ns: u64) {
        self.of_batch(thread.number);
        if thread.events == 1 {
            self.now = thread.batch.first().map(|event| ((thread.epoll, event.item), ns));
        }
    }

    /// The thread reads or writes the file of an item of the batch, and serves that item from now on. Returns the item
    /// that it leaves for it.
    pub fn touches(&mut self, thread: &Thread, key: Key, ns: u64) -> Option<Served> {
        self.of_batch(thread.number);
        match self.now {
            Some((now, _)) if now == key || thread.events == 1 => None,
            None => {
                self.now = thread.serves_since().map(|since| (key, since));
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
