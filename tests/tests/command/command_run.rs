//! `glasspoll run`: the program runs as it does without, and its record is kept or summarized.

use glasspoll_tests::command::{self, events, glasspoll, glasspoll_with, of_kind};
use glasspoll_tests::mode::clean_command;
use glasspoll_tests::port::free_port;
use glasspoll_tests::run::LIMIT;
use glasspoll_tests::run::{eventually, run, run_with_input, start};
use glasspoll_tests::{nginx, program, redis, Output, Server};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Command;

/// The path of a script of the tests.
fn script(name: &str) -> String {
    format!("{}/tests/programs/{name}", env!("CARGO_MANIFEST_DIR"))
}

fn dir() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary directory")
}

/// `glasspoll run -o FILE --` and a Python script with its arguments.
fn recorded(file: &Path, name: &str, arguments: &[&str]) -> Command {
    let mut command = glasspoll();
    command.args(["run", "-o"]).arg(file).arg("--").arg(program::path("python3"));
    command.arg(script(name)).args(arguments);
    command
}

#[test]
fn status_and_streams_are_the_programs_own() {
    let dir = dir();
    let file = dir.path().join("record");
    let file = file.to_str().expect("a path in UTF-8");
    for options in [&[][..], &["-c"], &["-o", file], &["-c", "-o", file]] {
        let mut command = glasspoll();
        command.arg("run").args(options).args(["--", "sh", "-c", "cat; echo trouble >&2; exit 7"]);
        let output = run_with_input(&mut command, "some\0bytes\n", LIMIT);
        assert_eq!(output.status.code(), Some(7), "{output:?}");
        assert_eq!(output.stdout, "some\0bytes\n");
        assert!(output.stderr.starts_with("trouble\n"), "{output:?}");
    }
}

#[test]
fn a_death_by_a_signal_is_passed_on() {
    for options in [&[][..], &["-c"]] {
        for signal in [libc::SIGSEGV, libc::SIGKILL, libc::SIGTERM] {
            let mut command = glasspoll();
            command.arg("run").args(options).args(["--", "sh", "-c", &format!("kill -{signal} $$")]);
            let output = run(&mut command, LIMIT);
            assert_eq!(output.status.signal(), Some(signal), "{output:?}");
        }
    }
}

#[test]
fn a_caller_that_ignores_its_children_gets_the_status_too() {
    let mut command = clean_command("sh");
    command.env("GLASSPOLL_LIB", glasspoll_tests::mode::library());
    command.args(["-c", "trap '' CHLD HUP; exec \"$0\" run -c -- sh -c 'exit 7'"]).arg(command::path());
    assert_eq!(run(&mut command, LIMIT).status.code(), Some(7));
}

#[test]
fn what_cannot_be_run_has_the_status_that_env_gives() {
    for options in [&[][..], &["-c"]] {
        let run = |program: &str| {
            let mut arguments = vec!["run"];
            arguments.extend(options);
            arguments.extend(["--", program]);
            glasspoll_with(&arguments)
        };
        for (program, status) in [("/nowhere/at/all", 127), ("no-such-program", 127), ("/etc/passwd", 126)] {
            let output = run(program);
            assert_eq!(output.status.code(), Some(status), "{output:?}");
            assert_eq!(output.stderr.lines().count(), 1, "{output:?}");
            assert!(output.stderr.contains(program), "{output:?}");
        }
    }
    let output = run(glasspoll().args(["run", "--", "true"]).env("GLASSPOLL_LIB", "/nowhere"), LIMIT);
    assert_eq!(output.status.code(), Some(125), "{output:?}");
    assert!(output.stderr.contains("GLASSPOLL_LIB=/nowhere"), "{output:?}");
}

#[test]
fn what_others_preload_stays_behind_ours() {
    let mut command = glasspoll();
    command.args(["run", "--", "sh", "-c", "echo $LD_PRELOAD"]).env("LD_PRELOAD", "libm.so.6");
    let printed = run(&mut command, LIMIT).success();
    assert!(printed.trim_end().ends_with("libglasspoll.so:libm.so.6"), "{printed}");
}

