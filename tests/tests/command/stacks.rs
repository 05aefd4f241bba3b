//! Which code: a finding tells which code added its descriptor to the set.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::Command;

use glasspoll_tests::command::glasspoll;
use glasspoll_tests::documents::root;
use glasspoll_tests::mode::clean_command;
use glasspoll_tests::program;
use glasspoll_tests::run::{eventually, run, LIMIT};
use serde_json::Value;

/// The program, three functions deep and without frame pointers, compiled with these options.
fn compile(dir: &Path, options: &[&str]) {
    let mut command = clean_command(program::path("gcc"));
    command.arg(root().join("tests/tests/programs/stacks/adds.c"));
    command.args(["-O2", "-fomit-frame-pointer", "-o", "adds"]).args(options);
    run(command.current_dir(dir), LIMIT).success();
}

fn doctor(dir: &Path, arguments: &[&str]) -> Vec<Value> {
    let mut command = glasspoll();
    let output = run(command.args(["doctor", "--json"]).args(arguments).current_dir(dir), LIMIT);
    let all: Value =
        serde_json::from_str(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"));
    all["findings"].as_array().expect("a list").clone()
}

/// The functions and lines of the code of the finding about what is never read.
fn code(findings: &[Value]) -> Vec<(String, u64)> {
    let finding = findings.iter().find(|finding| finding["id"] == "ready-and-not-dealt-with");
    let finding = finding.unwrap_or_else(|| panic!("{findings:#?}"));
    let frames = finding["code"][0]["frames"].as_array().unwrap_or_else(|| panic!("no code: {finding:#}"));
    let text = |frame: &Value| frame["function"].as_str().unwrap_or_default().to_owned();
    frames.iter().map(|frame| (text(frame), frame["line"].as_u64().unwrap_or(0))).collect()
}

const FUNCTIONS: [(&str, u64); 4] = [("register_it", 18), ("open_wakeup", 26), ("set_up", 33), ("main", 40)];

fn check(found: &[(String, u64)]) {
    let found: Vec<(&str, u64)> = found.iter().map(|(name, line)| (name.as_str(), *line)).collect();
    assert_eq!(found, FUNCTIONS);
}

#[test]
fn a_finding_names_function_and_line_without_frame_pointers() {
    if !program::have(&["gcc"]) {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    compile(dir.path(), &["-g"]);
    for engine in ["--observe", "--emulate"] {
        check(&code(&doctor(dir.path(), &[engine, "--", "./adds", "600"])));
    }
    // The item is gone, and its stack is known.
    check(&code(&doctor(dir.path(), &["--", "./adds", "600", "close"])));
    let none = doctor(dir.path(), &["--no-stacks", "--", "./adds", "600"]);
    assert!(none.iter().all(|finding| finding["code"] == Value::Array(Vec::new())), "{none:#?}");
    // As text, and for code hosts.
    let mut command = glasspoll();
    let output = run(command.args(["doctor", "--", "./adds", "600"]).current_dir(dir.path()), LIMIT);
    assert!(output.stdout.contains(" was added by\n    register_it ("), "{output:?}");
    let mut command = glasspoll();
    let output =
        run(command.args(["doctor", "--sarif", "--", "./adds", "600"]).current_dir(dir.path()), LIMIT);
    assert!(output.stdout.contains("\"startLine\": 18"), "{output:?}");
}

#[test]
fn a_program_whose_path_is_not_utf8_has_its_code_too() {
    if !program::have(&["gcc"]) {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let folder = dir.path().join(OsStr::from_bytes(b"caf\xe9"));
    fs::create_dir(&folder).expect("a folder");
    compile(&folder, &["-g"]);
    check(&code(&doctor(&folder, &["--", "./adds", "600"])));
    let mut command = glasspoll();
    command.args(["run", "--stacks", "-o", "record", "--", "./adds", "600"]);
    run(command.current_dir(&folder), LIMIT).success();
    check(&code(&doctor(&folder, &["record"])));
}

#[test]
fn a_record_has_the_code_too() {
    if !program::have(&["gcc"]) {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    compile(dir.path(), &["-g"]);
    let mut command = glasspoll();
    command.args(["run", "--stacks", "-o", "record", "--", "./adds", "600", "close"]);
    run(command.current_dir(dir.path()), LIMIT).success();
    check(&code(&doctor(dir.path(), &["record"])));
}

#[test]
fn a_running_process_has_the_code_too() {
    if !program::have(&["gcc"]) {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    compile(dir.path(), &["-g"]);
    let mut command: Command = glasspoll();
    command.args(["run", "--stacks", "--", "./adds", "60000"]).current_dir(dir.path());
    let mut program = command.spawn().expect("it starts");
    // `run` becomes the program.
    let pid = program.id().to_string();
    let path = dir.path().to_owned();
    eventually("it has a record", LIMIT, || {
        run(glasspoll().args(["dump", &pid]).current_dir(&path), LIMIT).status.success()
    });
    let found = doctor(dir.path(), &["-s", "2", &pid]);
    let mut record = glasspoll();
    run(record.args(["record", &pid, "-o", "record"]).current_dir(dir.path()), LIMIT).success();
    program.kill().expect("it runs");
    program.wait().expect("it ends");
    check(&code(&found));
    check(&code(&doctor(dir.path(), &["record"])));
}

#[test]
fn a_program_without_symbols_has_module_and_offset() {
    if !program::have(&["gcc"]) {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    compile(dir.path(), &["-s"]);
    let mut command = glasspoll();
    let output = run(command.args(["doctor", "--", "./adds", "600"]).current_dir(dir.path()), LIMIT);
    let lines: Vec<&str> =
        output.stdout.lines().skip_while(|line| !line.ends_with(" was added by")).skip(1).take(4).collect();
    assert_eq!(lines.len(), 4, "{output:?}");
    assert!(lines.iter().all(|line| line.starts_with("    adds+0x")), "{output:?}");
}

#[test]
fn a_rebuilt_program_is_not_read_for_an_older_record() {
    if !program::have(&["gcc"]) {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let build_id = |id: &str| format!("-Wl,--build-id=0x{id}");
    compile(dir.path(), &["-g", &build_id("aaaaaaaaaaaaaaaa")]);
    let mut command = glasspoll();
    command.args(["run", "--stacks", "-o", "record", "--", "./adds", "600"]);
    run(command.current_dir(dir.path()), LIMIT).success();
    compile(dir.path(), &["-g", &build_id("bbbbbbbbbbbbbbbb")]);
    let found = code(&doctor(dir.path(), &["record"]));
    assert!(found.iter().all(|(name, line)| name.is_empty() && *line == 0), "{found:?}");
}
