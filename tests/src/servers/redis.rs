//! redis: how tests start, query and judge it.

use crate::mode::clean_command;
use crate::run::LIMIT;
use crate::run::{run, run_with_input};
use crate::{program, Mode, Server};
use std::path::Path;
use std::process::Command;

/// The programs a redis test needs.
pub const PROGRAMS: [&str; 3] = ["redis-server", "redis-cli", "redis-benchmark"];

/// What a healthy redis never writes to its log.
const TROUBLE: [&str; 5] = ["BUG REPORT", "ASSERTION", "crashed", "Error ", "Can't save"];

/// The command line of a server on `port` with its data in `dir`, to be run alone or after a launcher.
pub fn arguments(dir: &Path, port: u16) -> Vec<String> {
    let text = |path: &Path| path.to_str().expect("a path in UTF-8").to_owned();
    let port = port.to_string();
    let dir = text(dir);
    let mut arguments = vec![text(&program::path("redis-server"))];
    for (option, value) in [
        ("--port", port.as_str()),
        ("--bind", "127.0.0.1"),
        ("--dir", dir.as_str()),
        ("--save", ""),
        ("--enable-debug-command", "yes"),
    ] {
        arguments.extend([option.to_owned(), value.to_owned()]);
    }
    arguments
}

/// The command for a server in `mode`.
pub fn command(mode: Mode, dir: &Path, port: u16) -> Command {
    let arguments = arguments(dir, port);
    let mut command = mode.command(&arguments[0]);
    command.args(&arguments[1..]);
    command
}

/// Starts a server in `mode` with its data in `dir`.
pub fn start(mode: Mode, dir: &Path) -> Server {
    let port = crate::port::free_port();
    Server::start(command(mode, dir, port), dir, port)
}

/// A `redis-cli` for `server`, always native.
pub fn cli(server: &Server, arguments: &[&str]) -> Command {
    client("redis-cli", server, arguments)
}

/// A `redis-benchmark` for `server`, always native.
pub fn benchmark(server: &Server, arguments: &[&str]) -> Command {
    client("redis-benchmark", server, arguments)
}

fn client(name: &str, server: &Server, arguments: &[&str]) -> Command {
    let mut command = clean_command(program::path(name));
    let port = server.port.to_string();
    command.args(["-h", "127.0.0.1", "-p", &port]);
    command.args(arguments);
    command
}

/// Sends one command to `server`; returns the answer without the final newline.
pub fn ask(server: &Server, arguments: &[&str]) -> String {
    let answer = run(&mut cli(server, arguments), LIMIT).success();
    assert!(!answer.contains("ERR"), "{arguments:?}: {answer}");
    answer.trim_end().to_owned()
}

/// Sends many commands, one a line; returns the answers, one a line.
pub fn ask_all(server: &Server, commands: &str) -> String {
    run_with_input(&mut cli(server, &[]), commands, LIMIT).success()
}

/// Checks that a client's output has no errors.
pub fn check_output(output: &str) {
    for line in output.lines() {
        let trouble = line.contains("rror") || line.contains("refused") || line.contains("closed");
        assert!(!trouble, "client: {line}");
    }
}

/// Checks that the server's log has no errors, and that its standard error is empty.
pub fn check_log(server: &Server) {
    assert_eq!(server.stderr(), "", "the server's stderr");
    for line in server.stdout().lines() {
        let trouble = TROUBLE.iter().any(|word| line.contains(word));
        assert!(!trouble, "server log: {line}");
    }
}