#[test]
fn a_program_that_records_nothing_is_told_of_in_one_line() {
    let dir = dir();
    let file = dir.path().join("record");
    let output = run(glasspoll().args(["run", "-o"]).arg(&file).args(["--", "true"]), LIMIT);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(output.stderr.lines().count(), 1, "{output:?}");
    assert!(output.stderr.contains("nothing was recorded"), "{output:?}");
    assert_eq!(events(&file), Vec::<serde_json::Value>::new());
}

#[test]
fn signals_sent_to_the_command_reach_the_program_once_each() {
    if !program::have(&["python3"]) {
        return;
    }
    let sent = [libc::SIGINT, libc::SIGTERM, libc::SIGHUP, libc::SIGQUIT, libc::SIGUSR1, libc::SIGUSR2];
    let numbers: Vec<String> = sent.iter().map(i32::to_string).collect();
    let numbers: Vec<&str> = numbers.iter().map(String::as_str).collect();
    let dir = dir();
    let command = recorded(&dir.path().join("record"), "epoll_signals.py", &numbers);
    let mut server = Server::spawn(command, dir.path(), 0);
    eventually("the program is ready", LIMIT, || server.stdout().contains("ready"));
    for signal in sent {
        server.signal(signal);
    }
    assert!(server.wait().success());
    let printed = server.stdout();
    let mut came: Vec<i32> = printed.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    came.sort_unstable();
    let mut sent = sent.to_vec();
    sent.sort_unstable();
    assert_eq!(came, sent, "{printed}");
}

#[test]
fn what_is_typed_at_the_terminal_reaches_the_program_once() {
    if !program::have(&["python3"]) {
        return;
    }
    let dir = dir();
    let record = dir.path().join("record");
    let inner = recorded(&record, "epoll_signals.py", &["2"]);
    let mut command = clean_command(program::path("python3"));
    command.arg(script("on_terminal.py")).arg("ctrl-c").arg(inner.get_program()).args(inner.get_args());
    command.env("GLASSPOLL_LIB", glasspoll_tests::mode::library());
    let printed = run(&mut command, LIMIT).success();
    assert!(printed.contains("came 2\r\n"), "{printed:?}");
    assert_eq!(of_kind(&events(&record), "create").len(), 1);
}

/// How many waits have returned in each process.
fn waits(events: &[serde_json::Value]) -> BTreeMap<u64, usize> {
    let mut waits = BTreeMap::new();
    for event in of_kind(events, "wait_return") {
        *waits.entry(event["pid"].as_u64().expect("a pid")).or_default() += 1;
    }
    waits
}

fn sorted(waits: &BTreeMap<u64, usize>) -> Vec<usize> {
    let mut counts: Vec<usize> = waits.values().copied().collect();
    counts.sort_unstable();
    counts
}

#[test]
fn a_record_holds_all_that_parent_and_child_did_before_they_were_killed() {
    if !program::have(&["python3"]) {
        return;
    }
    let dir = dir();
    let record = dir.path().join("record");
    let output = run(&mut recorded(&record, "epoll_fork.py", &[]), LIMIT);
    assert_eq!(output.status.signal(), Some(libc::SIGKILL), "{output:?}");
    assert_eq!(output.stderr, "");
    let mode = fs::metadata(&record).expect("a record").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let events = events(&record);
    assert_eq!(sorted(&waits(&events)), [30, 40]);
    let files: BTreeSet<&str> =
        of_kind(&events, "deliver").iter().filter_map(|event| event["file"].as_str()).collect();
    assert!(files.iter().all(|file| *file == "pipe (reading)"), "{files:?}");
}

