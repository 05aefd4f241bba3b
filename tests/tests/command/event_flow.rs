//! The log tells the story of one request, station by station.

use glasspoll_tests::flow::{self, Line};
use glasspoll_tests::port::free_port;
use glasspoll_tests::run::LIMIT;
use glasspoll_tests::run::{eventually, run};
use glasspoll_tests::{processes, program, redis, Mode, Server};
use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// A preloaded redis with `settings`.
fn redis_with(settings: &[(&str, &str)], dir: &Path) -> Server {
    let port = free_port();
    let mut command = redis::command(Mode::Preloaded, dir, port);
    command.envs(settings.iter().copied());
    Server::start(command, dir, port)
}

/// One connection, one GET.
fn get(server: &Server) {
    let mut stream = server.connect();
    // If the request were sent at once, it might be there before redis adds the socket, which would then be ready
    // without a wakeup.
    eventually("redis waits for the connection", LIMIT, || {
        processes::has_accepted(&stream) && processes::is_asleep(server.pid())
    });
    let mut answer = [0; 5];
    stream.write_all(b"GET nothing\r\n").expect("redis reads");
    stream.read_exact(&mut answer).expect("redis answers");
    assert_eq!(&answer, b"$-1\r\n");
}

/// The first line from `*from` on of that `station` for which `fits` is true; moves `*from` behind it.
fn next<'a>(lines: &'a [Line], from: &mut usize, station: &str, fits: impl Fn(&Line) -> bool) -> &'a Line {
    let found = lines[*from..].iter().position(|line| line.station() == station && fits(line));
    let Some(step) = found else {
        panic!("no {station} after line {from} of {lines:#?}");
    };
    *from += step + 1;
    &lines[*from - 1]
}

#[test]
fn the_log_tells_the_story_of_a_request_in_order() {
    if !program::have(&["redis-server"]) {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let pattern = dir.path().join("log.%p");
    let settings = [
        ("GLASSPOLL_LOG", "trace"),
        ("GLASSPOLL_LOG_FILE", pattern.to_str().expect("UTF-8")),
        ("GLASSPOLL_LOG_FORMAT", "json"),
    ];
    let mut server = redis_with(&settings, dir.path());
    let log = dir.path().join(format!("log.{}", server.pid()));
    let deleted = |line: &Line| line.station() == "ctl" && line.text("op") == "DEL";
    let closed = || flow::read(&log).iter().filter(|line| deleted(line)).count();
    // The connection that tested whether the server had started must be closed first.
    eventually("redis closes the first connection", LIMIT, || closed() >= 1);
    let mut at = flow::read(&log).len();
    let before = closed();
    get(&server);
    eventually("redis closes the connection", LIMIT, || closed() > before);
    server.stop();

    let lines = flow::read(&log);
    let pid = i64::from(server.pid());
    assert!(lines.iter().all(|line| line.number("pid") == Some(pid)));

    let add = next(&lines, &mut at, "ctl", |line| line.text("op") == "ADD");
    let (epfd, fd) = (add.number("epfd"), add.number("fd"));
    assert!(epfd.is_some() && fd.is_some(), "{add:?}");
    assert_eq!(add.text("result"), "0", "{add:?}");
    assert!(add.text("events").split('|').any(|bit| bit == "IN"), "{add:?}");

    let ours = |line: &Line| line.number("fd") == fd;
    let wakeup = next(&lines, &mut at, "wakeup", ours);
    assert!(!wakeup.text("source").is_empty(), "{wakeup:?}");
    let ready = next(&lines, &mut at, "ready", ours);
    assert!(["rdllist", "ovflist"].contains(&ready.text("list").as_str()), "{ready:?}");
    let deliver = next(&lines, &mut at, "deliver", ours);
    assert_eq!(deliver.number("epfd"), epfd);
    assert_eq!(deliver.text("data"), add.text("data"));
    assert_eq!(deliver.text("events"), "IN");
    assert!(deliver.number("ready_ns").is_some_and(|ns| ns >= 0), "{deliver:?}");
    let in_epfd = |line: &Line| line.number("epfd") == epfd;
    let back = next(&lines, &mut at, "wait_return", in_epfd);
    assert_eq!(back.number("n"), Some(1), "{back:?}");
    next(&lines, &mut at, "wait_enter", in_epfd);
    next(&lines, &mut at, "ctl", |line| ours(line) && deleted(line));
}

#[test]
fn the_log_tells_of_a_file_closed_while_it_was_watched() {
    if !program::have(&["python3"]) {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let log = dir.path().join("log");
    let script = "import os, select; r, w = os.pipe(); ep = select.epoll(); ep.register(r, 1); os.close(r)";
    let mut command = Mode::Preloaded.command(program::path("python3"));
    command.args(["-c", script]).env("GLASSPOLL_LOG", "trace");
    command.env("GLASSPOLL_LOG_FILE", &log).env("GLASSPOLL_LOG_FORMAT", "json");
    run(&mut command, LIMIT).success();

    let lines = flow::read(&log);
    let mut at = 0;
    let epfd = next(&lines, &mut at, "create", |_| true).number("epfd");
    let add = next(&lines, &mut at, "ctl", |line| line.text("op") == "ADD");
    assert_eq!(add.number("epfd"), epfd);
    let release = next(&lines, &mut at, "release", |line| line.number("fd") == add.number("fd"));
    assert_eq!(release.number("items"), Some(1));
}

#[test]
fn the_log_file_is_readable_by_its_owner_alone() {
    if !program::have(&["redis-server"]) {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let pattern = dir.path().join("log.%p");
    let settings = [("GLASSPOLL_LOG", "trace"), ("GLASSPOLL_LOG_FILE", pattern.to_str().expect("UTF-8"))];
    let mut server = redis_with(&settings, dir.path());
    get(&server);
    let log = dir.path().join(format!("log.{}", server.pid()));
    let mode = fs::metadata(&log).expect("the log").mode() & 0o777;
    assert_eq!(mode, 0o600, "mode {mode:o}");
    assert_eq!(server.stderr(), "", "the log goes to the file alone");
    server.stop();
}

#[test]
fn the_log_goes_to_stderr_as_text_unless_told_otherwise() {
    if !program::have(&["redis-server"]) {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let mut server = redis_with(&[("GLASSPOLL_LOG", "trace")], dir.path());
    get(&server);
    server.stop();
    let log = server.stderr();
    let pid = format!("pid={}", server.pid());
    let deliver = log
        .lines()
        .find(|line| line.contains("glasspoll::flow: deliver "))
        .unwrap_or_else(|| panic!("no deliver in {log}"));
    for part in ["epfd=", "fd=", "events=", "ready_ns=", &pid, "tid="] {
        assert!(deliver.contains(part), "no {part} in {deliver}");
    }
    assert!(!server.stdout().contains("glasspoll"), "stdout is redis's own");
}
