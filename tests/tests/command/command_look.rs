//! `glasspoll ls`, `record` and `dump`: they look into running processes, and into their records.

use glasspoll_tests::command::{self, events, glasspoll, glasspoll_with, of_kind};
use glasspoll_tests::mode::clean_command;
use glasspoll_tests::run::LIMIT;
use glasspoll_tests::run::{eventually, run};
use glasspoll_tests::{program, redis, Mode, Output, Server};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

/// The path of a script of the tests.
fn script(name: &str) -> String {
    format!("{}/tests/programs/{name}", env!("CARGO_MANIFEST_DIR"))
}

fn dir() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary directory")
}

/// Starts a Python script preloaded, and waits until it has printed a word.
fn start(mode: Mode, dir: &Path, name: &str, arguments: &[&str], word: &str) -> Server {
    let mut command = mode.command(program::path("python3"));
    command.arg(script(name)).args(arguments);
    let server = Server::spawn(command, dir, 0);
    eventually("the script is ready", LIMIT, || server.stdout().contains(word));
    server
}

fn look(what: &str, server: &Server, more: &[&str]) -> Output {
    run(glasspoll().arg(what).arg(server.pid().to_string()).args(more), LIMIT)
}

#[test]
fn ls_shows_the_listener_and_the_clients_of_redis() {
    if !program::have(&redis::PROGRAMS) {
        return;
    }
    let dir = dir();
    let server = redis::start(Mode::Preloaded, dir.path());
    let client = server.connect();
    let from = client.local_addr().expect("a TCP socket");
    assert_eq!(redis::ask(&server, &["PING"]), "PONG");
    let at = format!("127.0.0.1:{}", server.port);
    let mut text = String::new();
    eventually("the client is listed", LIMIT, || {
        text = look("ls", &server, &[]).success();
        text.contains(&format!("tcp {at} ← {from}"))
    });
    let first = text.lines().next().expect("a heading");
    assert!(first.starts_with(&format!("{} ", server.pid())) && first.contains("redis-server"), "{text}");
    assert!(text.contains("redis-server") && text.contains("is waiting"), "{text}");
    let listener =
        text.lines().find(|line| line.contains(&format!("tcp {at} listening"))).expect("the listener");
    let words: Vec<&str> = listener.split_whitespace().collect();
    // FD WHAT (three words) INTEREST STATE EVENTS
    assert_eq!(words[4], "IN", "{text}");
    assert!(["cold", "hot"].contains(&words[5]), "{text}");
    assert!(words[6].parse::<u32>().is_ok_and(|events| events >= 2), "{text}");
    let all = glasspoll_with(&["ls"]).success();
    assert!(all.contains(&format!("tcp {at} listening")), "{all}");
}

#[test]
fn ls_gives_json_with_the_keys_that_the_manual_names() {
    if !program::have(&["python3"]) {
        return;
    }
    let dir = dir();
    let server = start(Mode::Preloaded, dir.path(), "epoll_ticks.py", &[], "ready");
    let text = look("ls", &server, &["--json"]).success();
    let json: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let process = &json["processes"][0];
    assert_eq!(process["pid"].as_u64(), Some(server.pid().into()), "{text}");
    let set = &process["sets"][0];
    let item = &set["items"][0];
    assert_eq!(item["what"], "pipe (reading)", "{text}");
    assert_eq!(item["interest"], "IN", "{text}");
    let manual = glasspoll_with(&["ls", "--help"]).success();
    for (value, name) in [(process, "process"), (set, "set"), (item, "item")] {
        for key in value.as_object().expect("an object").keys() {
            assert!(manual.contains(key), "{key} of a {name} is not in the manual");
        }
    }
}

#[test]
fn ls_tells_the_sets_of_the_kernels_in_a_process_that_was_started_without_the_library() {
    if !program::have(&["python3"]) {
        return;
    }
    let dir = dir();
    let mut command = Mode::Native.command(program::path("python3"));
    command.arg(script("kernel_set.py"));
    let server = Server::spawn(command, dir.path(), 0);
    eventually("the fds are printed", LIMIT, || server.stdout().ends_with('\n'));
    let stdout = server.stdout();
    let fds: Vec<&str> = stdout.split_whitespace().collect();
    let [epfd, count, one, listener, gone] = fds[..] else { panic!("{stdout}") };
    let text = look("ls", &server, &[]).success();
    let row = |fd: &str| {
        let row = text.lines().find(|line| line.split_whitespace().next() == Some(fd));
        row.unwrap_or_else(|| panic!("no fd {fd} in {text}")).to_owned()
    };
    assert!(text.contains(&format!("  epoll of the kernel's, fd {epfd}: 4 items, python3 ")), "{text}");
    assert!(text.contains("is waiting") && text.contains("rates and times are not known"), "{text}");
    assert!(row(count).contains("eventfd") && row(count).contains("(disarmed)"), "{text}");
    assert!(row(count).ends_with("count 5"), "{text}");
    assert!(row(one).contains("OUT|ET") && row(one).ends_with("5 B unread"), "{text}");
    assert!(row(listener).contains("listening") && row(listener).ends_with("1 of 3 connections"), "{text}");
    assert!(row(gone).contains("closed here, open elsewhere: tcp 127.0.0.1:"), "{text}");

    let json = look("ls", &server, &["--json"]).success();
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    let set = &json["processes"][0]["kernel_sets"][0];
    assert_eq!(set["items"][0]["queue"], serde_json::json!({ "count": 5 }));
    let manual = glasspoll_with(&["ls", "--help"]).success();
    for value in [set, &set["items"][0]] {
        for key in value.as_object().expect("an object").keys() {
            assert!(manual.contains(key), "{key} is not in the manual");
        }
    }
    let all = glasspoll_with(&["ls"]).success();
    assert!(all.contains(&format!("{} ", server.pid())), "{all}");
}

