//! libcurl's multi_socket interface, driven by a program of ours with an epoll and a timerfd.

use glasspoll_tests::mode::clean_command;
use glasspoll_tests::run::run;
use glasspoll_tests::run::LIMIT;
use glasspoll_tests::{alike_in_both_modes, curl, nginx, program, seccomp, turn, Mode};
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Command;

/// The compiler for curl_multi.c, which lies in `dir`.
fn compiler(dir: &Path) -> Command {
    let mut command = clean_command(program::path("cc"));
    command.args(["-O1", "-Wall", "-Wextra", "-Werror", "-o", "curl_multi", "curl_multi.c", "-lcurl"]);
    command.current_dir(dir);
    command
}

/// Whether programs can be compiled with libcurl; says what is missing, like [`program::have`].
fn have_libcurl() -> bool {
    if !program::have(&["cc"]) {
        return false;
    }
    let mut include = tempfile::Builder::new().suffix(".c").tempfile().expect("a scratch file");
    include.write_all(b"#include <curl/curl.h>\n").expect("a scratch file");
    let mut command = clean_command(program::path("cc"));
    let found = run(command.arg("-fsyntax-only").arg(include.path()), LIMIT).status.success();
    found || program::have(&["curl/curl.h"])
}

/// For the name localhost, a thread resolves the address, and curl tries the IPv6 address, which is refused.
#[test]
fn curls_multi_interface_downloads_600_files() {
    if !program::have(&nginx::PROGRAMS) || !have_libcurl() {
        return;
    }
    let _turn = turn::take();
    let built = tempfile::tempdir().expect("a directory");
    let source = include_str!("../programs/curl_multi.c");
    fs::write(built.path().join("curl_multi.c"), source).expect("the test's own directory");
    run(&mut compiler(built.path()), LIMIT).success();
    let file = curl::body(200_000);
    let sum = file.iter().fold(0u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(*byte)));
    alike_in_both_modes(|mode| {
        let dir = tempfile::tempdir().expect("a directory");
        let server = nginx::start(Mode::Native, dir.path(), 1);
        fs::write(dir.path().join("html/file"), &file).expect("the test's own directory");
        let mut answers = Vec::new();
        for host in ["127.0.0.1", "localhost"] {
            let url = format!("http://{host}:{}/file", server.port);
            let mut command = seccomp::command(mode, built.path().join("curl_multi"));
            let output = run(command.args([&url, "300", "50"]), LIMIT);
            assert_eq!(output.stderr, "");
            let stdout = output.success();
            assert_eq!(stdout, format!("300 of 300 good\n200000 bytes, sum {sum}: 300\n"));
            answers.push(stdout);
        }
        answers
    });
}
