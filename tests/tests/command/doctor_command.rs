//! `glasspoll doctor` as a command: its exit status, its options, which processes it looks at, and what it says of
//! them beside the findings.

use glasspoll_tests::command::{glasspoll, glasspoll_with};
use glasspoll_tests::run::LIMIT;
use glasspoll_tests::run::{eventually, run};
use glasspoll_tests::{program, Output, Server};
use serde_json::Value;
use std::fs;

const BUGS: &str = env!("CARGO_BIN_EXE_bugs");

/// The path of a script of the tests.
fn script(name: &str) -> String {
    format!("{}/tests/programs/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// A program in Python that waits once, and then does something.
fn waits_and(then: &str) -> String {
    format!("import os, select; select.epoll().poll(0.001); {then}")
}

/// The doctor's output and its JSON, for a program.
fn examine(options: &[&str], program: &[&str]) -> (Output, Value) {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("findings");
    let mut command = glasspoll();
    command.args(["doctor", "--json", "-o"]).arg(&file).args(options).arg("--").args(program);
    let output = run(&mut command, LIMIT);
    let text = fs::read_to_string(file).unwrap_or_else(|error| panic!("{error}: {output:?}"));
    (output, serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}")))
}

fn notes(all: &Value) -> String {
    let notes = all["notes"].as_array().expect("a list").iter();
    notes.map(|note| note.as_str().expect("words")).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_exit_status_is_the_programs_own_unless_there_are_findings() {
    if !program::have(&["python3"]) {
        return;
    }
    for (then, code, status, signal) in [
        ("os._exit(0)", 0, Some(0), None),
        ("os._exit(7)", 7, Some(7), None),
        ("os.kill(os.getpid(), 11)", 139, None, Some(11)),
        ("os.kill(os.getpid(), 9)", 137, None, Some(9)),
    ] {
        let text = waits_and(then);
        let (output, all) = examine(&[], &["python3", "-c", &text]);
        assert_eq!(output.status.code(), Some(code), "{then}: {output:?}");
        assert_eq!(output.stderr, "", "{then}");
        assert_eq!(all["findings"].as_array().map(Vec::len), Some(0), "{all:#}");
        let program = &all["program"];
        assert_eq!(program["status"].as_i64(), status, "{all:#}");
        assert_eq!(program["signal"].as_i64(), signal, "{all:#}");
        assert_eq!(program["exit"].as_i64(), Some(code.into()), "{all:#}");
        assert!(all["processes"].as_array().is_some_and(|all| all.len() == 1), "{all:#}");
    }
    let text = waits_and("os.kill(os.getpid(), 11)");
    let output = glasspoll_with(&["doctor", "--", "python3", "-c", &text]);
    assert_eq!(output.status.code(), Some(139), "{output:?}");
    assert!(
        output.stdout.starts_with("observed: ") && output.stdout.contains("\nno findings in "),
        "{output:?}"
    );
    assert!(output.stdout.ends_with("; SIGSEGV ended the program: status 139\n"), "{output:?}");
}

#[test]
fn a_program_that_uses_no_epoll_is_no_error() {
    for (then, code, words) in [
        ("exit 7", 7, "the program exited with status 7"),
        ("kill -SEGV $$", 139, "SIGSEGV ended the program: status 139"),
        ("true", 0, "the program exited with status 0"),
    ] {
        let output = glasspoll_with(&["doctor", "--", "sh", "-c", then]);
        assert_eq!((output.status.code(), &*output.stdout), (Some(code), ""), "{output:?}");
        assert_eq!(output.stderr.lines().count(), 1, "{output:?}");
        assert!(output.stderr.starts_with("glasspoll: nothing was recorded: "), "{output:?}");
        assert!(output.stderr.contains(words), "{output:?}");
        let (output, all) = examine(&[], &["sh", "-c", then]);
        assert_eq!((output.status.code(), &*output.stderr), (Some(code), ""), "{output:?}");
        assert!(notes(&all).starts_with("nothing was recorded: "), "{all:#}");
    }
}

#[test]
fn a_program_that_cannot_be_run_has_the_status_that_env_gives_it() {
    for (program, code) in [("/no/such/program", 127), ("/dev/null", 126)] {
        let output = glasspoll_with(&["doctor", "--", program]);
        assert_eq!((output.status.code(), &*output.stdout), (Some(code), ""), "{output:?}");
        assert!(output.stderr.contains(program) && output.stderr.lines().count() == 1, "{output:?}");
    }
}

#[test]
fn findings_fail_from_a_severity_on_and_can_be_ignored() {
    // A warning.
    let (output, all) = examine(&[], &[BUGS, "13"]);
    assert_eq!((output.status.code(), all["findings"][0]["severity"].as_str()), (Some(1), Some("warning")));
    assert_eq!(all["findings"][0]["id"], "regular-file-in-the-set");
    let fd = all["findings"][0]["fds"][0].as_i64().expect("a descriptor");
    for (options, code, ignored) in [
        (&["--fail-on", "warning"][..], 1, 0),
        (&["--fail-on", "error"], 0, 0),
        (&["--ignore", "regular-file-in-the-set"], 0, 1),
        (&["--ignore", "13"], 0, 1),
        (&["--ignore", "double-close", "--ignore", "hang-up-spin"], 1, 0),
        (&["--ignore", &format!("regular-file-in-the-set:{fd}")], 0, 1),
        (&["--ignore", &format!("regular-file-in-the-set:{}", fd + 1)], 1, 0),
    ] {
        let (output, all) = examine(options, &[BUGS, "13"]);
        assert_eq!(output.status.code(), Some(code), "{options:?}: {all:#}");
        assert_eq!(all["ignored"].as_i64(), Some(ignored), "{options:?}: {all:#}");
        assert_eq!(all["findings"].as_array().map(Vec::len), Some(1 - ignored as usize), "{options:?}");
    }
    for options in [&["--fail-on", "death"][..], &["--ignore", "nothing"], &["--ignore", "double-close:x"]] {
        let output = run(glasspoll().arg("doctor").args(options).args(["--", "true"]), LIMIT);
        assert_eq!(output.status.code(), Some(2), "{output:?}");
    }
}

#[test]
fn each_kind_of_finding_is_explained() {
    let page = glasspoll_with(&["doctor", "--explain", "hang-up-spin"]).success();
    assert!(page.starts_with("## 3. Hang-up spin\n") && page.contains("**What to do**"), "{page}");
    assert!(!page.contains("## 4."), "{page}");
    assert_eq!(glasspoll_with(&["doctor", "--explain", "3"]).success(), page);
    let output = glasspoll_with(&["doctor", "--explain", "something"]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(output.stderr.contains("slow-callback, double-close"), "{output:?}");
}

#[test]
fn findings_are_printed_as_sarif() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("findings");
    let mut command = glasspoll();
    command.args(["doctor", "--sarif", "-o"]).arg(&file).args(["--", BUGS, "13"]);
    assert_eq!(run(&mut command, LIMIT).status.code(), Some(1));
    let text = fs::read_to_string(file).expect("it is written");
    let all: Value = serde_json::from_str(&text).expect("JSON");
    let result = &all["runs"][0]["results"][0];
    assert_eq!(
        (all["version"].as_str(), result["level"].as_str()),
        (Some("2.1.0"), Some("warning")),
        "{text}"
    );
    assert_eq!(result["ruleId"], "regular-file-in-the-set", "{text}");
    assert!(result["message"]["text"].as_str().is_some_and(|text| text.contains("EPERM")), "{text}");
}

#[test]
fn a_program_behind_a_launcher_that_clears_the_environment_is_found() {
    if !program::have(&["python3"]) {
        return;
    }
    let (output, all) = examine(&[], &["python3", &script("clear_environment.py")]);
    assert_eq!((output.status.code(), &*output.stdout), (Some(7), "300 events\n"), "{output:?}");
    let (notes, processes) = (notes(&all), all["processes"].as_array().expect("a list"));
    assert!(notes.contains("its environment was cleared all but LD_PRELOAD"), "{all:#}");
    assert!(notes.ends_with("; without our settings it runs on glasspoll's own epoll"), "{all:#}");
    assert!(processes.len() == 1 && all["events"].as_u64() > Some(1_000), "{all:#}");
}

/// dovecot starts its services so.
#[test]
fn a_child_whose_environment_was_cleared_whole_is_said_to_lie_outside() {
    if !program::have(&["python3"]) {
        return;
    }
    let child = "import select, time; ep = select.epoll(); ep.poll(1.5)";
    let parent = format!(
        "import select, subprocess, sys\nep = select.epoll()\nsys.exit(subprocess.run([sys.executable, '-c', '{child}'], env={{}}).returncode)"
    );
    let (output, all) = examine(&[], &["python3", "-c", &parent]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let notes = notes(&all);
    assert!(
        notes.contains("outside, and not judged: ") && notes.contains("(python3): glasspoll doctor --attach"),
        "{all:#}"
    );
}

#[test]
fn a_daemon_is_said_to_live_on() {
    if !program::have(&["python3"]) {
        return;
    }
    // The child between the program and its daemon may be the one that is named: it ends a moment later.
    let looked = (0..5).find_map(|_| {
        let (output, all) = examine(&[], &["python3", &script("daemon.py"), "20"]);
        assert_eq!(output.status.code(), Some(3), "{output:?}");
        let notes = notes(&all);
        let (_, pid) = notes.rsplit_once(": glasspoll doctor ").unwrap_or_else(|| panic!("{all:#}"));
        assert!(notes.contains(&format!("process {pid} (python3) lives on")), "{notes}");
        let output = glasspoll_with(&["doctor", "-s", "0.2", pid]);
        // SAFETY: kill takes numbers alone.
        unsafe { libc::kill(pid.parse().expect("a number"), libc::SIGKILL) };
        (output.status.code() != Some(125)).then_some(output)
    });
    assert_eq!(looked.as_ref().and_then(|output| output.status.code()), Some(0), "{looked:?}");
}

#[test]
fn a_running_process_is_looked_at_with_its_children() {
    if !program::have(&["python3"]) {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let mut command = glasspoll();
    command.args(["run", "--observe", "--", "python3", &script("spinning_child.py")]);
    let server = Server::spawn(command, dir.path(), 0);
    eventually("the child spins", LIMIT, || server.stdout().contains("spins"));
    let pid = server.pid().to_string();
    let output = glasspoll_with(&["doctor", "-s", "2", &pid]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(output.stdout.contains(": hang-up spin: fd "), "{output:?}");
    assert!(output.stdout.contains(&format!("process {pid}: ")), "its parent has no record: {output:?}");
    assert!(output.stdout.contains(" is pipe (reading)"), "{output:?}");
    assert!(output.stdout.contains("now: poll(2) says HUP"), "{output:?}");
    assert!(output.stdout.contains(", looked at for 2."), "{output:?}");
    let output = glasspoll_with(&["doctor", "--no-children", &pid]);
    assert_eq!((output.status.code(), &*output.stdout), (Some(125), ""), "{output:?}");
    assert!(output.stderr.contains("it has made no epoll instance yet"), "{output:?}");
}

#[test]
fn a_look_at_a_process_that_does_nothing_says_how_long_it_took() {
    if !program::have(&["python3"]) {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let mut command = glasspoll();
    let text = "import select; ep = select.epoll(); print('ready', flush=True); ep.poll()";
    command.args(["run", "--", "python3", "-c", text]);
    let server = Server::spawn(command, dir.path(), 0);
    eventually("it waits", LIMIT, || server.stdout().contains("ready"));
    let output = glasspoll_with(&["doctor", "--json", "-s", "1", &server.pid().to_string()]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let all: Value = serde_json::from_str(&output.stdout).expect("JSON");
    for key in ["seconds", "looked_s"] {
        assert!(all[key].as_f64() >= Some(1.0), "{key}: {all:#}");
    }
    assert!(all["program"].is_null(), "{all:#}");
}

#[test]
fn the_process_that_holds_a_file_is_named_and_what_waits_in_it() {
    if !program::have(&["python3"]) {
        return;
    }
    let (output, all) = examine(&[], &["python3", &script("held_by_child.py"), "3"]);
    let child = output.stdout.trim();
    let found = &all["findings"][0];
    assert_eq!(found["id"], "closed-while-a-dup-lives-on", "{all:#}");
    let evidence = found["evidence"].to_string();
    assert!(evidence.contains(&format!("held by process {child} (python3) as fd ")), "{all:#}");
    assert!(found["unknown"].is_null(), "{all:#}");
    // The file lives as another descriptor of the process, which has 2,900 bytes for its reader.
    let (_, all) = examine(&["--emulate"], &["python3", &script("story_never_removed.py"), "2"]);
    let evidence = all["findings"][0]["evidence"].to_string();
    assert!(evidence.contains("B unread, and the record has no read of it, poll(2) says IN"), "{all:#}");
    assert!(evidence.contains("no other process that can be looked into holds its file"), "{all:#}");
}

/// The findings in a process that has been stuck for longer than its ring remembers: class and fd.
fn stuck(how: &str) -> (Vec<(u64, i64)>, Vec<i64>, Output) {
    let dir = tempfile::tempdir().expect("a directory");
    let mut command = glasspoll();
    command.args(["run", "--observe", "--ring", "16K", "--", "python3", &script("stuck.py"), "30", how]);
    let server = Server::spawn(command, dir.path(), 0);
    eventually("it is stuck", LIMIT, || server.stdout().contains("stuck"));
    let output = glasspoll_with(&["doctor", "--json", "-s", "2", &server.pid().to_string()]);
    let all: Value =
        serde_json::from_str(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"));
    let about = |finding: &Value| Some((finding["class"].as_u64()?, finding["fds"][0].as_i64()?));
    let found = all["findings"].as_array().expect("a list").iter().filter_map(about);
    // A busy machine makes callbacks slow.
    let found = found.filter(|(class, _)| *class != 16).collect();
    let fds = server.stdout().split_whitespace().filter_map(|fd| fd.parse().ok()).collect();
    (found, fds, output)
}

#[test]
fn what_has_been_stuck_for_longer_than_the_ring_remembers_is_found() {
    if !program::have(&["python3"]) {
        return;
    }
    let (mut found, fds, output) = stuck("bug");
    found.sort_unstable();
    assert_eq!(found, [(2, fds[0]), (5, fds[1]), (19, fds[2])], "{output:?}");
    assert!(output.stdout.contains("(all of 100 B), 2,900 B unread"), "{output:?}");
    for how in ["fixed", "paused"] {
        let (found, _, output) = stuck(how);
        assert_eq!(found, [], "{how}: {output:?}");
    }
}

/// What waits in a file of each kind, and which process is at its other end, in the evidence of a finding.
#[test]
fn what_waits_in_each_kind_of_file_is_told() {
    if !program::have(&["python3"]) {
        return;
    }
    const KINDS: [(&str, &str, bool); 13] = [
        ("tcp", "2,900 B unread, and the record has no read of it", true),
        ("listener", "1 of 8 connections", false),
        ("udp", " B of memory unread, ", false),
        ("stream", "2,900 B unread", true),
        ("dgram", "290 B unread", true),
        ("seqpacket", "290 B unread", true),
        ("pipe", "2,900 B unread, and the record has no read of it, poll(2) says IN", true),
        ("eventfd", "count 7", false),
        ("timerfd", " expiration", false),
        ("signalfd", "pending: USR1", false),
        ("inotify", " B unread, ", false),
        ("pty", "29 B unread", false),
        ("netlink", " B of memory unread", false),
    ];
    let script = script("waiting.py");
    for (kind, words, has_peer) in KINDS {
        let dir = tempfile::tempdir().expect("a directory");
        let mut command = glasspoll();
        command.args(["run", "--observe", "--", "python3", &script, kind, "600"]);
        let server = Server::spawn(command, dir.path(), 0);
        eventually("it spins", LIMIT, || server.stdout().contains('\n'));
        let numbers = server.stdout();
        let (fd, peer) = numbers.trim().split_once(' ').expect("a descriptor and a process");
        let output = glasspoll_with(&["doctor", "-s", "0.6", &server.pid().to_string()]);
        assert!(output.stdout.contains(": ready and not dealt with: fd "), "{kind}: {output:?}");
        let start = format!("  fd {fd}, now: ");
        let is_told =
            |words: &str| output.stdout.lines().any(|line| line.starts_with(&start) && line.contains(words));
        assert!(is_told(words), "{kind}: {output:?}");
        let at_the_other_end = format!("at the other end is process {peer} (python3) as fd ");
        assert_eq!(is_told(&at_the_other_end), has_peer, "{kind}: {output:?}");
    }
}

#[test]
fn a_listener_that_defers_its_accepts_loses_nothing() {
    if !program::have(&["python3"]) {
        return;
    }
    let (output, all) = examine(&["--ignore", "slow-callback"], &["python3", &script("deferred.py")]);
    assert_eq!(output.stdout.trim(), "60", "{all:#}");
    assert_eq!(all["findings"].as_array().map(Vec::len), Some(0), "{all:#}");
}
