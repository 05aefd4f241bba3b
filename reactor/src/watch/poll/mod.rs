//! The second source of wakeups: ppoll, by which files are asked and slept on.
//!
//! `poller` has all entries. An `entry` is what to ask a file for, and what of the answer is new.
//! `gaps` is what the signals of a file leave out.
//!
//! Locks: the poller's set, at the end of the third level; no callback is called under it.

pub(super) mod entry;
pub(super) mod gaps;
pub(super) mod poller;
