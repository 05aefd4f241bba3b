//! A descriptor's number: which file is behind it.

/// How a number was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Closed {
    /// When.
    pub ns: u64,
    /// By which thread.
    pub tid: u32,
    /// It was the number of an item.
    pub was_item: bool,
}

/// A descriptor's number.
#[derive(Clone, Debug, Default)]
pub struct Number {
    /// Which file is behind it, counted in this process; 0: not known, or none.
    pub file: u64,
    /// It is known to be open, or not to be; else nothing is known.
    pub is_open: Option<bool>,
    /// The thread that got it, or used it first.
    pub owner: u32,
    /// When it was last closed.
    pub closed: Option<Closed>,
    /// Its items ended just now, with its file.
    pub(super) released: bool,
}
