//! What a thread did for a while.

use crate::replay::Key;

/// What a thread did for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The thread.
    pub tid: u32,
    /// The set.
    pub epoll: u32,
    /// From when.
    pub from: u64,
    /// To when.
    pub to: u64,
    /// What.
    pub did: Did,
}

/// See `Span`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Did {
    /// It waited, and got this number of events, or a negative errno.
    Wait(i32),
    /// It served an item; None if it is not known which.
    Serve(Option<Key>),
}
