//! Gathers the records of a program and its children while they run: a program started here hands in its rings at
//! our `Door`. What is new comes as `News`; with `keep` all of it goes to a file as well.
//!
//! ```ignore
//! let mut collector = Collector::start(&args.program, &args.settings, RECORDING)?;
//! let status = loop {
//!     collector.wait();
//!     let status = collector.status(); // before the look, so that the last look sees all
//!     for news in collector.poll() { .. }
//!     if let Some(status) = status { break status }
//! };
//! for news in collector.finish() { .. }
//! ```

use std::collections::btree_map;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use glasspoll_record::clock::{self, Moment};
use glasspoll_record::event::{Ctl, Event};
use glasspoll_record::file::Named;
use glasspoll_record::process::{Entry, Process};
use glasspoll_record::ring::{parse_items, Header, Item};
use glasspoll_record::stream::Stream;

use crate::args::Settings;
use crate::describe::Files;
use crate::door::{self, Door, Handed};
use crate::keep::Keeper;
use crate::names;
use crate::program::{self, Program, Refused};
use crate::sys;

/// The size of a ring that is emptied all the time: two million events.
pub const RECORDING: &str = "64M";

/// Between two looks, while much happens and while nothing does.
const SHORTEST: Duration = Duration::from_millis(5);
const USUAL: Duration = Duration::from_millis(20);
const LONGEST: Duration = Duration::from_millis(100);
/// Between two looks at names and files.
const NAMES: Duration = Duration::from_secs(1);
const FILES: Duration = Duration::from_millis(100);
/// Describing files takes at most this part of the time.
const SHARE: u32 = 20;

/// What is new. A ring is one process from one exec to the next; its number is given once.
#[derive(Debug)]
pub enum News {
    /// There is a new ring: a process has made its first epoll instance, or was forked from one that has some.
    Began { ring: u32, pid: u32, header: Box<Header> },
    /// What something of the process's is called, as seen at `ns`.
    Name { ring: u32, named: Named, ns: u64, text: String },
    /// So many blocks of up to 31 events were overwritten before they were read: they are missing before what follows.
    Lost { ring: u32, blocks: u64 },
    /// What happened, in the order of time.
    Events { ring: u32, events: Vec<Entry> },
    /// No more will come. The status is as of wait(2), and known of the program itself alone.
    Ended(Box<Ended>),
}

/// The end of a ring.
#[derive(Debug)]
pub struct Ended {
    pub ring: u32,
    /// When that was noticed.
    pub at: Moment,
    /// None where the process goes on: we left.
    pub status: Option<Option<i32>>,
    /// The header as it was at the end.
    pub header: Header,
    /// The items at the end.
    pub items: Vec<Item>,
    /// Records that were torn.
    pub torn: u64,
}

impl News {
    /// Which ring it is of.
    pub fn ring(&self) -> u32 {
        match self {
            News::Began { ring, .. }
            | News::Name { ring, .. }
            | News::Lost { ring, .. }
            | News::Events { ring, .. } => *ring,
            News::Ended(ended) => ended.ring,
        }
    }
}

/// Takes news in, so that `processes` are what is known by now.
pub fn apply(processes: &mut BTreeMap<u32, Process>, news: News) {
    let ring = news.ring();
    if let News::Began { header, .. } = news {
        processes.insert(ring, Process::new(*header));
        return;
    }
    let Some(process) = processes.get_mut(&ring) else { return };
    match news {
        News::Began { .. } => {}
        News::Name { named, ns, text, .. } => process.name(named, ns, text),
        News::Lost { blocks, .. } => {
            process.lost_blocks += blocks;
            process.gaps.extend(process.events.last().map(|entry| entry.ns.saturating_add(1)));
        }
        News::Events { events, .. } => process.events.extend(events),
        News::Ended(ended) => {
            process.ended = ended.status.map(|status| (ended.at.ns, status));
            (process.items, process.items_ns, process.taken) = (ended.items, ended.at.ns, ended.at);
            process.header = ended.header;
            process.torn = ended.torn;
            process.events.sort_by_key(|entry| entry.ns);
        }
    }
}

