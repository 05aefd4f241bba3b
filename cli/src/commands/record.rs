//! `record`: copies the ring of a running process to a file: what happened in the last seconds. How full the queues of
//! its listeners are goes there, too.

use std::io::BufWriter;
use std::process::ExitCode;
use std::time::Duration;

use glasspoll_record::layout;

use crate::args::{Record, Settings};
use crate::collect::accept_queues::AcceptQueues;
use crate::collect::snapshot::Snapshot;
use crate::commands::attach;
use crate::sample::watch;
use crate::sys::output::Output;
use crate::text::span;
use crate::text::units::{clean, count, counted};

/// How long a thread is looked at that is away from its waits now.
const STUCK: Duration = Duration::from_millis(250);

pub fn record(args: &Record) -> Result<ExitCode, String> {
    let mut output = Output::create(&args.output)?;
    // A doctor may read it.
    let settings = Settings::default().with_stacks(None);
    let look = attach::look(args.pid, &args.attachment, Some(&settings))?;
    let mut samples = Vec::new();
    if let Some(look) = &look {
        samples = watch(args.pid, args.period.period, Duration::ZERO, !args.no_ptrace, || look.is_to_end());
    }
    let queues = AcceptQueues::of(args.pid);
    let mut snapshot = Snapshot::of(args.pid).map(|snapshot| snapshot.with_queues(queues));
    if let Ok(snapshot) = &mut snapshot {
        // The ring comes first: it forgets.
        if look.is_none() {
            samples = watch(args.pid, Duration::ZERO, STUCK, !args.no_ptrace, || false);
        }
        samples.into_iter().for_each(|sample| snapshot.process.sample(sample));
    }
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
    let events = counted(process.events.len() as u64, "event");
    println!("{events} of the last {over} of {} {}", clean(&process.comm), args.pid);
    if process.lost_blocks != 0 {
        let lost = count(layout::records(process.lost_blocks));
        println!("up to {lost} before them were overwritten: a larger GLASSPOLL_RING keeps more");
    }
    if process.torn != 0 {
        println!("left out, because just being written: {}", counted(process.torn, "event"));
    }
    Ok(ExitCode::SUCCESS)
}
