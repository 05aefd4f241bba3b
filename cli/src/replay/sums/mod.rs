//! The sums of a process: what its loops and items did in all, and how fast.

mod item;
mod latency;
mod serving;
mod span;
mod turn;
mod window;

use std::collections::hash_map::Entry as Place;
use std::collections::HashMap;

use glasspoll_record::event::{Ctl, Op};
use glasspoll_record::ring;
use glasspoll_record::{Entry, Event};

use super::world::{End, World};
use super::Key;
pub use item::Item;
pub use latency::Latency;
use serving::{Served, Serving};
pub use span::{Did, Span};
pub use turn::{Loop, Period, State};

/// Bits that are reported whether the program asked for them or not: they say nothing of an item's interest.
pub const ALWAYS: u32 = (libc::EPOLLERR | libc::EPOLLHUP) as u32;

/// What the process did in all.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    /// Events of the record.
    pub records: u64,
    /// Waits that returned.
    pub waits: u64,
    /// Events that were delivered.
    pub deliveries: u64,
    /// Items that were added.
    pub adds: u64,
    /// Calls of epoll_ctl that failed.
    pub failed_ctls: u64,
    /// Connections that accept(2) gave.
    pub accepts: u64,
    /// Bytes read, of files that are watched or were.
    pub read: u64,
    /// Bytes written.
    pub written: u64,
}

/// The sums of a process's events.
#[derive(Clone, Debug, Default)]
pub struct Sums {
    /// When the first event and the last one were.
    pub span: Option<(u64, u64)>,
    /// What it did in all.
    pub counts: Counts,
    /// Its loops.
    pub loops: Vec<Loop>,
    /// Its items, also those that ended.
    pub items: HashMap<Key, Item>,
    /// How many items of each set ended and are no longer kept.
    forgotten: HashMap<u32, u64>,
    loop_of: HashMap<(u32, u32), usize>,
    serving: HashMap<u32, Serving>,
    /// How many items have ended, of those that are kept.
    ended: usize,
}

impl Sums {
    /// Takes in the next event, and the world with it. Calls `span` for what a thread did up to now.
    pub fn event(&mut self, world: &mut World, entry: &Entry, span: &mut impl FnMut(Span)) {
        if let Event::WaitEnter { .. } = entry.event {
            // Before the world takes the event, and forgets what the thread has served.
            self.serving_ends(world, entry, span);
        }
        world.take(entry);
        self.take(world, entry, span);
        for (key, how) in world.ended() {
            self.end(entry.ns, *key, *how);
        }
    }

    fn take(&mut self, world: &World, entry: &Entry, span: &mut impl FnMut(Span)) {
        let (ns, tid) = (entry.ns, entry.tid);
        self.counts.records += 1;
        self.span = Some(self.span.map_or((ns, ns), |(first, last)| (first, last.max(ns))));
        match entry.event {
            Event::Ctl { errno: 0, epoll, op: Some(op), fd, events, item, .. } => {
                self.ctl(ns, (epoll, item), op, fd, events);
            }
            Event::Ctl { .. } => self.counts.failed_ctls += 1,
            Event::Ready { epoll, fd, item, .. } => {
                if let Some(item) = self.live_item(world, (epoll, item), fd, ns) {
                    item.queued.get_or_insert(ns);
                }
            }
            Event::WaitEnter { epoll, maxevents, timeout_ns } => {
                let this = self.loop_at(tid, epoll);
                this.maxevents = maxevents;
                this.state = State::Waiting { since: ns, timeout_ns };
                this.last = (ns, "wait_enter");
            }
            Event::Deliver { epoll, fd, item, events, ready_ns, known, .. } => {
                self.counts.deliveries += 1;
                let ready_ns = ready_ns.min(ns);
                if let Some(delivered) = self.live_item(world, (epoll, item), fd, ns) {
                    delivered.deliver(ns, events, ready_ns, known);
                    delivered.batch = world.thread(tid).map_or(0, |thread| thread.number);
                }
                let this = self.loop_at(tid, epoll);
                this.events += 1;
                this.latency.add(ready_ns, known);
                this.window.add_event(ns);
                this.last = (ns, "deliver");
            }
            Event::WaitReturn { epoll, n, waited_ns } => {
                let waited_ns = waited_ns.min(ns);
                self.counts.waits += 1;
                if let Some(thread) = world.thread(tid) {
                    self.serving.entry(tid).or_default().returned(thread, ns);
                }
                let this = self.loop_at(tid, epoll);
                this.returned(ns, n, waited_ns);
                this.last = (ns, "wait_return");
                let from = ns.saturating_sub(waited_ns);
                span(Span { tid, epoll, from, to: ns, did: Did::Wait(n) });
            }
            Event::Io { .. } => self.io(world, entry, span),
            Event::Create { .. }
            | Event::Release { .. }
            | Event::Close { .. }
            | Event::CloseUnwatched { .. }
            | Event::Dup { .. }
            | Event::Arm { .. }
            | Event::Wakeup { .. }
            | Event::Fork { .. }
            | Event::Exec
            | Event::WaitedForNothing { .. }
            | Event::Blocked { .. }
            | Event::Chaos { .. } => {}
        }
    }

