//! tokio's multi-thread runtime: every kind of source at the same time, edge-triggered.

use glasspoll_tests::port::free_port;
use glasspoll_tests::run::LIMIT;
use glasspoll_tests::{in_both_modes, program, turn, Server};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, UdpSocket};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::thread;

const CLIENTS: usize = 16;
const ROUNDS: usize = 6;
const DATAGRAMS: usize = 200;
const SIGNALS: usize = 50;

/// Sends `line` and checks the answer.
fn ask<S: Write, R: BufRead>(stream: &mut S, reader: &mut R, line: &str, wanted: &str) {
    stream.write_all(format!("{line}\n").as_bytes()).expect("the server reads");
    let mut answer = String::new();
    reader.read_line(&mut answer).expect("the server answers");
    assert!(answer.trim_end() == wanted, "{line:.50}: {answer:.100}");
}

/// Sends every request of a client; returns the number of its lines.
fn ask_all<S: Write, R: BufRead>(stream: &mut S, reader: &mut R, client: usize) -> usize {
    let long = "tokio".repeat(40_000 + client);
    for round in 0..ROUNDS {
        let text = format!("from {client} in {round}");
        ask(stream, reader, &format!("echo {text}"), &text);
        ask(stream, reader, "sleep 5", "slept");
        ask(stream, reader, "ticks 5", "ticked");
        ask(stream, reader, "pipe 300000", "300000 bytes");
        ask(stream, reader, &format!("child {text}"), &format!("{text} Some(5)"));
        ask(stream, reader, &format!("echo {long}"), &long);
        ask(stream, reader, "kill", "early: false, signal: 9 (SIGKILL)");
    }
    7 * ROUNDS
}

fn tcp_client(server: &Server, client: usize) -> usize {
    let mut stream = server.connect();
    let mut reader = BufReader::new(stream.try_clone().expect("a socket"));
    let lines = ask_all(&mut stream, &mut reader, client);
    stream.shutdown(Shutdown::Write).expect("a socket");
    assert_eq!(reader.read(&mut [0]).expect("an end"), 0);
    lines
}

fn unix_stream(path: &Path) -> (UnixStream, BufReader<UnixStream>) {
    let stream = UnixStream::connect(path).expect("the server listens");
    stream.set_read_timeout(Some(LIMIT)).expect("a socket");
    let reader = BufReader::new(stream.try_clone().expect("a socket"));
    (stream, reader)
}

fn unix_client(path: &Path, client: usize) -> usize {
    let (mut stream, mut reader) = unix_stream(path);
    let lines = ask_all(&mut stream, &mut reader, client);
    stream.shutdown(Shutdown::Write).expect("a socket");
    assert_eq!(reader.read(&mut [0]).expect("an end"), 0);
    lines
}

fn udp_client(port: u16) -> usize {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    socket.set_read_timeout(Some(LIMIT)).expect("a socket");
    socket.connect(("127.0.0.1", port)).expect("a socket");
    for n in 0..DATAGRAMS {
        let (text, mut buffer) = (format!("datagram {n}"), [0; 100]);
        socket.send(text.as_bytes()).expect("the server reads");
        let length = socket.recv(&mut buffer).expect("the server answers");
        assert_eq!(&buffer[..length], text.as_bytes());
    }
    0
}

/// One signal at a time: of two that are pending together, the kernel drops one.
fn signal_client(server: &Server, path: &Path) -> usize {
    let (mut stream, mut reader) = unix_stream(path);
    for sent in 1..=SIGNALS {
        server.signal(libc::SIGUSR1);
        let mut counted = 0;
        while counted < sent {
            stream.write_all(b"signals\n").expect("the server reads");
            let mut answer = String::new();
            reader.read_line(&mut answer).expect("the server answers");
            counted = answer.trim_end().parse().expect("a number");
        }
        assert_eq!(counted, sent);
    }
    0
}

#[test]
fn tokio_serves_all_kinds_of_sources_at_a_time() {
    if !program::have(&["sh", "cat", "sleep"]) {
        return;
    }
    let _turn = turn::take();
    in_both_modes(|mode| {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("socket");
        let port = free_port();
        let mut command = mode.command(env!("CARGO_BIN_EXE_tokio_server"));
        command.arg(port.to_string()).arg(&path);
        let mut server = Server::start(command, dir.path(), port);
        let lines: usize = thread::scope(|scope| {
            let (server, path) = (&server, &path);
            let mut clients = Vec::new();
            for client in 0..CLIENTS {
                clients.push(scope.spawn(move || tcp_client(server, client)));
                clients.push(scope.spawn(move || unix_client(path, client)));
            }
            clients.push(scope.spawn(move || udp_client(port)));
            clients.push(scope.spawn(move || signal_client(server, path)));
            clients.into_iter().map(|client| client.join().expect("a client")).sum()
        });
        server.stop();
        assert_eq!(server.stderr(), "");
        // The test connected once at the start, and once for the signals.
        let connections = 2 * CLIENTS + 2;
        let counts = format!("{connections} {lines} {DATAGRAMS} {SIGNALS} 0\n");
        assert_eq!(server.stdout(), counts);
    });
}
