//! Java: NIO's selectors and asynchronous channels, and the server that comes with the JDK.

use glasspoll_tests::port::free_port;
use glasspoll_tests::{in_both_modes, nginx, program, script, turn, Server};
use std::fs;
use std::io::{Read, Write};
use std::thread;

/// `java FILE.java` compiles the file first, which requires a JDK.
const PROGRAMS: [&str; 2] = ["java", "javac"];

#[test]
fn java_channels_answer_through_selectors_and_pools() {
    if program::have(&PROGRAMS) {
        let _turn = turn::take();
        script::check("java", "Channels.java", include_str!("../programs/Channels.java"));
    }
}

/// Sends one request on a connection of its own; returns the body of the answer.
fn ask(server: &Server, path: &str, body: &[u8]) -> Vec<u8> {
    let mut stream = server.connect();
    let length = body.len();
    let head = format!("POST {path} HTTP/1.0\r\nHost: test\r\nContent-Length: {length}\r\n\r\n");
    stream.write_all(head.as_bytes()).expect("the server reads");
    stream.write_all(body).expect("the server reads");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("the server answers");
    let end = answer.windows(4).position(|part| part == b"\r\n\r\n").expect("a head");
    answer.split_off(end + 4)
}

#[test]
fn java_http_server_answers_under_load() {
    if !program::have(&PROGRAMS) || !program::have(&["wrk"]) {
        return;
    }
    let _turn = turn::take();
    in_both_modes(|mode| {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("HttpFiles.java");
        fs::write(&file, include_str!("../programs/HttpFiles.java")).expect("the test's own directory");
        let port = free_port();
        let mut command = mode.command(program::path("java"));
        command.arg(file).arg(port.to_string());
        let mut server = Server::start(command, dir.path(), port);
        nginx::check_wrk(nginx::run_wrk(&mut nginx::wrk(&server, 3, true)));
        thread::scope(|scope| {
            for client in 0..8u8 {
                let server = &server;
                scope.spawn(move || {
                    for size in [0, 1, 1000, 300_000].repeat(5) {
                        let body = vec![client; size];
                        assert!(ask(server, "/echo", &body) == body, "{size} bytes");
                    }
                });
            }
        });
        assert_eq!(ask(&server, "/stop", b""), b"stopping\n");
        assert!(server.wait().success());
        assert_eq!(server.stderr(), "");
        assert_eq!(server.stdout(), "0 errors\n");
    });
}
