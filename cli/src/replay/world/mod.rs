//! The state of a process's sets, items, fds and threads at a moment, as far as its events tell.
//!
//! The sums and all rules of the doctor share it. An event updates it after the rules have seen that event, so a rule
//! sees the world as it was before. Its memory is bounded; the rules do not judge what was forgotten.

mod fd;
mod files;
mod item;
mod load;
mod looks;
mod set;
mod thread;
mod waits;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};

use glasspoll_record::event::{Ctl, Event, Op};
use glasspoll_record::{ring, Entry};

use super::Key;
pub use fd::{Closed, FdState, Open};
use files::{Behind, Files};
pub use item::{End, Item};
pub use looks::{Case, Looks, Stack};
pub use set::{Mark, Set};
pub use thread::{Delivered, Thread};

/// The most items, and the most sets, that are kept; the oldest are forgotten first.
const ITEMS: usize = 1 << 20;
const SETS: usize = 1 << 18;
/// How many items that ended last are known by their numbers: another thread's event may come a little late.
const LATE: usize = 256;
/// The most items that are known to go on without a descriptor here.
const ELSEWHERE: usize = 1 << 14;

/// All of a process.
#[derive(Clone, Debug, Default)]
pub struct World {
    /// Its id.
    pub pid: u32,
    /// When its record begins.
    pub begin_ns: u64,
    /// When the whole record begins.
    pub zero_ns: u64,
    /// The kernel's epoll answers: the record does not tell what became ready before a wait asked for it.
    pub observed: bool,
    /// When it ended, if it did.
    pub ended_ns: Option<u64>,
    /// The live items, by serial number.
    pub items: BTreeMap<u32, Item>,
    /// The sets, also those that were closed.
    pub sets: BTreeMap<u32, Set>,
    /// The threads.
    pub threads: HashMap<u32, Thread>,
    /// What they were seen to do while they were overdue, or spun.
    pub looks: Looks,
    files: Files,
    /// The open sets by descriptor, and the live items of each.
    open: HashMap<i32, u32>,
    items_of_set: HashMap<u32, BTreeSet<u32>>,
    /// Interest and flags of items whose ADD is in no record: from the table of items.
    table: HashMap<u32, u32>,
    /// The items that the last event ended.
    ended: Vec<(Key, End)>,
    late: VecDeque<u32>,
    /// Items that ended with the last descriptor of their file here. If the file lives on in another process, the kernel
    /// goes on reporting them.
    elsewhere: HashSet<u32>,
    batches: u64,
}

impl World {
    /// A process of which nothing is known yet.
    pub fn new(pid: u32, begin_ns: u64, zero_ns: u64) -> Self {
        Self { pid, begin_ns, zero_ns, ..Self::default() }
    }

    /// Learns from a table of items that may be of a later moment.
    pub fn learn(&mut self, items: &[ring::Item]) {
        for item in items {
            if item.is_set {
                self.set_entry(item.epoll).epfd.get_or_insert(item.fd);
                self.open.entry(item.fd).or_insert(item.epoll);
            } else if !item.disarmed {
                self.table.insert(item.serial, item.interest);
            }
        }
    }

    /// Takes in the items and sets as they are now: an item that was added long ago is in no event.
    pub fn take_table(&mut self, items: &[ring::Item]) {
        for item in items {
            let set = self.set_entry(item.epoll);
            if item.is_set {
                set.epfd = Some(item.fd);
                self.open.insert(item.fd, item.epoll);
                continue;
            }
            if !item.disarmed {
                self.table.insert(item.serial, item.interest);
            }
            self.know((item.epoll, item.serial), item.fd);
        }
    }

    /// What is known of an fd.
    pub fn fd(&self, fd: i32) -> Option<&FdState> {
        self.files.state(fd)
    }

    /// The live items of the file behind an fd.
    pub fn items_of(&self, fd: i32) -> impl Iterator<Item = (u32, &Item)> {
        let serials = self.files.items(fd);
        serials.iter().filter_map(|serial| Some((*serial, self.items.get(serial)?)))
    }

    /// Those of them that were added by that fd.
    pub fn items_by(&self, fd: i32) -> impl Iterator<Item = (u32, &Item)> {
        self.items_of(fd).filter(move |(_, item)| item.fd == fd)
    }

    /// The items that end, or are left behind, when an fd is closed: those of its file, or, if that lives on, those
    /// that were added by the fd.
    pub fn items_closed(&self, fd: i32, lives_as: i32) -> impl Iterator<Item = (u32, &Item)> {
        self.items_of(fd).filter(move |(_, item)| lives_as < 0 || item.fd == fd)
    }

    /// What a thread does.
    pub fn thread(&self, tid: u32) -> Option<&Thread> {
        self.threads.get(&tid)
    }

