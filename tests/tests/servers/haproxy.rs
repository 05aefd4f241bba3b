//! haproxy with four threads, each with an epoll of its own, in front of an nginx.

use glasspoll_tests::port::free_port;
use glasspoll_tests::run::LIMIT;
use glasspoll_tests::run::{eventually, start};
use glasspoll_tests::{
    alike_in_both_modes, curl, in_both_modes, nginx, processes, program, seccomp, turn, Mode, Server,
};
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::thread;
use std::time::Duration;

/// The errors on the side of the servers: columns of haproxy's statistics.
const ERRORS: [&str; 4] = ["econ", "eresp", "wretr", "wredis"];

fn have_all() -> bool {
    program::have(&nginx::PROGRAMS) && program::have(&["haproxy", "curl"])
}

/// Two frontends on `tcp` and `http` for the server on `back`.
fn configure(dir: &Path, tcp: u16, http: u16, back: u16) {
    let text = format!(
        "global
    nbthread 4
    maxconn 1000
defaults
    timeout connect 600s
    timeout client 600s
    timeout server 600s
frontend tcp
    mode tcp
    bind 127.0.0.1:{tcp}
    default_backend tcp
frontend http
    mode http
    bind 127.0.0.1:{http}
    stats enable
    stats uri /stats
    default_backend http
backend tcp
    mode tcp
    server one 127.0.0.1:{back}
backend http
    mode http
    http-reuse always
    server one 127.0.0.1:{back}
"
    );
    fs::write(dir.join("haproxy.cfg"), text).expect("the test's own directory");
}

fn start_haproxy(mode: Mode, dir: &Path, port: u16, options: &[&str]) -> Server {
    let mut command = seccomp::command(mode, program::path("haproxy"));
    command.args(["-f", "haproxy.cfg"]).args(options);
    Server::start(command, dir, port)
}

/// The cells of the statistics at `url` in the columns `names` that are not 0 or empty, each with its line.
fn statistics(url: &str, names: &[&str]) -> Vec<String> {
    let text = curl::get(&format!("{url}/stats;csv"), &[]);
    let mut lines = text.trim_start_matches("# ").lines();
    let columns: Vec<&str> = lines.next().expect("a line of names").split(',').collect();
    assert!(names.iter().all(|name| columns.contains(name)), "{text}");
    let cells = lines.flat_map(|line| columns.iter().zip(line.split(',')).map(move |cell| (cell, line)));
    cells
        .filter(|((name, value), _)| names.contains(name) && !["", "0"].contains(value))
        .map(|((name, value), line)| format!("{name} is {value} in {line}"))
        .collect()
}

/// Ends the server behind haproxy, and waits until haproxy holds no idle connection to it.
///
/// haproxy 2.6.12 may die of SIGSEGV if it ends with idle connections, on the kernel too: its issue 2114.
fn end_idle_connections(mut back: Server, url: &str) {
    back.stop();
    eventually("haproxy lets its idle connections go", LIMIT, || statistics(url, &["srv_icur"]).is_empty());
}

/// SIGUSR1 lets the connections end first.
#[test]
fn haproxy_with_four_threads_passes_tcp_and_http_on() {
    if !have_all() {
        return;
    }
    let _turn = turn::take();
    let file = curl::body(3_000_000);
    in_both_modes(|mode| {
        let (dir, back_dir) =
            (tempfile::tempdir().expect("a directory"), tempfile::tempdir().expect("a directory"));
        let back = nginx::start(Mode::Native, back_dir.path(), 1);
        fs::write(back_dir.path().join("html/file"), &file).expect("the test's own directory");
        let ports = [free_port(), free_port()];
        configure(dir.path(), ports[0], ports[1], back.port);
        let mut server = start_haproxy(mode, dir.path(), ports[0], &["-db"]);
        for port in ports {
            let url = format!("http://127.0.0.1:{port}");
            for keep_alive in [true, false] {
                nginx::check_wrk(nginx::run_wrk(&mut nginx::wrk_url(&format!("{url}/"), 1, keep_alive)));
            }
            assert_eq!(curl::get(&format!("{url}/"), &[]), nginx::PAGE);
            curl::check_downloads(&format!("{url}/file"), 30, &file, &[]);
            curl::check_downloads(&format!("{url}/file"), 10, &file, &["--limit-rate", "6M"]);
        }
        let url = format!("http://127.0.0.1:{}", ports[1]);
        assert_eq!(statistics(&url, &ERRORS), Vec::<String>::new());
        end_idle_connections(back, &url);
        server.check_epolls(mode);
        server.stop_by(libc::SIGUSR1);
        let stderr = server.stderr();
        assert!(stderr.lines().all(|line| line.contains(" stopped (cumulated conns: ")), "{stderr}");
    });
}

/// Its exit status tells what killed it: the shell's status for SIGTERM, 143.
#[test]
fn haproxy_is_ended_by_sigterm() {
    if !have_all() {
        return;
    }
    alike_in_both_modes(|mode| {
        let dir = tempfile::tempdir().expect("a directory");
        let ports = [free_port(), free_port()];
        configure(dir.path(), ports[0], ports[1], free_port());
        let mut server = start_haproxy(mode, dir.path(), ports[0], &["-db"]);
        let _idle = server.connect();
        server.signal(libc::SIGTERM);
        let status = server.wait();
        server.check_gone();
        (status.code(), status.signal(), server.stderr())
    });
}

/// The master execs itself, and hands its listening sockets to a new worker.
#[test]
fn haproxys_master_reloads_without_failing_a_request() {
    if !have_all() {
        return;
    }
    let _turn = turn::take();
    in_both_modes(|mode| {
        let (dir, back_dir) =
            (tempfile::tempdir().expect("a directory"), tempfile::tempdir().expect("a directory"));
        let back = nginx::start(Mode::Native, back_dir.path(), 1);
        let ports = [free_port(), free_port()];
        configure(dir.path(), ports[0], ports[1], back.port);
        let mut server = start_haproxy(mode, dir.path(), ports[1], &["-W", "-db"]);
        let url = format!("http://127.0.0.1:{}/", ports[1]);
        let load = start(&mut nginx::wrk_url(&url, 3, false), "");
        for _ in 0..2 {
            thread::sleep(Duration::from_millis(700));
            // At each start, its listener exists before it handles signals.
            eventually("the master takes SIGUSR2", LIMIT, || processes::takes(server.pid(), libc::SIGUSR2));
            let old = nginx::workers(&server);
            server.signal(libc::SIGUSR2);
            eventually("the old worker ends, a new one serves", LIMIT, || {
                let now = nginx::workers(&server);
                now.len() == 1 && now.is_disjoint(&old)
            });
        }
        nginx::check_wrk(load.finish(LIMIT));
        end_idle_connections(back, &format!("http://127.0.0.1:{}", ports[1]));
        server.check_epolls(mode);
        server.stop_by(libc::SIGUSR1);
    });
}
