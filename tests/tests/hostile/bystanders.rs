//! Programs that never call epoll do not notice that glasspoll is loaded.

use glasspoll_tests::run::run;
use glasspoll_tests::run::LIMIT;
use glasspoll_tests::strace::{self, CLONES};
use glasspoll_tests::{program, Mode, Output};
use std::path::Path;

fn run_in(dir: &Path, mode: Mode, arguments: &[String]) -> Output {
    let mut command = mode.command(&arguments[0]);
    run(command.args(&arguments[1..]).current_dir(dir), LIMIT)
}

/// How many processes and threads it starts.
fn clones(dir: &Path, mode: Mode, arguments: &[String]) -> usize {
    let log = tempfile::NamedTempFile::new().expect("a scratch file");
    let mut command = strace::command(mode, CLONES, log.path(), arguments);
    run(command.current_dir(dir), LIMIT);
    strace::calls(log.path()).len()
}

/// The output and the exit status are the same, and so are the numbers of processes and threads.
fn check_same(dir: &Path, line: &[&str]) {
    let mut arguments: Vec<String> = line.iter().map(|word| (*word).to_owned()).collect();
    arguments[0] = program::path(line[0]).to_str().expect("UTF-8").to_owned();
    let native = run_in(dir, Mode::Native, &arguments);
    let preloaded = run_in(dir, Mode::Preloaded, &arguments);
    assert_eq!(native, preloaded, "{line:?}");
    let native = clones(dir, Mode::Native, &arguments);
    let preloaded = clones(dir, Mode::Preloaded, &arguments);
    assert_eq!(native, preloaded, "processes and threads of {line:?}");
}

#[test]
fn ls_and_bash_do_not_notice() {
    if !program::have(&["ls", "bash", "strace"]) {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    check_same(dir.path(), &["ls", "-l", "/usr"]);
    check_same(dir.path(), &["ls", "/does/not/exist"]);
    check_same(dir.path(), &["bash", "-c", "true"]);
    check_same(dir.path(), &["bash", "-c", "echo out; echo err >&2; exit 3"]);
    check_same(dir.path(), &["bash", "-c", "ls /usr | sort -r | (read a; echo $a)"]);
    check_same(dir.path(), &["bash", "-c", "kill -TERM $$"]);
}

#[test]
fn python_does_not_notice() {
    if !program::have(&["python3", "strace"]) {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let run_ls = "import subprocess; print(subprocess.check_output(['ls', '/usr']))";
    let thread = "import threading; t = threading.Thread(target=print); t.start(); t.join()";
    let select = "import os, select; r, w = os.pipe(); print(select.select([r], [w], [], 0))";
    for script in ["pass", "raise SystemExit(7)", "1/0", run_ls, thread, select] {
        check_same(dir.path(), &["python3", "-c", script]);
    }
}

#[test]
fn git_does_not_notice() {
    if !program::may_have(&["git"]) || !program::have(&["strace"]) {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    check_same(dir.path(), &["git", "--version"]);
    check_same(dir.path(), &["git", "status"]);
    let mut init = Mode::Native.command(program::path("git"));
    run(init.args(["init", "-q"]).current_dir(dir.path()), LIMIT).success();
    check_same(dir.path(), &["git", "status"]);
}
