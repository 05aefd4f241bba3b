//! redis-server under redis-benchmark, and saving by fork while it serves.

use glasspoll_tests::port::free_port;
use glasspoll_tests::run::LIMIT;
use glasspoll_tests::run::{eventually, run, start};
use glasspoll_tests::{in_both_modes, program, redis, turn, Server};

/// All default tests of redis-benchmark, with `clients` that send `pipeline`
/// requests at once.
fn redis_passes_its_benchmark(clients: &str, pipeline: &str) {
    if !program::have(&redis::PROGRAMS) {
        return;
    }
    let _turn = turn::take();
    in_both_modes(|mode| {
        let dir = tempfile::tempdir().expect("a directory");
        let mut server = redis::start(mode, dir.path());
        let arguments = ["-q", "-n", "8000", "-c", clients, "-P", pipeline];
        let output = run(&mut redis::benchmark(&server, &arguments), LIMIT);
        assert_eq!(output.stderr, "", "redis-benchmark's stderr");
        let stdout = output.success();
        redis::check_output(&stdout);
        let tests = stdout.matches("requests per second").count();
        assert!(tests >= 15, "only {tests} tests ran: {stdout}");
        assert_eq!(redis::ask(&server, &["PING"]), "PONG");
        redis::check_log(&server);
        server.stop();
    });
}

#[test]
fn redis_serves_50_clients() {
    redis_passes_its_benchmark("50", "1");
}

#[test]
fn redis_serves_50_clients_that_pipeline() {
    redis_passes_its_benchmark("50", "16");
}

#[test]
fn redis_serves_500_clients() {
    redis_passes_its_benchmark("500", "1");
}

#[test]
fn redis_serves_500_clients_that_pipeline() {
    redis_passes_its_benchmark("500", "16");
}

/// The threads synchronize with the loop by spinning and by mutexes; only the loop waits.
#[test]
fn redis_serves_with_four_threads_for_input_and_output() {
    if !program::have(&redis::PROGRAMS) {
        return;
    }
    let _turn = turn::take();
    in_both_modes(|mode| {
        let dir = tempfile::tempdir().expect("a directory");
        let port = free_port();
        let mut command = redis::command(mode, dir.path(), port);
        command.args(["--io-threads", "4", "--io-threads-do-reads", "yes"]);
        let mut server = Server::start(command, dir.path(), port);
        let arguments = ["-q", "-n", "10000", "-c", "50", "-P", "8", "-t", "set,get"];
        let stdout = run(&mut redis::benchmark(&server, &arguments), LIMIT).success();
        redis::check_output(&stdout);
        assert!(stdout.matches("requests per second").count() == 2, "{stdout}");
        let info = redis::ask(&server, &["INFO", "stats"]);
        assert!(!info.contains("io_threaded_reads_processed:0"), "the threads have read: {info}");
        server.check_epolls(mode);
        redis::check_log(&server);
        server.stop();
    });
}

#[test]
fn redis_saves_by_fork_under_load_and_the_data_survive_a_kill() {
    if !program::have(&redis::PROGRAMS) {
        return;
    }
    let _turn = turn::take();
    in_both_modes(|mode| {
        let dir = tempfile::tempdir().expect("a directory");
        let server = redis::start(mode, dir.path());
        let save = || {
            redis::ask(&server, &["BGSAVE"]);
            let limit = LIMIT;
            eventually("BGSAVE ends", limit, || {
                redis::ask(&server, &["INFO", "persistence"]).contains("rdb_bgsave_in_progress:0")
            });
            let info = redis::ask(&server, &["INFO", "persistence"]);
            assert!(info.contains("rdb_last_bgsave_status:ok"), "{info}");
        };

        let arguments = ["-q", "-t", "set", "-n", "300000", "-r", "50000", "-d", "64"];
        let mut load = start(&mut redis::benchmark(&server, &arguments), "");
        eventually("keys are there", LIMIT, || redis::ask(&server, &["DBSIZE"]) != "0");
        save();
        assert!(load.is_running(), "the load ended before the save");
        let stdout = load.finish(LIMIT).success();
        redis::check_output(&stdout);

        save();
        let size = redis::ask(&server, &["DBSIZE"]);
        let digest = redis::ask(&server, &["DEBUG", "DIGEST"]);
        redis::check_log(&server);
        drop(server);

        let mut server = redis::start(mode, dir.path());
        eventually("the data are loaded", LIMIT, || {
            redis::ask(&server, &["INFO", "persistence"]).contains("\nloading:0")
        });
        assert_eq!(redis::ask(&server, &["DBSIZE"]), size);
        assert_eq!(redis::ask(&server, &["DEBUG", "DIGEST"]), digest);
        redis::check_log(&server);
        server.stop();
    });
}
