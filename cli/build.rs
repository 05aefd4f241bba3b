//! Tells the command which commit it is built from.
//!
//! The commit alone: no time, no path, no name of a machine, so that two builds of it are equal. A packager whose
//! sources have no git sets `GLASSPOLL_COMMIT`.

use std::env;
use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=GLASSPOLL_COMMIT");
    let given = env::var("GLASSPOLL_COMMIT").ok().filter(|given| !given.is_empty());
    // The command of the tests is not built anew at each commit.
    let is_debug = env::var("PROFILE").is_ok_and(|profile| profile == "debug");
    let commit = given.unwrap_or_else(|| {
        if is_debug {
            return "of a debug build".into();
        }
        commit().unwrap_or_else(|| "unknown".into())
    });
    println!("cargo::rustc-env=GLASSPOLL_COMMIT={commit}");
}

/// The commit that is checked out, if this folder is in git, and not merely inside of somebody else's.
fn commit() -> Option<String> {
    let folder = env::var("CARGO_MANIFEST_DIR").ok()?;
    let top = Path::new(&folder).parent()?.canonicalize().ok()?;
    if Path::new(&git(&["rev-parse", "--show-toplevel"])?).canonicalize().ok()? != top {
        return None;
    }
    // The first changes when another branch is checked out, the second with each commit.
    for name in ["HEAD", "logs/HEAD"] {
        let path = git(&["rev-parse", "--path-format=absolute", "--git-path", name])?;
        if Path::new(&path).exists() {
            println!("cargo::rerun-if-changed={path}");
        }
    }
    git(&["rev-parse", "--short=12", "HEAD"])
}

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    (output.status.success() && !text.trim().is_empty()).then(|| text.trim().to_owned())
}
