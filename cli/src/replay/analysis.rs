//! The sum of a process's events.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use glasspoll_record::event::{Ctl, Op};
use glasspoll_record::ring;
use glasspoll_record::{Entry, Event, Process};

use super::files::Files;
use super::thread::{Served, Thread};
use super::{Did, End, Item, Key, Loop, Set, Span, State, ALWAYS};

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

/// The sum of a process's events.
#[derive(Clone, Debug, Default)]
pub struct Analysis {
    /// When the first event and the last one were.
    pub span: Option<(u64, u64)>,
    /// What it did in all.
    pub counts: Counts,
    /// Its sets, by number.
    pub sets: BTreeMap<u32, Set>,
    /// Its loops.
    pub loops: Vec<Loop>,
    /// Its items, also those that ended.
    pub items: HashMap<Key, Item>,
    /// The open sets by descriptor, and the items of each that have not ended: a program may make many, one after another.
    open: HashMap<i32, u32>,
    living: HashMap<u32, BTreeSet<u32>>,
    loop_of: HashMap<(u32, u32), usize>,
    threads: HashMap<u32, Thread>,
    files: Files,
    batches: u64,
    ended: usize,
}

impl Analysis {
    /// The sum of no events.
    pub fn new() -> Self {
        Self::default()
    }

    /// The sum of all events of a process.
    pub fn of(process: &Process) -> Self {
        Self::tell(process, |_| {})
    }

    /// The same; calls `span` for what each thread did, in the order in which it ended.
    pub fn tell(process: &Process, mut span: impl FnMut(Span)) -> Self {
        let mut analysis = Self::new();
        let mut gaps = process.gaps.iter().peekable();
        for entry in &process.events {
            if gaps.next_if(|gap| **gap <= entry.ns).is_some() {
                while gaps.next_if(|gap| **gap <= entry.ns).is_some() {}
                analysis.gap();
            }
            analysis.take(entry, &mut span);
        }
        analysis.under_way(process.end_ns(), &mut span);
        analysis.table(&process.items, process.items_ns);
        for item in analysis.items.values_mut() {
            let (from, to) = item.life(u64::MAX);
            let from = if item.added.is_some() { from } else { 0 };
            let names = process.files.get(&item.fd).map_or(&[][..], Vec::as_slice);
            let known = names.iter().find(|(ns, what)| (from..=to).contains(ns) && !what.is_empty());
            item.what = known.map(|(_, what)| what.clone());
        }
        analysis
    }

    /// Takes in the next event.
    pub fn event(&mut self, entry: &Entry) {
        self.take(entry, &mut |_| {});
    }

