//! `forks exit|exec|redirect|vfork|spawn|use SOCKETS [COUNT]`: makes children for a while, or COUNT of them, and prints
//! the microseconds of CPU time for each.

use glasspoll_tests::bench::forks::{measure, KINDS};
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (words, count) = match &arguments[..] {
        [kind, sockets] => (Some((kind, sockets)), Some(None)),
        [kind, sockets, count] => (Some((kind, sockets)), count.parse().ok().filter(|n| *n > 0).map(Some)),
        _ => (None, None),
    };
    let measured = words.zip(count).and_then(|((kind, sockets), count)| {
        let (_, kind) = KINDS.into_iter().find(|(name, _)| name == kind)?;
        Some(measure(kind, sockets.parse().ok().filter(|n| *n > 0)?, count))
    });
    if let Some(time) = measured {
        println!("{time:.1}");
        return ExitCode::SUCCESS;
    }
    eprintln!("usage: forks exit|exec|redirect|vfork|spawn|use SOCKETS [COUNT]");
    ExitCode::from(2)
}
