//! The kernel's epoll sets of a process, whether or not the process has the library.

use std::collections::BTreeSet;
use std::io;

use glasspoll_record::event::Mask;
use serde::Serialize;

use super::{Thread, ALWAYS};
use crate::procfs::describe::Files;
use crate::procfs::eventpoll::{self, FileId};
use crate::procfs::queue::Queue;

/// EPOLLEXCLUSIVE, EPOLLWAKEUP, EPOLLONESHOT and EPOLLET: what EPOLLONESHOT leaves of the interest when it has fired.
/// Linux: `fs/eventpoll.c:EP_PRIVATE_BITS`.
const PRIVATE_BITS: u32 = 0xf << 28;

#[derive(Debug, Serialize)]
pub struct Set {
    /// The fds of the process that stand for it.
    pub epfds: Vec<i32>,
    /// Threads that wait for it now.
    pub waiting: Vec<Thread>,
    pub items: Vec<Item>,
}

#[derive(Debug, Serialize)]
pub struct Item {
    /// The fd with which it was added.
    pub fd: i32,
    pub what: Option<String>,
    pub place: Place,
    pub interest: String,
    /// EPOLLONESHOT has silenced it.
    pub disarmed: bool,
    /// `epoll_event.data`.
    pub data: u64,
    /// None: the kernel does not tell, or the file is elsewhere.
    pub queue: Option<Queue>,
}

/// Where the file of an item is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Place {
    /// At the fd with which it was added.
    Here,
    /// The fd is closed. The file is open by another fd or in another process, so the item stays.
    Closed,
    /// The fd stands for another file now. The item's own file is open elsewhere, so the item stays.
    Reused,
}

/// The sets of a process.
///
/// # Errors
/// There is no such process, or we may not look into it.
pub fn sets(pid: u32) -> io::Result<Vec<Set>> {
    let sets = eventpoll::sets(pid)?;
    if sets.is_empty() {
        return Ok(Vec::new());
    }
    let mut waiting = eventpoll::waiting(pid);
    let mut files = Files::of(pid, BTreeSet::new());
    let mut listed = Vec::new();
    for set in sets {
        let (here, others) = waiting.into_iter().partition(|(epfd, ..)| set.epfds.contains(epfd));
        waiting = others;
        let here: Vec<(i32, u32, String)> = here;
        let mut items: Vec<Item> = set.items.iter().map(|item| describe(pid, item, &mut files)).collect();
        items.sort_by_key(|item| item.fd);
        let threads = here.into_iter().map(|(_, tid, name)| Thread { tid, name }).collect();
        listed.push(Set { epfds: set.epfds, waiting: threads, items });
    }
    Ok(listed)
}

fn describe(pid: u32, item: &eventpoll::Item, files: &mut Files) -> Item {
    let place = match (FileId::of(pid, item.fd), item.file) {
        (None, _) => Place::Closed,
        (Some(now), Some(then)) if now != then => Place::Reused,
        _ => Place::Here,
    };
    let (what, queue) = match (place, item.file) {
        (Place::Here, _) => (files.describe(item.fd), files.queue(item.fd)),
        (_, Some(file)) => (Some(files.describe_elsewhere(file.inode)), None),
        (_, None) => (None, None),
    };
    Item {
        fd: item.fd,
        what,
        place,
        interest: Mask(item.events & !ALWAYS).to_string(),
        disarmed: item.events & !PRIVATE_BITS == 0,
        data: item.data,
        queue,
    }
}
