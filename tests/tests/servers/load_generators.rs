//! The load generators are event loops too: they run preloaded against native
//! servers.

use glasspoll_tests::run::run;
use glasspoll_tests::run::LIMIT;
use glasspoll_tests::{in_both_modes, nginx, program, redis, turn, Mode};

/// Runs redis-benchmark with these further arguments, in both modes; preloaded `times` times.
fn check_redis_benchmark(extra: &[&str], times: usize) {
    if !program::have(&redis::PROGRAMS) {
        return;
    }
    let _turn = turn::take();
    in_both_modes(|mode| {
        let dir = tempfile::tempdir().expect("a directory");
        let server = redis::start(Mode::Native, dir.path());
        let mut command = mode.command(program::path("redis-benchmark"));
        let port = server.port.to_string();
        command.args(["-p", &port, "-q", "-n", "20000", "-t", "get,set", "-c", "50"]).args(extra);
        for _ in 0..if mode == Mode::Native { 1 } else { times } {
            let stdout = run(&mut command, LIMIT).success();
            redis::check_output(&stdout);
            let tests = stdout.matches("requests per second").count();
            assert_eq!(tests, 2, "{stdout}");
        }
    });
}

#[test]
fn redis_benchmark_itself_runs() {
    check_redis_benchmark(&[], 1);
}

/// Two threads that wait in turn, items that become hot and cold: once it hung in one run of three.
#[test]
fn redis_benchmark_with_two_threads_ends_every_time() {
    check_redis_benchmark(&["--threads", "2"], 25);
}

#[test]
fn wrk_itself_runs_with_two_threads() {
    if !program::have(&nginx::PROGRAMS) {
        return;
    }
    let _turn = turn::take();
    in_both_modes(|mode| {
        let dir = tempfile::tempdir().expect("a directory");
        let server = nginx::start(Mode::Native, dir.path(), 1);
        let mut command = mode.command(program::path("wrk"));
        command.args(["-t", "2", "-c", "50", "-d", "4s", "--timeout", "900s"]);
        command.arg(format!("http://127.0.0.1:{}/", server.port));
        nginx::check_wrk(run(&mut command, LIMIT));
    });
}
