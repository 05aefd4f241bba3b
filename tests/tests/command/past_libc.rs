//! Programs that make their system calls without libc are on the kernel's epoll, and `scripts/run` says so. Other
//! programs do not notice that it watches.

use glasspoll_tests::mode::{clean_command, library};
use glasspoll_tests::run::run;
use glasspoll_tests::run::LIMIT;
use glasspoll_tests::{program, Output};
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;

const PROGRAM: &str = include_str!("../programs/past_libc.c");
const COMPLAINT: &str = "is on the kernel's epoll: it makes system calls without libc";

/// A command for `scripts/run` in `dir`.
fn script(dir: &Path) -> Command {
    let mut command = clean_command(concat!(env!("CARGO_MANIFEST_DIR"), "/../scripts/run"));
    command.env("GLASSPOLL_LIB", library()).current_dir(dir);
    command
}

fn run_in(dir: &Path, arguments: &[&str]) -> Output {
    run(script(dir).args(arguments), LIMIT)
}

/// Compiles `past_libc` in `dir`.
fn compile(dir: &Path, options: &[&str]) {
    fs::write(dir.join("past_libc.c"), PROGRAM).expect("the test's own directory");
    let mut command = clean_command(program::path("gcc"));
    command.args(["-O2", "-Wall", "-Werror", "-o", "past_libc", "past_libc.c"]);
    run(command.args(options).current_dir(dir), LIMIT).success();
}

/// Checks that one line names the program and a pid.
fn check_named(output: &Output) {
    assert_eq!(output.stdout, "waiting\n", "{output:?}");
    assert_eq!(output.stderr.lines().count(), 1, "{output:?}");
    assert!(output.stderr.starts_with("glasspoll: past_libc (pid "), "{output:?}");
    assert!(output.stderr.contains(COMPLAINT), "{output:?}");
}

#[test]
fn a_program_past_libc_is_named_and_keeps_its_status() {
    if !program::have(&["gcc"]) {
        return;
    }
    for options in [&[][..], &["-static"]] {
        let dir = tempfile::tempdir().expect("a directory");
        compile(dir.path(), options);
        let output = run_in(dir.path(), &["./past_libc", "4000", "7"]);
        check_named(&output);
        assert_eq!(output.status.code(), Some(7));
    }
}

#[test]
fn a_child_past_libc_is_named() {
    if !program::have(&["gcc"]) {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    compile(dir.path(), &["-static"]);
    let line = "(./past_libc 4000 0; exit 3); exit $?";
    let output = run_in(dir.path(), &["bash", "-c", line]);
    check_named(&output);
    assert_eq!(output.status.code(), Some(3));
}

#[test]
fn a_program_on_glasspoll_is_not_named() {
    if !program::have(&["python3"]) {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let lines = "; import time; time.sleep(2); print(ep.poll(0) == [(r, select.EPOLLIN)])";
    let text = format!("{}{lines}", include_str!("../programs/epoll_once.py").trim_end());
    let output = run_in(dir.path(), &["python3", "-c", &text]);
    assert_eq!(output.stderr, "");
    assert_eq!(output.success(), "ready\nTrue\n");
}

/// The program is the process that was started, with no child and no file that is not its own.
#[test]
fn a_program_finds_nothing_of_the_watch() {
    let dir = tempfile::tempdir().expect("a directory");
    let line =
        "sleep 0.3; read -r children </proc/$$/task/$$/children; echo \"$$ $children\"; ls /proc/self/fd";
    let arguments = ["bash", "-c", line];
    let mut native = clean_command("bash");
    let native = run(native.args(&arguments[1..]).current_dir(dir.path()), LIMIT).success();
    let mut command = script(dir.path());
    let child = command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped());
    let child = child.spawn().expect("scripts/run");
    let pid = child.id();
    let output = child.wait_with_output().expect("our child");
    let printed = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(output.status.success());
    assert_eq!(printed.lines().next(), Some(format!("{pid} ").as_str()), "{printed}");
    let files = |text: &str| text.lines().skip(1).count();
    assert_eq!(files(&printed), files(&native), "{printed}");
}

/// A caller that reads all the output before it asks for the status must not wait forever: a process that has ended
/// exists until its parent asks for the status.
#[test]
fn its_output_ends_with_the_program() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut command = script(dir.path());
    command.args(["bash", "-c", "sleep 0.5; kill -USR1 $$"]);
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || sender.send(command.output()));
    let output = receiver.recv_timeout(LIMIT).expect("an end of its output");
    let output = output.expect("scripts/run");
    assert_eq!(output.status.signal(), Some(libc::SIGUSR1));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}
