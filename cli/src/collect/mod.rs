//! Gathers the records of a program and its children while they run: they send their rings to our `Listener`. What is
//! new comes as `News`; with a `Spool` all of it goes to a file as well. `snapshot` reads the ring of a process that
//! was not started here; `source` says whether an argument means a process or a file.
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

pub mod accept_queues;
pub mod listener;
mod news;
mod ring;
pub mod snapshot;
pub mod source;
pub mod spool;
pub mod strays;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use glasspoll_record::clock;
use glasspoll_record::file::Named;
use glasspoll_record::ring::{parse_facts, parse_items, Header, Item, Live};

use crate::args::Settings;
use crate::collect::accept_queues::AcceptQueues;
use crate::collect::listener::{Handed, Listener};
use crate::collect::spool::Spool;
use crate::collect::strays::{Fate, Strays};
use crate::procfs::names;
use crate::program::{self, Program, Refused};
use crate::sample::Sampler;
use crate::sys;
pub use news::{apply, Ended, News};
use ring::Ring;

/// The size of a ring that is emptied all the time: two million events.
pub const RECORDING: &str = "64M";

/// The pause between two looks: while a ring fills fast, usually, and while nothing happens.
const SHORTEST: Duration = Duration::from_millis(5);
const USUAL: Duration = Duration::from_millis(20);
const LONGEST: Duration = Duration::from_millis(100);

/// A program that runs, and the rings of it and its children.
pub struct Collector {
    program: Program,
    exit: Option<OwnedFd>,
    /// The names of the program, in case it ends before we look.
    called: [String; 2],
    listener: Listener,
    rings: Vec<Ring>,
    count: u32,
    pause: Duration,
    spool: Option<Spool>,
    sampler: Option<Sampler>,
    strays: Option<Strays>,
    queues: Option<AcceptQueues>,
    /// Processes whose rings were found through /proc, with their names.
    found: BTreeMap<u32, String>,
}

impl Collector {
    /// Starts `program`. `default_ring` is the size of each ring unless the settings or the environment have one.
    pub fn start(program: &[OsString], settings: &Settings, default_ring: &str) -> Result<Self, Refused> {
        Self::start_and_keep(program, settings, default_ring, None)
    }

    /// As `start`; it reads nothing, and what it prints goes to a file: the terminal is in use.
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

    /// As `start_aside`, in a process group of its own; other programs are started after it. `ring` is the size of each
    /// ring unless the settings have one. All goes to a file as well.
    pub fn start_apart(
        program: &[OsString],
        settings: &Settings,
        ring: &str,
        output: &File,
        spool: Option<Spool>,
    ) -> Result<Self, Refused> {
        let mut command = program::command(program, settings, None)?;
        command.env("GLASSPOLL_RING", settings.ring.as_deref().unwrap_or(ring));
        if settings.chaos.is_none() {
            command.env_remove(program::CHAOS);
        }
        let copy = || output.try_clone().map_err(|error| format!("the program's output: {error}"));
        command.stdin(Stdio::null()).stdout(copy()?).stderr(copy()?).process_group(0);
        let mut collector = Self::start_command(command, program, spool)?;
        collector.program.be_one_of_many();
        Ok(collector)
    }

    /// As `start`; all goes to a file as well.
    pub fn start_and_keep(
        program: &[OsString],
        settings: &Settings,
        default_ring: &str,
        spool: Option<Spool>,
    ) -> Result<Self, Refused> {
        let command = program::command(program, settings, Some(default_ring))?;
        Self::start_command(command, program, spool)
    }

    fn start_command(
        mut command: Command,
        program: &[OsString],
        spool: Option<Spool>,
    ) -> Result<Self, Refused> {
        let listener = Listener::open()?;
        command.env(listener::VARIABLE, listener.path());
        let called = called(program);
        let program = Program::start(command)?;
        let queues = spool.is_some().then(AcceptQueues::new);
        Ok(Self {
            exit: sys::pidfd(program.pid()).ok(),
            program,
            called,
            listener,
            rings: Vec::new(),
            count: 0,
            pause: SHORTEST,
            spool,
            sampler: None,
            strays: None,
            queues,
            found: BTreeMap::new(),
        })
    }

    /// Looks at threads that are overdue, or spin, from now on.
    /// Without `ptrace` no thread is stopped for that.
    pub fn sample(&mut self, ptrace: bool) {
        // See `status`.
        self.sampler = Some(Sampler::new(ptrace && self.exit.is_some()));
    }

    /// Looks through /proc for rings, too, from now on.
    pub fn seek_strays(&mut self) {
        self.strays = Some(Strays::of(self.program.pid(), self.listener.path()));
    }

