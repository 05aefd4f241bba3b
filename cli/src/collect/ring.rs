//! One ring: its events, and the names and files of its process while it lives.

use std::collections::btree_map;
use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use glasspoll_record::clock;
use glasspoll_record::event::{Ctl, Event, Op};
use glasspoll_record::file::Named;
use glasspoll_record::process::Entry;
use glasspoll_record::stream::Stream;

use super::News;
use crate::collect::listener::Handed;
use crate::collect::spool::Spool;
use crate::procfs::describe::Files;
use crate::procfs::names;
use crate::sample::Sampler;
use crate::sys;

/// Between two looks at names and files.
const NAMES: Duration = Duration::from_secs(1);
const FILES: Duration = Duration::from_millis(100);
/// Describing files takes at most this part of the time: 1 / `SHARE`.
const SHARE: u32 = 20;

/// A process's ring, and what we have reported of it.
pub struct Ring {
    pub number: u32,
    pub pid: u32,
    /// Readable once the process has ended. None if it had already ended when we looked.
    pub exit: Option<OwnedFd>,
    pub stream: Stream,
    /// The lost blocks that were reported.
    lost: u64,
    comm: String,
    command: String,
    threads: BTreeMap<u32, String>,
    names_due: Instant,
    /// What files are, and when they were looked at.
    files: BTreeMap<i32, (u64, String)>,
    /// The listener of each connection that was not looked at yet.
    accepted: BTreeMap<i32, String>,
    /// Fds that were added to a set and not looked at yet.
    wanted: BTreeSet<i32>,
    /// Fds of sets.
    sets: BTreeSet<i32>,
    files_due: Instant,
}

/// What was closed in the events of one look.
#[derive(Default)]
struct Closed {
    numbers: BTreeSet<i32>,
    /// Names of files that were there before those events: they must be reported before the events.
    before: Vec<News>,
    /// Names of files that came and went in those events.
    after: Vec<News>,
}

impl Ring {
    pub fn new(number: u32, Handed { pid, live }: Handed) -> Self {
        let now = Instant::now();
        Self {
            number,
            pid,
            exit: sys::pidfd(pid).ok(),
            stream: Stream::new(live),
            lost: 0,
            comm: String::new(),
            command: String::new(),
            threads: BTreeMap::new(),
            names_due: now,
            files: BTreeMap::new(),
            accepted: BTreeMap::new(),
            wanted: BTreeSet::new(),
            sets: BTreeSet::new(),
            files_due: now,
        }
    }

    /// Whether the process has ended.
    pub fn is_over(&self) -> bool {
        self.exit.as_ref().is_none_or(|exit| sys::wait_readable(&[exit.as_fd()], Duration::ZERO) == [true])
    }

    /// Adds what is new to `news`, and the blocks to `spool`; with `all` also the blocks that are not full. Returns how
    /// much of the ring was written to since the last look.
    pub fn look(
        &mut self,
        all: bool,
        news: &mut Vec<News>,
        mut spool: Option<&mut Spool>,
        sampler: Option<&mut Sampler>,
    ) -> f64 {
        let mut blocks = 0u32;
        // A pread(2) of a memfd has no reason to fail; if it does, nothing is new.
        let events = self.stream.poll_and(|block| {
            blocks += 1;
            if let Some(spool) = &mut spool {
                spool.block(self.number, block, all);
            }
        });
        let events = events.unwrap_or_default();
        let lost = self.stream.lost_blocks - self.lost;
        if lost != 0 {
            self.lost = self.stream.lost_blocks;
            news.push(News::Lost { ring: self.number, blocks: lost });
        }
        // Before all that takes time: what a thread does now is to be seen now.
        let seen = sampler.map(|sampler| sampler.take(self.number, &events, lost != 0)).unwrap_or_default();
        let ring = self.number;
        news.extend(seen.into_iter().map(|sample| News::sample((ring, sample))));
        let mut closed = Closed::default();
        for entry in &events {
            self.follow(entry, &mut closed, news);
        }
        news.append(&mut closed.before);
        let is_quiet = events.is_empty();
        if !is_quiet {
            news.push(News::Events { ring: self.number, events });
        }
        news.append(&mut closed.after);
        self.name(news);
        self.describe(news);
        let whole = f64::from(self.stream.live().header().blocks);
        if is_quiet {
            0.0
        } else {
            f64::from(blocks) / whole
        }
    }

