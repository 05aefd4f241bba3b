//! nginx: how tests start, load and judge it. wrk makes the load.

use crate::mode::clean_command;
use crate::port::free_port;
use crate::run::LIMIT;
use crate::run::{eventually, run};
use crate::{program, seccomp, Mode, Output, Server};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

/// The programs an nginx test needs.
pub const PROGRAMS: [&str; 2] = ["nginx", "wrk"];

/// The body of `/`.
pub const PAGE: &str = "hello from a test\n";

/// Writes a configuration for a server on `port` with everything in `dir`.
pub fn configure(dir: &Path, port: u16, workers: u32) {
    let root = dir.join("html");
    let root = root.display();
    configure_http(dir, workers, &format!("server {{ listen 127.0.0.1:{port}; root {root}; }}"));
}

/// Like [`configure`], with `http` in the block of that name.
pub fn configure_http(dir: &Path, workers: u32, http: &str) {
    let html = dir.join("html");
    fs::create_dir_all(&html).expect("the test's own directory");
    fs::write(html.join("index.html"), PAGE).expect("the test's own directory");
    // SAFETY: geteuid takes nothing and cannot fail.
    let root = unsafe { libc::geteuid() } == 0;
    // Without this line a master that is root runs its workers as a user that must not enter the temporary directory.
    let user = if root { "user root;" } else { "" };
    let dir_name = dir.display();
    let configuration = format!(
        "{user}
daemon off;
worker_processes {workers};
pid {dir_name}/nginx.pid;
error_log {dir_name}/error.log notice;
events {{ use epoll; worker_connections 1024; }}
http {{
    access_log off;
    sendfile on;
    keepalive_requests 10000000;
    client_body_temp_path {dir_name}/body;
    proxy_temp_path {dir_name}/proxy;
    fastcgi_temp_path {dir_name}/fastcgi;
    uwsgi_temp_path {dir_name}/uwsgi;
    scgi_temp_path {dir_name}/scgi;
    {http}
}}
"
    );
    fs::write(dir.join("nginx.conf"), configuration).expect("the test's own directory");
}

/// The command line of a configured server, to be run alone or after a launcher.
pub fn arguments(dir: &Path) -> Vec<String> {
    let text = |path: &Path| path.to_str().expect("a path in UTF-8").to_owned();
    vec![
        text(&program::path("nginx")),
        "-p".to_owned(),
        text(dir),
        "-e".to_owned(),
        text(&dir.join("error.log")),
        "-c".to_owned(),
        text(&dir.join("nginx.conf")),
    ]
}

/// Starts a server in `mode`.
pub fn start(mode: Mode, dir: &Path, workers: u32) -> Server {
    let port = free_port();
    configure(dir, port, workers);
    Server::start(command(mode, dir), dir, port)
}

/// Starts a server in `mode` that serves `http` and listens on `port`. Preloaded, its first call of
/// the kernel's epoll kills it.
pub fn start_http(mode: Mode, dir: &Path, port: u16, workers: u32, http: &str) -> Server {
    configure_http(dir, workers, http);
    let arguments = arguments(dir);
    let mut command = seccomp::command(mode, &arguments[0]);
    command.args(&arguments[1..]);
    let server = Server::start(command, dir, port);
    eventually("the workers are there", LIMIT, || self::workers(&server).len() == workers as usize);
    server
}

/// The command for a configured server in `mode`.
pub fn command(mode: Mode, dir: &Path) -> Command {
    let arguments = arguments(dir);
    let mut command = mode.command(&arguments[0]);
    command.args(&arguments[1..]);
    command
}

/// Runs `nginx -s signal`: `reload`, `quit` or `stop`.
pub fn signal(mode: Mode, dir: &Path, signal: &str) {
    let output = run(command(mode, dir).args(["-s", signal]), LIMIT);
    assert_eq!(output.stderr, "");
    output.success();
}

/// The pids of the workers of `server` that are alive, old ones included.
pub fn workers(server: &Server) -> BTreeSet<u32> {
    let entries = fs::read_dir("/proc").expect("/proc is mounted");
    entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|pid| parent(*pid) == Some(server.pid()))
        .collect()
}

/// The parent: the fourth field of /proc/PID/stat, counted after the name in parentheses.
fn parent(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = stat.rsplit_once(") ")?;
    rest.split(' ').nth(1)?.parse().ok()
}

/// A wrk for `server`, always native: 100 connections for some seconds.
pub fn wrk(server: &Server, seconds: u32, keep_alive: bool) -> Command {
    wrk_url(&format!("http://127.0.0.1:{}/", server.port), seconds, keep_alive)
}

/// Like [`wrk`], for any `url`.
pub fn wrk_url(url: &str, seconds: u32, keep_alive: bool) -> Command {
    let mut command = clean_command(program::path("wrk"));
    // By default wrk counts two seconds without an answer as an error.
    command.args(["-t", "1", "-c", "100", "-d", &format!("{seconds}s"), "--timeout", "900s"]);
    if !keep_alive {
        command.args(["-H", "Connection: close"]);
    }
    command.arg(url);
    command
}

/// Runs a native wrk to its end. If no request was answered in its seconds, it runs again, a few times, because the
/// machine may be busy.
pub fn run_wrk(command: &mut Command) -> Output {
    const TRIES: usize = 8;
    for _ in 1..TRIES {
        let output = run(command, LIMIT);
        if !output.stdout.contains(" 0 requests in ") {
            return output;
        }
    }
    run(command, LIMIT)
}

/// Checks that wrk made requests, and that each got a page.
pub fn check_wrk(output: Output) {
    let stdout = output.success();
    check_answers(&stdout);
    assert!(!stdout.contains("Socket errors"), "{stdout}");
}

/// Checks that wrk made requests, and that every answer was a page.
pub fn check_answers(stdout: &str) {
    let rate = stdout
        .lines()
        .find_map(|line| line.strip_prefix("Requests/sec:"))
        .and_then(|rate| rate.trim().parse::<f64>().ok())
        .unwrap_or_else(|| panic!("no rate in {stdout}"));
    assert!(rate > 0.0, "{stdout}");
    assert!(!stdout.contains("Non-2xx"), "{stdout}");
}

/// Checks that the server's log has no errors, and that its standard output and error are empty.
pub fn check_log(server: &Server, dir: &Path) {
    assert_eq!(server.stdout(), "", "the server's stdout");
    assert_eq!(server.stderr(), "", "the server's stderr");
    let log = fs::read_to_string(dir.join("error.log")).expect("nginx's log");
    for line in log.lines() {
        let trouble = ["[emerg]", "[alert]", "[crit]", "[error]", "[warn]"];
        let trouble = trouble.iter().any(|level| line.contains(level));
        assert!(!trouble, "nginx log: {line}");
    }
}
