//! `run`: runs a program on glasspoll; keeps its record or prints a summary if the user asks for that.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::process::ExitCode;

use crate::args::Run;
use crate::chaos;
use crate::collect::spool::Spool;
use crate::collect::{Collector, News, RECORDING};
use crate::program::engine::{self, Engine};
use crate::program::{self, library, preloadable, Refused};
use crate::report::summary::Summary;
use crate::sys::output::Output;

pub fn main(args: &Run) -> Result<ExitCode, String> {
    let settings = engine::decide(&args.settings, Engine::Emulate)?;
    let args = &Run { settings, ..args.clone() };
    if let Some(seeds) = args.chaos_until_fail {
        return chaos::search(args, seeds);
    }
    if let Some(chaos) = args.settings.chaos.as_ref().filter(|chaos| chaos.is_any) {
        eprintln!("glasspoll: the seed is {}; for the same again: --chaos {}", chaos.spec.seed, chaos.spec);
    }
    if let Some(why) = preloadable::loader_refuses(&args.program[0], &library::find()?) {
        let recorded =
            if args.count || args.output.is_some() { ", and nothing is recorded" } else { unseen(args) };
        eprintln!("glasspoll: the program runs on the kernel's epoll{recorded}: {why}");
        let refused = program::become_it(program::bare_command(&args.program)?);
        eprintln!("glasspoll: {}", refused.what);
        return Ok(ExitCode::from(refused.status));
    }
    let done = if args.count || args.output.is_some() { gather(args) } else { become_it(args) };
    done.or_else(|refused| {
        eprintln!("glasspoll: {}", refused.what);
        Ok(ExitCode::from(refused.status))
    })
}

/// We gather nothing, so we become the program: its parent is then the process that started us.
fn become_it(args: &Run) -> Result<ExitCode, Refused> {
    let command = program::command(&args.program, &args.settings, None)?;
    if let Some(why) = preloadable::why_not(&args.program[0]) {
        eprintln!("glasspoll: the program runs on the kernel's epoll{}: {why}", unseen(args));
    }
    Err(program::become_it(command))
}

/// What the user misses if the library cannot be preloaded.
fn unseen(args: &Run) -> &'static str {
    if args.settings.observe {
        ", and is not observed"
    } else {
        ""
    }
}

fn gather(args: &Run) -> Result<ExitCode, Refused> {
    let mut output = args.output.as_deref().map(Output::create).transpose()?;
    let spool = output.as_ref().map(|output| begin(output, args)).transpose()?;
    let mut collector = Collector::start_and_keep(&args.program, &args.settings, RECORDING, spool)?;
    if output.is_some() {
        collector.sample(!args.no_ptrace);
    }
    if let Some(output) = &mut output {
        // From now on the file has its name, whatever happens.
        output.put_in_place()?;
    }
    let mut summaries = Summaries { is_on: args.count, ..Summaries::default() };
    let status = loop {
        collector.wait();
        // Ask before the look, so that the last look sees all that the program did.
        let status = collector.status();
        summaries.take(collector.poll());
        if let Some(status) = status {
            break status;
        }
    };
    let rings = collector.rings();
    let (last, trouble, _) = collector.finish();
    summaries.take(last);
    if let (Some(what), Some(path)) = (trouble, &args.output) {
        eprintln!("glasspoll: {}: {what}: the record ends there", path.display());
    }
    if rings == 0 {
        let why = preloadable::why_not(&args.program[0]).unwrap_or_else(|| {
            "neither it nor a child of it made an epoll instance, or they do not use libc or LD_PRELOAD"
                .into()
        });
        eprintln!("glasspoll: nothing was recorded: {why}");
    }
    // A summary that cannot be printed is no error of the program.
    let _ = summaries.print(&mut io::stderr().lock());
    Ok(program::end_like(status))
}

fn begin(output: &Output, args: &Run) -> Result<Spool, String> {
    let spool = output.file().and_then(|file| Spool::new(file, &args.program));
    spool.map_err(|error| format!("a record cannot be written: {error}"))
}

/// What the processes did, by ring.
#[derive(Default)]
struct Summaries {
    is_on: bool,
    of: BTreeMap<u32, Summary>,
}

impl Summaries {
    fn take(&mut self, all: Vec<News>) {
        for news in all.into_iter().filter(|_| self.is_on) {
            let ring = news.ring();
            if let News::Began { header, .. } = &news {
                self.of.insert(ring, Summary::new(header));
            }
            let Some(summary) = self.of.get_mut(&ring) else { continue };
            match news {
                News::Began { .. } | News::AcceptQueue { .. } | News::Sample { .. } => {}
                // A file that was closed before we looked has no name.
                News::Name { text, .. } if text.is_empty() => {}
                News::Name { named, text, .. } => summary.named(named, &text),
                News::Lost { blocks, .. } => summary.lost(blocks),
                News::Events { events, .. } => events.iter().for_each(|entry| summary.event(entry)),
                News::Ended(ended) => summary.end(ended.at.ns),
            }
        }
    }

    fn print(&self, out: &mut impl Write) -> io::Result<()> {
        self.of.values().try_for_each(|summary| summary.print(out))
    }
}
