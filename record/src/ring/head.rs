//! The header of a ring.

use super::{u32_at, u64_at, Page};
use crate::clock::Moment;
use crate::layout::{self, header};
use crate::stacks;

/// How often the program did by itself, a second or more later, what an event would have told it to do: such a program
/// may put off other things on purpose, too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Habits {
    /// Reads.
    pub came_back: u32,
    /// One-shot items that were armed again.
    pub rearmed: u32,
    /// Refused writes that were tried again without an event.
    pub retried: u32,
    /// Descriptors that came by accept(2) on a watched listener, or in a message.
    pub born: u32,
    /// Those of them that were touched so late for the first time.
    pub late: u32,
    /// When the process forked last, in the unit of facts; 0: never.
    pub(super) last_fork: u32,
}

/// What the header says.
#[derive(Clone, Debug)]
pub struct Header {
    /// How many blocks there are.
    pub blocks: u32,
    /// How many items the ring has room for.
    pub capacity: u32,
    /// The process.
    pub pid: u32,
    /// Its parent when the ring was made.
    pub ppid: u32,
    /// Ticks are those of the processor's counter.
    pub counts: bool,
    /// The times at which files became ready are exact.
    pub exact: bool,
    /// The process was forked with sets of its parent.
    pub forked: bool,
    /// The kernel's epoll answers, and the library only records.
    pub observed: bool,
    /// How many call stacks there is room for; 0: none are kept.
    pub stacks: u32,
    /// Where they begin, in pages.
    pub stacks_at: u32,
    /// When the ring was made.
    pub begin: Moment,
    /// The same in nanoseconds since 1970.
    pub realtime: u64,
    /// Of how many fds facts are kept.
    pub fds: u32,
    /// How often the program came back to something by itself.
    pub habits: Habits,
    /// How many entries of items have ever been in use.
    pub items: u32,
    /// How many items were left out because there was no room.
    pub left_out: u32,
    /// Serial numbers of items, and when they were given, in milliseconds since the ring was made.
    pub moments: Vec<(u32, u32)>,
}

impl Header {
    /// Parses it from the first page.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn parse(page: &Page) -> Result<Self, String> {
        if u64_at(page, header::MAGIC) != layout::MAGIC {
            return Err("this is no record of glasspoll's".into());
        }
        let word = |at| u32_at(page, at);
        let version = word(header::VERSION);
        if version != layout::VERSION {
            let known = layout::VERSION;
            return Err(format!("the record has version {version}; this program knows version {known}: use the glasspoll that belongs to the library"));
        }
        let moments = (word(header::MOMENTS) as usize).min(layout::MOMENTS);
        let at = |n: usize| header::FIRST_MOMENT + 8 * n;
        let head = Self {
            blocks: word(header::BLOCKS),
            capacity: word(header::CAPACITY),
            pid: word(header::PID),
            ppid: word(header::PPID),
            counts: word(header::CLOCK) == 1,
            exact: word(header::EXACT) == 1,
            forked: word(header::FORKED) == 1,
            observed: word(header::OBSERVED) == 1,
            stacks: word(header::STACKS).min(stacks::STACKS),
            stacks_at: word(header::STACKS_AT),
            begin: Moment { ticks: u64_at(page, header::TICKS), ns: u64_at(page, header::NS) },
            realtime: u64_at(page, header::REALTIME),
            fds: word(header::FDS),
            habits: Habits {
                came_back: word(header::CAME_BACK),
                rearmed: word(header::REARMED),
                retried: word(header::RETRIED),
                born: word(header::BORN),
                late: word(header::LATE),
                last_fork: word(header::LAST_FORK),
            },
            items: word(header::ITEMS),
            left_out: word(header::LEFT_OUT),
            moments: (0..moments).map(|n| (word(at(n)), word(at(n) + 4))).collect(),
        };
        let makes_sense = (1..=layout::MOST_BLOCKS).contains(&head.blocks)
            && head.capacity <= layout::MOST_ITEMS
            && head.items <= head.capacity
            && head.fds <= layout::MOST_FDS;
        if !makes_sense {
            return Err("the record's header makes no sense".into());
        }
        Ok(head)
    }

    /// When the item with this serial number was added, in nanoseconds of CLOCK_MONOTONIC: not before the first
    /// time, and before the second, if there is one.
    pub fn added(&self, serial: u32) -> (u64, Option<u64>) {
        let ns = |ms: u32| self.begin.ns.saturating_add(u64::from(ms) * 1_000_000);
        let after = self.moments.partition_point(|(first, _)| *first <= serial);
        let from = after.checked_sub(1).and_then(|n| self.moments.get(n));
        (from.map_or(self.begin.ns, |(_, ms)| ns(*ms)), self.moments.get(after).map(|(_, ms)| ns(*ms)))
    }
}
