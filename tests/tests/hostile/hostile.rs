//! The command looks into processes that lie: the files of another process, and its name, are only bytes. No process
//! makes the command wait or use up memory, and none makes it write control characters to a terminal or markup to a
//! page.

use glasspoll_tests::run::LIMIT;
use std::path::Path;
use std::process::Command;

use glasspoll_tests::command::{glasspoll, path};
use glasspoll_tests::mode::{clean_command, library};
use glasspoll_tests::run::{eventually, run, start, Running};
use glasspoll_tests::{program, Mode, Output};

/// How much the command may use when it looks into a process, in KiB of address space.
const MEMORY: u32 = 700_000;

/// A process that lies, and its pid; None if it cannot run here.
fn liar(mode: Mode, kind: &str, dir: &Path) -> Option<(Running, u32)> {
    let script = dir.join("hostile.py");
    std::fs::write(&script, include_str!("../programs/hostile.py")).expect("the test's own directory");
    // The shell prints the pid. The script's input is a FIFO.
    let mut command = mode.command(program::path("sh"));
    let text = "echo $$; exec python3 \"$0\" \"$1\" < \"$2\"";
    let fifo = dir.join("input");
    run(clean_command(program::path("mkfifo")).arg(&fifo), LIMIT).success();
    command.args(["-c", text]).arg(&script).arg(kind).arg(&fifo).env("EVIL_DIR", dir);
    let mut running = start(&mut command, "");
    // Opened for reading and writing, so that the open does not block and the input does not end.
    let held = std::fs::File::options().read(true).write(true).open(&fifo).expect("a FIFO of ours");
    std::mem::forget(held);
    eventually("it lies", LIMIT, || running.stdout_so_far().contains("ready") || !running.is_running());
    let stdout = running.stdout_so_far();
    if !stdout.contains("ready") {
        return None;
    }
    let pid = stdout.lines().next().and_then(|line| line.parse().ok()).expect("its id");
    Some((running, pid))
}

/// The command, with little memory.
fn poor(arguments: &[&str]) -> Output {
    let mut command = clean_command(program::path("sh"));
    let text = format!("ulimit -v {MEMORY}; exec \"$0\" \"$@\"");
    command.arg("-c").arg(text).arg(path()).args(arguments).env("GLASSPOLL_LIB", library());
    run(&mut command, LIMIT)
}

/// The doctor's output, with or without findings.
fn diagnosed(arguments: &[&str]) -> String {
    let output = poor(arguments);
    assert!(matches!(output.status.code(), Some(0 | 1)) && !output.stdout.is_empty(), "{output:?}");
    output.stdout
}

/// Checks that the text contains nothing that controls a terminal.
fn is_plain(text: &str) {
    let bad = text.chars().find(|c| c.is_control() && *c != '\n' || *c == '\u{202e}');
    assert_eq!(bad, None, "{text:?}");
}

#[test]
fn what_only_looks_like_a_record_is_refused_at_once() {
    if !program::have(&["python3", "mkfifo"]) {
        return;
    }
    for kind in ["unsealed", "small", "items", "version", "fifo"] {
        let dir = tempfile::tempdir().expect("a directory");
        let Some((liar, pid)) = liar(Mode::Native, kind, dir.path()) else {
            assert_eq!(kind, "fifo", "only that may be impossible");
            program::skip(&format!("{kind}: no namespace is to be had"));
            continue;
        };
        let (pid, file) = (pid.to_string(), dir.path().join("record").display().to_string());
        let commands: [&[&str]; 4] = [
            &["ls", &pid],
            &["dump", &pid],
            &["record", &pid, "-o", &file],
            &["doctor", "--seconds", "0.5", &pid],
        ];
        for command in commands {
            let output = poor(command);
            assert!(!output.status.success(), "{kind} {command:?}: {output:#?}");
            assert_eq!(output.stderr.lines().count(), 1, "{kind} {command:?}: {output:#?}");
            assert!(output.stderr.contains("record"), "{kind} {command:?}: {output:#?}");
        }
        assert!(!Path::new(&file).exists(), "{kind}");
        // The liar does not keep other processes from being listed either.
        poor(&["ls"]).success();
        drop(liar);
    }
}

