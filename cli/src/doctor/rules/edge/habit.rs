//! How a program reads an edge-triggered item: to EAGAIN, or never.

use glasspoll_record::event::Op;

use super::BUFFER;

/// This many edges, none of them with an accept or a datagram to EAGAIN, are a habit.
const EDGES: u64 = 6;
/// In less time than this it may be chance.
const LONG_NS: u64 = 1_000_000_000;

/// How the program reads an item, over all of its edges.
#[derive(Clone, Copy, Debug, Default)]
pub struct Habit {
    pub first_ns: u64,
    pub last_ns: u64,
    /// For how many edges it read, and how often.
    pub edges: u64,
    pub reads: u64,
    /// It has read to EAGAIN.
    drains: bool,
}

impl Habit {
    pub fn read(&mut self, ns: u64, is_first: bool, is_refused: bool) {
        if self.reads == 0 {
            self.first_ns = ns;
        }
        self.last_ns = ns;
        self.edges += u64::from(is_first);
        self.reads += 1;
        self.drains |= is_refused;
    }

    pub fn is_bad(&self) -> bool {
        !self.drains && self.edges >= EDGES && self.last_ns.saturating_sub(self.first_ns) >= LONG_NS
    }
}

/// Whether recvmmsg(2) got fewer datagrams than it asked for: there were no more. For it `asked` is a number of
/// datagrams, and no buffer for one is that small.
pub fn is_short_batch(op: Op, result: i64, asked: u64) -> bool {
    op == Op::Read && asked <= BUFFER && result >= 0 && (result as u64) < asked
}