#[test]
fn ls_fits_into_a_terminal_of_80_columns() {
    if !program::have(&redis::PROGRAMS) || !program::have(&["python3"]) {
        return;
    }
    let dir = dir();
    let server = redis::start(Mode::Preloaded, dir.path());
    let _client = server.connect();
    let mut command = clean_command(program::path("python3"));
    command.arg(script("on_terminal.py")).arg("none").arg(command::path());
    command.args(["ls", &server.pid().to_string()]);
    let text = run(&mut command, LIMIT).success();
    assert!(text.contains("listening"), "{text}");
    assert!(text.lines().all(|line| line.trim_end().chars().count() <= 80), "{text}");
}

#[test]
fn a_process_that_is_not_preloaded_is_said_to_be_so_and_how_to_start_it() {
    if !program::have(&["python3"]) {
        return;
    }
    let dir = dir();
    let server = start(Mode::Native, dir.path(), "epoll_ticks.py", &[], "ready");
    let record = dir.path().join("record");
    let record = record.to_str().expect("a path in UTF-8");
    for (what, more) in [("dump", &[][..]), ("record", &["-o", record])] {
        let output = look(what, &server, more);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        assert_eq!(output.stdout, "");
        assert_eq!(output.stderr.lines().count(), 1, "{output:?}");
        assert!(output.stderr.contains("glasspoll run -- PROGRAM"), "{output:?}");
    }
    let left: Vec<_> = fs::read_dir(dir.path()).expect("our own directory").flatten().collect();
    assert_eq!(left.len(), 2, "nothing but stdout and stderr: {left:?}");
    let gone = glasspoll_with(&["ls", "4000000"]);
    assert_eq!(gone.status.code(), Some(1), "{gone:?}");
    assert!(gone.stderr.contains("no such process"), "{gone:?}");
}

#[test]
fn a_record_of_a_hung_program_tells_what_it_was_at() {
    if !program::have(&["python3"]) {
        return;
    }
    for how in ["sleep", "spin"] {
        let dir = dir();
        let server = start(Mode::Preloaded, dir.path(), "epoll_hang.py", &[how], "stuck");
        let record = dir.path().join("record");
        let path = record.to_str().expect("a path in UTF-8");
        let printed = look("record", &server, &["-o", path]).success();
        assert!(printed.contains("events of the last"), "{printed}");
        let mode = fs::metadata(&record).expect("a record").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let pid = server.pid().to_string();
        for events in [events(&record), events(&pid)] {
            assert_eq!(of_kind(&events, "deliver").len(), 11);
            let last = events.last().expect("events");
            assert_eq!(last["event"], "wait_return", "{last}");
            assert_eq!(last["n"], 1);
            let delivered = of_kind(&events, "deliver").pop().expect("a delivery");
            assert_eq!(delivered["file"], "pipe (reading)");
        }
        let text = look("ls", &server, &[]).success();
        assert!(text.contains("nobody is waiting"), "{text}");
    }
}

#[test]
fn a_dump_is_in_the_order_of_time_and_says_masks_and_errors_in_words() {
    if !program::have(&["python3"]) {
        return;
    }
    let dir = dir();
    let server = start(Mode::Preloaded, dir.path(), "epoll_ticks.py", &[], "ready");
    let text = look("dump", &server, &[]).success();
    let times: Vec<f64> =
        text.lines().filter_map(|line| line.split_whitespace().next()?.parse().ok()).collect();
    assert!(times.len() > 3 && times.is_sorted(), "{text}");
    assert_eq!(times[0], 0.0);
    let pid = server.pid();
    for part in [format!("{pid}/{pid} "), "events=IN".into(), "timeout=5s".into(), "op=ADD".into()] {
        assert!(text.contains(&part), "no {part}: {text}");
    }
    let plain = text.chars().all(|c| c == '\n' || !c.is_control());
    assert!(plain, "{text}");
}

