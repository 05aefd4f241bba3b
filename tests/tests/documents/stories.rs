//! The stories in the documents are true.

use glasspoll_tests::command::glasspoll;
use glasspoll_tests::documents::read;
use glasspoll_tests::run::run;
use glasspoll_tests::run::LIMIT;
use glasspoll_tests::{program, turn};
use std::path::{Path, PathBuf};

/// Checks a program's story against the document that tells it.
fn story(told: &str, interpreter: &str, file: &str, seconds: Option<&str>, class: &str, said: &str) {
    let document = read(told);
    assert!([file, class, said].iter().all(|text| document.contains(text)), "{told} does not tell it");
    if !program::have(&[interpreter]) {
        return;
    }
    let _turn = turn::take();
    let script: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs").join(file);
    let mut command = glasspoll();
    command.args(["doctor", "--"]).arg(program::path(interpreter)).arg(script).args(seconds);
    let output = run(&mut command, LIMIT);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(output.stdout.contains(class), "{output:?}");
    assert!(output.stdout.contains(said), "{output:?}");
}

#[test]
fn a_loop_spins() {
    story(
        "README.md",
        "python3",
        "story_spins.py",
        Some("1.5"),
        "error: hang-up spin: fd ",
        "read as 0 each time",
    );
}

#[test]
fn a_callback_is_slow() {
    story(
        "docs/doctor.md",
        "node",
        "story_slow.js",
        None,
        "warning: slow callback: fd ",
        "ms between delivery and the next wait",
    );
}

#[test]
fn a_dup_is_never_removed() {
    story(
        "docs/doctor.md",
        "python3",
        "story_never_removed.py",
        Some("1.5"),
        "error: closed while a dup lives on: fd ",
        "its file lives as fd ",
    );
}
