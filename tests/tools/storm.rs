//! The threaded walker: `storm [SECONDS] [SEED]`, on the kernel, or preloaded as any program.
//!
//! `storm --fault NAME [SECONDS] [SEED]` makes the storm lie to itself, which it must notice. `--patience SECONDS` says
//! after how long a missing event counts as lost.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use glasspoll_tests::storm::{storm, Fault, Options};

fn main() -> ExitCode {
    let mut args: Vec<String> = std::env::args().skip(1).collect();
    let (mut fault, mut patience) = (None, None);
    while args.len() > 1 && args[0].starts_with("--") {
        match args[0].as_str() {
            "--fault" => fault = args[1].parse::<Fault>().ok(),
            "--patience" => patience = args[1].parse().ok(),
            _ => return usage(),
        }
        if fault.is_none() && patience.is_none() {
            return usage();
        }
        args.drain(..2);
    }
    let number = |at: usize, default: u64| args.get(at).map_or(Ok(default), |arg| arg.parse());
    let (Ok(seconds), Ok(seed)) = (number(0, 60), number(1, 1)) else { return usage() };
    let patience = Duration::from_secs(patience.unwrap_or(if fault.is_some() { 10 } else { 300 }));
    let options = Options { length: Duration::from_secs(seconds), seed, fault, patience };
    let start = Instant::now();
    let mut said = start;
    let summary = storm(options, |summary| {
        if said.elapsed() > Duration::from_secs(10) {
            said = Instant::now();
            println!("{} s: {summary:?}", start.elapsed().as_secs());
        }
    });
    println!("{} s from seed {seed}, all invariants held: {summary:?}", start.elapsed().as_secs());
    ExitCode::SUCCESS
}

fn usage() -> ExitCode {
    eprintln!("usage: storm [--fault NAME] [--patience SECONDS] [SECONDS] [SEED]");
    ExitCode::from(2)
}