    /// Events are missing here: what the threads do is not known.
    pub fn gap(&mut self) {
        self.serving.clear();
        for this in &mut self.loops {
            this.state = State::Unknown;
        }
        for item in self.items.values_mut() {
            item.queued = None;
        }
    }

    /// Takes in the items as they are at a moment: an item that was added long ago is in no event.
    pub fn table(&mut self, items: &[ring::Item], ns: u64) {
        for entry in items.iter().filter(|entry| !entry.is_set) {
            let item = self.item((entry.epoll, entry.serial), entry.fd, ns);
            item.interest = Some(entry.interest & !ALWAYS);
            item.queued = entry.since_ns.filter(|_| entry.queued);
        }
    }

    /// Names the file behind an fd.
    pub fn name(&mut self, world: &World, fd: i32, what: &str) {
        if what.is_empty() {
            return;
        }
        for (serial, item) in world.items_of(fd) {
            if let Some(item) = self.items.get_mut(&(item.epoll, serial)) {
                item.what.get_or_insert_with(|| what.to_owned());
            }
        }
    }

    /// How many items of a set ended and are no longer kept.
    pub fn forgotten(&self, epoll: u32) -> u64 {
        self.forgotten.get(&epoll).copied().unwrap_or(0)
    }

    /// Forgets items that ended; keeps `keep` of those that were delivered most, or slowest.
    pub fn forget(&mut self, keep: usize) {
        if self.ended <= keep * 2 {
            return;
        }
        let mut ended: Vec<(Key, u64, u64)> = (self.items.values().filter(|item| item.ended.is_some()))
            .map(|item| (item.key(), item.deliveries, item.latency.histogram.max()))
            .collect();
        ended.sort_by_key(|(_, deliveries, _)| std::cmp::Reverse(*deliveries));
        let mut rest = ended.split_off(ended.len().min(keep / 2));
        rest.sort_by_key(|(_, _, slowest)| std::cmp::Reverse(*slowest));
        for (key, ..) in rest.split_off(rest.len().min(keep - keep / 2)) {
            self.items.remove(&key);
            *self.forgotten.entry(key.0).or_default() += 1;
        }
        self.ended = keep.min(self.ended);
    }

    fn loop_at(&mut self, tid: u32, epoll: u32) -> &mut Loop {
        let next = self.loops.len();
        let at = *self.loop_of.entry((tid, epoll)).or_insert(next);
        if at == next {
            self.loops.push(Loop { tid, epoll, ..Loop::default() });
        }
        &mut self.loops[at]
    }

    /// The item of a key; adds it if it is new.
    fn item(&mut self, key: Key, fd: i32, ns: u64) -> &mut Item {
        let item = self.items.entry(key).or_insert_with(|| Item::new(key, fd, ns));
        item.seen.1 = item.seen.1.max(ns);
        item
    }

    /// The same, unless it has ended: an event that comes a little late does not bring it back.
    fn live_item(&mut self, world: &World, key: Key, fd: i32, ns: u64) -> Option<&mut Item> {
        let item = match self.items.entry(key) {
            Place::Occupied(known) => known.into_mut(),
            Place::Vacant(_) if !world.items.contains_key(&key.1) => return None,
            Place::Vacant(free) => free.insert(Item::new(key, fd, ns)),
        };
        item.seen.1 = item.seen.1.max(ns);
        Some(item)
    }

