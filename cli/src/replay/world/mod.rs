//! What a process's sets, items, fds and threads are like at a moment, as far as its events have told.
//!
//! All rules share it. An event updates it after the rules have seen that event, so a rule sees the world as it was
//! before. Its memory is bounded; the rules do not judge what was forgotten.

mod fd;
mod item;
mod set;
mod thread;

use std::collections::{BTreeMap, HashMap};

use glasspoll_record::event::{Ctl, Event, Op};
use glasspoll_record::{ring, Entry};

pub use fd::{Closed, FdState};
pub use item::Item;
pub use set::Set;
pub use thread::{Delivered, Thread};

/// The most items that are kept; the oldest are forgotten first.
const ITEMS: usize = 1 << 18;
/// The largest fd that is followed.
const LARGEST: i32 = 1 << 20;
/// The most events of a batch that are followed.
pub const BATCH: usize = 4096;
/// The most threads that are followed; those that were quiet for longest are forgotten first.
const THREADS: usize = 4096;

/// All of a process.
#[derive(Debug, Default)]
pub struct World {
    /// Its id.
    pub pid: u32,
    /// When its record begins.
    pub begin_ns: u64,
    /// When the whole record does.
    pub zero_ns: u64,
    /// When it ended, if it did.
    pub ended_ns: Option<u64>,
    /// The items, by serial number.
    pub items: BTreeMap<u32, Item>,
    /// The items of each fd.
    by_fd: HashMap<i32, Vec<u32>>,
    /// The sets.
    pub sets: BTreeMap<u32, Set>,
    /// The threads.
    pub threads: HashMap<u32, Thread>,
    fds: HashMap<i32, FdState>,
    files: u64,
    /// Interest and flags of items whose ADD is in no record: from the table of items.
    table: HashMap<u32, u32>,
    /// How many events were seen.
    pub events: u64,
}

impl World {
    /// A process of which nothing is known yet.
    pub fn new(pid: u32, begin_ns: u64, zero_ns: u64) -> Self {
        Self { pid, begin_ns, zero_ns, ..Self::default() }
    }

    /// Learns from the table of items, as it is now or was at the end.
    pub fn learn(&mut self, items: &[ring::Item]) {
        for item in items {
            if item.is_set {
                let set = self.sets.entry(item.epoll).or_default();
                set.epfd.get_or_insert(item.fd);
            } else if !item.disarmed {
                self.table.insert(item.serial, item.interest);
            }
        }
    }

    /// What is known of an fd.
    pub fn fd(&self, fd: i32) -> Option<&FdState> {
        self.fds.get(&fd)
    }

    /// The live items that were added by an fd.
    pub fn items_of(&self, fd: i32) -> impl Iterator<Item = (u32, &Item)> {
        let serials = self.by_fd.get(&fd).map(Vec::as_slice).unwrap_or_default();
        serials.iter().filter_map(|serial| Some((*serial, self.items.get(serial)?)))
    }

    /// What a thread does.
    pub fn thread(&self, tid: u32) -> Option<&Thread> {
        self.threads.get(&tid)
    }

    /// The moment up to which the absence of something says something.
    pub fn until(&self, now_ns: u64) -> u64 {
        self.ended_ns.map_or(now_ns, |ended| ended.min(now_ns))
    }

    /// A moment as seconds since the beginning of the record.
    pub fn at(&self, ns: u64) -> String {
        format!("{:.3} s", ns.saturating_sub(self.zero_ns) as f64 / 1e9)
    }

    /// A set's name: by its descriptor, where that is known.
    pub fn set_name(&self, epoll: u32) -> String {
        match self.sets.get(&epoll).and_then(|set| set.epfd) {
            Some(epfd) => format!("epoll {epfd}"),
            None => format!("epoll #{epoll}"),
        }
    }

