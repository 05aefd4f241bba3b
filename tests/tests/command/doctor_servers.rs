//! `glasspoll doctor` on healthy servers under load.

use glasspoll_tests::findings::{doctor, findings};
use glasspoll_tests::port::free_port;
use glasspoll_tests::run::run;
use glasspoll_tests::run::LIMIT;
use glasspoll_tests::{nginx, program, redis, turn, Server};
use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::path::Path;
use std::thread;

/// A healthy server under the doctor: load causes no findings of an error, and the server ends as it does without.
fn check_server(engine: &str, program: &[&str], dir: &Path, port: u16, load: impl FnOnce(&Server)) {
    let _turn = turn::take();
    let file = dir.join("findings");
    let mut server = Server::start(doctor(engine, &file, program), dir, port);
    load(&server);
    server.signal(libc::SIGTERM);
    let status = server.wait();
    let findings = findings(&file);
    let text = fs::read_to_string(&file).expect("the doctor writes it");
    let all: Value = serde_json::from_str(&text).expect("JSON");
    let its_own = all["program"]["exit"].as_i64().expect("it has ended") as i32;
    let expected = if findings.is_empty() { its_own } else { 1 };
    assert_eq!(status.code(), Some(expected), "{status} {findings:#?}");
    let errors: Vec<&Value> = findings.iter().filter(|finding| finding["severity"] == "error").collect();
    assert!(errors.is_empty(), "{errors:#?}");
    for finding in findings {
        eprintln!("{finding:#}");
    }
}

/// Clients that connect and close without sending anything.
fn come_and_go(server: &Server, count: usize) {
    for _ in 0..count {
        drop(server.connect());
    }
}

#[test]
fn redis_under_load_has_no_error() {
    ["--emulate", "--observe"].into_iter().for_each(check_redis);
}

fn check_redis(engine: &str) {
    if !program::have(&redis::PROGRAMS) {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let port = free_port();
    let arguments = redis::arguments(dir.path(), port);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    check_server(engine, &arguments, dir.path(), port, |server| {
        for load in
            [&["-n", "50000"][..], &["-n", "3000", "-k", "0"], &["-n", "50000", "-P", "16", "-c", "200"]]
        {
            let mut command = redis::benchmark(server, &["-q", "-t", "get,set"]);
            run(command.args(load), LIMIT).success();
        }
        come_and_go(server, 200);
        assert_eq!(redis::ask(server, &["PING"]), "PONG");
    });
}

#[test]
fn nginx_under_load_has_no_error() {
    if !program::have(&nginx::PROGRAMS) {
        return;
    }
    for (workers, engine) in [(1, "--emulate"), (2, "--emulate"), (2, "--observe")] {
        let dir = tempfile::tempdir().expect("a directory");
        let port = free_port();
        nginx::configure(dir.path(), port, workers);
        let arguments = nginx::arguments(dir.path());
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        check_server(engine, &arguments, dir.path(), port, |server| {
            for keep_alive in [true, false] {
                nginx::check_answers(&nginx::run_wrk(&mut nginx::wrk(server, 2, keep_alive)).success());
            }
            come_and_go(server, 200);
        });
    }
}

#[test]
fn memcached_under_load_has_no_error() {
    if !program::have(&["memcached"]) {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let (port, memcached) = (free_port(), program::path("memcached"));
    let port_text = port.to_string();
    let mut arguments = vec![memcached.to_str().expect("UTF-8"), "-t", "4", "-u", "root", "-U", "0"];
    arguments.extend(["-l", "127.0.0.1", "-p", &port_text]);
    check_server("--emulate", &arguments, dir.path(), port, |server| {
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..20 {
                        set_and_get(server.connect());
                    }
                });
            }
        });
        come_and_go(server, 200);
    });
}

fn set_and_get(mut stream: TcpStream) {
    let mut lines = BufReader::new(stream.try_clone().expect("a socket")).lines();
    for round in 0..50 {
        let text = format!("set key{round} 0 0 5\r\nhello\r\nget key{round}\r\n");
        stream.write_all(text.as_bytes()).expect("it reads");
        let answer: Vec<String> = lines.by_ref().take(4).map(|line| line.expect("it answers")).collect();
        assert_eq!(answer[3].trim_end(), "END", "{answer:?}");
    }
}

#[test]
fn node_under_load_has_no_error() {
    if !program::have(&["node", "wrk"]) {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let (port, node) = (free_port(), program::path("node"));
    let script = format!(
        "process.on('SIGTERM', () => process.exit(0));
        require('http').createServer((_, answer) => setTimeout(() => answer.end('hello'), 1))
            .listen({port}, '127.0.0.1');"
    );
    check_server("--emulate", &[node.to_str().expect("UTF-8"), "-e", &script], dir.path(), port, |server| {
        for keep_alive in [true, false] {
            nginx::check_answers(&nginx::run_wrk(&mut nginx::wrk(server, 2, keep_alive)).success());
        }
        come_and_go(server, 200);
    });
}

#[test]
fn tokio_under_load_has_no_error() {
    let dir = tempfile::tempdir().expect("a directory");
    let (port, socket) = (free_port(), dir.path().join("socket"));
    let port_text = port.to_string();
    let program = [env!("CARGO_BIN_EXE_tokio_server"), &port_text, socket.to_str().expect("UTF-8")];
    check_server("--emulate", &program, dir.path(), port, |server| {
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let mut stream = server.connect();
                    let mut lines = BufReader::new(stream.try_clone().expect("a socket")).lines();
                    for _ in 0..20 {
                        for line in ["echo hello", "sleep 5", "ticks 3", "pipe 100000"] {
                            writeln!(stream, "{line}").expect("it reads");
                            lines.next().expect("it answers").expect("it answers");
                        }
                    }
                });
            }
        });
        come_and_go(server, 200);
    });
}
