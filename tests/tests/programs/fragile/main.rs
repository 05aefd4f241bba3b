//! Event loops that work while epoll does the usual, and fail when it does something else that it may: `fragile BUG
//! [--mended]`.
//!
//! Each runs in one thread on pipes and sockets of its own, so that it does the same every time, and ends by itself:
//! with status 0, or with a line that says what went wrong and status 1.

mod bugs;
mod set;

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let mended = match arguments.get(1).map(String::as_str) {
        None => false,
        Some("--mended") => true,
        Some(_) => return usage(),
    };
    let run: fn(bool) -> Result<(), String> = match arguments.first().map(String::as_str) {
        Some("undrained") => bugs::undrained,
        Some("hanging") => bugs::hanging,
        Some("order") => bugs::order,
        Some("interrupted") => bugs::interrupted,
        Some("stale") => bugs::stale,
        Some("all-at-once") => bugs::all_at_once,
        Some("refused") => bugs::refused,
        Some("twice") => bugs::twice,
        _ => return usage(),
    };
    match run(mended) {
        Ok(()) => ExitCode::SUCCESS,
        Err(what) => {
            println!("{what}");
            ExitCode::FAILURE
        }
    }
}

fn usage() -> ExitCode {
    eprintln!(
        "usage: fragile undrained|hanging|order|interrupted|stale|all-at-once|refused|twice [--mended]"
    );
    ExitCode::from(2)
}
