//! `--attach` with the library itself: a command looks into a process that was started without it, and leaves it as it
//! was.

use glasspoll_tests::command::{events, glasspoll, of_kind};
use glasspoll_tests::run::{eventually, run, start, LIMIT};
use glasspoll_tests::{nginx, program, redis, Mode, Output, Server};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// A Python script of the tests, started without the library.
fn script(dir: &Path, name: &str, arguments: &[&str]) -> Server {
    let mut command = Mode::Native.command(program::path("python3"));
    command.arg(format!("{}/tests/programs/{name}", env!("CARGO_MANIFEST_DIR"))).args(arguments);
    Server::spawn(command, dir, 0)
}

fn with(arguments: &[&str], server: &Server) -> Output {
    run(glasspoll().args(arguments).arg(server.pid().to_string()), LIMIT)
}

fn has_record(server: &Server) -> bool {
    let fds = fs::read_dir(format!("/proc/{}/fd", server.pid())).expect("it lives");
    let links = fds.flatten().filter_map(|fd| fs::read_link(fd.path()).ok());
    links.into_iter().any(|link| link.as_os_str() == "/memfd:glasspoll (deleted)")
}

#[test]
fn the_doctor_finds_what_a_running_loop_does_and_leaves_it_as_it_was() {
    if !program::have(&["python3"]) {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let server = script(dir.path(), "story_spins.py", &["900"]);
    eventually("it has a set", LIMIT, || glasspoll_tests::processes::kernel_epolls(server.pid()) == 1);
    for _ in 0..2 {
        let output = with(&["doctor", "--attach", "--for", "2s"], &server);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        assert!(output.stdout.starts_with("error: hang-up spin: fd "), "{output:?}");
        assert_eq!(output.stderr, "", "{output:?}");
        let detached = with(&["detach"], &server);
        assert!(detached.stderr.contains("nothing is attached to it"), "{detached:?}");
        assert!(!has_record(&server));
    }
    let without = with(&["doctor"], &server);
    assert!(without.stderr.contains("--attach"), "{without:?}");
}

/// Nothing is known of what was before the library came; what waits, and how the kernel's items stand, is.
#[test]
fn what_was_stuck_before_the_look_is_found_by_how_it_stands() {
    if !program::have(&["python3"]) {
        return;
    }
    for (how, most) in [("bug", 2), ("fixed", 0), ("paused", 0)] {
        let dir = tempfile::tempdir().expect("a directory");
        let server = script(dir.path(), "stuck_before.py", &[how]);
        eventually("it is stuck", LIMIT, || server.stdout().contains("stuck"));
        let output =
            with(&["doctor", "--attach", "--json", "--for", "5s", "--ignore", "slow-callback"], &server);
        let all: Value = serde_json::from_str(&output.stdout).unwrap_or_else(|e| panic!("{e}: {output:?}"));
        let findings = all["findings"].as_array().expect("a list");
        let about = |finding: &Value| (finding["class"].as_u64(), finding["fds"][0].as_i64());
        let found: BTreeSet<_> = findings.iter().map(about).collect();
        let fds: Vec<i64> = server.stdout().split_whitespace().filter_map(|fd| fd.parse().ok()).collect();
        let expected = [(Some(2), Some(fds[0])), (Some(5), Some(fds[1]))];
        assert_eq!(found, expected.into_iter().take(most).collect(), "{how}: {all:#}");
    }
}

#[test]
fn of_a_process_without_a_set_it_says_what_its_threads_wait_in() {
    if !program::have(&["python3"]) {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let mut command = Mode::Native.command(program::path("python3"));
    command.args(["-c", "import select; print('ready', flush=True); select.poll().poll(900000)"]);
    let server = Server::spawn(command, dir.path(), 0);
    eventually("it waits", LIMIT, || server.stdout().contains("ready"));
    let output = with(&["doctor", "--attach", "--for", "500ms"], &server);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(
        output
            .stdout
            .contains(" has no epoll set, so there is nothing to judge: its thread waits in poll(2)"),
        "{output:?}"
    );
}

#[test]
fn a_look_that_is_ended_by_a_signal_detaches_and_one_that_is_killed_is_cleaned_up_after() {
    if !program::have(&["python3"]) {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let server = script(dir.path(), "epoll_ticks.py", &[]);
    eventually("it is ready", LIMIT, || server.stdout().contains("ready"));
    for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGKILL] {
        let mut look = glasspoll();
        look.args(["dump", "--attach", "--for", "900s"]).arg(server.pid().to_string());
        let look = start(&mut look, "");
        eventually("it is attached to", LIMIT, || has_record(&server));
        // SAFETY: a process of ours.
        assert_eq!(unsafe { libc::kill(look.pid() as i32, signal) }, 0);
        let output = look.finish(LIMIT);
        assert_eq!(output.status.success(), signal != libc::SIGKILL, "{output:?}");
        assert_eq!(has_record(&server), signal == libc::SIGKILL, "signal {signal}");
    }
    let output = with(&["dump", "--attach", "--for", "500ms"], &server);
    assert!(output.stderr.contains("was attached to already; it is detached from at the end"), "{output:?}");
    assert!(output.stdout.contains(" wait_return "), "{output:?}");
    assert!(!has_record(&server));
}

#[test]
fn of_several_looks_the_last_one_detaches() {
    if !program::have(&["python3"]) {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let server = script(dir.path(), "epoll_ticks.py", &[]);
    eventually("it is ready", LIMIT, || server.stdout().contains("ready"));
    // On a machine that is busy an attach may not be done in its 2 s, and is refused.
    let long = loop {
        let mut long = glasspoll();
        long.args(["dump", "--attach", "--for", "900s"]).arg(server.pid().to_string());
        let mut long = start(&mut long, "");
        eventually("it is attached to", LIMIT, || has_record(&server) || !long.is_running());
        let short = with(&["doctor", "--attach", "--for", "500ms"], &server);
        let is_attached = has_record(&server);
        if long.is_running() {
            assert!(is_attached, "{short:?}");
            break long;
        }
    };
    // SAFETY: a process of ours.
    assert_eq!(unsafe { libc::kill(long.pid() as i32, libc::SIGINT) }, 0);
    let long = long.finish(LIMIT);
    assert!(long.stdout.contains(" wait_return "), "{long:?}");
    assert!(!has_record(&server));
    for _ in 0..5 {
        let looks: Vec<_> = (0..4)
            .map(|_| {
                let mut look = glasspoll();
                look.args(["dump", "--attach", "--for", "300ms"]).arg(server.pid().to_string());
                start(&mut look, "")
            })
            .collect();
        let refused = looks.into_iter().map(|look| look.finish(LIMIT)).filter(|look| !look.status.success());
        let refused: Vec<_> = refused.collect();
        let is_late =
            |look: &Output| look.stderr.contains("try again") || look.stderr.contains("by glasspoll");
        assert!(refused.iter().all(is_late), "{refused:?}");
        assert!(!refused.is_empty() || !has_record(&server));
    }
}

#[test]
fn a_look_leaves_an_attach_that_is_to_stay() {
    if !program::have(&["python3"]) {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let server = script(dir.path(), "epoll_ticks.py", &[]);
    eventually("it is ready", LIMIT, || server.stdout().contains("ready"));
    with(&["attach"], &server).success();
    let look = with(&["dump", "--attach", "--for", "300ms"], &server);
    assert!(look.stderr.contains("was attached to already; stays so"), "{look:?}");
    assert!(has_record(&server));
    with(&["detach"], &server).success();
    assert!(!has_record(&server));
}

#[test]
fn redis_answers_all_while_it_is_attached_to_and_detached_from() {
    if !program::have(&redis::PROGRAMS) {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let server = redis::start(Mode::Native, dir.path());
    let mut load = redis::benchmark(&server, &["-q", "-t", "get,set", "-n", "300000"]);
    let mut load = start(&mut load, "");
    let mut cycles = 0;
    while load.is_running() {
        with(&["attach"], &server).success();
        // The load may end in the meantime; then the loop still wakes ten times a second.
        eventually("its waits are recorded", LIMIT, || {
            !of_kind(&events(server.pid().to_string()), "wait_return").is_empty()
        });
        with(&["detach"], &server).success();
        cycles += 1;
    }
    redis::check_output(&load.finish(LIMIT).success());
    assert!(cycles >= 3, "{cycles}");
    assert_eq!(redis::ask(&server, &["PING"]), "PONG");
}

#[test]
fn nginx_is_attached_to_with_its_workers() {
    if !program::have(&nginx::PROGRAMS) {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let mut server = nginx::start(Mode::Native, dir.path(), 2);
    eventually("both workers run", LIMIT, || nginx::workers(&server).len() == 2);
    let mut load = start(&mut nginx::wrk(&server, 4, true), "");
    for _ in 0..5 {
        let attached = with(&["attach", "--children"], &server).success();
        assert_eq!(attached.matches("attached: ").count(), 3, "{attached}");
        let detached = with(&["detach", "--children"], &server).success();
        assert_eq!(detached.matches("detached: ").count(), 3, "{detached}");
    }
    assert!(load.is_running(), "all of this happened under load");
    nginx::check_wrk(load.finish(LIMIT));
    server.stop();
    nginx::check_log(&server, dir.path());
}