    /// Keeps what an event says of descriptors and threads.
    fn follow(&mut self, entry: &Entry, closed: &mut Closed, news: &mut Vec<News>) {
        match entry.event {
            Event::Create { epfd, inherited, .. } => {
                self.sets.insert(epfd);
                if inherited {
                    let items = self.stream.live().read_items().map(|(_, items)| items).unwrap_or_default();
                    self.wanted.extend(items.iter().filter(|item| !item.is_set).map(|item| item.fd));
                }
            }
            Event::Ctl { op: Some(Ctl::Add | Ctl::Found), fd, errno: 0, .. }
                if !self.files.contains_key(&fd) =>
            {
                self.wanted.insert(fd);
            }
            // A file that is locked or written to is in no set.
            Event::Blocked { fd, .. } if fd >= 0 && !self.files.contains_key(&fd) => {
                self.wanted.insert(fd);
            }
            Event::Io { fd, op: Op::Accept, result, .. } if result >= 0 => self.accept(fd, result as i32),
            Event::Close { fd, errno: 0, .. }
            | Event::CloseUnwatched { fd, .. }
            | Event::Dup { new: fd, .. } => self.close(fd, entry.ns, closed),
            _ => {}
        }
        if let btree_map::Entry::Vacant(new) = self.threads.entry(entry.tid) {
            let text = names::thread(self.pid, entry.tid).unwrap_or_default();
            if !text.is_empty() {
                let named = Named::Thread(entry.tid);
                news.push(News::Name { ring: self.number, named, ns: entry.ns, text: text.clone() });
            }
            new.insert(text);
        }
    }

    /// A connection may be closed before we look at it; its listener is still there.
    fn accept(&mut self, fd: i32, new: i32) {
        let listener = self.files.get(&fd).and_then(|(_, text)| text.strip_suffix(" listening"));
        match listener {
            Some(at) => drop(self.accepted.insert(new, format!("{at} ← ?"))),
            None => drop(self.accepted.remove(&new)),
        }
    }

    /// An fd is closed. Until now it stood for the file that we found; if we found none, the file stays unknown.
    fn close(&mut self, fd: i32, ns: u64, closed: &mut Closed) {
        self.sets.remove(&fd);
        let (known, accepted) = (self.files.remove(&fd), self.accepted.remove(&fd));
        if known.is_none() && !self.wanted.remove(&fd) {
            return;
        }
        // A file that we looked at only after the close is another file of the same fd.
        let known = known.filter(|(seen, text)| *seen <= ns && !text.is_empty()).map(|(_, text)| text);
        let text = known.or(accepted).unwrap_or_default();
        let list = if closed.numbers.insert(fd) { &mut closed.before } else { &mut closed.after };
        list.push(News::Name { ring: self.number, named: Named::File(fd), ns: ns.saturating_add(1), text });
    }

    /// Looks at the names of the program and its threads, which may change.
    fn name(&mut self, news: &mut Vec<News>) {
        if Instant::now() < self.names_due {
            return;
        }
        self.names_due = Instant::now() + NAMES;
        let (pid, ring, ns) = (self.pid, self.number, clock::now_ns());
        let mut say = |named, text: Option<String>, known: &mut String| {
            if let Some(text) = text.filter(|text| !text.is_empty() && text != known) {
                known.clone_from(&text);
                news.push(News::Name { ring, named, ns, text });
            }
        };
        say(Named::Comm, names::comm(pid), &mut self.comm);
        say(Named::Command, names::command(pid), &mut self.command);
        for (tid, known) in &mut self.threads {
            say(Named::Thread(*tid), names::thread(pid, *tid), known);
        }
    }

    /// Looks at the files that the program added to sets.
    fn describe(&mut self, news: &mut Vec<News>) {
        if self.wanted.is_empty() || Instant::now() < self.files_due {
            return;
        }
        let begin = sys::worked();
        let mut files = Files::of(self.pid, self.sets.clone());
        for fd in std::mem::take(&mut self.wanted) {
            let text = files.describe(fd).unwrap_or_default();
            let ns = clock::now_ns();
            self.files.insert(fd, (ns, text.clone()));
            if text.is_empty() {
                continue;
            }
            news.push(News::Name { ring: self.number, named: Named::File(fd), ns, text });
        }
        self.files_due = Instant::now() + FILES.max((sys::worked() - begin) * SHARE);
    }
}
