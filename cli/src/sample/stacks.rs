//! How many stacks are copied, of which threads, and what stands against it.

use std::collections::{BTreeMap, BTreeSet};
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
use crate::text::units::times;

/// The most that are copied in all, and after how long another one may be.
const IN_ALL: u64 = 50;
const ANOTHER_NS: u64 = 5_000_000_000;
/// So many refusals in a row are for good. One may be of a thread that somebody else has just let go.
const REFUSALS: u32 = 3;
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
    /// By process, and whether its stacks may not be read at all, or only its threads not be stopped: the last error,
    /// and how many there were in a row.
    refused: BTreeMap<(u32, bool), (Errno, u32)>,
    /// Processes with threads that somebody else traced when they were to be stopped.
    traced: BTreeSet<u32>,
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
            traced: BTreeSet::new(),
            stood: Vec::new(),
            late: None,
        }
    }

    /// Copies the stack of a thread that was just looked at, if it may. Says whether it did.
    pub fn copy(&mut self, key: u32, pid: u32, tid: u32, look: &Look, sample: &Sample) -> bool {
        if self.left == 0 && sample.ns.saturating_sub(self.since_ns) >= ANOTHER_NS {
            self.left = 1;
        }
        let may = |is_whole| self.refused.get(&(pid, is_whole)).is_none_or(|(_, often)| *often < REFUSALS);
        if self.left == 0 || !may(true) {
            return false;
        }
        let may_stop = self.ptrace && may(false);
        let copied = match (look.state, &look.call) {
            (b'S' | b'D', Some(call)) => (true, stack::asleep(pid, tid, call)),
            (b'R', None) if may_stop && self.is_free() => {
                let standing = stack::running(pid, tid);
                match stack::wait(&standing) {
                    Some(Ok((stack, stood))) => {
                        self.stood.push(stood);
                        (false, Ok(stack))
                    }
                    Some(Err(missing)) => (false, Err(missing)),
                    None => {
                        self.late = Some(Late { standing, key, pid, sample: sample.clone() });
                        return false;
                    }
                }
            }
            _ => return false,
        };
        let (is_whole, copied) = copied;
        match copied {
            Ok(stack) => {
                self.refused.remove(&(pid, is_whole));
                self.ask(key, pid, sample.clone(), stack);
                return true;
            }
            Err(Missing::Gone) => {}
            Err(Missing::Traced) => {
                self.traced.insert(pid);
            }
            Err(Missing::Refused(errno)) => {
                let (last, often) = self.refused.entry((pid, is_whole)).or_insert((errno, 0));
                (*last, *often) = (errno, *often + 1);
            }
        }
        false
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
        for ((pid, is_whole), (errno, _)) in &self.refused {
            let what = if *is_whole {
                "the stacks of its threads cannot be read"
            } else {
                "its threads cannot be stopped to look at their stacks"
            };
            let why = match errno {
                Errno::EPERM => "not permitted: another user's, or ptrace is restricted".into(),
                errno => std::io::Error::from(*errno).to_string(),
            };
            notes.push(format!("process {pid}: {what}: {why}"));
        }
        for pid in &self.traced {
            notes.push(format!(
                "process {pid}: somebody else traced a thread of it, whose stack was not looked at meanwhile"
            ));
        }
        self.stood.sort();
        if let (Some(middle), Some(most)) = (self.stood.get(self.stood.len() / 2), self.stood.last()) {
            let [middle, most] = [middle, most].map(|stood| span(stood.as_nanos() as u64));
            let times = times(self.stood.len() as u64);
            notes.push(format!("looked at the stack of a running thread {times}, for which it stood {middle} (median), {most} at most"));
        }
        (self.namer.take().map(Namer::finish).unwrap_or_default(), notes)
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};
    use std::sync::mpsc::channel;
    use std::thread;
    use std::time::Instant;

    use glasspoll_record::clock;

    use super::*;
    use crate::attach::tracer::Tracee;

    #[test]
    fn a_thread_that_somebody_else_has_traced_is_looked_at_afterwards() {
        let mut command = Command::new("sh");
        // It ends by itself, and holds no pipe of ours, if this fails.
        command.args(["-c", "ulimit -t 60; while :; do :; done"]).stdin(Stdio::null());
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let pid = child.id();
        let mut stacks = Stacks::new(true);
        let mut copies = || {
            let (look, ns) = (Look { state: b'R', ..Look::default() }, clock::now_ns());
            stacks.copy(0, pid, pid, &look, &Sample { ns, ..Sample::default() })
        };
        let (tell, told) = channel();
        let (release, held) = channel::<()>();
        let tracer = thread::spawn(move || {
            let tracee = Tracee::seize(pid, pid);
            tell.send(tracee.is_ok()).unwrap();
            let _ = held.recv();
        });
        // Where the test may not trace, there is nothing to test.
        let may = told.recv().unwrap();
        for _ in 0..2 * REFUSALS {
            assert!(!copies());
        }
        drop(release);
        tracer.join().unwrap();
        let until = Instant::now() + Duration::from_secs(20);
        while may && !copies() {
            assert!(Instant::now() < until);
        }
        let notes = stacks.finish().1.join("\n");
        assert!(!may || notes.contains("somebody else traced a thread"), "{notes}");
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