    fn take(&mut self, entry: &Entry, span: &mut impl FnMut(Span)) {
        let (ns, tid) = (entry.ns, entry.tid);
        self.counts.records += 1;
        self.span = Some(self.span.map_or((ns, ns), |(first, last)| (first, last.max(ns))));
        match entry.event {
            Event::Create { epoll, epfd, inherited } => {
                self.close(ns, epfd, -1);
                let set = Set { epoll, epfd: Some(epfd), inherited, ..Set::default() };
                self.sets.insert(epoll, set);
                self.open.insert(epfd, epoll);
            }
            Event::Ctl { errno: 0, epoll, op: Some(op), fd, events, item, .. } => {
                self.set(epoll);
                self.ctl(ns, (epoll, item), op, fd, events);
            }
            Event::Ctl { .. } => self.counts.failed_ctls += 1,
            Event::Ready { epoll, fd, item, .. } => {
                self.item((epoll, item), fd, ns).queued.get_or_insert(ns);
            }
            Event::WaitEnter { epoll, maxevents, timeout_ns } => {
                self.serving_ends(tid, ns, span);
                self.batches += 1;
                let batch = self.batches;
                let thread = self.threads.entry(tid).or_default();
                thread.begin(batch);
                thread.epoll = Some(epoll);
                let this = self.loop_at(tid, epoll);
                this.maxevents = maxevents;
                this.state = State::Waiting { since: ns, timeout_ns };
                this.last = (ns, "wait_enter");
            }
            Event::Deliver { epoll, fd, item, events, nth, ready_ns, known } => {
                self.counts.deliveries += 1;
                let ready_ns = ready_ns.min(ns);
                if nth == 0 {
                    self.batches += 1;
                    let batch = self.batches;
                    self.threads.entry(tid).or_default().begin(batch);
                }
                let key = (epoll, item);
                let thread = self.threads.entry(tid).or_default();
                thread.deliver(key);
                let batch = thread.batch;
                let delivered = self.item(key, fd, ns);
                delivered.deliver(ns, events, ready_ns, known);
                delivered.batch = batch;
                let this = self.loop_at(tid, epoll);
                this.events += 1;
                this.latency.add(ready_ns, known);
                this.window.add_event(ns);
                this.last = (ns, "deliver");
            }
            Event::WaitReturn { epoll, n, waited_ns } => {
                let waited_ns = waited_ns.min(ns);
                self.counts.waits += 1;
                let thread = self.threads.entry(tid).or_default();
                thread.epoll = Some(epoll);
                if n <= 0 {
                    self.batches += 1;
                    thread.begin(self.batches);
                }
                thread.returned(ns);
                let this = self.loop_at(tid, epoll);
                this.returned(ns, n, waited_ns);
                this.last = (ns, "wait_return");
                let from = ns.saturating_sub(waited_ns);
                span(Span { tid, epoll, from, to: ns, did: Did::Wait(n) });
            }
            Event::Release { fd, .. } => {
                // A release after its close may meet a new file of the same fd.
                let thread = self.threads.entry(tid).or_default();
                if thread.closed.take() != Some(fd) {
                    self.close(ns, fd, -1);
                }
            }
            Event::Close { fd, lives_as, errno: 0 } => {
                self.close(ns, fd, lives_as);
                self.threads.entry(tid).or_default().closed = (lives_as < 0).then_some(fd);
            }
            Event::Dup { old, new } => self.files.dup(old, new),
            Event::Io { fd, op, result, errno, .. } => self.io(entry, fd, op, result, errno, span),
            Event::Close { .. }
            | Event::Arm { .. }
            | Event::Wakeup { .. }
            | Event::Fork { .. }
            | Event::Exec
            | Event::WaitedForNothing { .. }
            | Event::Chaos { .. } => {}
        }
    }

    /// Events are missing here: what the threads do is not known.
    pub fn gap(&mut self) {
        self.threads.clear();
        for this in &mut self.loops {
            this.state = State::Unknown;
        }
        for item in self.items.values_mut() {
            item.queued = None;
        }
    }

    /// Takes in the items as they are at a moment: an item that was added long ago is in no event.
    pub fn table(&mut self, items: &[ring::Item], ns: u64) {
        for entry in items {
            let set = self.set(entry.epoll);
            if entry.is_set {
                set.epfd = Some(entry.fd);
                self.open.insert(entry.fd, entry.epoll);
                continue;
            }
            let item = self.item((entry.epoll, entry.serial), entry.fd, ns);
            item.interest = Some(entry.interest & !ALWAYS);
            item.queued = entry.since_ns.filter(|_| entry.queued);
        }
    }

