//! The faults that were found.

use super::kind::Kind;
use super::proc;
use crate::mode::{clean_command, library};
use crate::Mode;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// The kinds of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// An answer or a connection is lost.
    Lost,
    /// A wrong answer came.
    Wrong,
    /// No answer within the deadline.
    Hung,
    /// A process ended that should not have.
    Crashed,
    /// It uses more and more of something.
    Grew,
    /// It wakes although there is nothing to do.
    Ticks,
    /// It writes that something is wrong.
    Said,
}

/// One fault.
#[derive(Clone, Debug)]
pub struct Found {
    /// The kind of fault.
    pub fault: Fault,
    /// The server.
    pub kind: Kind,
    /// The epoll.
    pub mode: Mode,
    /// How long after the start of the run.
    pub at: Duration,
    /// The phase.
    pub phase: usize,
    /// In words.
    pub what: String,
}

/// All faults.
#[derive(Debug)]
pub struct Book {
    start: Instant,
    phase: Mutex<usize>,
    found: Mutex<Vec<Found>>,
}

impl Book {
    /// Nothing yet.
    pub fn new() -> Arc<Self> {
        Arc::new(Self { start: Instant::now(), phase: Mutex::new(0), found: Mutex::default() })
    }

    /// When the run started.
    pub fn start(&self) -> Instant {
        self.start
    }

    /// Begins that phase.
    pub fn enter(&self, phase: usize) {
        *self.phase.lock().expect("nobody panics with it") = phase;
    }

    /// The faults so far.
    pub fn found(&self) -> Vec<Found> {
        self.found.lock().expect("nobody panics with it").clone()
    }
}

/// Where every part that deals with one server reports faults.
#[derive(Clone, Debug)]
pub struct Report {
    book: Arc<Book>,
    kind: Kind,
    mode: Mode,
    dir: PathBuf,
    group: u32,
}

impl Report {
    /// For a server, with its folder and its process group.
    pub fn new(book: &Arc<Book>, kind: Kind, mode: Mode, dir: &Path, group: u32) -> Self {
        Self { book: book.clone(), kind, mode, dir: dir.to_owned(), group }
    }

    /// Reports a fault. It is printed at once; the first few times, the records of the server's processes are kept.
    pub fn tell(&self, fault: Fault, what: String) {
        let phase = *self.book.phase.lock().expect("nobody panics with it");
        let at = self.book.start.elapsed();
        let found = Found { fault, kind: self.kind, mode: self.mode, at, phase, what };
        let (number, alike) = {
            let mut all = self.book.found.lock().expect("nobody panics with it");
            all.push(found.clone());
            (all.len(), all.iter().filter(|other| other.is_like(&found)).count())
        };
        // Of many alike, the first few say enough.
        if alike <= 5 {
            println!("{found}");
        }
        if number <= 5 && self.mode == Mode::Preloaded {
            self.keep_records(number);
        }
    }

    fn keep_records(&self, number: usize) {
        // A client in a process of its own does not know the server's processes.
        if self.group == 0 {
            return;
        }
        let command = library().with_file_name("glasspoll");
        for pid in proc::pids(self.group, &self.dir) {
            let file = self.dir.join(format!("fault{number}-{pid}.record"));
            let result = clean_command("timeout")
                .arg("20")
                .arg(&command)
                .args(["record", &pid.to_string(), "-o"])
                .arg(&file)
                .stderr(Stdio::null())
                .status();
            if result.is_ok_and(|status| status.success()) {
                println!("  the record of process {pid}: {}", file.display());
            }
        }
    }
}

impl Found {
    fn is_like(&self, other: &Self) -> bool {
        (self.fault, self.kind, self.mode) == (other.fault, other.kind, other.mode)
    }
}

/// One line for each kind of fault of each server: the first of them, and how many there were.
pub fn summary(found: &[Found]) -> Vec<String> {
    let is_first = |at: &usize| !found[..*at].iter().any(|other| other.is_like(&found[*at]));
    let firsts = (0..found.len()).filter(is_first).map(|at| &found[at]);
    let times = |first: &Found| found.iter().filter(|other| other.is_like(first)).count();
    firsts.map(|first| format!("{first} (1 of {})", times(first))).collect()
}

impl std::fmt::Display for Found {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Found { fault, kind, mode, at, phase, what } = self;
        let epoll = if *mode == Mode::Native { "the kernel" } else { "glasspoll" };
        write!(
            f,
            "{fault:?}: {} on {epoll}, phase {phase}, after {:.1} s: {what}",
            kind.name(),
            at.as_secs_f64()
        )
    }
}
