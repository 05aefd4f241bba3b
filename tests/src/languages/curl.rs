//! curl as a client: many downloads at a time, judged byte for byte.

use crate::mode::clean_command;
use crate::program;
use crate::run::run;
use crate::run::LIMIT;
use std::fs;

/// `length` bytes to download; no two parts are alike.
pub fn body(length: u32) -> Vec<u8> {
    (0..length).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

/// Downloads `url` `count` times, ten at a time, and checks that `wanted` came each time.
pub fn check_downloads(url: &str, count: usize, wanted: &[u8], options: &[&str]) {
    let dir = tempfile::tempdir().expect("a directory");
    let mut command = clean_command(program::path("curl"));
    command.args(["--silent", "--show-error", "--fail", "--max-time", "600"]);
    command.args(["--no-progress-meter", "--parallel", "--parallel-max", "10"]).args(options);
    // The part after # is curl's counter, and is never sent.
    command.arg("--output").arg(dir.path().join("#1")).arg(format!("{url}#[1-{count}]"));
    let output = run(&mut command, LIMIT);
    assert_eq!(output.stderr, "", "curl's stderr");
    output.success();
    for number in 1..=count {
        let came = fs::read(dir.path().join(number.to_string())).expect("curl writes it");
        assert!(came == wanted, "download {number} of {url}: {} bytes, not as wanted", came.len());
    }
}

/// The body of `url`, downloaded with further `options` for curl.
pub fn get(url: &str, options: &[&str]) -> String {
    let mut command = clean_command(program::path("curl"));
    command.args(["--silent", "--show-error", "--fail", "--max-time", "600"]).args(options).arg(url);
    run(&mut command, LIMIT).success()
}
