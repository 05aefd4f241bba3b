//! The stories that README tells are true.

use glasspoll_tests::command::glasspoll;
use glasspoll_tests::run::run;
use glasspoll_tests::run::LIMIT;
use glasspoll_tests::{program, turn};
use std::path::{Path, PathBuf};

const README: &str = include_str!("../../README.md");

fn story(interpreter: &str, file: &str, seconds: Option<&str>, class: &str, said: &str) {
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
    assert!(README.contains(file) && README.contains(class) && README.contains(said));
}

#[test]
fn who_spins() {
    story("python3", "story_spins.py", Some("1.5"), "error: hang-up spin: fd ", "read as 0 each time");
}

#[test]
fn who_is_slow() {
    story(
        "node",
        "story_slow.js",
        None,
        "warning: slow callback: fd ",
        "ms between delivery and the next wait",
    );
}

#[test]
fn who_was_never_removed() {
    let said = "its file lives as fd ";
    story("python3", "story_never_removed.py", Some("1.5"), "error: closed while a dup lives on: fd ", said);
}
