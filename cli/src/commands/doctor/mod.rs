//! `glasspoll doctor`: looks at a record, a process or a program, and prints the findings.

mod process;
mod program;

use std::io::{self, Write};
use std::process::ExitCode;

use glasspoll_record::{Process, Recording};

use crate::args;
use crate::collect::source::Source;
use crate::commands::attach;
use crate::doctor::code::{self, Adds};
use crate::doctor::seen::Seen;
use crate::doctor::{examine, id, print, sarif};
use crate::machine;
use crate::program::engine;
use crate::sys::output::Output;
use crate::text::units::clean;

pub fn main(args: &args::Doctor) -> Result<ExitCode, String> {
    if let Some(id) = &args.explain {
        let page = id::page(id).ok_or_else(|| format!("there is no page of {id}"))?;
        writeln!(io::stdout(), "{page}").map_err(|error| format!("stdout: {error}"))?;
        return Ok(ExitCode::SUCCESS);
    }
    if args.this_machine {
        let mut output = args.output.as_deref().map(Output::create).transpose()?;
        return machine::main(args.json, output.as_mut());
    }
    if args.from.is_some() {
        engine::none_chosen(&args.settings)?;
    }
    // A file that cannot be written is an error now, and not after an hour.
    let mut output = args.output.as_deref().map(Output::create).transpose()?;
    let mut seen = match args.from.as_deref().map(Source::of) {
        None => {
            attach::no_process(&args.attachment)?;
            match program::look(args) {
                Ok(seen) => seen,
                Err(refused) => {
                    eprintln!("glasspoll: {}", refused.what);
                    return Ok(ExitCode::from(refused.status));
                }
            }
        }
        Some(Source::File(path)) => {
            attach::no_process(&args.attachment)?;
            let recording = Recording::open(&path)?;
            if let Some(trouble) = &recording.trouble {
                if recording.processes.iter().all(|process| process.events.is_empty()) {
                    return Err(format!("{}: {trouble}; there is no event to judge", path.display()));
                }
                eprintln!("glasspoll: {}: {trouble}", path.display());
            }
            file(&recording)
        }
        Some(Source::Process(pid)) => {
            let settings = args.settings.with_stacks(None);
            let attached = attach::look(pid, &args.attachment, Some(&settings))?;
            let seconds = args.period.map_or(args.seconds, |period| period.as_secs_f64());
            let seen = process::look(pid, seconds, !args.no_children, !args.no_ptrace, attached.as_ref());
            if let Some(attached) = attached {
                attached.end();
            }
            seen?
        }
    };
    seen.ignore(&args.ignore);
    say(&seen, args, output.as_mut())?;
    Ok(if seen.is_as_bad_as(args.fail_on) {
        ExitCode::FAILURE
    } else {
        ExitCode::from(seen.ended.map_or(0, |ended| ended.code()))
    })
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
    let sources: Vec<_> = recording.processes.iter().map(source_of).collect();
    code::add(&mut seen.findings, &sources);
    seen
}

/// The code of a recorded process.
fn source_of(process: &Process) -> code::Source {
    let mut adds = Adds::default();
    process.events.iter().for_each(|entry| adds.event(entry));
    code::Source::of(process, process.pid(), adds)
}

/// Prints it, to a file if there is one.
fn say(seen: &Seen, args: &args::Doctor, output: Option<&mut Output>) -> Result<(), String> {
    let mut out = Vec::new();
    let printed = if args.json {
        print::json(seen, &mut out)
    } else if args.sarif {
        sarif::sarif(seen, &mut out)
    } else if seen.ended.is_some() && seen.processes.is_empty() && output.is_none() {
        // There is nothing to tell but why, and the program's own output stays as it is.
        let ended = seen.ended.map(|ended| ended.words());
        let words: Vec<&str> = seen.notes.iter().map(String::as_str).chain(ended.as_deref()).collect();
        eprintln!("glasspoll: {}", clean(&words.join("; ")));
        Ok(())
    } else {
        print::text(seen, &mut out)
    };
    printed.map_err(|error| error.to_string())?;
    match output {
        None => io::stdout().write_all(&out).map_err(|error| format!("stdout: {error}")),
        Some(output) => {
            let written = output.file().and_then(|mut file| file.write_all(&out));
            written.map_err(|error| format!("the findings cannot be written: {error}"))?;
            output.put_in_place()
        }
    }
}
