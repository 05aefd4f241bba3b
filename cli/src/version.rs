//! What `glasspoll --version` says: the version, the commit, and what the machine must have.
//!
//! Which glibc is needed depends on how the two files were linked (`scripts/dist` links them for old ones), so both
//! are asked. That takes a look at the files, which only `--version` takes.

use std::env;
use std::fs::File;
use std::path::Path;

use clap::{CommandFactory, FromArgMatches};

use crate::args::{Args, VERSION};
use crate::program::{elf, library};

/// The oldest kernel on which the tests are known to pass.
pub const KERNEL: elf::Version = (5, 10);

/// The command line; it ends the process if there is no more to do than to answer it.
pub fn parse() -> Args {
    let mut command = Args::command();
    if env::args_os().any(|word| word == "--version") {
        command = command.long_version(long());
    }
    let matches = command.get_matches();
    Args::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())
}

/// It lives as long as the process: clap without its feature `string` takes nothing else.
fn long() -> &'static str {
    let own = env::current_exe().ok().and_then(|path| needed(&path));
    let command = own.map_or_else(|| "unknown".into(), written);
    let library = match library::find() {
        Ok(path) => match needed(&path) {
            Some(version) => format!("glibc {} or newer ({})", written(version), path.display()),
            None => format!("an unknown glibc ({})", path.display()),
        },
        Err(_) => {
            "not found; it is looked for beside the command, in ../lib/glasspoll, and at GLASSPOLL_LIB".into()
        }
    };
    let text = format!(
        "{VERSION}\nkernel:  Linux {} or newer\ncommand: glibc {command} or newer\nlibrary: {library}",
        written(KERNEL)
    );
    text.leak()
}

fn needed(path: &Path) -> Option<elf::Version> {
    elf::glibc_needed(&File::open(path).ok()?)
}

fn written(version: elf::Version) -> String {
    format!("{}.{}", version.0, version.1)
}
