//! One run of the program with chaos: how it ended, and what was injected.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use glasspoll_record::chaos::{Name, MOST_NAMES};
use glasspoll_record::event::{Event, Injection, Mask};
use glasspoll_record::{Entry, Process};

use crate::args::Settings;
use crate::chaos::Ended;
use crate::collect::spool::Spool;
use crate::collect::{apply, Collector, News, RECORDING};
use crate::sys;
use crate::sys::output::Output;
use crate::text::units::duration;

/// How long a program that exceeds its limit may take to end after SIGTERM.
const PATIENCE: Duration = Duration::from_millis(500);
/// How much of its output is kept.
const OUTPUT: u64 = 64 << 10;

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    Passed,
    /// With this exit status.
    Status(i32),
    /// By this signal.
    Signal(i32),
    /// It did not end within this time.
    TooLong(Duration),
}

impl Outcome {
    pub fn is_failure(&self) -> bool {
        !matches!(self, Outcome::Passed)
    }

    /// Whether it is a failure of the same kind.
    pub fn is_like(&self, other: &Self) -> bool {
        match (self, other) {
            (Outcome::TooLong(_), Outcome::TooLong(_)) => true,
            (one, other) => one.is_failure() && one == other,
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Outcome::Passed => f.write_str("it did not fail"),
            Outcome::Status(status) => write!(f, "exit status {status}"),
            Outcome::Signal(signal) => write!(f, "ended by signal {signal}"),
            Outcome::TooLong(limit) => write!(f, "still running after {}", duration(limit.as_nanos() as u64)),
        }
    }
}

/// One injection.
#[derive(Clone, Debug)]
pub struct Injected {
    pub name: Name,
    /// What it did, and to which file.
    pub text: String,
    /// How long it delayed the program.
    pub us: u64,
}

/// A run.
#[derive(Debug)]
pub struct Trial {
    pub outcome: Outcome,
    /// In the order of time. At most one more than fits into a specification.
    pub injected: Vec<Injected>,
    /// How many injections there were.
    pub injections: usize,
    /// Whether some may have been lost.
    pub is_lossy: bool,
    /// How many records there were. 0: no process had an epoll instance, so there was nothing to inject.
    pub rings: u32,
    pub took: Duration,
    /// The end of what the program printed.
    pub output: Vec<u8>,
}

/// Runs the program as `settings` say, `limit` at most, and keeps its record in a file if there is one.
pub fn run(
    program: &[OsString],
    settings: &Settings,
    limit: Duration,
    output: Option<&Output>,
) -> Result<Trial, Ended> {
    let mut printed = sys::nameless_file().map_err(|error| format!("the program's output: {error}"))?;
    let spool = output.map(|output| output.file().and_then(|file| Spool::new(file, program))).transpose();
    let spool = spool.map_err(|error| format!("a record cannot be written: {error}"))?;
    let began = Instant::now();
    let mut collector =
        Collector::start_apart(program, settings, RECORDING, &printed, spool).map_err(String::from)?;
    let mut processes = BTreeMap::new();
    let outcome = loop {
        collector.wait();
        if collector.is_to_end() {
            collector.end_group(PATIENCE);
            return Err(Ended::Interrupted);
        }
        let status = collector.status();
        collector.poll().into_iter().for_each(|news| take(&mut processes, news));
        if let Some(status) = status {
            break said(status);
        }
        if began.elapsed() > limit {
            break Outcome::TooLong(limit);
        }
    };
    let took = began.elapsed();
    // Ends also the processes that the program left behind: the next run must start as this one did.
    collector.end_group(PATIENCE);
    // Checked last: the signal may have come after the program ended, or with its end.
    if collector.is_to_end() {
        return Err(Ended::Interrupted);
    }
    let rings = collector.rings();
    collector.finish().0.into_iter().for_each(|news| take(&mut processes, news));
    let (injected, injections) = injected(&processes);
    let is_lossy = processes.values().any(|process| process.lost_blocks != 0);
    Ok(Trial { outcome, injected, injections, is_lossy, rings, took, output: tail(&mut printed) })
}

fn said(status: ExitStatus) -> Outcome {
    match (status.signal(), status.code()) {
        (Some(signal), _) => Outcome::Signal(signal),
        (None, Some(0)) => Outcome::Passed,
        (None, code) => Outcome::Status(code.unwrap_or(-1)),
    }
}

/// Keeps only the injections and the names of files.
fn take(processes: &mut BTreeMap<u32, Process>, mut news: News) {
    if let News::Events { events, .. } = &mut news {
        events.retain(|entry| matches!(entry.event, Event::Chaos { .. }));
    }
    apply(processes, news);
}

fn injected(processes: &BTreeMap<u32, Process>) -> (Vec<Injected>, usize) {
    let all = processes.values().flat_map(|process| process.events.iter().map(move |entry| (process, entry)));
    let mut all: Vec<(&Process, &Entry)> = all.collect();
    all.sort_by_key(|(_, entry)| entry.ns);
    let count = all.len();
    let some = all.into_iter().take(MOST_NAMES + 1);
    (some.filter_map(|(process, entry)| describe(process, entry)).collect(), count)
}

fn describe(process: &Process, entry: &Entry) -> Option<Injected> {
    let Event::Chaos { epoll, wait, what, fd, amount } = entry.event else { return None };
    let file = || match process.file_at(fd, entry.ns) {
        Some(file) => format!("fd {fd} ({file})"),
        None => format!("fd {fd}"),
    };
    let late = || duration(u64::from(amount) * 1_000);
    let text = match what {
        Injection::Short => format!("{amount} ready events were left for the next wait"),
        Injection::Reorder => format!("{amount} events changed places"),
        Injection::Spurious => format!("{} was reported of {}, which is not so", Mask(amount), file()),
        Injection::Eintr => format!("the wait ended with EINTR after {}", late()),
        Injection::Delay => format!("the wait looked {} later", late()),
        Injection::Coalesce => format!("an edge of {} was kept back", file()),
        Injection::Repeat => format!("an edge of {} was to be reported again", file()),
    };
    let us = if what == Injection::Delay { amount.into() } else { 0 };
    let who = format!("{} {}", process.comm, process.pid());
    Some(Injected { name: Name::new(epoll, wait, what), text: format!("{text} ({who})"), us })
}

fn tail(file: &mut File) -> Vec<u8> {
    let mut text = Vec::new();
    let len = file.metadata().map_or(0, |metadata| metadata.len());
    // Without the output, the rest is still printed.
    let _ = file
        .seek(SeekFrom::Start(len.saturating_sub(OUTPUT)))
        .and_then(|_| file.take(OUTPUT).read_to_end(&mut text));
    text
}
