//! The stories in the documents are true.

use glasspoll_tests::command::glasspoll;
use glasspoll_tests::documents::read;
use glasspoll_tests::mode::clean_command;
use glasspoll_tests::run::LIMIT;
use glasspoll_tests::run::{eventually, run, Output};
use glasspoll_tests::servers::processes;
use glasspoll_tests::{program, turn};
use std::path::{Path, PathBuf};
use std::process::Child;

/// Whether the doctor names it. On a busy machine no callback is slow by itself, and the doctor says so in a note.
fn names(output: &Output, class: &str) -> bool {
    let note = class.replacen("warning", "note", 1);
    output.stdout.contains(class) || output.stdout.contains(&note) && output.stdout.contains("processor")
}

/// Checks a program's story against the document that tells it.
fn story(told: &str, interpreter: &str, file: &str, seconds: Option<&str>, class: &str, said: &str) {
    let document = read(told);
    assert!([file, class, said].iter().all(|text| document.contains(text)), "{told} does not tell it");
    if !program::have(&[interpreter]) {
        return;
    }
    let _turn = turn::take();
    let script: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs").join(file);
    let look = || {
        let mut command = glasspoll();
        command.args(["doctor", "--"]).arg(program::path(interpreter)).arg(&script).args(seconds);
        run(&mut command, LIMIT)
    };
    let mut tries = (0..5).map(|_| look());
    let output = tries.find(|output| names(output, class)).unwrap_or_else(look);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(names(&output, class), "{output:?}");
    assert!(output.stdout.contains(said), "{output:?}");
}

/// Checks that the doctor finds the same in a program that was started without the library.
fn attached(interpreter: &str, file: &str, length: &str, class: &str, said: &str) {
    if !program::have(&[interpreter]) {
        return;
    }
    let _turn = turn::take();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs").join(file);
    let mut command = clean_command(program::path(interpreter));
    let mut sick = Ended(command.arg(script).arg(length).spawn().expect("it starts"));
    eventually("it has an epoll", LIMIT, || processes::kernel_epolls(sick.0.id()) > 0);
    let pid = sick.0.id().to_string();
    let output = run(glasspoll().args(["doctor", "--attach", &pid, "--for", "5s"]), LIMIT);
    assert_eq!(sick.0.try_wait().expect("it can be asked"), None, "the program has ended: {output:?}");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(names(&output, class), "{output:?}");
    assert!(output.stdout.contains(said), "{output:?}");
}

/// A program that ends with the test.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn the_same_is_found_in_programs_that_run_already() {
    attached("python3", "story_spins.py", "300", "error: hang-up spin: fd ", "read as 0 each time");
    attached(
        "node",
        "story_slow.js",
        "1000",
        "warning: slow callback: fd ",
        "ms between delivery and the next wait",
    );
    attached(
        "python3",
        "story_never_removed.py",
        "300",
        "error: closed while a dup lives on: fd ",
        "its file lives as fd ",
    );
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
