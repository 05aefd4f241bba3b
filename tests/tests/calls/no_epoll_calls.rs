//! A preloaded program makes no epoll or io_uring system call. Two kinds of tests show it: some count the calls, and
//! some run the program under a filter that kills a process at such a call.

use glasspoll_tests::mode::library;
use glasspoll_tests::port::free_port;
use glasspoll_tests::run::run;
use glasspoll_tests::run::LIMIT;
use glasspoll_tests::strace::{self, EPOLL_AND_IO_URING};
use glasspoll_tests::{in_both_modes, nginx, program, redis, turn, Mode, Server};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Command;

/// Preloaded there must be no calls. Natively there must be some, which shows that the count would notice them.
fn check_calls(mode: Mode, calls: &[String]) {
    match mode {
        Mode::Native => assert!(!calls.is_empty(), "strace saw nothing"),
        Mode::Preloaded => assert!(calls.is_empty(), "{} calls: {}", calls.len(), calls[0]),
    }
}

#[test]
fn redis_makes_no_epoll_call() {
    if !program::have(&redis::PROGRAMS) || !program::have(&["strace"]) {
        return;
    }
    let _turn = turn::take();
    in_both_modes(|mode| {
        let dir = tempfile::tempdir().expect("a directory");
        let (log, port) = (dir.path().join("strace"), free_port());
        let arguments = redis::arguments(dir.path(), port);
        let command = strace::command(mode, EPOLL_AND_IO_URING, &log, &arguments);
        let mut server = Server::start(command, dir.path(), port);
        let arguments = ["-q", "-n", "5000", "-t", "get,set,lpush"];
        let output = run(&mut redis::benchmark(&server, &arguments), LIMIT);
        redis::check_output(&output.success());
        redis::ask(&server, &["BGSAVE"]);
        run(&mut redis::cli(&server, &["SHUTDOWN", "NOSAVE"]), LIMIT);
        server.wait();
        check_calls(mode, &strace::calls(&log));
    });
}

#[test]
fn nginx_makes_no_epoll_call() {
    if !program::have(&nginx::PROGRAMS) || !program::have(&["strace"]) {
        return;
    }
    let _turn = turn::take();
    in_both_modes(|mode| {
        let dir = tempfile::tempdir().expect("a directory");
        let (log, port) = (dir.path().join("strace"), free_port());
        nginx::configure(dir.path(), port, 2);
        let arguments = nginx::arguments(dir.path());
        let command = strace::command(mode, EPOLL_AND_IO_URING, &log, &arguments);
        let mut server = Server::start(command, dir.path(), port);
        nginx::check_wrk(nginx::run_wrk(&mut nginx::wrk(&server, 1, true)));
        nginx::signal(Mode::Native, dir.path(), "reload");
        nginx::check_wrk(nginx::run_wrk(&mut nginx::wrk(&server, 1, false)));
        nginx::signal(Mode::Native, dir.path(), "quit");
        server.wait();
        check_calls(mode, &strace::calls(&log));
    });
}

/// A command for `arguments` under the filter; only the program itself is preloaded.
fn forbidden(mode: Mode, arguments: &[String]) -> Command {
    let mut command = Mode::Native.command(env!("CARGO_BIN_EXE_forbid_epoll"));
    if mode == Mode::Preloaded {
        let variable = format!("LD_PRELOAD={}", library().display());
        command.args(["env", &variable]);
    }
    command.args(arguments);
    command
}

/// Checks that the filter kills a server that calls the kernel's epoll.
fn check_killed(command: Command, dir: &Path, port: u16) {
    let status = Server::spawn(command, dir, port).wait();
    assert_eq!(status.signal(), Some(libc::SIGSYS), "ended with {status}");
}

#[test]
fn redis_runs_where_epoll_is_forbidden() {
    if !program::have(&redis::PROGRAMS) {
        return;
    }
    let _turn = turn::take();
    in_both_modes(|mode| {
        let dir = tempfile::tempdir().expect("a directory");
        let port = free_port();
        let command = forbidden(mode, &redis::arguments(dir.path(), port));
        if mode == Mode::Native {
            check_killed(command, dir.path(), port);
            return;
        }
        let mut server = Server::start(command, dir.path(), port);
        let arguments = ["-q", "-n", "20000", "-t", "get,set,lpush"];
        let output = run(&mut redis::benchmark(&server, &arguments), LIMIT);
        redis::check_output(&output.success());
        redis::ask(&server, &["BGSAVE"]);
        redis::check_log(&server);
        server.stop();
    });
}

#[test]
fn nginx_runs_where_epoll_is_forbidden() {
    if !program::have(&nginx::PROGRAMS) {
        return;
    }
    let _turn = turn::take();
    in_both_modes(|mode| {
        let dir = tempfile::tempdir().expect("a directory");
        let port = free_port();
        nginx::configure(dir.path(), port, 2);
        let command = forbidden(mode, &nginx::arguments(dir.path()));
        if mode == Mode::Native {
            check_killed(command, dir.path(), port);
            return;
        }
        let mut server = Server::start(command, dir.path(), port);
        nginx::check_wrk(nginx::run_wrk(&mut nginx::wrk(&server, 2, true)));
        nginx::check_wrk(nginx::run_wrk(&mut nginx::wrk(&server, 1, false)));
        server.stop();
        nginx::check_log(&server, dir.path());
    });
}
