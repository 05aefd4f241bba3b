//! Event loops of other languages: python's asyncio and selectors, node's libuv.

use glasspoll_tests::run::run;
use glasspoll_tests::{in_both_modes, program};
use std::fs;
use std::time::Duration;

/// Runs `script`, which prints `ok` when all went well and nothing else.
fn check_script(interpreter: &str, name: &str, script: &str) {
    in_both_modes(|mode| {
        let dir = tempfile::tempdir().expect("a directory");
        fs::write(dir.path().join(name), script).expect("the test's own directory");
        let mut command = mode.command(program::path(interpreter));
        command.arg(name).current_dir(dir.path());
        let output = run(&mut command, Duration::from_secs(60));
        assert_eq!(output.stderr, "", "{output:?}");
        assert_eq!(output.success(), "ok\n");
    });
}

#[test]
fn python_asyncio_echoes() {
    if program::have(&["python3"]) {
        check_script("python3", "echo.py", include_str!("programs/asyncio_echo.py"));
    }
}

#[test]
fn python_asyncio_runs_subprocesses() {
    if program::have(&["python3"]) {
        let script = include_str!("programs/asyncio_subprocess.py");
        check_script("python3", "subprocess_.py", script);
    }
}

#[test]
fn python_selectors_report_what_is_ready() {
    if program::have(&["python3"]) {
        let script = include_str!("programs/selectors_pairs.py");
        check_script("python3", "pairs.py", script);
    }
}

#[test]
fn node_serves_http_and_runs_children() {
    if program::may_have(&["node"]) {
        check_script("node", "http.js", include_str!("programs/node_http.js"));
    }
}
