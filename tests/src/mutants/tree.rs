//! A copy of the workspace, which is changed and built.

use super::Mutant;
use crate::documents::root;
use crate::run::{kill_group, wait};
use std::fs;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

const BUILD: Duration = Duration::from_secs(300);

/// The copy, and its build.
#[derive(Debug)]
pub struct Tree {
    work: PathBuf,
}

impl Tree {
    /// Copies the files that git tracks, as they are in the work tree.
    ///
    /// # Errors
    /// If a file cannot be copied.
    pub fn copy(work: &Path) -> Result<Self, String> {
        let tree = Self { work: work.to_owned() };
        let listed = Command::new("git").current_dir(root()).args(["ls-files", "-z"]).output();
        let listed = listed.map_err(|error| format!("git: {error}"))?.stdout;
        for file in String::from_utf8_lossy(&listed).split_terminator('\0') {
            let to = tree.folder().join(file);
            let made = to.parent().map_or(Ok(()), fs::create_dir_all);
            made.and_then(|()| fs::copy(root().join(file), &to))
                .map_err(|error| format!("{file}: {error}"))?;
        }
        Ok(tree)
    }

    /// The folder of the copy.
    pub fn folder(&self) -> PathBuf {
        self.work.join("tree")
    }

    /// The library that [`build`](Self::build) makes.
    pub fn library(&self) -> PathBuf {
        self.work.join("target/debug/libglasspoll.so")
    }

    /// Builds the library; returns whether that succeeds.
    pub fn build(&self) -> bool {
        self.cargo(&["build", "--quiet", "-p", "glasspoll"])
    }

    /// Runs the reactor's own tests; returns whether they pass.
    pub fn passes_its_own_tests(&self) -> bool {
        self.cargo(&["test", "--quiet", "-p", "glasspoll-reactor"])
    }

    fn cargo(&self, arguments: &[&str]) -> bool {
        let mut cargo = Command::new("cargo");
        cargo.args(arguments).current_dir(self.folder()).env("CARGO_TARGET_DIR", self.work.join("target"));
        cargo.env("CARGO_PROFILE_DEV_DEBUG", "0").env("CARGO_PROFILE_DEV_OPT_LEVEL", "1");
        passes(cargo.env("CARGO_INCREMENTAL", "1"), BUILD)
    }

    /// Makes a change, or undoes it.
    ///
    /// # Errors
    /// If the patch does not apply.
    pub fn change(&self, mutant: &Mutant, back: bool) -> Result<(), String> {
        let mut patch = Command::new("patch");
        patch.args(["--quiet", "-p0"]).args(back.then_some("-R")).current_dir(self.folder());
        let mut child = patch.stdin(Stdio::piped()).spawn().map_err(|error| format!("patch: {error}"))?;
        let mut input = child.stdin.take().expect("it is piped");
        let written = input.write_all(mutant.diff.as_bytes());
        drop(input);
        let status = child.wait().map_err(|error| format!("patch: {error}"))?;
        match written {
            Ok(()) if status.success() => Ok(()),
            _ => Err(format!("the change does not fit: {}", mutant.name)),
        }
    }
}

/// Runs a command, without its output; returns whether it succeeds within the time.
pub fn passes(command: &mut Command, limit: Duration) -> bool {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
    let Ok(mut child) = command.spawn() else { return false };
    match wait(&mut child, limit) {
        Some(status) => status.success(),
        None => {
            kill_group(&mut child);
            false
        }
    }
}
