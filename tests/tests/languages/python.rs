//! Python's event loops: asyncio, selectors, and subprocess in a process with a live set.

use glasspoll_tests::port::free_port;
use glasspoll_tests::run::run;
use glasspoll_tests::run::LIMIT;
use glasspoll_tests::{in_both_modes, program, script, turn, Server};
use std::fs;

fn check(name: &str, text: &str) {
    if program::have(&["python3"]) {
        let _turn = turn::take();
        script::check("python3", name, text);
    }
}

#[test]
fn python_asyncio_echoes() {
    check("echo.py", include_str!("../programs/asyncio_echo.py"));
}

#[test]
fn python_asyncio_runs_subprocesses() {
    check("asyncio_subprocess.py", include_str!("../programs/asyncio_subprocess.py"));
}

#[test]
fn python_selectors_report_what_is_ready() {
    check("pairs.py", include_str!("../programs/selectors_pairs.py"));
}

#[test]
fn python_subprocesses_leave_a_set_as_it_was() {
    check("pipes.py", include_str!("../programs/subprocess_pipes.py"));
}

#[test]
fn python_asyncio_serves_many_connections_of_all_kinds() {
    if !program::have(&["python3"]) {
        return;
    }
    let _turn = turn::take();
    in_both_modes(|mode| {
        let dir = tempfile::tempdir().expect("a directory");
        for (name, text) in [
            ("server.py", include_str!("../programs/asyncio_server.py")),
            ("client.py", include_str!("../programs/asyncio_client.py")),
        ] {
            fs::write(dir.path().join(name), text).expect("the test's own directory");
        }
        let port = free_port();
        let python = program::path("python3");
        let mut command = mode.command(&python);
        command.arg("server.py").arg(port.to_string());
        let mut server = Server::start(command, dir.path(), port);
        let mut client = mode.command(&python);
        client.args(["client.py", &port.to_string(), &server.pid().to_string()]);
        let output = run(client.current_dir(dir.path()), LIMIT);
        assert_eq!(output.stderr, "");
        assert_eq!(output.success(), "12400 answers\nok\n");
        server.stop();
        assert_eq!(server.stderr(), "");
        // 300 by TCP, 300 by unix sockets, one for the signals, one by the test at the start.
        let counts = "{'connections': 602, 'lines': 12000, 'datagrams': 400, 'signals': 50, 'errors': 0}\n";
        assert_eq!(server.stdout(), counts);
    });
}
