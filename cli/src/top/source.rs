//! Where the events come from: the ring of a process that runs, or those of a program that was started for it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use glasspoll_record::clock;
use glasspoll_record::file::Named;
use glasspoll_record::find::{self, Missing};
use glasspoll_record::ring::{Header, Item, Live};
use glasspoll_record::stream::Stream;
use glasspoll_record::{Entry, Event};

use super::model::Model;
use crate::args::Top;
use crate::collect::{Collector, News, RECORDING};
use crate::doctor::Doctor;
use crate::procfs::describe::Files;
use crate::procfs::names;
use crate::program::ENDING;
use crate::replay::World;
use crate::sys;
use crate::sys::signals::Signals;

/// How long a program may take to end after SIGTERM.
const PATIENCE: Duration = Duration::from_secs(2);
/// Describing files takes at most one part in this many of the time.
const SHARE: u32 = 20;

/// All that is known, by ring.
#[derive(Default)]
pub struct Known {
    pub models: BTreeMap<u32, Model>,
    pub doctor: Doctor,
    places: BTreeMap<u32, usize>,
}

impl Known {
    fn begin(&mut self, ring: u32, header: &Header, table: &[Item]) -> &mut Model {
        let place = self.doctor.process(header);
        // Before the events: the table has items that were added long ago.
        self.doctor.items(place, table);
        self.places.insert(ring, place);
        self.models.entry(ring).or_insert_with(|| Model::new(header))
    }

    fn events(&mut self, ring: u32, events: &[Entry]) {
        let (Some(place), Some(model)) = (self.places.get(&ring), self.models.get_mut(&ring)) else { return };
        events.iter().for_each(|entry| model.event(&mut self.doctor, *place, entry));
        model.forget();
    }

    fn lost(&mut self, ring: u32, blocks: u64) {
        if let Some(place) = self.places.get(&ring).filter(|_| blocks != 0) {
            self.doctor.gap(*place);
        }
        if let Some(model) = self.models.get_mut(&ring) {
            model.lost(blocks);
        }
    }

    fn world(&mut self, ring: u32) -> Option<&mut World> {
        self.places.get(&ring).and_then(|place| self.doctor.world(*place))
    }

    fn items(&mut self, ring: u32, table: Vec<Item>, now: u64) {
        if let Some(world) = self.world(ring) {
            world.take_table(&table);
        }
        if let Some(model) = self.models.get_mut(&ring) {
            model.items(table, now);
        }
    }

    /// Names the file behind an fd.
    fn name(&mut self, ring: u32, fd: i32, what: &str) {
        let world = self.places.get(&ring).and_then(|place| self.doctor.world(*place));
        if let (Some(world), Some(model)) = (world, self.models.get_mut(&ring)) {
            model.sums.name(world, fd, what);
        }
    }

    fn ended(&mut self, ring: u32, how: String, ns: u64) {
        if let Some(place) = self.places.get(&ring) {
            self.doctor.ended(*place, ns);
        }
        if let Some(model) = self.models.get_mut(&ring) {
            model.ended.get_or_insert((ns, how));
        }
    }
}

/// One or the other.
pub enum Source {
    Process(Box<Running>),
    Program(Box<Started>),
}

impl Source {
    /// As the command line says.
    pub fn open(args: &Top, known: &mut Known) -> Result<Self, String> {
        match args.pid {
            Some(pid) => Running::open(pid, known).map(Box::new).map(Self::Process),
            None => Started::start(args).map(Box::new).map(Self::Program),
        }
    }

    /// Takes in what is new.
    pub fn poll(&mut self, known: &mut Known) -> io::Result<()> {
        match self {
            Source::Process(running) => running.poll(known),
            Source::Program(started) => {
                started.poll(known);
                Ok(())
            }
        }
    }

    /// An interval is over: reads what no event has.
    pub fn look(&mut self, known: &mut Known) {
        match self {
            Source::Process(running) => running.look(known),
            Source::Program(started) => started.look(known),
        }
    }

