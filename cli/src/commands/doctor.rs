//! `glasspoll doctor`: looks at a record, a process or a program, and prints the findings.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use glasspoll_record::find;
use glasspoll_record::stream::Stream;
use glasspoll_record::{clock, Process, Recording};

use crate::attach::Look;
use crate::collect::snapshot::Snapshot;
use crate::collect::source::Source;
use crate::collect::{self, Collector, News, RECORDING};
use crate::commands::attach;
use crate::doctor::print::{self, Seen};
use crate::doctor::{examine, name_files, Doctor};
use crate::program::engine::{self, Engine};
use crate::program::preloadable;
use crate::sys::output::Output;
use crate::{args, sys};

/// The pause between two looks at a running process: its ring is small, and a fast loop fills it in some 20 ms.
const LOOK: Duration = Duration::from_millis(4);
/// The longest that a process is looked at: a week.
const LONGEST: f64 = 7.0 * 86_400.0;

pub fn main(args: &args::Doctor) -> Result<ExitCode, String> {
    if args.from.is_some() {
        engine::none_chosen(&args.settings)?;
    }
    // A file that cannot be written is an error now, and not after an hour.
    let mut output = args.output.as_deref().map(Output::create).transpose()?;
    let seen = match args.from.as_deref().map(Source::of) {
        None => {
            attach::no_process(&args.attachment)?;
            program(args)?
        }
        Some(Source::File(path)) => {
            attach::no_process(&args.attachment)?;
            let recording = Recording::open(&path)?;
            if let Some(trouble) = &recording.trouble {
                eprintln!("glasspoll: {}: {trouble}", path.display());
            }
            file(&recording)
        }
        Some(Source::Process(pid)) => {
            let look = attach::look(pid, &args.attachment, Some(&args.settings))?;
            let seconds = args.period.map_or(args.seconds, |period| period.as_secs_f64());
            let seen = process(pid, seconds, look.as_ref());
            if let Some(look) = look {
                look.end();
            }
            seen?
        }
    };
    let mut out = Vec::new();
    let printed = if args.json { print::json(&seen, &mut out) } else { print::text(&seen, &mut out) };
    printed.map_err(|error| error.to_string())?;
    match &mut output {
        None => io::stdout().write_all(&out).map_err(|error| format!("stdout: {error}"))?,
        Some(output) => {
            let written = output.file().and_then(|mut file| file.write_all(&out));
            written.map_err(|error| format!("the findings cannot be written: {error}"))?;
            output.put_in_place()?;
        }
    }
    Ok(if seen.findings.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A whole record.
pub fn file(recording: &Recording) -> Seen {
    let mut seen = Seen::new(recording.processes.first().map_or(0, |process| process.header.begin.ns));
    for process in &recording.processes {
        seen.process(process);
        process.events.iter().for_each(|entry| seen.event(entry));
        seen.gaps += process.gaps.len() as u64;
    }
    seen.findings = examine(recording);
    seen
}

/// A running process: what its ring has, and what comes for some seconds. A look ends sooner if a signal comes.
fn process(pid: u32, seconds: f64, look: Option<&Look>) -> Result<Seen, String> {
    let missing = |missing: find::Missing| format!("process {pid}: {missing}");
    let live = find::open(pid).map_err(missing)?;
    let broken = |error: io::Error| format!("process {pid}: its record cannot be read: {error}");
    let exit = sys::pidfd(pid).map_err(|_| missing(find::Missing::NoProcess))?;
    let begin = Snapshot::of(pid).map_err(missing)?.process;
    let mut seen = Seen::new(live.header().begin.ns);
    let mut doctor = Doctor::new();
    let place = doctor.process(live.header());
    doctor.items(place, &begin.items);
    let mut stream = Stream::new(live);
    let seconds = if seconds.is_nan() { 0.0 } else { seconds.clamp(0.0, LONGEST) };
    let end = Instant::now() + Duration::from_secs_f64(seconds);
    let mut known = None;
    let now = loop {
        // Ask first, then look: if the process has ended, nothing comes after this look.
        let has_ended = sys::wait_readable(&[exit.as_fd()], Duration::ZERO) == [true];
        let is_over = has_ended || Instant::now() >= end || look.is_some_and(Look::is_to_end);
        let events = stream.poll().map_err(broken)?;
        // Events that were overwritten before we came are no gap.
        let lost = known.map_or(0, |known| stream.lost_blocks - known);
        known = Some(stream.lost_blocks);
        if lost != 0 {
            seen.lost_blocks = seen.lost_blocks.saturating_add(lost);
            seen.gaps += 1;
            doctor.gap(place);
        }
        for entry in &events {
            seen.event(entry);
            doctor.event(place, entry);
        }
        if is_over {
            let now = clock::now_ns();
            if has_ended {
                doctor.ended(place, now);
            }
            break now;
        }
        sys::wait_readable(&[exit.as_fd()], LOOK);
    };
    seen.findings = doctor.findings(now);
    let names = Snapshot::of(pid).map_or(begin, |snapshot| snapshot.process);
    name_files(&mut seen.findings, |_, fd, ns| names.file_at(fd, ns).map(str::to_owned));
    seen.torn = stream.torn;
    seen.name(&names);
    Ok(seen)
}

/// A program that is started here, and its children.
fn program(args: &args::Doctor) -> Result<Seen, String> {
    // A diagnosis must not change the patient.
    let settings = engine::decide(&args.settings, Engine::Observe)?;
    let mut collector = Collector::start(&args.program, &settings, RECORDING)?;
    let mut gathered = Gathered::default();
    loop {
        collector.wait();
        // Ask before the look, so that the last look sees all that the program did.
        let status = collector.status();
        gathered.take(collector.poll());
        if status.is_some() {
            break;
        }
    }
    let rings = collector.rings();
    gathered.take(collector.finish().0);
    if rings == 0 {
        let why = preloadable::why_not(&args.program[0]).unwrap_or_else(|| {
            "neither it nor a child of it made an epoll instance, or they do not use libc or LD_PRELOAD"
                .into()
        });
        return Err(format!("nothing was recorded: {why}"));
    }
    Ok(gathered.finish())
}

/// What the news of a program's processes add up to.
#[derive(Default)]
struct Gathered {
    doctor: Doctor,
    /// The doctor's place of each ring.
    places: BTreeMap<u32, usize>,
    /// Each ring's names; no events.
    processes: BTreeMap<u32, Process>,
    seen: Option<Seen>,
}

impl Gathered {
    fn take(&mut self, all: Vec<News>) {
        for news in all {
            let ring = news.ring();
            if let News::Began { header, .. } = &news {
                self.places.insert(ring, self.doctor.process(header));
                self.seen.get_or_insert_with(|| Seen::new(header.begin.ns));
            }
            let (Some(place), Some(seen)) = (self.places.get(&ring), &mut self.seen) else { continue };
            match &news {
                News::Lost { .. } => {
                    seen.gaps += 1;
                    self.doctor.gap(*place);
                }
                News::Events { events, .. } => {
                    for entry in events {
                        seen.event(entry);
                        self.doctor.event(*place, entry);
                    }
                    continue;
                }
                News::Ended(ended) if ended.status.is_some() => self.doctor.ended(*place, ended.at.ns),
                _ => {}
            }
            collect::apply(&mut self.processes, news);
        }
    }

    fn finish(self) -> Seen {
        let mut seen = self.seen.unwrap_or_else(|| Seen::new(0));
        seen.findings = self.doctor.findings(clock::now_ns());
        for process in self.processes.values() {
            seen.process(process);
        }
        name_files(&mut seen.findings, |pid, fd, ns| {
            let of_pid = self.processes.values().filter(|process| process.pid() == pid);
            of_pid.filter_map(|process| process.file_at(fd, ns)).next_back().map(str::to_owned)
        });
        seen
    }
}