    /// A set that is open.
    pub fn set(&self, epoll: u32) -> Option<&Set> {
        self.sets.get(&epoll).filter(|set| set.closed.is_none())
    }

    /// How many items a set has.
    pub fn items_in(&self, epoll: u32) -> usize {
        self.items_of_set.get(&epoll).map_or(0, BTreeSet::len)
    }

    /// How far the loop of a set is.
    pub fn mark(&self, epoll: u32, ns: u64) -> Mark {
        self.set(epoll).map_or(Mark::default(), |set| set.mark(ns))
    }

    /// For how long the loop of a set has gone on since then; 0 if the set is closed.
    pub fn went_on(&self, epoll: u32, since: Mark, now_ns: u64) -> u64 {
        self.set(epoll).map_or(0, |set| set.went_on(since, now_ns))
    }

    /// Whether an fd is that of an open set.
    pub fn is_set(&self, fd: i32) -> bool {
        self.open.contains_key(&fd)
    }

    /// The items that the last event ended.
    pub fn ended(&self) -> &[(Key, End)] {
        &self.ended
    }

    /// Whether an item has ended, and its events go on because its file lives in another process.
    pub fn is_elsewhere(&self, item: u32) -> bool {
        self.elsewhere.contains(&item)
    }

    /// The moment up to which a missing event means something.
    pub fn until(&self, now_ns: u64) -> u64 {
        self.ended_ns.map_or(now_ns, |ended| ended.min(now_ns))
    }

    /// A moment as seconds since the beginning of the record.
    pub fn at(&self, ns: u64) -> String {
        format!("{:.3} s", ns.saturating_sub(self.zero_ns) as f64 / 1e9)
    }

    /// A set's name in all that people read: its descriptor, or where that is not known its number in the record.
    pub fn set_id(&self, epoll: u32) -> String {
        match self.sets.get(&epoll).and_then(|set| set.epfd) {
            Some(epfd) => epfd.to_string(),
            None => format!("#{epoll}"),
        }
    }

    /// The same with the word before it.
    pub fn set_name(&self, epoll: u32) -> String {
        format!("epoll {}", self.set_id(epoll))
    }

    /// Events were lost: what the threads do is no longer known.
    pub fn gap(&mut self) {
        self.threads.clear();
        for set in self.sets.values_mut() {
            set.waiting = 0;
        }
        self.files.gap();
    }

    /// Takes an event in.
    pub fn take(&mut self, entry: &Entry) {
        self.ended.clear();
        self.take_wait(entry);
        let (ns, tid) = (entry.ns, entry.tid);
        match entry.event {
            Event::Create { epoll, epfd, inherited } => {
                // The record has no close of the fd's earlier file.
                self.end_file(epfd, ns, End::Closed);
                self.files.open(epfd, tid, Behind::New);
                *self.set_entry(epoll) = Set::of(epfd, inherited, ns);
                self.open.insert(epfd, epoll);
            }
            Event::Ctl { epoll, op: Some(op), fd, events, data, errno: 0, item } => {
                self.set_entry(epoll);
                self.ctl((epoll, item), op, (fd, tid), events, data);
            }
            Event::Ready { epoll, fd, item, .. } | Event::Deliver { epoll, fd, item, .. } => {
                self.know((epoll, item), fd);
            }
            Event::Close { fd, lives_as, errno: 0 } => self.close(fd, lives_as, ns, tid),
            Event::CloseUnwatched { fd, .. } => self.close_unwatched(fd, ns, tid),
            Event::Close { fd, errno, .. } if errno == libc::EBADF as u16 => self.files.bad(fd),
            Event::Release { fd, items, shared } => {
                let how = if shared { End::ClosedHere } else { End::Closed };
                self.release((fd, items), how, ns, tid);
            }
            Event::Dup { old, new } => self.files.dup(old, new, tid),
            Event::Io { op: Op::Accept, result, errno: 0, .. } => {
                if let Ok(new) = i32::try_from(result) {
                    self.files.open(new, tid, Behind::New);
                }
            }
            Event::Io { fd, errno, .. } if errno != libc::EBADF as u16 => {
                self.files.open(fd, tid, Behind::Same);
            }
            _ => {}
        }
    }

    /// The set with this id; adds it if it is new.
    fn set_entry(&mut self, epoll: u32) -> &mut Set {
        if self.sets.len() >= SETS && !self.sets.contains_key(&epoll) {
            self.sets.pop_first();
        }
        self.sets.entry(epoll).or_default()
    }