#[test]
fn a_damaged_or_foreign_file_is_told_and_used_as_far_as_it_goes() {
    if !program::have(&["python3"]) {
        return;
    }
    let dir = dir();
    let server = start(Mode::Preloaded, dir.path(), "epoll_hang.py", &["sleep"], "stuck");
    let record = dir.path().join("record");
    look("record", &server, &["-o", record.to_str().expect("a path in UTF-8")]).success();
    let whole = fs::read(&record).expect("a record");
    let dump = |bytes: &[u8]| {
        fs::write(&record, bytes).expect("our own directory");
        run(glasspoll().arg("dump").arg(&record), LIMIT)
    };
    let refused = |bytes: &[u8], why: &str| {
        let output = dump(bytes);
        assert_eq!(output.status.code(), Some(125), "{output:?}");
        assert_eq!(output.stderr.lines().count(), 1, "{output:?}");
        assert!(output.stderr.contains(why), "{output:?}");
    };
    refused(b"", "too short");
    refused(b"\x7fELF and much more that is no record at all", "no record of glasspoll's");
    let mut foreign = whole.clone();
    foreign[16] = 99;
    refused(&foreign, "version 99");
    let all = dump(&whole).success().lines().count();
    // A record that is cut anywhere gives what came before the cut.
    for part in 1..20 {
        let at = 20 + (whole.len() - 20) * part / 20;
        let output = dump(&whole[..at]);
        assert!(output.status.success(), "{output:?}");
        assert!(output.stdout.lines().count() <= all);
        // A cut just between two chunks does not show.
        let shows = |output: &Output| output.stderr.contains("in the middle");
        assert!(shows(&output) || shows(&dump(&whole[..at + 1])), "cut at {at}: {output:?}");
    }
    // A record with a wrong byte anywhere does no harm.
    for part in 0..200 {
        let mut spoilt = whole.clone();
        let at = 20 + (whole.len() - 21) * part / 199;
        spoilt[at] ^= 0x5a;
        let output = dump(&spoilt);
        assert!(output.status.success(), "spoilt at {at}: {output:?}");
        assert!(!output.stderr.is_empty(), "spoilt at {at}: {output:?}");
    }
}

#[test]
fn a_file_called_like_a_process_is_the_file() {
    let dir = dir();
    fs::write(dir.path().join("1"), "no record").expect("our own directory");
    let output = run(glasspoll().args(["dump", "1"]).current_dir(dir.path()), LIMIT);
    assert_eq!(output.status.code(), Some(125), "{output:?}");
    assert!(output.stderr.contains("there is a process 1 too"), "{output:?}");
}

#[test]
fn an_ordinary_user_looks_into_his_own_processes_and_no_others() {
    if !program::have(&["python3"]) || !command::is_root() {
        return;
    }
    let installed = command::install();
    let folder = |name: &str| {
        let dir = installed.dir().join(name);
        fs::create_dir(&dir).expect("our own directory");
        fs::set_permissions(&dir, fs::Permissions::from_mode(0o777)).expect("our own directory");
        fs::copy(script("epoll_ticks.py"), dir.join("ticks.py")).expect("our own directory");
        dir
    };
    let start = |dir: &Path, mut command: Command| {
        command.args(["run", "--", "python3", "ticks.py"]).current_dir(dir);
        let server = Server::spawn(command, dir, 0);
        eventually("the script is ready", LIMIT, || server.stdout().contains("ready"));
        server
    };
    let (his, roots) = (folder("his"), folder("roots"));
    let his = start(&his, installed.glasspoll());
    let roots = start(&roots, glasspoll());
    let look = |arguments: &[&str]| run(installed.glasspoll().args(arguments), LIMIT);
    let (mine, other) = (his.pid().to_string(), roots.pid().to_string());
    assert!(look(&["ls", &mine]).success().contains("pipe (reading)"));
    let all = look(&["ls"]).success();
    assert!(all.lines().any(|line| line.starts_with(&format!("{mine} "))), "{all}");
    assert!(!all.lines().any(|line| line.starts_with(&format!("{other} "))), "{all}");
    look(&["record", &mine, "-o", "record"]).success();
    assert!(!events(installed.dir().join("record")).is_empty());
    for arguments in [&["ls", &other][..], &["dump", &other], &["record", &other, "-o", "other"]] {
        let output = look(arguments);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        assert!(output.stderr.contains("another user's"), "{output:?}");
    }
    assert!(!installed.dir().join("other").exists());
}

#[test]
fn completions_and_the_manual_are_there() {
    for shell in ["bash", "zsh", "fish"] {
        let script = glasspoll_with(&["completions", shell]).success();
        assert!(script.contains("glasspoll") && script.contains("record"), "{script}");
    }
    let manual = glasspoll_with(&["man"]).success();
    for part in ["GLASSPOLL_LIB", "EXIT STATUS", "EXAMPLES", "FILES", "glasspoll run", "glasspoll doctor"] {
        assert!(manual.contains(part), "no {part} in the manual");
    }
}
