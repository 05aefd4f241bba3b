//! `record`: copies the ring of a running process to a file: what happened in the last seconds.

use std::io::BufWriter;
use std::process::ExitCode;

use glasspoll_record::layout;

use crate::args::Record;
use crate::collect::snapshot::Snapshot;
use crate::commands::attach;
use crate::sys::output::Output;
use crate::text::span;
use crate::text::units::{clean, count};

pub fn record(args: &Record) -> Result<ExitCode, String> {
    let mut output = Output::create(&args.output)?;
    let look = attach::look(args.pid, &args.attachment, None)?;
    if let Some(look) = &look {
        look.wait(args.period.period);
    }
    let snapshot = Snapshot::of(args.pid);
    if let Some(look) = look {
        look.end();
    }
    let snapshot = match snapshot {
        Ok(snapshot) => snapshot,
        Err(missing) => {
            eprintln!("glasspoll: process {}: {missing}", args.pid);
            return Ok(ExitCode::FAILURE);
        }
    };
    let written = output.file().and_then(|file| snapshot.write(BufWriter::new(file)));
    written.map_err(|error| format!("{}: {error}", args.output.display()))?;
    output.put_in_place()?;
    let process = &snapshot.process;
    let first = process.events.first().map_or(process.taken.ns, |entry| entry.ns);
    let over = span(process.taken.ns.saturating_sub(first));
    let events = count(process.events.len() as u64);
    println!("{events} events of the last {over} of {} {}", clean(&process.comm), args.pid);
    if process.lost_blocks != 0 {
        let lost = count(layout::records(process.lost_blocks));
        println!("up to {lost} before them were overwritten: a larger GLASSPOLL_RING keeps more");
    }
    if process.torn != 0 {
        println!("{} were just being written, and are left out", count(process.torn));
    }
    Ok(ExitCode::SUCCESS)
}
