//! Finds the programs that a test needs, and says what is left out without them.

use std::env;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::PathBuf;

/// The distribution's directories come before `PATH`: a wrapper script in
/// `PATH` would start processes of its own, which some tests count.
const DIRS: [&str; 4] = ["/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/// Where `name` is installed.
pub fn find(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    DIRS.iter()
        .map(PathBuf::from)
        .chain(env::split_paths(&path))
        .map(|dir| dir.join(name))
        .find(|file| file.is_file())
}

/// Where `name` is installed, for a test that has called [`have`].
///
/// # Panics
/// If it is not installed.
pub fn path(name: &str) -> PathBuf {
    find(name).unwrap_or_else(|| panic!("{name} is not installed"))
}

/// Whether all of `names` are installed. If not, the caller must return.
///
/// # Panics
/// If one is missing and `CI=true`: in CI a skipped test would go unnoticed.
#[must_use]
pub fn have(names: &[&str]) -> bool {
    let missing = missing(names);
    have_if(&missing.join(" "), missing.is_empty())
}

/// Like [`have`], for something that is not a program: `there` says whether it is installed.
///
/// # Panics
/// If it is not and `CI=true`.
#[must_use]
pub fn have_if(what: &str, there: bool) -> bool {
    assert!(there || env::var("CI").as_deref() != Ok("true"), "not installed: {what}");
    if !there {
        skip(&format!("not installed: {what}"));
    }
    there
}

/// Like [`have`], for programs that a machine may lack: never fails.
#[must_use]
pub fn may_have(names: &[&str]) -> bool {
    let missing = missing(names);
    if !missing.is_empty() {
        skip(&format!("not installed: {}", missing.join(" ")));
    }
    missing.is_empty()
}

/// Says that a test, or a part of one, is left out, and why. The output of a test that passes is not shown, so the line
/// also goes to the file `GLASSPOLL_TESTS_SKIPPED`, which `scripts/test` shows at its end.
pub fn skip(why: &str) {
    let test = std::thread::current().name().unwrap_or_default().to_owned();
    eprintln!("SKIPPED {test}: {why}");
    if let Some(path) = env::var_os("GLASSPOLL_TESTS_SKIPPED") {
        let file = OpenOptions::new().append(true).create(true).open(path);
        // One write, because other processes write to the file too.
        let written = file.and_then(|mut file| file.write_all(format!("SKIPPED {test}: {why}\n").as_bytes()));
        written.expect("what is left out must be said");
    }
}

fn missing<'a>(names: &[&'a str]) -> Vec<&'a str> {
    names.iter().copied().filter(|name| find(name).is_none()).collect()
}