#[test]
fn a_record_goes_on_over_exec() {
    if !program::have(&["python3"]) {
        return;
    }
    let dir = dir();
    let record = dir.path().join("record");
    let output = run(&mut recorded(&record, "epoll_fork.py", &["exec"]), LIMIT);
    assert_eq!(output.status.code(), Some(5), "{output:?}");
    // The process is the same before and after the exec.
    assert_eq!(sorted(&waits(&events(&record))), [30, 60]);
}

#[test]
fn a_child_that_becomes_another_user_is_recorded_too() {
    if !program::have(&["python3"]) || !command::is_root() {
        return;
    }
    let dir = dir();
    let record = dir.path().join("record");
    run(&mut recorded(&record, "epoll_fork.py", &["setuid"]), LIMIT);
    assert_eq!(sorted(&waits(&events(&record))), [30, 40]);
}

#[test]
fn a_child_that_goes_on_is_recorded_until_the_program_ends_and_complains_of_nothing() {
    if !program::have(&["python3"]) {
        return;
    }
    let dir = dir();
    let record = dir.path().join("record");
    let mut command = glasspoll();
    command.args(["run", "-o"]).arg(&record).args(["--", "sh", "-c"]);
    let ticks = script("epoll_ticks.py");
    // One child makes its set before the program ends, the other after the command has ended.
    command.arg(format!(
        "python3 {ticks} >one & until grep -qs ready one; do sleep 0.1; done; sleep 0.5
        (while kill -0 $PPID 2>/dev/null; do sleep 0.1; done; exec python3 {ticks} >two) &"
    ));
    let mut server = Server::spawn(command, dir.path(), 0);
    assert!(server.wait().success());
    let events = events(&record);
    assert_eq!(waits(&events).len(), 1, "{:?}", waits(&events));
    eventually("the other runs too", LIMIT, || {
        fs::read_to_string(dir.path().join("two")).is_ok_and(|text| text.contains("ready"))
    });
    assert_eq!(server.stderr(), "");
}

#[test]
fn an_ordinary_user_records_and_leaves_nothing_behind() {
    if !program::have(&["python3"]) {
        return;
    }
    let installed = command::install();
    fs::copy(script("epoll_fork.py"), installed.dir().join("epoll_fork.py")).expect("our own directory");
    let temporary = installed.dir().join("tmp");
    fs::create_dir(&temporary).expect("our own directory");
    fs::set_permissions(&temporary, fs::Permissions::from_mode(0o777)).expect("our own directory");
    let mut command = installed.glasspoll();
    command.args(["run", "-o", "record", "--", "python3", "epoll_fork.py"]).env("TMPDIR", &temporary);
    let output = run(&mut command, LIMIT);
    assert_eq!(output.status.signal(), Some(libc::SIGKILL), "{output:?}");
    assert_eq!(output.stderr, "");
    assert_eq!(sorted(&waits(&events(installed.dir().join("record")))), [30, 40]);
    assert_eq!(fs::read_dir(&temporary).expect("our own directory").count(), 0);
}

#[test]
fn a_killed_command_leaves_a_record_up_to_there_and_the_program_running() {
    if !program::have(&["python3"]) {
        return;
    }
    let dir = dir();
    let record = dir.path().join("record");
    let mut command = recorded(&record, "epoll_ticks.py", &[]);
    command.env("TMPDIR", dir.path()).env_remove("XDG_RUNTIME_DIR");
    let mut server = Server::spawn(command, dir.path(), 0);
    eventually("something is recorded", LIMIT, || {
        fs::metadata(&record).is_ok_and(|meta| meta.len() > 100_000)
    });
    server.signal(libc::SIGKILL);
    assert_eq!(server.wait().signal(), Some(libc::SIGKILL));
    assert_eq!(server.processes().len(), 1, "the program goes on");
    let waits = waits(&events(&record));
    assert!(waits.values().sum::<usize>() > 100, "{waits:?}");
}