    /// Looks at the queues of their listeners, too, from now on; without a file it does not by itself.
    pub fn look_at_queues(&mut self) {
        self.queues.get_or_insert_with(AcceptQueues::new);
    }

    /// What became of the processes that `seek_strays` is for.
    pub fn fate(&mut self) -> Fate {
        let Some(strays) = self.strays.take() else { return Fate::default() };
        let fate = strays.fate(&self.rings.iter().map(|ring| ring.pid).collect());
        Fate { found: std::mem::take(&mut self.found), ..fate }
    }

    /// How many rings there were.
    pub fn rings(&self) -> u32 {
        self.count
    }

    /// How the program has ended, if it has.
    pub fn status(&mut self) -> Option<ExitStatus> {
        // As long as it lives, we do not wait for it: wait(2) would take the stop of a thread from the sampler's thread
        // that has asked for it, and the thread would stand for ever.
        let lives = |exit: &OwnedFd| sys::wait_readable(&[exit.as_fd()], Duration::ZERO) != [true];
        if self.exit.as_ref().is_some_and(lives) {
            return None;
        }
        self.program.status()
    }

    /// The items of a ring as they are now, if its process runs.
    pub fn items(&self, ring: u32) -> Option<Vec<Item>> {
        let ring = self.rings.iter().find(|other| other.number == ring)?;
        ring.stream.live().read_items().ok().map(|(_, items)| items)
    }

    /// Whether a signal asked us, or the program in our place, to end.
    pub fn is_to_end(&self) -> bool {
        self.program.is_to_end()
    }

    /// Ends the program: by SIGTERM, and after `patience` by SIGKILL.
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

    /// Ends all of a program's process group (`start_apart`): the program by SIGTERM, and when it has ended or after
    /// `patience`, the group by SIGKILL.
    pub fn end_group(&mut self, patience: Duration) {
        let group = self.program.pid();
        if self.status().is_none() {
            sys::kill_group(group, libc::SIGTERM);
            let until = Instant::now() + patience;
            while self.status().is_none() && Instant::now() < until {
                self.wait_for_exit();
            }
        }
        // The kernel gives this id to no other group while a process of the group is left, nor soon after.
        sys::kill_group(group, libc::SIGKILL);
        while self.status().is_none() {
            self.wait_for_exit();
        }
        // The rest of the group ends a moment later. Their parent is init, and not every init waits for them.
        let until = Instant::now() + patience;
        while sys::has_group(group) && Instant::now() < until {
            thread::sleep(Duration::from_millis(1));
        }
    }

    fn wait_for_exit(&self) {
        let exit: Vec<_> = self.exit.iter().map(AsFd::as_fd).collect();
        sys::wait_readable(&exit, SHORTEST);
    }

    /// Waits until it is time for another look.
    pub fn wait(&mut self) {
        self.wait_at_most(LONGEST);
    }

    /// The same, and at most for `limit`. Passes on the signals that come for the program meanwhile.
    pub fn wait_at_most(&mut self, limit: Duration) {
        let mut fds = vec![self.program.signals().fd().as_fd(), self.listener.socket().as_fd()];
        fds.extend(
            self.exit.iter().chain(self.rings.iter().filter_map(|ring| ring.exit.as_ref())).map(AsFd::as_fd),
        );
        let limit = self.strays.as_ref().map_or(limit, |strays| limit.min(strays.pause()));
        let (begin, whole) = (Instant::now(), self.pause.min(limit));
        loop {
            let left = whole.saturating_sub(begin.elapsed());
            let part = self.sampler.as_ref().map_or(left, |sampler| left.min(sampler.pause()));
            // In a quiet program a whole look would cost much more than this one does.
            let is_over = sys::wait_readable(&fds, part).contains(&true) || part == left;
            let is_due = || self.sampler.as_ref().is_some_and(Sampler::is_due);
            if is_over || is_due() || self.rings.iter().any(|ring| ring.stream.has_news()) {
                break;
            }
        }
        self.program.pass_signals_on();
    }