    /// Events were lost: what the threads do is no longer known.
    pub fn gap(&mut self) {
        self.threads.clear();
        for set in self.sets.values_mut() {
            set.waiting = 0;
        }
        for state in self.fds.values_mut() {
            *state = FdState::default();
        }
    }

    /// Takes an event in.
    pub fn take(&mut self, entry: &Entry) {
        self.events += 1;
        self.take_wait(entry);
        let (ns, tid) = (entry.ns, entry.tid);
        match entry.event {
            Event::Create { epoll, epfd, .. } => {
                self.open(epfd, tid, true);
                self.sets.insert(epoll, Set::of(epfd));
            }
            Event::Ctl { epoll, op: Some(op), fd, events, data, errno: 0, item } => match op {
                Ctl::Add => {
                    let file = self.open(fd, tid, false);
                    let new = Item { epoll, fd, events: Some(events), data: Some(data), file };
                    self.insert(item, new);
                }
                Ctl::Mod => {
                    let file = self.open(fd, tid, false);
                    let known = self.item(item, epoll, fd, file);
                    (known.events, known.data) = (Some(events), Some(data));
                }
                Ctl::Del => self.remove(item),
            },
            Event::Deliver { epoll, fd, item, .. } if !self.items.contains_key(&item) => {
                let file = self.open(fd, 0, false);
                self.item(item, epoll, fd, file);
            }
            Event::Close { fd, lives_as, errno: 0 } => self.close(fd, lives_as, ns, tid),
            Event::Close { fd, errno, .. } if errno == libc::EBADF as u16 => {
                if let Some(state) = self.fds.get_mut(&fd) {
                    state.is_open = Some(false);
                }
            }
            Event::Release { fd, items } => self.release(fd, items),
            Event::Dup { old, new } => {
                let file = self.open(old, 0, false);
                if (0..=LARGEST).contains(&new) {
                    let state = self.fds.entry(new).or_default();
                    (state.file, state.is_open, state.owner) = (file, Some(true), tid);
                }
            }
            Event::Io { op: Op::Accept, result, errno: 0, .. } => {
                if let Ok(new) = i32::try_from(result) {
                    self.open(new, tid, true);
                }
            }
            Event::Io { fd, errno, .. } if errno != libc::EBADF as u16 => {
                self.open(fd, tid, false);
            }
            _ => {}
        }
    }

    /// Takes the part of an event that is about waits.
    fn take_wait(&mut self, entry: &Entry) {
        if self.threads.len() >= THREADS && !self.threads.contains_key(&entry.tid) {
            self.forget_threads();
        }
        let thread = self.threads.entry(entry.tid).or_default();
        thread.seen_ns = entry.ns;
        match entry.event {
            Event::WaitEnter { epoll, maxevents, timeout_ns } => {
                thread.batch.clear();
                (thread.epoll, thread.maxevents, thread.timeout_ns) = (epoll, maxevents, timeout_ns);
                if thread.waits_since.replace(entry.ns).is_none() {
                    self.sets.entry(epoll).or_default().enter(entry.ns);
                }
            }
            Event::Deliver { fd, item, nth, .. } => {
                if nth == 0 {
                    thread.batch.clear();
                }
                if thread.batch.len() < BATCH {
                    thread.batch.push(Delivered { fd, item });
                }
            }
            Event::WaitReturn { epoll, n, .. } => {
                thread.epoll = epoll;
                thread.returned = Some((entry.ns, n));
                if thread.waits_since.take().is_some() {
                    self.sets.entry(epoll).or_default().leave(entry.ns);
                }
            }
            _ => {}
        }
    }

    fn forget_threads(&mut self) {
        let mut seen: Vec<u64> = self.threads.values().map(|thread| thread.seen_ns).collect();
        let middle = seen.len() / 2;
        let (_, middle, _) = seen.select_nth_unstable(middle);
        let middle = *middle;
        // A thread that waits is not gone, however long it was quiet.
        self.threads.retain(|_, thread| thread.seen_ns > middle || thread.waits_since.is_some());
    }

