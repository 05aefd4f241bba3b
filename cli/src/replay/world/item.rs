//! An item of a set, while it lives: what it asks for.

use glasspoll_record::event::{EPOLLET, EPOLLONESHOT};

/// An item of a set.
#[derive(Clone, Debug, Default)]
pub struct Item {
    /// The set.
    pub epoll: u32,
    /// The fd that it was added by.
    pub fd: i32,
    /// The interest and the flags, if they are known.
    pub events: Option<u32>,
    /// What the program gets with its events, if it is known.
    pub data: Option<u64>,
    /// The file that it watches: see `FdState::file`. 0 if that is not known.
    pub file: u64,
}

impl Item {
    /// Whether it is known to be edge-triggered.
    pub fn is_edge(&self) -> bool {
        self.events.is_some_and(|events| events & EPOLLET != 0)
    }

    /// Whether it is known to be level-triggered.
    pub fn is_level(&self) -> bool {
        self.events.is_some_and(|events| events & (EPOLLET | EPOLLONESHOT) == 0)
    }

    /// Whether it is known to be reported once.
    pub fn is_oneshot(&self) -> bool {
        self.events.is_some_and(|events| events & EPOLLONESHOT != 0)
    }
}

/// How an item ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// By EPOLL_CTL_DEL.
    Deleted,
    /// With its file.
    Closed,
    /// With the last descriptor of its file here; the file may live on in another process.
    ClosedHere,
    /// With its set.
    SetClosed,
}
