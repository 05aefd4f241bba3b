//! One look at the descriptors of a process: the items, what is known of each, and what waits in those that may be
//! stuck.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::ErrorKind;

use glasspoll_record::event::{EPOLLET, EPOLLONESHOT};
use glasspoll_record::ring::{Facts, Habits, Item, Live};

use crate::procfs::describe::Files;
use crate::procfs::eventpoll::{self, FileId};
use crate::procfs::queue::Queue;
use crate::sys;

/// The most descriptors whose queues are asked for.
const MOST: usize = 4096;

/// Sets, and fds of items in them.
type Places = BTreeSet<(u32, i32)>;

/// A look.
#[derive(Clone, Debug, Default)]
pub struct Sample {
    pub ns: u64,
    pub habits: Habits,
    pub items: Vec<Item>,
    pub facts: BTreeMap<i32, Facts>,
    /// What waits in each descriptor that may be stuck.
    pub queues: BTreeMap<i32, Queue>,
    /// The sets, by their fds, on which a thread sleeps.
    pub waiting: BTreeSet<i32>,
    /// Items of the kernel's sets whose fd stands for another file now, which is in the set with the same data: set and fd.
    pub twins: Places,
    /// Items of the kernel's sets whose fd is closed here: set and fd.
    pub gone: Places,
    /// The process is stopped.
    pub is_stopped: bool,
}

/// Whether nothing may be told of an item although its file is ready.
pub fn may_be_stuck(item: &Item) -> bool {
    !item.is_set && (item.interest & EPOLLET != 0 || item.disarmed && item.interest & EPOLLONESHOT != 0)
}

impl Sample {
    /// Looks at a process.
    pub fn of(pid: u32, live: &Live) -> Option<Self> {
        let (header, facts) = live.read_facts().ok().filter(|(header, _)| header.fds != 0)?;
        let items = live.read_items().ok()?.1;
        let mut sample = Self {
            ns: live.now().ns,
            habits: header.habits,
            items,
            facts,
            is_stopped: is_stopped(pid),
            ..Self::default()
        };
        let mut files = Files::of(pid, sample.sets());
        let stuck: BTreeSet<i32> =
            sample.items.iter().filter(|item| may_be_stuck(item)).map(|item| item.fd).collect();
        let refused = sample.facts.iter().filter(|(_, facts)| facts.refused_ns.is_some()).map(|(fd, _)| *fd);
        let wanted: BTreeSet<i32> = refused.chain(stuck).take(MOST).collect();
        sample.queues = wanted.into_iter().filter_map(|fd| Some((fd, queue(pid, fd, &mut files)?))).collect();
        if header.observed {
            (sample.twins, sample.gone) = left_behind(pid, &sample);
        }
        sample.waiting = eventpoll::waiting(pid).into_iter().map(|(epfd, ..)| epfd).collect();
        Some(sample)
    }

    /// The fds of its sets.
    pub fn sets(&self) -> BTreeSet<i32> {
        self.items.iter().filter(|item| item.is_set).map(|item| item.fd).collect()
    }

    /// A set's fd, and how many waits on it have returned.
    pub fn set(&self, epoll: u32) -> Option<&Item> {
        self.items.iter().find(|item| item.is_set && item.epoll == epoll)
    }
}

/// The items of `Sample::twins` and `Sample::gone`, of the first items of each set.
fn left_behind(pid: u32, sample: &Sample) -> (Places, Places) {
    let (mut found, mut gone) = (BTreeSet::new(), BTreeSet::new());
    for set in eventpoll::sets(pid).unwrap_or_default() {
        let is_it = |item: &&Item| item.is_set && set.epfds.contains(&item.fd);
        let Some(epoll) = sample.items.iter().find(is_it).map(|item| item.epoll) else { continue };
        let mut files: BTreeMap<(i32, u64), BTreeSet<Option<FileId>>> = BTreeMap::new();
        for item in set.items.iter().take(MOST) {
            files.entry((item.fd, item.data)).or_default().insert(item.file);
        }
        let is_here = |fd: i32, files: &BTreeSet<_>| files.contains(&FileId::of(pid, fd));
        let twins = files.iter().filter(|((fd, _), files)| files.len() > 1 && is_here(*fd, files));
        found.extend(twins.map(|((fd, _), _)| (epoll, *fd)));
        let fds: BTreeSet<i32> = files.keys().map(|(fd, _)| *fd).collect();
        gone.extend(fds.into_iter().filter(|fd| is_closed(pid, *fd)).map(|fd| (epoll, fd)));
    }
    (found, gone)
}

fn is_closed(pid: u32, fd: i32) -> bool {
    let link = fs::symlink_metadata(format!("/proc/{pid}/fd/{fd}"));
    link.is_err_and(|error| error.kind() == ErrorKind::NotFound)
}

/// A pipe's queue is asked by a copy of the fd that lives for microseconds, as in `now`.
fn queue(pid: u32, fd: i32, files: &mut Files) -> Option<Queue> {
    files.queue(fd).or_else(|| {
        let link = fs::read_link(format!("/proc/{pid}/fd/{fd}")).ok()?;
        let is_pipe = link.to_string_lossy().starts_with("pipe:");
        let unread = sys::waiting_in(&sys::copy_of(pid, fd).ok().filter(|_| is_pipe)?).0?;
        Some(Queue::Bytes { unread: unread as u32, unsent: unread as u32 })
    })
}

fn is_stopped(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with(['T', 't']))
}
