//! A program that was started for top: the rings of it and its children.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

use glasspoll_record::clock;
use glasspoll_record::file::Named;

use crate::args::Top;
use crate::collect::{Collector, News, RECORDING};
use crate::program::engine::{self, Engine};
use crate::top::known::Known;

/// How long a program may take to end after SIGTERM.
const PATIENCE: Duration = Duration::from_secs(2);

/// A program that was started.
pub struct Started {
    pub(super) collector: Collector,
    pub(super) output: PathBuf,
    /// The processes that run, by ring.
    running: BTreeSet<u32>,
}

impl Started {
    pub(super) fn start(args: &Top) -> Result<Self, String> {
        // A look must not change the program.
        let settings = engine::decide(&args.settings, Engine::Observe)?;
        let (output, file) = output()?;
        let started = Collector::start_aside(&args.program, &settings, RECORDING, &file);
        let collector = started.map_err(|refused| {
            // The file is empty.
            let _ = fs::remove_file(&output);
            String::from(refused)
        })?;
        let mut collector = collector;
        collector.sample(!args.no_ptrace);
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

    pub(super) fn poll(&mut self, known: &mut Known) {
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
                News::AcceptQueue { .. } => {}
                News::Lost { blocks, .. } => known.lost(ring, blocks),
                News::Sample { sample, .. } => known.sample(ring, &sample),
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

    pub(super) fn look(&mut self, known: &mut Known) {
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
