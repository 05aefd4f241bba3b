//! nginx reloads and quits while requests keep coming.

use glasspoll_tests::port::free_port;
use glasspoll_tests::run::LIMIT;
use glasspoll_tests::run::{eventually, start};
use glasspoll_tests::{in_both_modes, nginx, processes, program, turn, Mode, Server};
use std::fs;
use std::path::Path;
use std::thread;
use std::time::Duration;

fn nginx_reloads_under_load(keep_alive: bool) {
    if !program::have(&nginx::PROGRAMS) {
        return;
    }
    let _turn = turn::take();
    in_both_modes(|mode| {
        let dir = tempfile::tempdir().expect("a directory");
        let mut server = nginx::start(mode, dir.path(), 2);
        let load = start(&mut nginx::wrk(&server, 5, keep_alive), "");
        for _ in 0..3 {
            thread::sleep(Duration::from_millis(700));
            let old = nginx::workers(&server);
            nginx::signal(mode, dir.path(), "reload");
            eventually("old workers exit, new ones serve", LIMIT, || {
                let now = nginx::workers(&server);
                now.len() == 2 && now.is_disjoint(&old)
            });
        }
        let output = load.finish(LIMIT);
        if keep_alive {
            // An old worker closes its idle connections while a request may be in flight on one of them: such a read
            // error is not a fault.
            nginx::check_answers(&output.success());
        } else {
            nginx::check_wrk(output);
        }
        server.stop();
        nginx::check_log(&server, dir.path());
    });
}

#[test]
fn nginx_reloads_without_failing_a_request() {
    nginx_reloads_under_load(false);
}

#[test]
fn nginx_reloads_under_kept_connections_without_a_wrong_answer() {
    nginx_reloads_under_load(true);
}

#[test]
fn nginx_quits_gracefully_under_load() {
    if !program::have(&nginx::PROGRAMS) {
        return;
    }
    let _turn = turn::take();
    in_both_modes(|mode| {
        let dir = tempfile::tempdir().expect("a directory");
        let mut server = nginx::start(mode, dir.path(), 2);
        let held = || nginx::workers(&server).into_iter().map(processes::descriptors).sum::<usize>();
        eventually("the workers are there", LIMIT, || nginx::workers(&server).len() == 2);
        let before = held();
        let load = start(&mut nginx::wrk(&server, 3, true), "");
        eventually("the load has begun", LIMIT, || held() > before);
        thread::sleep(Duration::from_secs(1));
        nginx::signal(mode, dir.path(), "quit");
        let status = server.wait();
        assert!(status.success(), "nginx ended with {status}");
        nginx::check_answers(&load.finish(LIMIT).success());
        nginx::check_log(&server, dir.path());
    });
}

/// The process that `nginx.pid` names.
fn master(dir: &Path) -> Option<i32> {
    fs::read_to_string(dir.join("nginx.pid")).ok()?.trim().parse().ok()
}

/// A daemon is a child of init. On SIGUSR2 the master execs itself in a child, which inherits the listening sockets,
/// and both generations serve until the old one gets the signal to quit.
///
/// Only the environment variables that its configuration names are handed down: `new_mode` is the epoll of the new
/// generation of a preloaded server.
fn nginx_replaces_its_program(environment: &str, new_mode: Mode) {
    if !program::have(&nginx::PROGRAMS) {
        return;
    }
    let _turn = turn::take();
    in_both_modes(|mode| {
        let dir = tempfile::tempdir().expect("a directory");
        let dir = dir.path();
        let port = free_port();
        nginx::configure(dir, port, 2);
        let file = dir.join("nginx.conf");
        let text = fs::read_to_string(&file).expect("the test's own directory");
        fs::write(&file, text.replace("daemon off;", environment)).expect("the test's own directory");
        let mut server = Server::spawn(nginx::command(mode, dir), dir, port);
        assert!(server.wait().success(), "{}", server.stderr());
        // The master and two workers.
        eventually("the daemon is there", LIMIT, || server.processes().len() == 3 && master(dir).is_some());
        let (old, first) = (master(dir), server.processes());
        let signal = |pid: Option<i32>, signal: i32| {
            let pid = pid.expect("nginx writes its pid");
            // SAFETY: kill takes two numbers; the pid is that of the test's own daemon.
            assert_eq!(unsafe { libc::kill(pid, signal) }, 0, "kill {pid}");
        };
        let load = start(&mut nginx::wrk(&server, 3, false), "");
        thread::sleep(Duration::from_millis(500));
        signal(old, libc::SIGUSR2);
        eventually("both generations are there", LIMIT, || {
            server.processes().len() == 6 && master(dir).is_some_and(|new| Some(new) != old)
        });
        thread::sleep(Duration::from_millis(500));
        signal(old, libc::SIGQUIT);
        eventually("the old generation is gone", LIMIT, || {
            let now = server.processes();
            now.len() == 3 && now.is_disjoint(&first)
        });
        nginx::check_wrk(load.finish(LIMIT));
        server.check_epolls(if mode == Mode::Native { mode } else { new_mode });
        signal(master(dir), libc::SIGQUIT);
        server.check_gone();
        nginx::check_log(&server, dir);
    });
}

#[test]
fn nginx_as_a_daemon_replaces_its_program_without_failing_a_request() {
    nginx_replaces_its_program("env LD_PRELOAD;", Mode::Preloaded);
}

#[test]
fn nginx_on_the_kernels_epoll_takes_over_from_nginx_on_glasspoll() {
    nginx_replaces_its_program("", Mode::Native);
}