#[test]
fn nginx_and_its_workers_are_recorded() {
    if !program::have(&nginx::PROGRAMS) {
        return;
    }
    let dir = dir();
    let record = dir.path().join("record");
    let port = free_port();
    nginx::configure(dir.path(), port, 2);
    let mut command = glasspoll();
    command.args(["run", "-o"]).arg(&record).arg("--").args(nginx::arguments(dir.path()));
    let mut server = Server::start(command, dir.path(), port);
    nginx::check_wrk(nginx::run_wrk(&mut nginx::wrk(&server, 1, true)));
    server.stop();
    nginx::check_log(&server, dir.path());
    let events = events(&record);
    let delivered = of_kind(&events, "deliver");
    let workers: BTreeSet<u64> = delivered.iter().filter_map(|event| event["pid"].as_u64()).collect();
    assert_eq!(workers.len(), 2, "{workers:?}");
    let is_listener = |event: &&serde_json::Value| {
        event["file"].as_str() == Some(&format!("tcp 127.0.0.1:{port} listening"))
    };
    assert!(of_kind(&events, "ctl").iter().any(is_listener));
    let called = format!("tcp 127.0.0.1:{port} ← 127.0.0.1:");
    let is_called =
        |event: &&serde_json::Value| event["file"].as_str().is_some_and(|file| file.starts_with(&called));
    assert!(delivered.iter().any(is_called));
}

#[test]
fn a_summary_of_redis_names_its_set_and_its_clients() {
    if !program::have(&redis::PROGRAMS) {
        return;
    }
    let dir = dir();
    let port = free_port();
    let mut command = glasspoll();
    command.args(["run", "-c", "--"]).args(redis::arguments(dir.path(), port));
    let mut server = Server::start(command, dir.path(), port);
    let load = run(&mut redis::benchmark(&server, &["-q", "-t", "get", "-n", "20000"]), LIMIT);
    redis::check_output(&load.success());
    server.stop();
    let printed = server.stderr();
    assert!(printed.starts_with("redis-server "), "{printed}");
    assert!(printed.contains("\n  epoll "), "{printed}");
    assert!(printed.contains(&format!("tcp 127.0.0.1:{port} ← 127.0.0.1:")), "{printed}");
}

#[test]
fn a_flood_of_events_is_recorded_whole() {
    if !program::have(&redis::PROGRAMS) {
        return;
    }
    let dir = dir();
    let (port, record) = (free_port(), dir.path().join("record"));
    let mut command = glasspoll();
    command.args(["run", "-o"]).arg(&record).arg("--").args(redis::arguments(dir.path(), port));
    let mut server = Server::start(command, dir.path(), port);
    run(&mut redis::benchmark(&server, &["-q", "-t", "get", "-n", "200000"]), LIMIT).success();
    server.stop();
    let Output { status, stdout, stderr } = run(glasspoll().arg("dump").arg(&record), LIMIT);
    assert!(status.success());
    assert_eq!(stderr, "", "nothing is lost");
    let reads = stdout.lines().filter(|line| line.contains(" read ")).count();
    assert!(reads >= 200_000, "{reads}");
}

#[test]
fn a_link_in_the_place_of_the_record_is_replaced() {
    let dir = dir();
    let (victim, record) = (dir.path().join("victim"), dir.path().join("record"));
    fs::write(&victim, "precious").expect("our own directory");
    std::os::unix::fs::symlink(&victim, &record).expect("our own directory");
    let mut running = start(glasspoll().args(["run", "-o"]).arg(&record).args(["--", "cat"]), "");
    eventually("the program has ended", LIMIT, || !running.is_running());
    assert_eq!(fs::read_to_string(&victim).expect("it is there"), "precious");
    assert!(fs::symlink_metadata(&record).expect("it is there").is_file());
}

#[test]
fn a_record_that_cannot_be_written_is_no_reason_to_run() {
    let output = glasspoll_with(&["run", "-o", "/nowhere/record", "--", "echo", "ran"]);
    assert_eq!(output.status.code(), Some(125), "{output:?}");
    assert_eq!(output.stdout, "");
    assert!(output.stderr.contains("/nowhere/record"), "{output:?}");
}
