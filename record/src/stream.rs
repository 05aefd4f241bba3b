//! The events of a running process, as they happen.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;

use crate::layout::block;
use crate::process::{self, Entry, Order};
use crate::ring::{u64_at, Block, Live, Source};

/// Reads what is new in a ring since the last call.
#[derive(Debug)]
pub struct Stream<S = File> {
    live: Live<S>,
    /// How many records have been returned from each block that was not full, by serial number.
    taken: BTreeMap<u64, usize>,
    order: Order,
    /// Blocks that were overwritten before they were read.
    pub lost_blocks: u64,
    /// Records that were torn.
    pub torn: u64,
}

impl<S: Source> Stream<S> {
    /// Reads a ring from its oldest record on.
    pub fn new(live: Live<S>) -> Self {
        Self { live, taken: BTreeMap::new(), order: Order::default(), lost_blocks: 0, torn: 0 }
    }

    /// The ring.
    pub fn live(&self) -> &Live<S> {
        &self.live
    }

    /// Whether there is likely something new: much cheaper than `poll`.
    pub fn has_news(&self) -> bool {
        self.live.has_news(|number| self.taken.get(&(number + 1)).copied().unwrap_or(0))
    }

    /// All events since the last call, in the order of time. An event that is being written right now may come
    /// with the next call, after later events of other threads.
    ///
    /// # Errors
    /// What pread(2) gives.
    pub fn poll(&mut self) -> io::Result<Vec<Entry>> {
        self.poll_and(|_| ())
    }

    /// The same, and passes each block that was read to the caller, for a file. A block that is not full comes
    /// again later, longer.
    ///
    /// # Errors
    /// As above.
    pub fn poll_and(&mut self, mut keep: impl FnMut(&Block)) -> io::Result<Vec<Entry>> {
        let speed = process::speed(self.live.header(), self.live.now());
        let (mut events, mut torn) = (Vec::new(), 0);
        let before = std::mem::take(&mut self.taken);
        let (taken, order) = (&mut self.taken, &mut self.order);
        let drained = self.live.drain(true, |bytes| {
            let serial = u64_at(bytes, block::SERIAL);
            let from = before.get(&serial).copied().unwrap_or(0);
            torn += process::decode(bytes, from, speed, order, &mut events);
            taken.insert(serial, process::len(bytes));
            keep(bytes);
        })?;
        self.lost_blocks = self.lost_blocks.saturating_add(drained.lost);
        self.torn += torn;
        events.sort_by_key(|entry| entry.ns);
        Ok(events)
    }
}