    fn ctl(&mut self, key: Key, op: Ctl, (fd, tid): (i32, u32), events: u32, data: u64) {
        match op {
            Ctl::Add | Ctl::Found => {
                self.remove(key.1);
                let file = self.files.open(fd, tid, Behind::Same);
                self.insert(key.1, Item { epoll: key.0, fd, events: Some(events), data: Some(data), file });
            }
            Ctl::Mod => {
                self.files.open(fd, tid, Behind::Same);
                self.know(key, fd);
                if let Some(item) = self.items.get_mut(&key.1) {
                    (item.events, item.data) = (Some(events), Some(data));
                }
            }
            Ctl::Del => {
                self.remove(key.1);
                self.end(key, End::Deleted);
            }
        }
    }

    fn close(&mut self, fd: i32, lives_as: i32, ns: u64, tid: u32) {
        let was_item = self.items_by(fd).next().is_some();
        self.files.open(fd, tid, Behind::Same);
        if lives_as < 0 {
            self.end_file(fd, ns, End::Closed);
        } else if let Some(epoll) = self.open.remove(&fd) {
            self.set_entry(epoll).epfd = Some(lives_as);
            self.open.insert(lives_as, epoll);
        }
        let file = self.files.state(fd).map_or(0, |state| state.file);
        let closed = Closed { ns, tid, was_item, was_watched: true };
        for serial in self.files.close(fd, lives_as, closed) {
            if let Some(item) = self.items.get_mut(&serial) {
                item.file = file;
            }
        }
        if let Some(thread) = self.threads.get_mut(&tid) {
            let was_released = thread.released.take() == Some(fd);
            thread.closed = (lives_as < 0 && !was_released).then_some(fd);
        }
    }

    /// An fd that is in no set is closed. No release follows.
    fn close_unwatched(&mut self, fd: i32, ns: u64, tid: u32) {
        if self.items_of(fd).next().is_none() {
            let was_item = self.fd(fd).and_then(|state| state.closed).is_some_and(|closed| closed.was_item);
            self.files.close(fd, -1, Closed { ns, tid, was_item, was_watched: false });
        }
    }

    /// The file that is, or was, behind an fd is gone, and its items.
    fn release(&mut self, (fd, items): (i32, u32), how: End, ns: u64, tid: u32) {
        let thread = self.threads.entry(tid).or_default();
        // A release after its close may meet a new file of the same fd.
        if thread.closed.take() != Some(fd) {
            thread.released = Some(fd);
            self.end_file(fd, ns, how);
            if items > 0 {
                self.files.release(fd);
            }
        }
    }

    /// The file behind an fd is gone, its items, and its set.
    fn end_file(&mut self, fd: i32, ns: u64, how: End) {
        for serial in self.files.end(fd) {
            if how == End::ClosedHere && self.elsewhere.len() < ELSEWHERE {
                self.elsewhere.insert(serial);
            }
            self.end_item(serial, how);
        }
        let Some(epoll) = self.open.remove(&fd) else { return };
        if let Some(set) = self.sets.get_mut(&epoll) {
            set.closed.get_or_insert(ns);
        }
        for serial in self.items_of_set.remove(&epoll).unwrap_or_default() {
            self.end_item(serial, End::SetClosed);
        }
    }

    /// Adds an item if it is new.
    fn know(&mut self, (epoll, serial): Key, fd: i32) {
        // On the kernel's epoll an event may belong to an item that is not known.
        if serial == 0 {
            return;
        }
        let has_ended = || self.late.contains(&serial) || self.is_elsewhere(serial);
        if !self.items.contains_key(&serial) && !has_ended() {
            let file = self.files.open(fd, 0, Behind::Same);
            let events = self.table.get(&serial).copied();
            self.insert(serial, Item { epoll, fd, events, data: None, file });
        }
    }

    fn insert(&mut self, serial: u32, item: Item) {
        if self.items.len() >= ITEMS {
            if let Some(oldest) = self.items.keys().next().copied() {
                self.remove(oldest);
            }
        }
        self.files.watch(item.file, serial);
        self.items_of_set.entry(item.epoll).or_default().insert(serial);
        self.items.insert(serial, item);
    }

    fn end_item(&mut self, serial: u32, how: End) {
        if let Some(item) = self.remove(serial) {
            self.end((item.epoll, serial), how);
        }
    }

    fn end(&mut self, key: Key, how: End) {
        self.ended.push((key, how));
        if self.late.len() >= LATE {
            self.late.pop_front();
        }
        self.late.push_back(key.1);
    }

    fn remove(&mut self, serial: u32) -> Option<Item> {
        let item = self.items.remove(&serial)?;
        self.files.unwatch(item.file, serial);
        if let Some(items) = self.items_of_set.get_mut(&item.epoll) {
            items.remove(&serial);
            if items.is_empty() {
                self.items_of_set.remove(&item.epoll);
            }
        }
        Some(item)
    }
}
