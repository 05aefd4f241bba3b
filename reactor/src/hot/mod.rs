//! Hot items: the waiting thread asks their files itself, all in one ppoll, while the set is busy.
//!
//! A *cold* item is attached to its device, which reports each wakeup by a signal; it costs nothing while
//! nothing happens. A *hot* item is not attached: it has a place in the list that the thread passes to ppoll
//! when it waits for this set. Signals are exact and expensive. Asking is cheap if most of the list is ready.
//! So a set has hot items only while it is busy (`load`), as a network driver polls under load and takes
//! interrupts otherwise.
//!
//! `transition` has the states of an item, and the table of how it goes from one to the next.
//!
//! A hot edge-triggered item reports the rise of a level. This is an edge only if the level has fallen since
//! the last report, which we know from a read of the program (`DrainHint`). An item not known to be drained
//! goes cold, and a cold item reports each wakeup.
//!
//! Protected by `ep.mtx`, except the list itself while a thread sleeps on it.
//!
//! `transition` is pure. `state` is the part of a state that the item stores, `slot` the part that its place in
//! the `list` has. `promote` and `demote` do what a transition says, and `round` what is due before a wait asks.
//! `send` delivers, `load` is how busy a set is, `spin` polls before a sleep.

mod demote;
pub(crate) mod list;
pub(crate) mod load;
mod promote;
mod round;
pub(crate) mod send;
pub mod slot;
pub(crate) mod spin;
pub(crate) mod state;
pub(crate) mod transition;

pub use list::Limits;

/// A set is busy if it has this many units of work (calls and events) in `BUSY_NS`.
pub(crate) const BUSY_UNITS: u32 = 2000;
const BUSY_NS: u64 = 100_000_000;

/// After this many waits without an event an item goes cold. Asking costs a sixth of a signal.
const QUIET_ROUNDS: u32 = 12;

/// After a sleep of this length without any event all items go cold.
pub(crate) const QUIET_NS: u64 = 10_000_000;

/// Every this many waits we look for quiet items.
const SWEEP_ROUNDS: u32 = 8;

/// At most this many quiet items go cold in one wait.
const MOST_AT_ONCE: usize = 64;

/// Every this many waits we check whether there is still room to write.
const ROOM_ROUNDS: u32 = 64;

/// For this many waits a set that has turned out unfit for hot items has none.
const REST_ROUNDS: u32 = 4096;

/// An item must have been drained this many times to be trusted.
const PROOFS: u8 = 2;

/// For this many waits an item stays cold that was not drained this time, if it was drained `TRUSTED` times
/// before.
const ONCE_ROUNDS: u32 = 32;
const TRUSTED: u8 = 8;

#[cfg(all(test, not(loom)))]
mod tests;
