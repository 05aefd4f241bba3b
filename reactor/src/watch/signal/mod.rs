//! The first source of wakeups: a real-time signal for each.
//!
//! `signalfd` reads the signals and arms files, `armed` is the file that a signal's number stands for.
//!
//! Locks: `Armed::files`, for a look-up alone, at the end of the third level.

pub(super) mod armed;
pub(super) mod signalfd;
