//! How many stacks are copied, of which threads, and what stands against it.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::sync::mpsc::TryRecvError;
use std::time::Duration;

use glasspoll_record::Sample;
use nix::errno::Errno;

use super::look::Look;
use super::namer::{Job, Namer};
use super::stack::{self, Missing, Stack, Standing};
use crate::text::span;

/// The most that are copied in all, and after how long another one may be.
const IN_ALL: u64 = 50;
const ANOTHER_NS: u64 = 5_000_000_000;
/// The most that is read of the list of mappings: those of a browser have 1 MiB.
const MAPS: u64 = 8 << 20;

/// A thread that did not stand at once.
#[derive(Debug)]
struct Late {
    standing: Standing,
    key: u32,
    pid: u32,
    sample: Sample,
}

/// The stacks.
#[derive(Debug)]
pub struct Stacks {
    ptrace: bool,
    left: u64,
    since_ns: u64,
    namer: Option<Namer>,
    /// The processes whose stacks may not be read, and those whose threads may not be stopped.
    refused: BTreeMap<u32, (bool, Errno)>,
    /// How long the threads stood.
    stood: Vec<Duration>,
    /// A thread that does not stand yet.
    late: Option<Late>,
}

impl Stacks {
    pub fn new(ptrace: bool) -> Self {
        Self {
            ptrace,
            left: IN_ALL,
            since_ns: 0,
            namer: None,
            refused: BTreeMap::new(),
            stood: Vec::new(),
            late: None,
        }
    }

    /// Copies the stack of a thread that was just looked at, if it may. Says whether it did.
    pub fn copy(&mut self, key: u32, pid: u32, tid: u32, look: &Look, sample: &Sample) -> bool {
        if self.left == 0 && sample.ns.saturating_sub(self.since_ns) >= ANOTHER_NS {
            self.left = 1;
        }
        let refused = self.refused.get(&pid);
        if self.left == 0 || refused.is_some_and(|(is_whole, _)| *is_whole) {
            return false;
        }
        let may_stop = self.ptrace && refused.is_none();
        let copied = match (look.state, &look.call) {
            (b'S' | b'D', Some(call)) => stack::asleep(pid, tid, call).map_err(|missing| (true, missing)),
            (b'R', None) if may_stop && self.is_free() => {
                let standing = stack::running(pid, tid);
                match stack::wait(&standing) {
                    Some(Ok((stack, stood))) => {
                        self.stood.push(stood);
                        Ok(stack)
                    }
                    Some(Err(missing)) => Err((false, missing)),
                    None => {
                        self.late = Some(Late { standing, key, pid, sample: sample.clone() });
                        return false;
                    }
                }
            }
            _ => return false,
        };
        let stack = match copied {
            Ok(stack) => stack,
            Err((_, Missing::Gone)) => return false,
            Err((is_whole, Missing::Refused(errno))) => {
                self.refused.insert(pid, (is_whole, errno));
                return false;
            }
        };
        self.ask(key, pid, sample.clone(), stack);
        true
    }

    fn ask(&mut self, key: u32, pid: u32, sample: Sample, stack: Stack) {
        let mut maps = Vec::new();
        if let Ok(file) = File::open(format!("/proc/{pid}/maps")) {
            // A line that is cut off makes no sense, and is left out.
            let _ = file.take(MAPS).read_to_end(&mut maps);
        }
        (self.left, self.since_ns) = (self.left.saturating_sub(1), sample.ns);
        self.namer.get_or_insert_with(Namer::new).ask(Job { key, pid, sample, stack, maps });
    }

    /// Whether no thread is being stopped; takes in the stack of one that has stood late.
    fn is_free(&mut self) -> bool {
        let Some(late) = self.late.take() else { return true };
        match late.standing.try_recv() {
            Err(TryRecvError::Empty) => self.late = Some(late),
            Ok(Ok((stack, stood))) => {
                self.stood.push(stood);
                self.ask(late.key, late.pid, late.sample, stack);
            }
            _ => {}
        }
        self.late.is_none()
    }

    /// What the namer has told.
    pub fn told(&mut self) -> Vec<(u32, Sample)> {
        self.is_free();
        self.namer.as_mut().map(Namer::take).unwrap_or_default()
    }

    /// The last of it, and what is to be known.
    pub fn finish(mut self) -> (Vec<(u32, Sample)>, Vec<String>) {
        let mut notes = Vec::new();
        for (pid, (is_whole, errno)) in &self.refused {
            let what = if *is_whole {
                "the stacks of its threads cannot be read"
            } else {
                "its threads cannot be stopped to look at their stacks"
            };
            let why = match errno {
                Errno::EPERM => {
                    "not permitted: another user's, traced already, or ptrace is restricted".into()
                }
                errno => std::io::Error::from(*errno).to_string(),
            };
            notes.push(format!("process {pid}: {what}: {why}"));
        }
        self.stood.sort();
        if let (Some(middle), Some(most)) = (self.stood.get(self.stood.len() / 2), self.stood.last()) {
            let [middle, most] = [middle, most].map(|stood| span(stood.as_nanos() as u64));
            let times = self.stood.len();
            notes.push(format!("looked at the stack of a running thread {times} times, for which it stood {middle} (median), {most} at most"));
        }
        (self.namer.take().map(Namer::finish).unwrap_or_default(), notes)
    }
}