    fn ctl(&mut self, ns: u64, key: Key, op: Ctl, fd: i32, events: u32) {
        let item = self.item(key, fd, ns);
        match op {
            Ctl::Add | Ctl::Found => {
                (item.added, item.interest) = (Some(ns), Some(events & !ALWAYS));
                self.counts.adds += u64::from(op == Ctl::Add);
            }
            Ctl::Mod => item.interest = Some(events & !ALWAYS),
            Ctl::Del => {}
        }
    }

    fn end(&mut self, ns: u64, key: Key, how: End) {
        let Some(item) = self.items.get_mut(&key) else { return };
        item.queued = None;
        if item.ended.is_none() {
            item.ended = Some((ns, how));
            self.ended += 1;
        }
    }

    fn io(&mut self, world: &World, entry: &Entry, span: &mut impl FnMut(Span)) {
        let Event::Io { fd, op, result, errno, .. } = entry.event else { return };
        let (ns, tid) = (entry.ns, entry.tid);
        let moved = u64::try_from(result).unwrap_or(0);
        match op {
            Op::Read => self.counts.read = self.counts.read.saturating_add(moved),
            Op::Write => self.counts.written = self.counts.written.saturating_add(moved),
            Op::Accept => self.counts.accepts += u64::from(result >= 0),
            Op::Shutdown | Op::Connect | Op::Wait => {}
        }
        let thread = world.thread(tid).filter(|thread| thread.serves());
        let mut left = None;
        for (serial, known) in world.items_of(fd) {
            let key = (known.epoll, serial);
            let Some(item) = self.items.get_mut(&key) else { continue };
            item.io(op, result, errno);
            item.seen.1 = item.seen.1.max(ns);
            let Some(thread) = thread.filter(|thread| item.batch == thread.number) else { continue };
            left = left.or(self.serving.entry(tid).or_default().touches(thread, key, ns));
        }
        if let (Some(left), Some(thread)) = (left, thread) {
            self.served((tid, thread.epoll), thread.number, left, span);
        }
    }

    fn served(
        &mut self,
        (tid, epoll): (u32, u32),
        batch: u64,
        (key, from, ns): Served,
        span: &mut impl FnMut(Span),
    ) {
        if let Some(item) = self.items.get_mut(&key) {
            item.serve(batch, from, ns);
        }
        span(Span { tid, epoll, from, to: from.saturating_add(ns), did: Did::Serve(Some(key)) });
    }

    /// The thread goes to wait.
    fn serving_ends(&mut self, world: &World, entry: &Entry, span: &mut impl FnMut(Span)) {
        let (ns, tid) = (entry.ns, entry.tid);
        let Some(thread) = world.thread(tid) else { return };
        let Some(since) = thread.serves_since() else { return };
        let Some(serving) = self.serving.get_mut(&tid) else { return };
        let left = serving.leave(ns);
        if let Some(at) = self.loop_of.get(&(tid, thread.epoll)) {
            let this = &mut self.loops[*at];
            this.served(since, ns, thread.events, &serving.shares);
            this.state = State::Elsewhere;
        }
        match left {
            Some(left) => self.served((tid, thread.epoll), thread.number, left, span),
            None => span(Span { tid, epoll: thread.epoll, from: since, to: ns, did: Did::Serve(None) }),
        }
    }

    /// Calls `span` for what the threads did when the record ended.
    pub fn under_way(&self, end: u64, span: &mut impl FnMut(Span)) {
        for this in &self.loops {
            let (tid, epoll) = (this.tid, this.epoll);
            let (from, did) = match this.state {
                State::Waiting { since, .. } => (since, Did::Wait(0)),
                State::Serving { since } => match self.serving.get(&tid).and_then(Serving::serves) {
                    Some((key, from)) => (from, Did::Serve(Some(key))),
                    None => (since, Did::Serve(None)),
                },
                State::Unknown | State::Elsewhere => continue,
            };
            span(Span { tid, epoll, from, to: end.max(from), did });
        }
    }
}
