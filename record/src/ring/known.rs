//! What is known of descriptors.

use std::collections::BTreeMap;

use super::{u32_at, Header};
use crate::clock::Moment;
use crate::facts::{self, Born};
use crate::{items, layout};

/// What is known of a descriptor, since its number got its file. Times are CLOCK_MONOTONIC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// When an event was last delivered, and which.
    pub delivered: Option<(u64, u32)>,
    /// An event was delivered since the last read.
    pub told: bool,
    /// When it was last read or accepted from.
    pub read_ns: Option<u64>,
    /// How that ended, and how many bytes it got, or the errno.
    pub read: Option<(facts::Result, u32)>,
    /// When a write was refused, if none has succeeded since.
    pub refused_ns: Option<u64>,
    /// How many in a row.
    pub refusals: u32,
    /// Since then EPOLLOUT was asked for.
    pub asked: bool,
    /// Since then, and since the last change of the item, EPOLLOUT was delivered.
    pub told_room: bool,
    /// An event was delivered since the last change of the item.
    pub taken: bool,
    /// When it was last added, or its item changed.
    pub changed_ns: Option<u64>,
    /// How it came, and when, if the program has not touched it since.
    pub born: Option<(Born, u64)>,
    /// The process has forked since.
    pub forked_since_born: bool,
    /// The entry itself: as long as it is the same, nothing was done with the descriptor.
    pub words: [u32; layout::FD / 4],
}

/// Parses what is known of descriptors from bytes that were read at `now`.
pub fn parse_facts(head: &Header, now: Moment, bytes: &[u8]) -> BTreeMap<i32, Facts> {
    let shift = items::COARSER + if head.counts { items::FINE } else { items::FINE_NS };
    let speed = head.begin.speed(now).unwrap_or(1.0);
    let ago = (now.ticks.saturating_sub(head.begin.ticks) >> shift) as u32;
    let ns = |passed: u32| now.ns.saturating_sub(((u64::from(passed) << shift) as f64 * speed) as u64);
    // A time that is a moment ahead of ours counts as now.
    let passed = |time: u32| Some(ago.wrapping_sub(time)).filter(|passed| *passed < 1 << 31).unwrap_or(0);
    let time = |time: u32| (time != 0).then(|| ns(passed(time)));
    let mut all = BTreeMap::new();
    for entry in bytes.chunks_exact(4 + layout::FD) {
        let word = |n: usize| u32_at(entry, 4 + n * 4);
        let (result, since, born) = (word(facts::RESULT), word(facts::SINCE), word(facts::BORN));
        let how = match born >> facts::HOW {
            1 => Some(Born::Accepted),
            2 => Some(Born::Received),
            _ => None,
        };
        let age = ago.wrapping_sub(born) & facts::WHEN;
        let age = if age > facts::WHEN / 2 { 0 } else { age };
        let forked = head.habits.last_fork;
        let facts = Facts {
            delivered: time(word(facts::DELIVERED)).map(|ns| (ns, word(facts::EVENTS))),
            told: result & facts::TOLD != 0,
            read_ns: time(word(facts::READ)),
            read: facts::Result::of(result >> facts::KIND & 7).map(|how| (how, result & facts::AMOUNT)),
            refused_ns: time(word(facts::REFUSED)),
            refusals: since & facts::REFUSALS,
            asked: since & facts::ASKED != 0,
            told_room: since & facts::ROOM != 0,
            taken: since & facts::TAKEN != 0,
            changed_ns: time(word(facts::CHANGED)),
            born: how.map(|how| (how, ns(age))),
            forked_since_born: how.is_some() && forked != 0 && passed(forked) <= age,
            words: std::array::from_fn(word),
        };
        all.insert(u32_at(entry, 0) as i32, facts);
    }
    all
}
