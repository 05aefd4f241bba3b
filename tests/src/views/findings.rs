//! The doctor's findings, as JSON.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::command::glasspoll;

/// The doctor has the program run on our epoll.
pub const EMULATE: &str = "--emulate";
/// The doctor observes it on the kernel's.
pub const OBSERVE: &str = "--observe";

/// The doctor's command for a program on glasspoll's epoll, or on the kernel's; the findings go to `file`.
pub fn doctor(engine: &str, file: &Path, program: &[&str]) -> Command {
    let mut command = glasspoll();
    command.args(["doctor", engine, "--json", "-o"]).arg(file).arg("--").args(program);
    command
}

/// The findings in a file, after a check that it has the documented keys.
///
/// # Panics
/// If it does not.
pub fn findings(file: &Path) -> Vec<Value> {
    let text = fs::read_to_string(file).expect("the doctor writes it");
    let all: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
    for key in
        ["events", "seconds", "lost_blocks", "gaps", "torn", "processes", "program", "notes", "ignored"]
    {
        assert!(!all[key].is_null(), "{key}: {text}");
    }
    let findings = all["findings"].as_array().expect("a list").clone();
    for finding in &findings {
        let number = |key: &str| finding[key].as_f64().unwrap_or_else(|| panic!("{key}: {finding:#}"));
        assert!(number("first_s") <= number("last_s"), "{finding:#}");
        assert!(number("count") >= 1.0 && number("pid") > 1.0, "{finding:#}");
        let evidence = finding["evidence"].as_array().expect("a list");
        assert!(!evidence.is_empty(), "{finding:#}");
        for key in ["name", "title", "advice"] {
            assert!(finding[key].as_str().is_some_and(|text| !text.is_empty()), "{key}: {finding:#}");
        }
    }
    findings
}
