//! `glasspoll top` in terminals of several sizes, and without one.

use glasspoll_tests::run::LIMIT;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use glasspoll_tests::command::glasspoll;
use glasspoll_tests::port::free_port;
use glasspoll_tests::run::{eventually, run, start};
use glasspoll_tests::screen::Screen;
use glasspoll_tests::{program, redis, Mode, Server};

fn can_run() -> bool {
    program::have(&redis::PROGRAMS) && program::have(&["tmux"])
}

fn top(pid: u32) -> Command {
    let mut command = glasspoll();
    command.args(["top", "--interval", "200", &pid.to_string()]);
    command
}

/// A load on a server, which goes on until it is dropped.
fn busy(server: &Server) -> glasspoll_tests::run::Running {
    start(&mut redis::benchmark(server, &["-q", "-n", "100000000", "-c", "10", "-t", "get"]), "")
}

/// The terminal is as before: it gathers lines, and echoes what is typed.
fn is_as_before(text: &str) {
    assert!(text.contains("\nicanon") && !text.contains("-icanon") && !text.contains("-echo"), "{text}");
}

#[test]
fn it_shows_redis_at_work_on_80_by_24_and_does_what_keys_say() {
    if !can_run() {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let server = redis::start(Mode::Preloaded, dir.path());
    let load = busy(&server);
    let screen = Screen::new(80, 24, &top(server.pid()));
    let title = format!("redis-server {}", server.pid());
    let port = format!("tcp 127.0.0.1:{} ← ", server.port);
    let text = screen.until(&[&title, "events/s", "p99", "util", &port, "%", "q quit", "sort (by rate)"]);
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    screen.press(&["l"]);
    screen.until(&["sort (by latency)"]);
    screen.press(&["b"]);
    screen.until(&["sort (by backlog)"]);
    screen.press(&["?"]);
    screen.until(&["glasspoll top", "hold the screen still"]);
    screen.press(&["Escape"]);
    // On a busy machine `top` might read both keys at once, and they would mean Alt-p.
    eventually("the help is gone", LIMIT, || !screen.text().contains("hold the screen still"));
    screen.press(&["p"]);
    let paused = screen.until(&["paused"]);
    std::thread::sleep(Duration::from_millis(700));
    assert_eq!(screen.text(), paused);
    screen.press(&["p", "j", "k", "PageDown", "End", "Home", "Tab"]);
    drop(load);
    screen.press(&["q"]);
    is_as_before(&screen.until(&["status 0", "icanon"]));
}

#[test]
fn no_terminal_is_too_small_for_it() {
    if !can_run() {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let server = redis::start(Mode::Preloaded, dir.path());
    let _load = busy(&server);
    let screen = Screen::new(40, 10, &top(server.pid()));
    screen.until(&["redis-server", "events/s", "q quit"]);
    for (width, height) in [(20, 5), (5, 2), (200, 60), (12, 30), (1, 1), (60, 15)] {
        screen.resize(width, height);
        std::thread::sleep(Duration::from_millis(300));
    }
    screen.until(&["redis-server", "util", "q quit"]);
    screen.press(&["C-c"]);
    is_as_before(&screen.until(&["status 0", "icanon"]));
}

#[test]
fn the_end_of_the_process_is_told_and_stays_on_the_screen() {
    if !can_run() {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let mut server = redis::start(Mode::Preloaded, dir.path());
    let screen = Screen::new(80, 24, &top(server.pid()));
    screen.until(&["redis-server", "q quit"]);
    server.signal(libc::SIGKILL);
    server.wait();
    screen.until(&["ended; q quits"]);
    std::thread::sleep(Duration::from_millis(500));
    screen.until(&["ended; q quits"]);
    screen.press(&["q"]);
    is_as_before(&screen.until(&["status 0", "icanon"]));
}

/// The first child of a process.
fn child(pid: u32) -> Option<u32> {
    let pids = fs::read_dir("/proc").expect("/proc").flatten();
    let mut pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.find(|other| {
        let stat = fs::read_to_string(format!("/proc/{other}/stat")).unwrap_or_default();
        let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
        fields.split_whitespace().nth(1) == Some(&pid.to_string())
    })
}

#[test]
fn a_program_that_it_started_is_shown_and_ends_with_it() {
    if !can_run() {
        return;
    }
    for way in ["key", "signal"] {
        let dir = tempfile::tempdir().expect("a directory");
        let port = free_port();
        let mut command = glasspoll();
        command.env("TMPDIR", dir.path()).args(["top", "--interval", "200", "--"]);
        command.args(redis::arguments(dir.path(), port));
        let screen = Screen::new(100, 24, &command);
        screen.until(&["redis-server", "events/s", "output: "]);
        let top = child(screen.pid()).expect("the command runs");
        let server = child(top).expect("the program runs");
        if way == "key" {
            screen.press(&["q"]);
        } else {
            // SAFETY: numbers; it is the command that we started.
            unsafe { libc::kill(top as i32, libc::SIGTERM) };
        }
        let text = screen.until(&["status 0", "icanon", "printed is in"]);
        is_as_before(&text);
        eventually("the program has ended", LIMIT, || !Path::new(&format!("/proc/{server}")).exists());
        let outputs = fs::read_dir(dir.path()).expect("our own directory").flatten();
        let mut outputs = outputs.filter(|entry| entry.file_name().to_string_lossy().ends_with(".out"));
        let output = fs::read_to_string(outputs.next().expect("a file").path()).expect("text");
        assert!(output.contains("Ready to accept connections"), "{output}");
    }
}

#[test]
fn without_a_terminal_it_says_what_does_without() {
    let output = run(glasspoll().args(["top", "1"]), LIMIT);
    assert_eq!(output.status.code(), Some(125), "{output:#?}");
    assert!(
        output.stderr.contains("glasspoll ls") && output.stderr.contains("glasspoll dump"),
        "{output:#?}"
    );
}

#[test]
fn a_process_that_does_not_run_on_glasspoll_is_said_so() {
    if !can_run() {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let server = redis::start(Mode::Native, dir.path());
    let screen = Screen::new(120, 24, &top(server.pid()));
    is_as_before(&screen.until(&["does not run on glasspoll", "glasspoll run", "status 125", "icanon"]));
}