/// A process's ring, and what was said of it.
struct Ring {
    number: u32,
    pid: u32,
    /// Readable once the process has ended; None if it had when we looked.
    exit: Option<OwnedFd>,
    stream: Stream,
    /// The blocks that were told to be lost.
    lost: u64,
    comm: String,
    command: String,
    threads: BTreeMap<u32, String>,
    names_due: Instant,
    /// What files are, and when they were looked at.
    files: BTreeMap<i32, (u64, String)>,
    /// Descriptors that were added to a set and not looked at yet.
    wanted: BTreeSet<i32>,
    /// Descriptors of sets.
    sets: BTreeSet<i32>,
    files_due: Instant,
}

impl Ring {
    fn new(number: u32, Handed { pid, live }: Handed) -> Self {
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
            wanted: BTreeSet::new(),
            sets: BTreeSet::new(),
            files_due: now,
        }
    }

    /// Whether the process has ended.
    fn is_over(&self) -> bool {
        self.exit.as_ref().is_none_or(|exit| sys::wait_readable(&[exit.as_fd()], Duration::ZERO) == [true])
    }

    /// Hands over what is new, and for a file the blocks; with `all` those that are not full too. Says how much of
    /// the ring was written to since the last look.
    fn look(&mut self, all: bool, news: &mut Vec<News>, mut keeper: Option<&mut Keeper>) -> f64 {
        let mut blocks = 0u32;
        // What a pread(2) of our own memfd would fail for is not there: then nothing is new.
        let events = self.stream.poll_and(|block| {
            blocks += 1;
            if let Some(keeper) = &mut keeper {
                keeper.block(self.number, block, all);
            }
        });
        let events = events.unwrap_or_default();
        let lost = self.stream.lost_blocks - self.lost;
        if lost != 0 {
            self.lost = self.stream.lost_blocks;
            news.push(News::Lost { ring: self.number, blocks: lost });
        }
        let mut found = Vec::new();
        for entry in &events {
            self.follow(entry, &mut found);
        }
        let is_quiet = events.is_empty();
        if !is_quiet {
            news.push(News::Events { ring: self.number, events });
        }
        // Names come behind what they are of.
        news.append(&mut found);
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
    fn follow(&mut self, entry: &Entry, news: &mut Vec<News>) {
        match entry.event {
            Event::Create { epfd, inherited, .. } => {
                self.sets.insert(epfd);
                if inherited {
                    let items = self.stream.live().read_items().map(|(_, items)| items).unwrap_or_default();
                    self.wanted.extend(items.iter().filter(|item| !item.is_set).map(|item| item.fd));
                }
            }
            Event::Ctl { op: Some(Ctl::Add), fd, errno: 0, .. } if !self.files.contains_key(&fd) => {
                self.wanted.insert(fd);
            }
            Event::Close { fd, errno: 0, .. } | Event::Dup { new: fd, .. } => self.close(fd, entry.ns, news),
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

    /// A number is closed: until then the file was what it was found to be, or nobody knows.
    fn close(&mut self, fd: i32, ns: u64, news: &mut Vec<News>) {
        self.sets.remove(&fd);
        let known = self.files.remove(&fd);
        if known.is_none() && !self.wanted.remove(&fd) {
            return;
        }
        // One that was looked at only after that is another file, of the same number.
        let text = known.filter(|(seen, _)| *seen <= ns).map_or(String::new(), |(_, text)| text);
        news.push(News::Name { ring: self.number, named: Named::File(fd), ns: ns.saturating_add(1), text });
    }

    /// Looks at the names of the program and its threads, which they may change.
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

    /// Looks at what the files are that were added to sets.
    fn describe(&mut self, news: &mut Vec<News>) {
        let begin = Instant::now();
        if self.wanted.is_empty() || begin < self.files_due {
            return;
        }
        let mut files = Files::of(self.pid, self.sets.clone());
        for fd in std::mem::take(&mut self.wanted) {
            let Some(text) = files.describe(fd) else { continue };
            let ns = clock::now_ns();
            self.files.insert(fd, (ns, text.clone()));
            news.push(News::Name { ring: self.number, named: Named::File(fd), ns, text });
        }
        self.files_due = Instant::now() + FILES.max(begin.elapsed() * SHARE);
    }
}

/// A program that runs, and the rings of it and its children.
pub struct Collector {
    program: Program,
    exit: Option<OwnedFd>,
    /// What the program is called, for the case that it has ended before we looked.
    called: [String; 2],
    door: Door,
    rings: Vec<Ring>,
    count: u32,
    pause: Duration,
    keeper: Option<Keeper>,
}

impl Collector {
    /// Starts `program`. `default_ring` is the size of each ring if nobody has said one.
    pub fn start(program: &[OsString], settings: &Settings, default_ring: &str) -> Result<Self, Refused> {
        Self::start_and_keep(program, settings, default_ring, None)
    }

    /// The same; it reads nothing, and what it prints goes to a file: the terminal is in use.
    pub fn start_aside(
        program: &[OsString],
        settings: &Settings,
        default_ring: &str,
        output: &File,
    ) -> Result<Self, Refused> {
        let mut command = program::command(program, settings, Some(default_ring))?;
        let copy = || output.try_clone().map_err(|error| format!("the program's output: {error}"));
        command.stdin(Stdio::null()).stdout(copy()?).stderr(copy()?);
        Self::start_command(command, program, None)
    }

    /// The same; all goes to a file as well.
    pub fn start_and_keep(
        program: &[OsString],
        settings: &Settings,
        default_ring: &str,
        keeper: Option<Keeper>,
    ) -> Result<Self, Refused> {
        let command = program::command(program, settings, Some(default_ring))?;
        Self::start_command(command, program, keeper)
    }

    fn start_command(
        mut command: Command,
        program: &[OsString],
        keeper: Option<Keeper>,
    ) -> Result<Self, Refused> {
        let door = Door::open()?;
        command.env(door::VARIABLE, door.path());
        let called = called(program);
        let program = Program::start(command)?;
        Ok(Self {
            exit: sys::pidfd(program.pid()).ok(),
            program,
            called,
            door,
            rings: Vec::new(),
            count: 0,
            pause: SHORTEST,
            keeper,
        })
    }

    /// The program's process.
    pub fn pid(&self) -> u32 {
        self.program.pid()
    }

    /// How many rings there were.
    pub fn rings(&self) -> u32 {
        self.count
    }

    /// How the program has ended, if it has.
    pub fn status(&mut self) -> Option<ExitStatus> {
        self.program.status()
    }

    /// The items of a ring as they are now, if its process runs.
    pub fn items(&self, ring: u32) -> Option<Vec<Item>> {
        let ring = self.rings.iter().find(|other| other.number == ring)?;
        ring.stream.live().read_items().ok().map(|(_, items)| items)
    }

    /// Whether somebody wants us to end, or the program in our stead.
    pub fn is_to_end(&self) -> bool {
        self.program.is_to_end()
    }

    /// Ends the program: asks it to, and does not ask again after that time.
    pub fn end_program(&mut self, patience: Duration) {
        let end = Instant::now() + patience;
        for (signal, until) in [(libc::SIGTERM, end), (libc::SIGKILL, end + patience)] {
            if self.status().is_some() {
                return;
            }
            sys::kill(self.program.pid(), signal);
            while self.status().is_none() && Instant::now() < until {
                let exit: Vec<_> = self.exit.iter().map(AsFd::as_fd).collect();
                sys::wait_readable(&exit, SHORTEST);
            }
        }
    }

    /// Waits until it is time for another look.
    pub fn wait(&mut self) {
        self.wait_at_most(LONGEST);
    }

    /// The same, and not longer than that. Signals that come for the program meanwhile are passed on.
    pub fn wait_at_most(&mut self, limit: Duration) {
        let mut fds = vec![self.program.signals().fd().as_fd(), self.door.socket().as_fd()];
        fds.extend(
            self.exit.iter().chain(self.rings.iter().filter_map(|ring| ring.exit.as_ref())).map(AsFd::as_fd),
        );
        sys::wait_readable(&fds, self.pause.min(limit));
        self.program.pass_signals_on();
    }

    /// What is new in all rings.
    pub fn poll(&mut self) -> Vec<News> {
        self.program.pass_signals_on();
        let mut news = Vec::new();
        for handed in self.door.take() {
            // A process that has a new ring was another program before.
            if let Some(at) = self.rings.iter().position(|ring| ring.pid == handed.pid) {
                let ring = self.rings.remove(at);
                self.end(ring, Some(None), &mut news);
            }
            self.begin(handed, &mut news);
        }
        let (mut fullest, mut at) = (0.0f64, 0);
        while let Some(ring) = self.rings.get_mut(at) {
            // First whether it has ended: then nothing comes after this look.
            let is_over = ring.is_over();
            fullest = fullest.max(ring.look(is_over, &mut news, self.keeper.as_mut()));
            if is_over {
                let ring = self.rings.remove(at);
                let status = (ring.pid == self.program.pid()).then(|| self.program.status()).flatten();
                self.end(ring, Some(status.map(ExitStatusExt::into_raw)), &mut news);
            } else {
                at += 1;
            }
        }
        if let Some(keeper) = &mut self.keeper {
            keeper.keep(&news);
        }
        self.pause = next_pause(self.pause, fullest);
        news
    }

    /// Leaves: what there is of the processes that go on is taken. Says what was wrong with the file, if one is kept.
    pub fn finish(mut self) -> (Vec<News>, Option<String>) {
        let mut news = self.poll();
        let mut last = Vec::new();
        for ring in std::mem::take(&mut self.rings) {
            self.end(ring, None, &mut last);
        }
        let trouble = self.keeper.take().and_then(|mut keeper| {
            keeper.keep(&last);
            keeper.trouble()
        });
        news.append(&mut last);
        (news, trouble)
    }

    fn begin(&mut self, handed: Handed, news: &mut Vec<News>) {
        let number = self.count;
        self.count += 1;
        if let Some(keeper) = &mut self.keeper {
            keeper.begin(number, &handed.live);
        }
        let pid = handed.pid;
        news.push(News::Began { ring: number, pid, header: Box::new(handed.live.header().clone()) });
        if pid == self.program.pid() {
            let ns = clock::now_ns();
            for (named, text) in [Named::Comm, Named::Command].into_iter().zip(self.called.clone()) {
                news.push(News::Name { ring: number, named, ns, text });
            }
        }
        self.rings.push(Ring::new(number, handed));
    }

    fn end(&mut self, mut ring: Ring, status: Option<Option<i32>>, news: &mut Vec<News>) {
        ring.look(true, news, self.keeper.as_mut());
        let live = ring.stream.live();
        let at = live.now();
        let page = live.page();
        let header = page.as_ref().ok().and_then(|page| Header::parse(page).ok());
        let header = header.unwrap_or_else(|| live.header().clone());
        let entries = live.items(&header).unwrap_or_default();
        if let (Some(keeper), Ok(page)) = (&mut self.keeper, &page) {
            keeper.items(ring.number, at, page, &entries);
        }
        let items = parse_items(&header, at, &entries);
        let ended = Ended { ring: ring.number, at, status, header, items, torn: ring.stream.torn };
        news.push(News::Ended(Box::new(ended)));
    }
}

/// How a program is called before it could be asked: as `comm`, and as a command line.
fn called(program: &[OsString]) -> [String; 2] {
    let words: Vec<_> = program.iter().map(|word| word.to_string_lossy()).collect();
    let name = words.first().and_then(|name| name.rsplit('/').next()).unwrap_or_default();
    [name.chars().take(15).collect(), words.join(" ")]
}

/// How long to wait, if this part of a ring was written to during the last pause. A ring must not run over, and
/// nobody is to be woken for nothing.
fn next_pause(pause: Duration, part: f64) -> Duration {
    let next = match part {
        0.0 => pause * 2,
        _ if part > 1.0 / 8.0 => pause / 2,
        _ => (pause * 2).min(USUAL),
    };
    next.clamp(SHORTEST, LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_is_short_while_a_ring_fills_and_long_while_nothing_happens() {
        assert_eq!(next_pause(USUAL, 0.0), USUAL * 2);
        assert_eq!(next_pause(LONGEST, 0.0), LONGEST);
        assert_eq!(next_pause(LONGEST, 0.01), USUAL);
        assert_eq!(next_pause(USUAL, 0.5), USUAL / 2);
        assert_eq!(next_pause(SHORTEST, 1.0), SHORTEST);
    }
}
