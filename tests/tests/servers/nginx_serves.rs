//! nginx under wrk: edge-triggered, one worker and several.

use glasspoll_tests::{in_both_modes, nginx, program, turn};
use std::fs;
use std::io::{Read, Write};
use std::thread;
use std::time::Duration;

fn nginx_answers_every_request(workers: u32, keep_alive: bool) {
    if !program::have(&nginx::PROGRAMS) {
        return;
    }
    let _turn = turn::take();
    in_both_modes(|mode| {
        let dir = tempfile::tempdir().expect("a directory");
        let mut server = nginx::start(mode, dir.path(), workers);
        let output = nginx::run_wrk(&mut nginx::wrk(&server, 3, keep_alive));
        nginx::check_wrk(output);
        assert_eq!(nginx::workers(&server).len(), workers as usize);
        server.stop();
        nginx::check_log(&server, dir.path());
    });
}

#[test]
fn one_nginx_worker_answers_every_request() {
    nginx_answers_every_request(1, true);
}

#[test]
fn two_nginx_workers_answer_every_request() {
    nginx_answers_every_request(2, true);
}

#[test]
fn one_nginx_worker_answers_every_request_on_a_connection_of_its_own() {
    nginx_answers_every_request(1, false);
}

#[test]
fn two_nginx_workers_answer_every_request_on_a_connection_of_its_own() {
    nginx_answers_every_request(2, false);
}

#[test]
fn nginx_sends_a_large_file_byte_for_byte_to_several_clients() {
    if !program::have(&nginx::PROGRAMS) {
        return;
    }
    let _turn = turn::take();
    let mut file = vec![0; 10_000_000];
    fs::File::open("/dev/urandom").and_then(|mut random| random.read_exact(&mut file)).expect("random bytes");
    in_both_modes(|mode| {
        let dir = tempfile::tempdir().expect("a directory");
        let mut server = nginx::start(mode, dir.path(), 2);
        fs::write(dir.path().join("html/file"), &file).expect("the test's own directory");
        thread::scope(|scope| {
            for client in 0..8 {
                let (server, file) = (&server, &file);
                scope.spawn(move || {
                    let mut stream = server.connect();
                    stream
                        .write_all(b"GET /file HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
                        .expect("nginx reads");
                    // Some clients begin to read late: the socket is full by then, and nginx needs an event when there
                    // is room again.
                    thread::sleep(Duration::from_millis(100 * (client % 3)));
                    let mut answer = Vec::new();
                    stream.read_to_end(&mut answer).expect("nginx answers");
                    let head = answer.len() - file.len();
                    assert!(answer.starts_with(b"HTTP/1.1 200 OK\r\n"), "client {client}");
                    assert!(answer[..head].ends_with(b"\r\n\r\n"), "client {client}");
                    assert!(answer[head..] == file[..], "client {client}: bytes differ");
                });
            }
        });
        server.stop();
        nginx::check_log(&server, dir.path());
    });
}
