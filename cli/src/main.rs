//! `glasspoll`: run programs on an epoll you can see through, and look into them.
//!
//! # The flow
//! ```text
//! args ──► commands ──► program: started on the library ──► collect: its records ──► replay ──► report, top, summary
//!                 └───► collect: a running process, a file ─┘                           └──► doctor
//! ```
//!
//! # The map
//! | folder | what it is |
//! |---|---|
//! | `commands` | the subcommands |
//! | `program` | starting a program on the library |
//! | `attach` | loading the library into a running process |
//! | `chaos` | searching for a seed with which a program fails |
//! | `collect` | gathering the records of its processes, and keeping them in a file |
//! | `procfs` | what /proc says |
//! | `sample` | what threads do while they are overdue, or spin |
//! | `replay` | what the events add up to |
//! | `report`, `top` | showing it |
//! | `doctor` | findings |
//! | `machine` | what this machine offers: `doctor --self` |
//! | `symbols` | function, file and line of an address |
//! | `version` | what `--version` says |
//! | `fuzz` | what the fuzz targets of `tests/fuzz` call |
//!
//! `args` is the command line and what help says beyond it, `text` writes times and numbers for people, `sys` has
//! system calls, signals, and a file that is put in place at the end.

mod args;
mod attach;
mod chaos;
mod collect;
mod commands;
mod doctor;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod machine;
mod procfs;
mod program;
mod replay;
mod report;
mod sample;
mod symbols;
mod sys;
mod text;
mod top;
mod version;

use std::process::ExitCode;

use args::Command;
use commands::{dump, ls, record, run, shell};

/// The exit status of an error of our own, as `timeout` and `env` have it.
pub const TROUBLE: u8 = 125;

fn main() -> ExitCode {
    // When the reader of a pipe closes it, we end quietly, as other tools do.
    // SAFETY: before anything else runs.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
    let done = match version::parse().command {
        Command::Run(args) => run::main(&args),
        Command::Ls(args) => ls::main(&args),
        Command::Top(args) => top::main(&args),
        Command::Record(args) => record::record(&args),
        Command::Dump(args) => dump::main(&args),
        Command::Attach(args) => commands::attach::attach(&args),
        Command::Detach(args) => commands::attach::detach(&args),
        Command::Report(args) => report::main(&args),
        Command::Doctor(args) => commands::doctor::main(&args),
        Command::Probe => machine::probe(),
        Command::Completions(args) => shell::completions(&args),
        Command::Man => shell::man(),
    };
    done.unwrap_or_else(|what| {
        eprintln!("glasspoll: {what}");
        ExitCode::from(TROUBLE)
    })
}
