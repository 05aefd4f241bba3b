//! The command `glasspoll`, run as a user runs it.

use crate::mode::{clean_command, library, target_dir};
use crate::run::run;
use crate::run::LIMIT;
use crate::Output;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

/// `nobody`.
const NOBODY: u32 = 65_534;

/// The path of the command: the newer one of release and debug.
///
/// # Panics
/// If it was not built.
pub fn path() -> PathBuf {
    let built = |profile: &str| {
        let path = target_dir().join(profile).join("glasspoll");
        let when = fs::metadata(&path).and_then(|meta| meta.modified()).ok()?;
        Some((when, path))
    };
    let newest: Option<(SystemTime, PathBuf)> = ["release", "debug"].into_iter().filter_map(built).max();
    newest.expect("the command is missing: run `cargo build -p glasspoll-cli` first").1
}

/// The command, with the library under test.
pub fn glasspoll() -> Command {
    let mut command = clean_command(path());
    command.env("GLASSPOLL_LIB", library());
    command
}

/// Runs it to its end with these arguments.
pub fn glasspoll_with(arguments: &[&str]) -> Output {
    run(glasspoll().args(arguments), LIMIT)
}

/// The events of a process or a file, from `dump --json`.
pub fn events(from: impl AsRef<OsStr>) -> Vec<serde_json::Value> {
    let output = run(glasspoll().args(["dump", "--json"]).arg(from), LIMIT);
    let lines = output.success();
    lines.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"))).collect()
}

/// The events of one kind.
pub fn of_kind<'a>(events: &'a [serde_json::Value], kind: &str) -> Vec<&'a serde_json::Value> {
    events.iter().filter(|event| event["event"] == kind).collect()
}

/// An installation for a user who is not root: the command, and the library in the same folder.
pub struct Installed {
    dir: tempfile::TempDir,
}

/// Installs it.
pub fn install() -> Installed {
    let dir = tempfile::tempdir().expect("a temporary directory");
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o777)).expect("our own directory");
    for (from, name) in [(path(), "glasspoll"), (library(), "libglasspoll.so")] {
        // Another program copies it. If this process did, a child forked by another thread in the meantime would have
        // the copy open for writing, and such a file cannot be run (ETXTBSY).
        run(Command::new("cp").arg(from).arg(dir.path().join(name)), LIMIT).success();
    }
    Installed { dir }
}

impl Installed {
    /// A folder that the user may write to.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// The command, as `nobody` if we are root.
    pub fn glasspoll(&self) -> Command {
        as_ordinary_user(clean_command(self.dir().join("glasspoll")), self.dir())
    }
}

/// Makes a command run as an ordinary user, in a folder that this user may enter.
pub fn as_ordinary_user(mut command: Command, dir: &Path) -> Command {
    if is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    command.current_dir(dir).env_remove("XDG_RUNTIME_DIR");
    command
}

/// Whether we are root.
pub fn is_root() -> bool {
    // SAFETY: geteuid takes nothing and cannot fail.
    unsafe { libc::geteuid() == 0 }
}
