//! The command `glasspoll`, as a user would run it.

use std::path::PathBuf;
use std::process::Command;

use crate::mode::{clean_command, library, target_dir};

/// `glasspoll`, with the library under test.
///
/// # Panics
/// If it was not built.
pub fn glasspoll() -> Command {
    let mut command = clean_command(path());
    command.env("GLASSPOLL_LIB", library());
    command
}

/// Where it is: the release build if there is one.
fn path() -> PathBuf {
    let found = ["release", "debug"].map(|profile| target_dir().join(profile).join("glasspoll"));
    let path = found.into_iter().find(|path| path.is_file());
    path.unwrap_or_else(|| {
        panic!("the command glasspoll is missing: run `cargo build --release -p glasspoll-cli` first")
    })
}
