//! Hot items: those that the waiting thread asks itself, all in one ppoll, while they are busy.
//!
//! A *cold* item is attached to its device, which tells each wakeup by a signal; it costs nothing while
//! nothing happens. A *hot* item is not attached at all: it is a place in the list that the thread
//! hands to ppoll when it waits for this set. Signals are exact and dear, asking is cheap where most of
//! the list is ready; so a set has hot items only while it is busy (`load`), as a network driver polls
//! under load and takes interrupts else.
//!
//! | from | to | when | system calls |
//! |---|---|---|---|
//! | new | hot | ADD to a busy set | 0 |
//! | new | cold | any other ADD | arm, ask |
//! | cold | hot | told twice within `QUIET_ROUNDS` waits; or MOD; in a busy set | disarm |
//! | hot | leaving | nothing for `QUIET_ROUNDS` waits | arm |
//! | leaving | cold | asked once more with the rest | 0 |
//! | hot | cold | no event for `QUIET_NS`; the set gets a second waiter, is watched itself, or its file a second item; an edge-triggered item was not drained | arm, ask |
//! | hot | gone | DEL, close | 0 |
//!
//! A hot edge-triggered item reports the rise of a level. That is an edge only if the level is known to
//! have fallen since the last one: by a read or write of the program that said so (`DrainHint`). One that is
//! not known to be drained goes cold, where each wakeup counts.
//!
//! Protected by `ep.mtx`, except the list itself while a thread sleeps on it.
//!
//! `list` has the places, `slot` is one of them, `state` what an item knows of its own, `transition` takes items from
//! one state to the other, `send` delivers, `load` is how busy a set is, `spin` looks before a sleep.

pub(crate) mod list;
pub(crate) mod load;
pub(crate) mod send;
pub mod slot;
pub mod spin;
pub(crate) mod state;
pub(crate) mod transition;

pub use list::configure;

/// A set is busy with so many units of work, calls and events, in `BUSY_NS`.
pub(crate) const BUSY_UNITS: u32 = 2000;
const BUSY_NS: u64 = 100_000_000;

/// After how many waits without news an item goes cold. An asking costs a sixth of a signal.
const QUIET_ROUNDS: u32 = 12;

/// After how long a sleep without any event all items go cold.
pub(crate) const QUIET_NS: u64 = 10_000_000;

/// How often those are looked for, in waits.
const SWEEP_ROUNDS: u32 = 8;

/// How many quiet items go cold in one wait.
const MOST_AT_ONCE: usize = 64;

/// How often it is looked whether there is still room to write, in waits.
const ROOM_ROUNDS: u32 = 64;

/// How long a set that turned out not to fit for hot items has none, in waits.
const REST_ROUNDS: u32 = 4096;

/// So many times an item must have been drained to be trusted.
const PROOFS: u8 = 2;

/// How long an item stays cold that was not drained when it should have been, but so often before.
const ONCE_ROUNDS: u32 = 32;
const TRUSTED: u8 = 8;