    /// Whether a signal asks us to end.
    pub fn is_to_end(&self) -> bool {
        match self {
            Source::Process(running) => std::iter::from_fn(|| running.signals.next()).count() != 0,
            Source::Program(started) => started.collector.is_to_end(),
        }
    }

    /// The file that the program's output goes to.
    pub fn output(&self) -> Option<String> {
        match self {
            Source::Process(_) => None,
            Source::Program(started) => Some(started.output.display().to_string()),
        }
    }
}

/// A process that was running before we came.
pub struct Running {
    pid: u32,
    exit: Option<OwnedFd>,
    signals: Signals,
    stream: Stream,
    /// The number of the ring: one more after each exec.
    ring: u32,
    lost: u64,
    is_over: bool,
    /// The process has called exec: the new program has a ring of its own when it makes a set.
    execs: bool,
    files_due: Instant,
}

impl Running {
    fn open(pid: u32, known: &mut Known) -> Result<Self, String> {
        let failed = |missing: Missing| format!("process {pid}: {missing}");
        let live = find::open(pid).map_err(failed)?;
        let exit = sys::pidfd(pid).ok();
        let signals = Signals::take(&ENDING).map_err(|error| format!("signalfd: {error}"))?;
        let mut running = Self {
            pid,
            exit,
            signals,
            stream: Stream::new(live),
            ring: 0,
            lost: 0,
            is_over: false,
            execs: false,
            files_due: Instant::now(),
        };
        running.begin(known);
        Ok(running)
    }

    fn begin(&mut self, known: &mut Known) {
        let live = self.stream.live();
        let table = live.read_items().map(|(_, items)| items).unwrap_or_default();
        let model = known.begin(self.ring, live.header(), &table);
        model.pid = self.pid;
        model.comm = names::comm(self.pid).unwrap_or_default();
        model.command = names::command(self.pid).unwrap_or_default();
    }

    fn poll(&mut self, known: &mut Known) -> io::Result<()> {
        let was_over = self.is_over;
        // Asked before the read: then the read has all that it did.
        self.is_over = match &self.exit {
            Some(exit) => sys::wait_readable(&[exit.as_fd()], Duration::ZERO) == [true],
            None => true,
        };
        let events = self.stream.poll()?;
        known.lost(self.ring, self.stream.lost_blocks - self.lost);
        self.lost = self.stream.lost_blocks;
        self.execs |= events.iter().any(|entry| entry.event == Event::Exec);
        known.events(self.ring, &events);
        if self.is_over && !was_over {
            known.ended(self.ring, "ended".into(), clock::now_ns());
        }
        Ok(())
    }

    fn look(&mut self, known: &mut Known) {
        if self.execs && !self.is_over {
            self.follow_exec(known);
        }
        self.look_at_items(known);
        if self.is_over {
            return;
        }
        let Some(model) = known.models.get_mut(&self.ring) else { return };
        for this in &model.sums.loops {
            model.threads.entry(this.tid).or_insert_with(|| {
                names::thread(self.pid, this.tid).filter(|name| !name.is_empty()).unwrap_or("thread".into())
            });
        }
        let begin = Instant::now();
        if begin >= self.files_due {
            let unnamed = model.unnamed();
            let sets =
                known.world(self.ring).map(|world| world.sets.values().filter_map(|set| set.epfd).collect());
            let mut files = Files::of(self.pid, sets.unwrap_or_default());
            for fd in unnamed {
                if let Some(what) = files.describe(fd) {
                    known.name(self.ring, fd, &what);
                }
            }
            self.files_due = Instant::now() + begin.elapsed() * SHARE;
        }
    }

    fn look_at_items(&mut self, known: &mut Known) {
        // A file that cannot be read is tried again at the next look.
        if let Ok((_, items)) = self.stream.live().read_items() {
            known.items(self.ring, items, clock::now_ns());
        }
    }