    /// Names the file behind an fd.
    pub fn name(&mut self, fd: i32, what: &str) {
        if what.is_empty() {
            return;
        }
        for key in self.files.items(fd) {
            if let Some(item) = self.items.get_mut(key) {
                item.what.get_or_insert_with(|| what.to_owned());
            }
        }
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
            self.set(key.0).forgotten += 1;
        }
        self.ended = keep.min(self.ended);
    }

    fn set(&mut self, epoll: u32) -> &mut Set {
        self.sets.entry(epoll).or_insert_with(|| Set { epoll, ..Set::default() })
    }

    fn loop_at(&mut self, tid: u32, epoll: u32) -> &mut Loop {
        let next = self.loops.len();
        let at = *self.loop_of.entry((tid, epoll)).or_insert(next);
        if at == next {
            self.loops.push(Loop { tid, epoll, ..Loop::default() });
            self.set(epoll);
        }
        &mut self.loops[at]
    }

    /// An item; it becomes known if it was not.
    fn item(&mut self, key: Key, fd: i32, ns: u64) -> &mut Item {
        let (files, living) = (&mut self.files, &mut self.living);
        let item = self.items.entry(key).or_insert_with(|| {
            files.watch(fd, key);
            living.entry(key.0).or_default().insert(key.1);
            Item::new(key, fd, ns)
        });
        item.seen.1 = item.seen.1.max(ns);
        item
    }

    fn ctl(&mut self, ns: u64, key: Key, op: Ctl, fd: i32, events: u32) {
        let item = self.item(key, fd, ns);
        match op {
            Ctl::Add => {
                (item.added, item.interest) = (Some(ns), Some(events & !ALWAYS));
                self.counts.adds += 1;
            }
            Ctl::Mod => item.interest = Some(events & !ALWAYS),
            Ctl::Del => {
                self.end(ns, key, End::Deleted);
                self.files.unwatch(fd, key);
            }
        }
    }

    fn end(&mut self, ns: u64, key: Key, how: End) {
        let Some(item) = self.items.get_mut(&key) else { return };
        item.queued = None;
        if item.ended.is_none() {
            item.ended = Some((ns, how));
            self.ended += 1;
            if let Some(living) = self.living.get_mut(&key.0) {
                living.remove(&key.1);
            }
        }
    }

    fn close(&mut self, ns: u64, fd: i32, lives_as: i32) {
        for key in self.files.close(fd, lives_as) {
            self.end(ns, key, End::Closed);
        }
        let Some(epoll) = self.open.remove(&fd) else { return };
        let Some(set) = self.sets.get_mut(&epoll).filter(|set| set.closed.is_none()) else { return };
        if lives_as >= 0 {
            set.epfd = Some(lives_as);
            self.open.insert(lives_as, epoll);
            return;
        }
        set.closed = Some(ns);
        for serial in self.living.remove(&epoll).unwrap_or_default() {
            let key = (epoll, serial);
            let Some(fd) = self.items.get(&key).map(|item| item.fd) else { continue };
            self.end(ns, key, End::SetClosed);
            self.files.unwatch(fd, key);
        }
    }

    fn io(&mut self, entry: &Entry, fd: i32, op: Op, result: i64, errno: u16, span: &mut impl FnMut(Span)) {
        let (ns, tid) = (entry.ns, entry.tid);
        let moved = u64::try_from(result).unwrap_or(0);
        match op {
            Op::Read => self.counts.read = self.counts.read.saturating_add(moved),
            Op::Write => self.counts.written = self.counts.written.saturating_add(moved),
            Op::Accept => self.counts.accepts += u64::from(result >= 0),
            Op::Shutdown | Op::Connect => {}
        }
        let mut left = None;
        for key in self.files.items(fd) {
            let Some(item) = self.items.get_mut(key) else { continue };
            item.io(op, result, errno);
            item.seen.1 = item.seen.1.max(ns);
            let Some(thread) = self.threads.get_mut(&tid) else { continue };
            if item.batch == thread.batch && thread.since.is_some() {
                left = left.or(thread.touches(*key, ns));
            }
        }
        self.served(tid, left, span);
    }

    fn served(&mut self, tid: u32, left: Option<Served>, span: &mut impl FnMut(Span)) {
        let Some((key, from, ns)) = left else { return };
        let Some(thread) = self.threads.get(&tid) else { return };
        if let Some(item) = self.items.get_mut(&key) {
            item.serve(thread.batch, from, ns);
        }
        if let Some(epoll) = thread.epoll {
            span(Span { tid, epoll, from, to: from.saturating_add(ns), did: Did::Serve(Some(key)) });
        }
    }

    fn serving_ends(&mut self, tid: u32, ns: u64, span: &mut impl FnMut(Span)) {
        let Some(thread) = self.threads.get_mut(&tid) else { return };
        let left = thread.leave(ns);
        if let (Some(since), Some(epoll)) = (thread.since.take(), thread.epoll) {
            if left.is_none() {
                span(Span { tid, epoll, from: since, to: ns, did: Did::Serve(None) });
            }
            if let Some(at) = self.loop_of.get(&(tid, epoll)) {
                let this = &mut self.loops[*at];
                this.served(since, ns, thread.events, &thread.shares);
                this.state = State::Elsewhere;
            }
        }
        self.served(tid, left, span);
    }

    /// Calls `span` for what the threads did when the record ended.
    fn under_way(&self, end: u64, span: &mut impl FnMut(Span)) {
        for this in &self.loops {
            let (tid, epoll) = (this.tid, this.epoll);
            let (from, did) = match this.state {
                State::Waiting { since, .. } => (since, Did::Wait(0)),
                State::Serving { since } => match self.threads.get(&tid).and_then(Thread::serves) {
                    Some((key, from)) => (from, Did::Serve(Some(key))),
                    None => (since, Did::Serve(None)),
                },
                State::Unknown | State::Elsewhere => continue,
            };
            span(Span { tid, epoll, from, to: end.max(from), did });
        }
    }
}