    /// The fd is open. Returns the file behind it; with `fresh`, a new file.
    fn open(&mut self, fd: i32, tid: u32, fresh: bool) -> u64 {
        if !(0..=LARGEST).contains(&fd) {
            return 0;
        }
        let state = self.fds.entry(fd).or_default();
        if fresh || state.file == 0 || state.is_open == Some(false) {
            self.files += 1;
            (state.file, state.owner, state.released) = (self.files, tid, false);
        }
        state.is_open = Some(true);
        if state.owner == 0 {
            state.owner = tid;
        }
        state.file
    }

    fn close(&mut self, fd: i32, lives_as: i32, ns: u64, tid: u32) {
        let has_items = self.items_of(fd).next().is_some();
        let file = self.open(fd, tid, false);
        if let Some(state) = self.fds.get_mut(&fd) {
            let was_item = has_items || std::mem::take(&mut state.released);
            state.closed = Some(Closed { ns, tid, was_item });
            state.is_open = Some(false);
        }
        if let Some(other) = self.fds.get_mut(&lives_as) {
            other.file = file;
        } else if (0..=LARGEST).contains(&lives_as) {
            let other = FdState { file, is_open: Some(true), ..FdState::default() };
            self.fds.insert(lives_as, other);
        }
        let epolls: Vec<u32> =
            self.sets.iter().filter(|(_, set)| set.epfd == Some(fd)).map(|(epoll, _)| *epoll).collect();
        for epoll in epolls {
            if lives_as >= 0 {
                self.sets.entry(epoll).or_default().epfd = Some(lives_as);
                continue;
            }
            self.sets.remove(&epoll);
            let gone: Vec<u32> =
                self.items.iter().filter(|(_, item)| item.epoll == epoll).map(|(item, _)| *item).collect();
            gone.into_iter().for_each(|item| self.remove(item));
        }
    }

    /// The file that is, or was, behind an fd is gone, and its items.
    fn release(&mut self, fd: i32, count: u32) {
        let direct: Vec<u32> = self.items_of(fd).map(|(serial, _)| serial).collect();
        let file = self.fds.get(&fd).map_or(0, |state| state.file);
        // An item whose own fd was closed earlier is found by its file.
        let others = if direct.len() < count as usize && file != 0 {
            let of_file = |(_, item): &(&u32, &Item)| item.file == file && item.fd != fd;
            self.items.iter().filter(of_file).map(|(serial, _)| *serial).collect()
        } else {
            Vec::new()
        };
        // The record of the close follows.
        if let Some(state) = self.fds.get_mut(&fd).filter(|_| count > 0) {
            state.released = true;
        }
        for serial in direct.into_iter().chain(others) {
            self.remove(serial);
        }
    }

    /// An item; it becomes known if it was not.
    fn item(&mut self, serial: u32, epoll: u32, fd: i32, file: u64) -> &mut Item {
        if !self.items.contains_key(&serial) {
            let events = self.table.get(&serial).copied();
            self.insert(serial, Item { epoll, fd, events, data: None, file });
        }
        self.items.entry(serial).or_default()
    }

    fn insert(&mut self, serial: u32, item: Item) {
        if self.items.len() >= ITEMS {
            if let Some(oldest) = self.items.keys().next().copied() {
                self.remove(oldest);
            }
        }
        let serials = self.by_fd.entry(item.fd).or_default();
        if !serials.contains(&serial) {
            serials.push(serial);
        }
        self.items.insert(serial, item);
    }

    fn remove(&mut self, serial: u32) {
        let Some(item) = self.items.remove(&serial) else { return };
        if let Some(serials) = self.by_fd.get_mut(&item.fd) {
            serials.retain(|other| *other != serial);
            if serials.is_empty() {
                self.by_fd.remove(&item.fd);
            }
        }
    }
}
