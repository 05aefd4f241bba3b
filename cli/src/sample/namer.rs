//! Tells what the frames of stacks are called, in a thread of its own: the debug information of a large program takes
//! some time to read, and meanwhile the records of the programs are to be read on.

use std::sync::mpsc::{channel, Receiver, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use glasspoll_record::Sample;

use super::stack::Stack;
use super::unwind::Unwinder;
use crate::attach::maps;
use crate::symbols::{At, Frame, Module, Symbols};

/// How long the last stacks are waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// A stack to be told.
pub struct Job {
    /// The process's key.
    pub key: u32,
    pub pid: u32,
    /// What is known besides.
    pub sample: Sample,
    pub stack: Stack,
    /// `/proc/PID/maps` of that moment.
    pub maps: Vec<u8>,
}

/// The thread, and what it has not told yet.
#[derive(Debug)]
pub struct Namer {
    jobs: Option<Sender<Job>>,
    done: Receiver<(u32, Sample)>,
    thread: Option<JoinHandle<()>>,
    open: usize,
}

impl Namer {
    pub fn new() -> Self {
        let (jobs, take) = channel();
        let (tell, done) = channel();
        let thread = thread::Builder::new().name("stacks".into()).spawn(move || work(&take, &tell)).ok();
        Self { jobs: Some(jobs), done, thread, open: 0 }
    }

    /// Hands in a stack.
    pub fn ask(&mut self, job: Job) {
        if self.thread.is_some() && self.jobs.as_ref().is_some_and(|jobs| jobs.send(job).is_ok()) {
            self.open += 1;
        }
    }

    /// What has been told since the last call, by the keys of the processes.
    pub fn take(&mut self) -> Vec<(u32, Sample)> {
        let all: Vec<_> = self.done.try_iter().collect();
        self.open -= all.len().min(self.open);
        all
    }

    /// The rest, if it does not take too long.
    pub fn finish(mut self) -> Vec<(u32, Sample)> {
        drop(self.jobs.take());
        let until = Instant::now() + PATIENCE;
        let mut all = Vec::new();
        while self.open > all.len() {
            let left = until.saturating_duration_since(Instant::now());
            match self.done.recv_timeout(left) {
                Ok(told) => all.push(told),
                Err(_) => break,
            }
        }
        all
    }
}

/// A frame in words. Where in libc's source it is, is no matter, nor are libc's names for itself.
fn words(frame: &Frame, is_libc: bool) -> String {
    match &frame.function {
        Some(name) if is_libc => {
            let name = name.strip_prefix("__GI_").unwrap_or(name);
            let name = name.strip_prefix("__libc_").unwrap_or(name).trim_start_matches('_');
            format!("{} in libc", name.split(['@', '.']).next().unwrap_or(name))
        }
        _ => frame.words(),
    }
}

fn work(jobs: &Receiver<Job>, tell: &Sender<(u32, Sample)>) {
    let mut symbols = Symbols::new();
    // The tables of the process of the last stack: a process has several in a row.
    let mut last: Option<(u32, Unwinder)> = None;
    for Job { key, pid, mut sample, stack, maps } in jobs {
        let mappings = maps::parse(&maps);
        let (_, unwinder) = match &mut last {
            Some(known) if known.0 == key => known,
            other => {
                symbols.forget(pid);
                other.insert((key, Unwinder::new()))
            }
        };
        unwinder.learn(pid, &mappings);
        for address in unwinder.frames(&mappings, &stack) {
            let mapping = maps::at(&mappings, address);
            // It is part of the function of libc that calls it.
            if mapping.is_some_and(|mapping| mapping.path == "[vdso]") {
                continue;
            }
            let mapping = mapping.filter(|mapping| mapping.file.1 != 0);
            match mapping {
                Some(mapping) => {
                    let module = Module { path: mapping.os_path.clone().into(), build_id: Vec::new() };
                    let at = At::File(address - mapping.begin + mapping.offset);
                    // Ours are none of the program's.
                    if !mapping.path.contains("/libglasspoll") {
                        let frames = symbols.in_module(&module, Some(pid), at);
                        let is_libc = maps::is_libc(&mapping.path);
                        sample.frames.extend(frames.iter().map(|frame| words(frame, is_libc)));
                    }
                }
                None => sample.frames.push(symbols.of_no_module(pid, address).words()),
            }
        }
        sample.state = Sample::STACK;
        if tell.send((key, sample)).is_err() {
            return;
        }
    }
}
