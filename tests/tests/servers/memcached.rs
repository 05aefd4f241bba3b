//! memcached: libevent, and one epoll for each of four threads.

use glasspoll_tests::port::free_port;
use glasspoll_tests::{alike_in_both_modes, program, seccomp, Server};
use std::io::{BufRead, BufReader, Write};
use std::thread;

#[test]
fn memcached_with_four_threads_gives_back_what_was_set() {
    if !program::have(&["memcached"]) {
        return;
    }
    alike_in_both_modes(|mode| {
        let dir = tempfile::tempdir().expect("a directory");
        let port = free_port();
        let mut command = seccomp::command(mode, program::path("memcached"));
        let port_text = port.to_string();
        command.args(["-t", "4", "-u", "root", "-U", "0", "-l", "127.0.0.1"]);
        command.args(["-p", &port_text]);
        let mut server = Server::start(command, dir.path(), port);
        thread::scope(|scope| {
            for client in 0..8 {
                let server = &server;
                scope.spawn(move || set_and_get(server, client));
            }
        });
        let counts = statistics(&server);
        server.check_epolls(mode);
        server.stop();
        assert_eq!(server.stderr(), "");
        counts
    });
}

/// The counts of requests, and what the server holds.
fn statistics(server: &Server) -> Vec<String> {
    let mut writer = server.connect();
    writer.write_all(b"stats\r\n").expect("it reads");
    let lines = BufReader::new(writer).lines().map(|line| line.expect("memcached answers"));
    let wanted = ["cmd_get", "cmd_set", "get_hits", "get_misses", "curr_items", "bytes", "threads"];
    let known = |line: &String| line.split(' ').nth(1).is_some_and(|name| wanted.contains(&name));
    let counts: Vec<String> = lines.take_while(|line| line != "END").filter(known).collect();
    assert_eq!(counts.len(), wanted.len(), "{counts:?}");
    counts
}

/// Each client opens two connections in turn, so that every thread of the
/// server sees connections come and go.
fn set_and_get(server: &Server, client: u32) {
    for connection in 0..2 {
        let mut writer = server.connect();
        let mut reader = BufReader::new(writer.try_clone().expect("a socket"));
        let mut expect = |wanted: &str| {
            let mut line = String::new();
            reader.read_line(&mut line).expect("memcached answers");
            assert_eq!(line.trim_end(), wanted, "client {client}");
        };
        for round in 0..500 {
            let key = format!("key-{client}-{connection}-{round}");
            let value = format!("value-{}", "x".repeat(round * 7));
            let length = value.len();
            let mut send = |text: String| writer.write_all(text.as_bytes()).expect("it reads");
            send(format!("set {key} 0 0 {length}\r\n{value}\r\n"));
            expect("STORED");
            send(format!("get {key}\r\n"));
            expect(&format!("VALUE {key} 0 {length}"));
            expect(&value);
            expect("END");
        }
    }
}
