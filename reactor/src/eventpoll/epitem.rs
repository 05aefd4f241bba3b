//! `Epitem`, one registration: the (file, fd) key, the interest, and what a wakeup left on it.
//!
//! The item lives in the slab of its eventpoll (`epi_cache`) and is found through the item tree
//! (`eventpoll.rbr`). All fields are protected by `ep.lock`; `events` and `data` change under
//! `ep.mtx` as well.
//!
//! Linux: `fs/eventpoll.c:struct epitem`, `struct epoll_filefd`.

use glasspoll_record::items::{New, Place};

use crate::eventpoll::followed::Key;
use crate::eventpoll::Eventpoll;
use crate::file::{File, ItemRef, PollerId, NO_POLLER_ID};
use crate::hot::state::HotState;
use crate::sync::{Arc, Weak};
use crate::uapi::{EPOLLET, EPOLLEXCLUSIVE, EP_PRIVATE_BITS};

/// One registration of a file under an fd.
#[derive(Debug)]
pub struct Epitem {
    /// The file; its last close removes the item.
    pub file: Arc<File>,
    /// The fd at the time of EPOLL_CTL_ADD.
    pub fd: i32,
    /// Tells this item from an earlier one with the same slab id.
    pub serial: u64,
    /// Interest and private bits. Without any poll bit the item is disarmed (EPOLLONESHOT).
    pub events: u32,
    /// The caller's 64 bits.
    pub data: u64,
    /// Its entry with the poller, or `NO_POLLER_ID`.
    pub poller_id: PollerId,
    /// The next item of the set with the same fd, or `item_tree::NIL`. Protected by `ep.mtx`.
    pub next: u32,
    /// An item that is not hot is attached to its device.
    pub(crate) hot_state: HotState,
    /// Its entry in the process's record.
    pub(crate) shown: Place,
}

/// What is known of an item that was found under `ep.lock`, for use without the lock.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    pub(crate) id: u32,
    pub(crate) file: Arc<File>,
    pub(crate) fd: i32,
    serial: u64,
    pub(crate) events: u32,
    pub(crate) poller_id: PollerId,
}

impl Known {
    /// The item, for its device.
    pub(crate) fn as_ref(&self, ep: &Weak<Eventpoll>) -> ItemRef {
        let exclusive = self.events & EPOLLEXCLUSIVE != 0;
        ItemRef { ep: ep.clone(), id: self.id, serial: self.serial, exclusive }
    }
}

impl Epitem {
    /// What is known of it; `id` is its slab id.
    pub(crate) fn known(&self, id: u32) -> Known {
        let (file, fd, serial) = (self.file.clone(), self.fd, self.serial);
        Known { id, file, fd, serial, events: self.events, poller_id: self.poller_id }
    }

    /// A new item, cold and without an entry with the poller. `next` is the item with the same fd.
    pub(crate) fn new(file: Arc<File>, fd: i32, serial: u64, events: u32, data: u64, next: u32) -> Self {
        Self {
            file,
            fd,
            serial,
            events,
            data,
            poller_id: NO_POLLER_ID,
            next,
            hot_state: HotState::NEW,
            shown: Place::NONE,
        }
    }

    /// Enters it in the process's record, as an item of set `epoll`.
    pub(crate) fn show(&mut self, epoll: u32) {
        let serial = self.serial as u32;
        self.shown = Place::new(New { epoll, fd: self.fd, serial, interest: self.events, is_set: false });
    }

    /// What finds it by its data.
    pub(crate) fn key(&self) -> Key {
        Key { fd: self.fd, data: self.data, events: self.events, serial: self.serial, next: self.next }
    }

    /// Its place among the hot items, or `NO_PLACE`.
    pub(crate) fn place(&self) -> u32 {
        self.hot_state.place()
    }

    /// Whether EPOLLONESHOT has silenced it until the next EPOLL_CTL_MOD.
    pub fn is_disarmed(&self) -> bool {
        self.events & !EP_PRIVATE_BITS == 0
    }

    /// Whether edges are reported.
    pub fn is_edge(&self) -> bool {
        self.events & EPOLLET != 0
    }

    /// Whether a wakeup needs to wake only one of the eventpolls that watch the file.
    pub fn is_exclusive(&self) -> bool {
        self.events & EPOLLEXCLUSIVE != 0
    }
}
