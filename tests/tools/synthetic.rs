//! `synthetic EVENTS FILE` writes a record of about EVENTS events, to measure programs that read records.

use std::path::Path;
use std::process::ExitCode;

use glasspoll_tests::synthetic;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [events, file] = &args[..] else {
        eprintln!("synthetic EVENTS FILE");
        return ExitCode::FAILURE;
    };
    let written = events.parse().map_err(|_| format!("{events}: a number of events")).and_then(|events| {
        synthetic::write(Path::new(file), events).map_err(|error| format!("{file}: {error}"))
    });
    match written {
        Ok(()) => ExitCode::SUCCESS,
        Err(what) => {
            eprintln!("{what}");
            ExitCode::FAILURE
        }
    }
}
