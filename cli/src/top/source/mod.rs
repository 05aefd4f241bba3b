//! Where the events come from: the ring of a process that runs, or those of a program that was started for it.

mod running;
mod started;

use std::io;

use super::known::Known;
use crate::args::Top;
use crate::program::engine;
use running::Running;
use started::Started;

/// A running process, or a program that top started.
pub enum Source {
    Process(Box<Running>),
    Program(Box<Started>),
}

impl Source {
    /// Opens what the command line names.
    pub fn open(args: &Top, known: &mut Known) -> Result<Self, String> {
        match args.pid {
            Some(pid) => {
                engine::none_chosen(&args.settings)?;
                Running::open(pid, !args.no_ptrace, known).map(Box::new).map(Self::Process)
            }
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

    /// An interval is over: reads what no event tells.
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
