//! nginx told to reload and to quit while requests keep coming.

use glasspoll_tests::run::{eventually, start};
use glasspoll_tests::{in_both_modes, nginx, program, turn};
use std::thread;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(30);

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
            // An old worker closes its idle connections, and a request may be
            // on its way on one of them: a read error that is nobody's fault.
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
        let load = start(&mut nginx::wrk(&server, 3, true), "");
        thread::sleep(Duration::from_secs(1));
        nginx::signal(mode, dir.path(), "quit");
        let status = server.wait();
        assert!(status.success(), "nginx ended with {status}");
        nginx::check_answers(&load.finish(LIMIT).success());
        nginx::check_log(&server, dir.path());
    });
}
