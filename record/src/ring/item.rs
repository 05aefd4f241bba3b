//! The entries of items, and of sets.

use super::{u32_at, Header};
use crate::clock::Moment;
use crate::{items, layout};

/// An entry: an item, or a set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// The id of the set.
    pub epoll: u32,
    /// The entry is a set, and `fd` its descriptor.
    pub is_set: bool,
    /// The fd by which the item was added.
    pub fd: i32,
    /// The item's serial number.
    pub serial: u32,
    /// Interest and flags.
    pub interest: u32,
    /// It is on the ready list.
    pub queued: bool,
    /// It is hot: the waiting thread asks the file itself.
    pub hot: bool,
    /// EPOLLONESHOT has silenced it.
    pub disarmed: bool,
    /// How many events were delivered; for a set, how many waits have returned.
    pub delivered: u32,
    /// While it is queued: since when; otherwise when it was last delivered, if it was. CLOCK_MONOTONIC.
    pub since_ns: Option<u64>,
}

/// Parses the items from their bytes, which were read at `now`.
pub fn parse_items(head: &Header, now: Moment, bytes: &[u8]) -> Vec<Item> {
    let unit = if head.counts { items::FINE } else { items::FINE_NS };
    let speed = head.begin.speed(now).unwrap_or(1.0);
    let ago = now.ticks.saturating_sub(head.begin.ticks);
    let mut all = Vec::new();
    for entry in bytes.chunks_exact(layout::ITEM) {
        let [a, b, delivered, serial, time] = [0, 4, 8, 12, 16].map(|at| u32_at(entry, at));
        if a & items::USED == 0 {
            continue;
        }
        let queued = a & items::QUEUED != 0;
        let shift = if queued { unit } else { unit + items::COARSER };
        // The time has 32 bits and wraps around.
        let passed = ((ago >> shift) as u32).wrapping_sub(time);
        let passed = if passed > u32::MAX - (1 << 20) { 0 } else { u64::from(passed) << shift };
        let since = now.ns.saturating_sub((passed as f64 * speed) as u64);
        let interest = b & items::INTEREST;
        let is_set = a & items::SET != 0;
        all.push(Item {
            epoll: a >> items::LOW | (b & !items::INTEREST) >> 14 << items::LOW_BITS,
            is_set,
            fd: (a & items::FD) as i32,
            serial,
            interest,
            queued,
            hot: a & items::HOT != 0,
            disarmed: !is_set && interest & !0xf000_0000 == 0,
            delivered,
            since_ns: (queued || delivered != 0).then_some(since),
        });
    }
    all
}
