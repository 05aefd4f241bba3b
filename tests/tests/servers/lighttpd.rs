//! lighttpd: static files, and programs that it forks and with which it communicates by pipes.

use glasspoll_tests::port::free_port;
use glasspoll_tests::{curl, in_both_modes, nginx, program, seccomp, turn, Mode, Server};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Reads all its input, and prints how much that was.
const COUNT: &str = "#!/bin/sh
printf 'Content-Type: text/plain\\r\\n\\r\\n'
echo \"$REQUEST_METHOD $(wc -c)\"
";

fn start(mode: Mode, dir: &Path, workers: u32) -> Server {
    let (port, name) = (free_port(), dir.display());
    let put = |name: &str, text: &str| {
        fs::write(dir.join(name), text).expect("the test's own directory");
    };
    put("index.html", nginx::PAGE);
    put("count.cgi", COUNT);
    fs::set_permissions(dir.join("count.cgi"), fs::Permissions::from_mode(0o755)).expect("our file");
    put(
        "lighttpd.conf",
        &format!(
            "server.modules = (\"mod_cgi\")
server.document-root = \"{name}\"
server.bind = \"127.0.0.1\"
server.port = {port}
server.event-handler = \"linux-sysepoll\"
server.max-worker = {workers}
server.max-keep-alive-requests = 10000000
server.errorlog = \"{name}/error.log\"
index-file.names = (\"index.html\")
cgi.assign = (\".cgi\" => \"\")
"
        ),
    );
    let mut command = seccomp::command(mode, program::path("lighttpd"));
    command.args(["-D", "-f", "lighttpd.conf"]);
    Server::start(command, dir, port)
}

/// Without workers the process serves by itself; with workers it only starts them.
fn lighttpd_serves(workers: u32) {
    if !program::have(&["lighttpd", "wrk", "curl"]) {
        return;
    }
    let _turn = turn::take();
    let file = curl::body(3_000_000);
    in_both_modes(|mode| {
        let dir = tempfile::tempdir().expect("a directory");
        let mut server = start(mode, dir.path(), workers);
        let (path, url) = (dir.path().join("file"), format!("http://127.0.0.1:{}", server.port));
        fs::write(&path, &file).expect("the test's own directory");
        for keep_alive in [true, false] {
            nginx::check_wrk(nginx::run_wrk(&mut nginx::wrk(&server, 1, keep_alive)));
        }
        curl::check_downloads(&format!("{url}/file"), 40, &file, &[]);
        curl::check_downloads(&format!("{url}/count.cgi"), 40, b"GET 0\n", &[]);
        let upload = ["--data-binary", &format!("@{}", path.display()), "--header", "Expect:"];
        curl::check_downloads(&format!("{url}/count.cgi"), 20, b"POST 3000000\n", &upload);
        server.check_epolls(mode);
        server.stop();
        assert_eq!(server.stderr(), "");
        let log = fs::read_to_string(dir.path().join("error.log")).expect("its log");
        // At the start two of its clocks may differ by a second, natively too.
        let parts = ["server started", "server stopped", "clock jumped"];
        let fine = |line: &str| parts.iter().any(|part| line.contains(part));
        assert!(log.lines().all(fine), "{log}");
    });
}

#[test]
fn lighttpd_serves_files_and_programs() {
    lighttpd_serves(0);
}

#[test]
fn lighttpd_serves_files_and_programs_with_two_workers() {
    lighttpd_serves(2);
}
