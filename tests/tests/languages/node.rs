//! node: libuv's loops, its thread pool, its children.

use glasspoll_tests::port::free_port;
use glasspoll_tests::{in_both_modes, nginx, program, script, turn, Server};
use std::fs;

fn check(name: &str, text: &str) {
    if program::have(&["node"]) {
        let _turn = turn::take();
        script::check("node", name, text);
    }
}

#[test]
fn node_serves_http_to_itself() {
    check("http.js", include_str!("../programs/node_http.js"));
}

#[test]
fn node_runs_children() {
    check("children.js", include_str!("../programs/node_children.js"));
}

#[test]
fn node_runs_workers_with_loops_of_their_own() {
    check("workers.js", include_str!("../programs/node_workers.js"));
}

#[test]
fn node_serves_sockets_of_all_kinds() {
    check("sockets.js", include_str!("../programs/node_sockets.js"));
}

#[test]
fn node_serves_http_under_load() {
    if !program::have(&["node", "wrk"]) {
        return;
    }
    let _turn = turn::take();
    in_both_modes(|mode| {
        let dir = tempfile::tempdir().expect("a directory");
        let port = free_port();
        let file = dir.path().join("server.js");
        fs::write(&file, include_str!("../programs/node_server.js")).expect("the test's own directory");
        let mut command = mode.command(program::path("node"));
        command.arg(file).arg(port.to_string());
        let mut server = Server::start(command, dir.path(), port);
        for keep_alive in [true, false] {
            nginx::check_wrk(nginx::run_wrk(&mut nginx::wrk(&server, 2, keep_alive)));
        }
        server.stop();
        assert_eq!(server.stderr(), "");
        assert_eq!(server.stdout(), "0 errors\n");
    });
}
