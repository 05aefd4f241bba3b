//! `run`: a program on glasspoll, with its record kept or summed up if that is asked for.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{ExitCode, ExitStatus};

use glasspoll_record::process::Process;
use glasspoll_record::Recording;

use crate::args::Run;
use crate::collect::{self, Collector, RECORDING};
use crate::keep::Keeper;
use crate::output::Output;
use crate::program::{self, Refused};

pub fn main(args: &Run) -> Result<ExitCode, String> {
    let done = if args.count || args.output.is_some() { gather(args) } else { become_it(args) };
    done.or_else(|refused| {
        eprintln!("glasspoll: {}", refused.what);
        Ok(ExitCode::from(refused.status))
    })
}

/// Nothing is to be gathered: then nobody stands between the program and who started it.
fn become_it(args: &Run) -> Result<ExitCode, Refused> {
    Err(program::become_it(program::command(&args.program, &args.settings, None)?))
}

fn gather(args: &Run) -> Result<ExitCode, Refused> {
    let mut output = args.output.as_deref().map(Output::create).transpose()?;
    let keeper = match &output {
        Some(output) => Some(begin(output, args)?),
        None => None,
    };
    let mut collector = Collector::start_and_keep(&args.program, &args.settings, RECORDING, keeper)?;
    if let Some(output) = &mut output {
        output.put_in_place()?;
    }
    let mut processes = BTreeMap::new();
    let status = loop {
        collector.wait();
        // Before the look, so that the last look sees all that it did.
        let status = collector.status();
        take(&mut processes, collector.poll(), args.count);
        if let Some(status) = status {
            break status;
        }
    };
    let rings = collector.rings();
    let (last, trouble) = collector.finish();
    take(&mut processes, last, args.count);
    if let (Some(what), Some(path)) = (trouble, &args.output) {
        eprintln!("glasspoll: {}: {what}: the record ends there", path.display());
    }
    if rings == 0 {
        eprintln!("glasspoll: nothing was recorded: {}", why_not(&args.program[0]));
    } else if args.count {
        let recording = Recording { processes: processes.into_values().collect(), ..Recording::default() };
        // Whoever does not read it does not miss it.
        let _ = summary::print(&recording, &mut io::stderr().lock());
    }
    Ok(program::end_like(status))
}

fn begin(output: &Output, args: &Run) -> Result<Keeper, String> {
    let keeper = output.file().and_then(|file| Keeper::new(file, &args.program));
    keeper.map_err(|error| format!("a record cannot be written: {error}"))
}

fn take(processes: &mut BTreeMap<u32, Process>, news: Vec<News>, is_wanted: bool) {
    if is_wanted {
        for news in news {
            collect::apply(processes, news);
        }
    }
}
