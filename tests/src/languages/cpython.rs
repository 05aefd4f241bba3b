//! CPython's own test suites, from Debian's libpython3.x-testsuite.

use crate::run::LIMIT;
use crate::run::{start, Running};
use crate::{program, Mode};
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use tempfile::TempDir;

/// The outcome of one test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It passed.
    Passed,
    /// It failed, or ended with an error.
    Failed,
    /// It said that it cannot run here.
    Skipped,
}

/// The outcomes of a suite by the tests' full names.
pub type Outcomes = BTreeMap<String, Outcome>;

/// A suite that runs.
pub struct Suite {
    running: Running,
    dir: TempDir,
}

impl Suite {
    /// Starts `suite` without the tests that match `left_out`.
    pub fn start(mode: Mode, suite: &str, left_out: &[&str]) -> Suite {
        let dir = tempfile::tempdir().expect("a directory");
        let mut command = mode.command(python());
        // Without -u: the tests that need the network, or much memory, stay off.
        command.args(["-m", "test", "-v", "--junit-xml", "outcomes.xml", "--tempdir", "."]);
        command.args(left_out.iter().flat_map(|pattern| ["-i", pattern]));
        command.arg(suite).current_dir(dir.path());
        Suite { running: start(&mut command, ""), dir }
    }

    /// Waits for the end. Returns the outcomes, and what the suite printed.
    pub fn finish(self) -> (Outcomes, String) {
        let output = self.running.finish(LIMIT);
        let printed = output.stdout + &output.stderr;
        let file = self.dir.path().join("outcomes.xml");
        let xml = fs::read_to_string(file).unwrap_or_else(|error| panic!("{error}: {printed}"));
        (outcomes(&xml), printed)
    }
}

/// Debian's own python, for which the suites are made.
fn python() -> PathBuf {
    program::path("python3")
}

/// Whether the suites are installed. If not, the caller must return.
///
/// # Panics
/// If they are not and `CI=true`.
#[must_use]
pub fn have_suites() -> bool {
    if !program::have(&["python3"]) {
        return false;
    }
    let mut command = Mode::Native.command(python());
    let output = crate::run(command.args(["-c", "import test.test_epoll"]), LIMIT);
    program::have_if("libpython3-testsuite", output.status.success())
}

/// Reads the test cases of a JUnit file. `<testcase name="N" …/>` has passed; one that failed or was skipped contains
/// an element that says so.
fn outcomes(xml: &str) -> Outcomes {
    let cases = xml.split("<testcase name=\"").skip(1);
    let outcomes: Outcomes = cases
        .map(|case| {
            let (name, rest) = case.split_once('"').expect("a name ends");
            let outcome = if rest.contains("<failure") || rest.contains("<error") {
                Outcome::Failed
            } else if rest.contains("<skipped") {
                Outcome::Skipped
            } else {
                Outcome::Passed
            };
            (name.to_owned(), outcome)
        })
        .collect();
    assert!(!outcomes.is_empty(), "no test case in {xml}");
    outcomes
}
