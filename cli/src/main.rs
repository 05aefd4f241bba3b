//! `glasspoll`: run programs on an epoll you can see through, and look into them.
//!
//! | module | holds |
//! |---|---|
//! | `args` | the command line |
//! | `run`, `program`, `preloadable`, `elf`, `library` | starting a program on the library |
//! | `chaos` | searching for a seed with which a program fails |
//! | `collect`, `door`, `keep`, `output` | gathering the records of its processes, and keeping them in a file |
//! | `names`, `net`, `errno`, `sys` | what /proc says, and system calls |
//! | `ls`, `describe` | what is in the sets of running processes |
//! | `take`, `dump`, `snapshot`, `source` | `record` and `dump`: the ring of a running process |
//! | `analysis`, `summary`, `report`, `top` | what the events add up to, and showing it |
//! | `doctor` | findings |
//! | `units`, `text` | numbers as people read them |
//! | `shell`, `manual` | completions and the man page |
//! | `fuzz` | what the fuzz targets of `tests/fuzz` call |

mod analysis;
mod args;
mod chaos;
mod collect;
mod describe;
mod doctor;
mod door;
mod dump;
mod elf;
mod errno;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod keep;
mod library;
mod ls;
mod manual;
mod names;
mod net;
mod output;
mod preloadable;
mod program;
mod report;
mod run;
#[cfg(test)]
mod script;
mod shell;
mod snapshot;
mod source;
mod summary;
mod sys;
mod take;
mod text;
mod top;
mod units;

use std::process::ExitCode;

use args::{Args, Command};
use clap::Parser;

/// The exit status of trouble that is ours, as of `timeout` and `env`.
pub const TROUBLE: u8 = 125;

fn main() -> ExitCode {
    // A reader that has seen enough ends us quietly, as other tools.
    // SAFETY: before anything else runs.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
    let done = match Args::parse().command {
        Command::Run(args) => run::main(&args),
        Command::Ls(args) => ls::main(&args),
        Command::Top(args) => top::main(&args),
        Command::Record(args) => take::record(&args),
        Command::Dump(args) => dump::main(&args),
        Command::Report(args) => report::main(&args),
        Command::Doctor(args) => doctor::main(&args),
        Command::Completions(args) => shell::completions(&args),
        Command::Man => shell::man(),
    };
    done.unwrap_or_else(|what| {
        eprintln!("glasspoll: {what}");
        ExitCode::from(TROUBLE)
    })
}