    /// What is new in all rings.
    pub fn poll(&mut self) -> Vec<News> {
        self.program.pass_signals_on();
        let mut news = Vec::new();
        for handed in self.listener.take() {
            self.take(handed, &mut news);
        }
        let sent: BTreeSet<u32> = self.rings.iter().map(|ring| ring.pid).collect();
        for handed in self.strays.as_mut().map(|strays| strays.look(&sent)).unwrap_or_default() {
            let pid = handed.pid;
            if self.take(handed, &mut news) {
                self.found.insert(pid, names::comm(pid).unwrap_or_default());
            }
        }
        let (mut fullest, mut at) = (0.0f64, 0);
        while let Some(ring) = self.rings.get_mut(at) {
            // Ask first, then look: if the process has ended, nothing comes after this look.
            let is_over = ring.is_over();
            fullest = fullest.max(ring.look(is_over, &mut news, self.spool.as_mut(), self.sampler.as_mut()));
            if is_over {
                let ring = self.rings.remove(at);
                let status = (ring.pid == self.program.pid()).then(|| self.status()).flatten();
                self.end(ring, Some(status.map(ExitStatusExt::into_raw)), &mut news);
            } else {
                at += 1;
            }
        }
        if let Some(queues) = &mut self.queues {
            let pids: Vec<u32> = self.rings.iter().map(|ring| ring.pid).collect();
            for (pid, queue) in queues.look(&pids) {
                let ring = self.rings.iter().find(|ring| ring.pid == pid);
                news.extend(ring.map(|ring| News::AcceptQueue { ring: ring.number, queue }));
            }
        }
        if let Some(sampler) = &mut self.sampler {
            news.extend(sampler.told().into_iter().map(News::sample));
        }
        if let Some(spool) = &mut self.spool {
            spool.keep(&news);
        }
        self.pause = next_pause(self.pause, fullest);
        news
    }

    /// Ends the collection: takes what the processes that go on have recorded. Says what was wrong with the file, if
    /// there is one, and what is to be known of the looks at threads.
    pub fn finish(mut self) -> (Vec<News>, Option<String>, Vec<String>) {
        let mut news = self.poll();
        let mut last = Vec::new();
        for ring in std::mem::take(&mut self.rings) {
            self.end(ring, None, &mut last);
        }
        let (told, notes) = self.sampler.take().map(Sampler::finish).unwrap_or_default();
        last.extend(told.into_iter().map(News::sample));
        let trouble = self.spool.take().and_then(|mut spool| {
            spool.keep(&last);
            spool.trouble()
        });
        news.append(&mut last);
        (news, trouble, notes)
    }

    /// Takes a ring in. False: we have it already.
    fn take(&mut self, handed: Handed, news: &mut Vec<News>) -> bool {
        // A process that has a second ring was another program before its exec.
        if let Some(at) = self.rings.iter().position(|ring| ring.pid == handed.pid) {
            let began = |live: &Live| live.header().begin.ns;
            if began(self.rings[at].stream.live()) == began(&handed.live) {
                return false;
            }
            let ring = self.rings.remove(at);
            self.end(ring, Some(None), news);
        }
        self.begin(handed, news);
        true
    }

    fn begin(&mut self, handed: Handed, news: &mut Vec<News>) {
        let number = self.count;
        self.count += 1;
        if let Some(spool) = &mut self.spool {
            spool.begin(number, &handed.live);
        }
        let pid = handed.pid;
        if let Some(sampler) = &mut self.sampler {
            sampler.begin(number, pid, handed.live.header());
        }
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
        ring.look(true, news, self.spool.as_mut(), self.sampler.as_mut());
        if let Some(sampler) = &mut self.sampler {
            sampler.end(ring.number);
        }
        let live = ring.stream.live();
        let at = live.now();
        let page = live.page();
        let header = page.as_ref().ok().and_then(|page| Header::parse(page).ok());
        let header = header.unwrap_or_else(|| live.header().clone());
        let entries = live.items(&header).unwrap_or_default();
        let facts = live.facts().unwrap_or_default();
        if let (Some(spool), Ok(page)) = (&mut self.spool, &page) {
            spool.items(ring.number, at, page, &entries, &facts);
        }
        // Stacks that cannot be read are not known.
        let stacks = live.stacks(&header).unwrap_or_default();
        if let Some(spool) = &mut self.spool {
            spool.stacks(ring.number, &stacks);
        }
        let items = parse_items(&header, at, &entries);
        let facts = parse_facts(&header, at, &facts);
        let torn = ring.stream.torn;
        let ended = Ended { ring: ring.number, at, status, header, items, facts, stacks, torn };
        news.push(News::Ended(Box::new(ended)));
    }
}

/// The names of a program, before /proc has them: as `comm`, and as a command line.
fn called(program: &[OsString]) -> [String; 2] {
    let words: Vec<_> = program.iter().map(|word| word.to_string_lossy()).collect();
    let name = words.first().and_then(|name| name.rsplit('/').next()).unwrap_or_default();
    [name.chars().take(15).collect(), words.join(" ")]
}

/// The next pause, if this part of a ring was written to during the last one. A ring must not run over, and needless
/// looks cost time.
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
