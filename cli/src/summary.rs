//! A process in a few lines: what its loops did, how fast, and for which files.

use std::collections::BTreeMap;
use std::io::{self, Write};

use glasspoll_record::file::Named;
use glasspoll_record::{Entry, Process, Recording};

use crate::analysis::Analysis;

/// How many items that ended are kept.
const KEEP: usize = 1000;

/// What adds up to a summary, as it comes.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    pid: u32,
    comm: String,
    lost_blocks: u64,
    end: Option<u64>,
    analysis: Analysis,
    threads: BTreeMap<u32, String>,
}

impl Summary {
    /// Of a process of which nothing happened yet.
    pub fn new(pid: u32) -> Self {
        Self { pid, ..Self::default() }
    }

    /// Of all that was recorded of one.
    pub fn of(process: &Process) -> Self {
        let ended = process.ended.map(|(ns, _)| ns);
        Self {
            pid: process.pid(),
            comm: process.comm.clone(),
            lost_blocks: process.lost_blocks,
            end: Some(ended.unwrap_or(process.taken.ns)),
            analysis: Analysis::of(process),
            threads: process.threads.clone(),
        }
    }

    /// The next event.
    pub fn event(&mut self, entry: &Entry) {
        self.analysis.event(entry);
        self.analysis.forget(KEEP);
    }

    /// Something has a name.
    pub fn named(&mut self, named: Named, text: &str) {
        match named {
            Named::Comm => self.comm = text.into(),
            Named::Command => {}
            Named::Thread(tid) => drop(self.threads.insert(tid, text.into())),
            Named::File(fd) => self.analysis.name(fd, text),
        }
    }

    /// So many blocks are missing before the next event.
    pub fn lost(&mut self, blocks: u64) {
        if blocks != 0 {
            self.lost_blocks += blocks;
            self.analysis.gap();
        }
    }

    /// The process ended then, or was looked at last.
    pub fn end(&mut self, ns: u64) {
        self.end = Some(ns);
    }

    /// Prints it.
    ///
    /// # Errors
    /// What writing gives.
    pub fn print(&self, out: &mut impl Write) -> io::Result<()> {
        writeln!(out, "{}", self.pid)
    }
}

/// Prints that of each process.
///
/// # Errors
/// What writing gives.
pub fn print(recording: &Recording, out: &mut impl Write) -> io::Result<()> {
    for process in &recording.processes {
        Summary::of(process).print(out)?;
    }
    Ok(())
}