    fn follow_exec(&mut self, known: &mut Known) {
        let is_new = |live: &Live| live.header().begin != self.stream.live().header().begin;
        if let Some(live) = find::open(self.pid).ok().filter(is_new) {
            known.ended(self.ring, "became another program".into(), clock::now_ns());
            self.stream = Stream::new(live);
            (self.execs, self.lost) = (false, 0);
            self.ring += 1;
            self.begin(known);
        }
    }
}

/// A program that was started.
pub struct Started {
    collector: Collector,
    output: PathBuf,
    /// The processes that run, by ring.
    running: BTreeSet<u32>,
}

impl Started {
    fn start(args: &Top) -> Result<Self, String> {
        let (output, file) = output()?;
        let started = Collector::start_aside(&args.program, &args.settings, RECORDING, &file);
        let collector = started.map_err(|refused| {
            // Nothing is in it.
            let _ = fs::remove_file(&output);
            String::from(refused)
        })?;
        Ok(Self { collector, output, running: BTreeSet::new() })
    }

    /// Ends the program, if it has not ended. Returns the text to print.
    pub fn finish(&mut self) -> Vec<String> {
        let said = self.collector.status().map(|status| format!("the program {}", in_words(status)));
        self.collector.end_program(PATIENCE);
        let output = self.output.display();
        // If it has printed nothing, its file is not kept.
        let printed = if fs::metadata(&self.output).is_ok_and(|meta| meta.len() == 0) {
            let _ = fs::remove_file(&self.output);
            None
        } else {
            Some(format!("what the program printed is in {output}"))
        };
        said.into_iter().chain(printed).collect()
    }

    fn poll(&mut self, known: &mut Known) {
        for news in self.collector.poll() {
            let ring = news.ring();
            match news {
                News::Began { pid, header, .. } => {
                    let table = self.collector.items(ring).unwrap_or_default();
                    known.begin(ring, &header, &table).pid = pid;
                    self.running.insert(ring);
                }
                News::Name { named, text, .. } => {
                    if let Named::File(fd) = named {
                        known.name(ring, fd, &text);
                        continue;
                    }
                    let Some(model) = known.models.get_mut(&ring) else { continue };
                    match named {
                        Named::Comm => model.comm = text,
                        Named::Command => model.command = text,
                        Named::Thread(tid) => drop(model.threads.insert(tid, text)),
                        Named::File(_) => {}
                    }
                }
                News::Lost { blocks, .. } => known.lost(ring, blocks),
                News::Events { events, .. } => known.events(ring, &events),
                News::Ended(ended) => {
                    let how = match ended.status {
                        Some(Some(status)) => in_words(ExitStatus::from_raw(status)),
                        _ => "ended".into(),
                    };
                    known.items(ring, ended.items, ended.at.ns);
                    known.ended(ring, how, ended.at.ns);
                    self.running.remove(&ring);
                }
            }
        }
    }

    fn look(&mut self, known: &mut Known) {
        for ring in &self.running {
            if let Some(items) = self.collector.items(*ring) {
                known.items(*ring, items, clock::now_ns());
            }
        }
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        self.finish();
    }
}

/// How a program has ended.
fn in_words(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("ended with status {code}"),
        (_, Some(signal)) => format!("ended by signal {signal}"),
        _ => "ended".into(),
    }
}

/// A file for the output of the program; only our user can read it.
fn output() -> Result<(PathBuf, File), String> {
    let folder = std::env::temp_dir();
    for number in 0..1000 {
        let path = folder.join(format!("glasspoll-top-{}-{number}.out", std::process::id()));
        match File::options().append(true).create_new(true).mode(0o600).open(&path) {
            Ok(file) => return Ok((path, file)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(format!("{}: {error}", path.display())),
        }
    }
    Err(format!("{}: no name is free for the program's output", folder.display()))
}
