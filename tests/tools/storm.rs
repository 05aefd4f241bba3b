//! The threaded walker: `storm [SECONDS] [SEED]`, on the kernel, or preloaded as any program.
//!
//! `storm --fault NAME [SECONDS] [SEED]` tells itself a lie, which must be noticed.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use glasspoll_tests::storm::{storm, Fault, Options};

fn main() -> ExitCode {
    let mut args: Vec<String> = std::env::args().skip(1).collect();
    let mut fault = None;
    if args.first().is_some_and(|arg| arg == "--fault") && args.len() > 1 {
        fault = args[1].parse::<Fault>().ok();
        if fault.is_none() {
            return usage();
        }
        args.drain(..2);
    }
    let number = |at: usize, default: u64| args.get(at).map_or(Ok(default), |arg| arg.parse());
    let (Ok(seconds), Ok(seed)) = (number(0, 60), number(1, 1)) else { return usage() };
    let patience = Duration::from_secs(if fault.is_some() { 10 } else { 300 });
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
    eprintln!("usage: storm [SECONDS] [SEED]");
    ExitCode::from(2)
}
