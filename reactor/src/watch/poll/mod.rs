//! The second source of wakeups: files that are asked, and slept on, by ppoll.
//!
//! `poller` has all of them, `entry` is one: what to ask a file for, and what of the answer is new.
//!
//! Locks: the poller's set, at the end of the third level; no callback is called under it.

pub(super) mod entry;
pub(super) mod poller;
