//! An fd: whether it is open, and which file is behind it.

/// How an fd was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Closed {
    /// When.
    pub ns: u64,
    /// By which thread.
    pub tid: u32,
    /// An item had this fd, or had it at an earlier close.
    pub was_item: bool,
    /// The library knew its file, because it was in a set or had been duplicated.
    pub was_watched: bool,
}

/// Whether an fd is open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Open {
    /// It may be.
    #[default]
    Unknown,
    /// It is.
    Yes,
    /// It is not.
    No,
}

/// What is known of an fd.
#[derive(Clone, Debug, Default)]
pub struct FdState {
    /// The file behind it, counted in this process; 0: not known, or none.
    pub file: u64,
    /// Whether it is open.
    pub open: Open,
    /// The thread that got it, or used it first.
    pub owner: u32,
    /// When it was last closed.
    pub closed: Option<Closed>,
    /// Its items ended just now, with its file.
    pub(super) released: bool,
}
