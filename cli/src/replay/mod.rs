//! The replay: what the events of a process add up to: its loops, its items, its rates. It takes one event after
//! another, so that it serves a file as well as a process that runs. A loop or an item takes the same memory however
//! much it does.
//!
//! | module | holds |
//! |---|---|
//! | `analysis` | the sum |
//! | `set` | a set, from its creation to its close |
//! | `turn` | a loop: a thread that waits at a set, over and over |
//! | `item` | an item, from ADD to its end |
//! | `span` | what a thread did for a while |
//! | `thread` | which of its events a thread serves now |
//! | `files` | which fds are the same open file |
//! | `latency`, `window` | times by size, and the last seconds |
//! | `world` | sets, items, fds and threads at a moment, as the doctor's rules know them |

mod analysis;
mod files;
mod item;
mod latency;
mod set;
mod span;
mod thread;
mod turn;
mod window;
pub mod world;

pub use analysis::Analysis;
pub use item::{End, Item};
pub use latency::Latency;
pub use set::Set;
pub use span::{Did, Span};
pub use turn::{Loop, Period, State};

/// Bits that are reported whether the program asked for them or not: they say nothing of an item's interest.
pub const ALWAYS: u32 = (libc::EPOLLERR | libc::EPOLLHUP) as u32;

/// An item: the number of its set, and its own serial number.
pub type Key = (u32, u32);

/// The share of `part` in `part` and `rest`; None if both are 0.
pub fn share(part: u64, rest: u64) -> Option<f64> {
    let whole = part.saturating_add(rest);
    (whole != 0).then(|| part as f64 / whole as f64)
}

#[cfg(test)]
mod tests;
