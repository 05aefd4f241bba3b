//! What the doctor looked at, and what it found.

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use glasspoll_record::{Entry, Process};

use super::id::{self, Ignored};
use super::{Finding, Severity};
use crate::procfs::describe::signals;
use crate::text::units::clean;

/// A process that the doctor looked at.
#[derive(Debug)]
pub struct Looked {
    pub pid: u32,
    pub comm: String,
    pub command: String,
    /// The kernel's epoll answered it.
    pub observed: bool,
    /// The names of its threads.
    pub threads: BTreeMap<u32, String>,
}

/// How the program ended that the doctor started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Its exit status, unless a signal ended it.
    pub status: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
}

impl Ended {
    /// By what wait(2) says.
    pub fn of(status: ExitStatus) -> Self {
        Self { status: status.code(), signal: status.signal() }
    }

    /// The exit status that a shell has for it.
    pub fn code(self) -> u8 {
        self.signal.map_or(self.status.unwrap_or(0), |signal| 128 + signal) as u8
    }

    /// In words.
    pub fn words(self) -> String {
        match self.signal {
            Some(signal @ 1..=64) => {
                format!("SIG{} ended the program: status {}", signals(1 << (signal - 1)), self.code())
            }
            _ => format!("the program exited with status {}", self.code()),
        }
    }
}

/// What the doctor looked at, and its findings.
#[derive(Debug)]
pub struct Seen {
    /// When the record began.
    begin_ns: u64,
    first_ns: u64,
    last_ns: u64,
    pub events: u64,
    /// Blocks that were overwritten before they were read.
    pub lost_blocks: u64,
    /// How many times some are missing in the middle.
    pub gaps: u64,
    /// Records that were torn.
    pub torn: u64,
    /// How long a running process was looked at.
    pub looked_ns: Option<u64>,
    pub processes: Vec<Looked>,
    /// How the program ended that the doctor started.
    pub ended: Option<Ended>,
    /// What else is to be known, in words.
    pub notes: Vec<String>,
    /// What is to be known of the looks at threads, in words.
    pub looks: Vec<String>,
    /// What was found.
    pub findings: Vec<Finding>,
    /// How many findings the user did not want to be told.
    pub ignored: usize,
}

impl Seen {
    /// Nothing yet, of a record that begins at that moment.
    pub fn new(begin_ns: u64) -> Self {
        Self {
            begin_ns,
            first_ns: u64::MAX,
            last_ns: 0,
            events: 0,
            lost_blocks: 0,
            gaps: 0,
            torn: 0,
            looked_ns: None,
            processes: Vec::new(),
            ended: None,
            notes: Vec::new(),
            looks: Vec::new(),
            findings: Vec::new(),
            ignored: 0,
        }
    }

    /// An event.
    pub fn event(&mut self, entry: &Entry) {
        self.events += 1;
        self.span(entry.ns, entry.ns);
    }

    /// A running process was looked at from one moment to another: that nothing happened then was seen too.
    pub fn looked(&mut self, from_ns: u64, to_ns: u64) {
        self.looked_ns = Some(to_ns.saturating_sub(from_ns));
        self.span(from_ns, to_ns);
    }

    fn span(&mut self, from_ns: u64, to_ns: u64) {
        self.first_ns = self.first_ns.min(from_ns);
        self.last_ns = self.last_ns.max(to_ns);
    }

    /// Counts a process, and what is missing of it.
    pub fn process(&mut self, process: &Process) {
        self.lost_blocks = self.lost_blocks.saturating_add(process.lost_blocks);
        self.torn += process.torn;
        self.name(process);
    }

    /// Takes the names of a process.
    pub fn name(&mut self, process: &Process) {
        self.processes.push(Looked {
            pid: process.pid(),
            comm: clean(&process.comm),
            command: clean(&process.command),
            observed: process.header.observed,
            threads: process.threads.clone(),
        });
    }

    /// Leaves out what the user does not want to be told.
    pub fn ignore(&mut self, ignored: &[Ignored]) {
        let all = self.findings.len();
        self.findings.retain(|finding| !id::is_ignored(finding, ignored));
        self.ignored += all - self.findings.len();
    }

    /// Whether a finding is at least so bad.
    pub fn is_as_bad_as(&self, severity: Severity) -> bool {
        self.findings.iter().any(|finding| finding.severity >= severity)
    }

    /// How much time the record covers.
    pub fn seconds(&self) -> f64 {
        self.last_ns.saturating_sub(self.first_ns) as f64 / 1e9
    }

    /// A moment, as seconds since the record began.
    pub fn since_begin(&self, ns: u64) -> f64 {
        ns.saturating_sub(self.begin_ns) as f64 / 1e9
    }

    /// The name of a process's program.
    pub fn comm(&self, pid: u32) -> &str {
        self.processes.iter().rfind(|process| process.pid == pid).map_or("", |process| &process.comm)
    }

    /// A thread by its name and id, as `ls`, `top` and `report` call it.
    pub fn thread(&self, pid: u32, tid: u32) -> String {
        let mut of_pid = self.processes.iter().filter(|process| process.pid == pid);
        match of_pid.find_map(|process| process.threads.get(&tid)) {
            Some(name) if !name.is_empty() => format!("{} {tid}", clean(name)),
            _ => tid.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_has_the_status_that_a_shell_tells() {
        let ended = |raw| Ended::of(ExitStatus::from_raw(raw));
        assert_eq!(ended(7 << 8), Ended { status: Some(7), signal: None });
        assert_eq!((ended(7 << 8).code(), ended(libc::SIGSEGV).code(), ended(64).code()), (7, 139, 192));
        assert_eq!(ended(libc::SIGSEGV).words(), "SIGSEGV ended the program: status 139");
        assert_eq!(ended(0).words(), "the program exited with status 0");
    }
}