#[test]
fn a_record_of_a_gigabyte_of_nothing_costs_nothing() {
    if !program::have(&["python3", "mkfifo"]) {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let (_liar, pid) = liar(Mode::Native, "sparse", dir.path()).expect("a memfd");
    let (pid, file) = (pid.to_string(), dir.path().join("record").display().to_string());
    poor(&["ls", &pid]).success();
    poor(&["dump", &pid]).success();
    poor(&["record", &pid, "-o", &file]).success();
    assert!(std::fs::metadata(&file).expect("a record").len() < 10 << 20);
}

#[test]
fn names_that_steer_terminals_and_pages_are_shown_as_text() {
    if !program::have(&["python3", "mkfifo"]) {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let (_liar, pid) = liar(Mode::Preloaded, "names", dir.path()).expect("it runs");
    let (pid, file) = (pid.to_string(), dir.path().join("record").display().to_string());
    let listed = poor(&["ls", &pid]).success();
    // The names are there, made harmless.
    assert!(listed.contains("\u{fffd}]0;owned\u{fffd}"), "{listed}");
    let printed = [
        listed,
        poor(&["ls"]).success(),
        poor(&["dump", &pid]).success(),
        poor(&["record", &pid, "-o", &file]).success(),
        diagnosed(&["doctor", &file]),
        diagnosed(&["doctor", "--seconds", "1", &pid]),
        poor(&["report", &file, "-o", "-"]).success(),
        poor(&["dump", &file]).success(),
    ];
    printed.iter().for_each(|text| is_plain(text));
    for json in [poor(&["ls", "--json", &pid]).success(), diagnosed(&["doctor", "--json", &file])] {
        serde_json::from_str::<serde_json::Value>(&json).expect("JSON");
        is_plain(&json.replace('\u{202e}', ""));
    }
    let dumped = poor(&["dump", "--json", &file]).success();
    assert!(dumped.lines().count() > 1000);
    dumped.lines().for_each(|line| drop(serde_json::from_str::<serde_json::Value>(line).expect("JSON")));
    for name in ["page.html", "trace.json"] {
        let made = dir.path().join(name);
        run(glasspoll().args(["report", &file, "-o"]).arg(&made), LIMIT).success();
        let text = std::fs::read_to_string(&made).expect("it was made");
        if name == "page.html" {
            assert!(text.contains("owned") && !text.contains("alert(1)</script>"));
            assert_eq!(text.matches("</script>").count(), 2);
        } else {
            serde_json::from_str::<serde_json::Value>(&text).expect("JSON");
        }
    }
    // A page is not written through a link, which another user may have made.
    let (victim, link) = (dir.path().join("victim"), dir.path().join("link.html"));
    std::fs::write(&victim, "precious").expect("the test's own directory");
    std::os::unix::fs::symlink(&victim, &link).expect("the test's own directory");
    run(glasspoll().args(["report", &file, "-o"]).arg(&link), LIMIT).success();
    assert_eq!(std::fs::read(&victim).expect("the test's own directory"), b"precious");
}

#[test]
fn a_summary_shows_such_names_as_text_too() {
    if !program::have(&["python3"]) {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let script = dir.path().join("hostile.py");
    std::fs::write(&script, include_str!("../programs/hostile.py")).expect("the test's own directory");
    let mut command: Command = glasspoll();
    command.args(["run", "-c", "--", "python3"]).arg(script).arg("names").env("EVIL_DIR", dir.path());
    let output = run(&mut command, LIMIT);
    assert!(output.status.success() && output.stderr.contains("\u{fffd}]0;owned\u{fffd}"), "{output:#?}");
    is_plain(&output.stderr);
}
