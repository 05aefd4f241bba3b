//! A set, from its creation to its close.

/// A set.
#[derive(Clone, Debug, Default)]
pub struct Set {
    /// Its number.
    pub epoll: u32,
    /// Its descriptor, if that is known.
    pub epfd: Option<i32>,
    /// It is a copy of the parent's.
    pub inherited: bool,
    /// When it was closed.
    pub closed: Option<u64>,
    /// How many of its items ended and are no longer kept.
    pub forgotten: u64,
}
