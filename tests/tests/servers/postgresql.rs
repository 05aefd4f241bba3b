//! PostgreSQL: a process for each connection, which waits on a set of its socket, its latch and the pipe that reports
//! the postmaster's death.

use glasspoll_tests::port::free_port;
use glasspoll_tests::postgres::{self, Cluster};
use glasspoll_tests::run::LIMIT;
use glasspoll_tests::run::{eventually, run, start};
use glasspoll_tests::{alike_in_both_modes, in_both_modes, turn};

/// What pgbench wrote in three places must agree.
#[test]
fn postgresql_passes_its_benchmark_and_the_books_balance() {
    if !postgres::have() {
        return;
    }
    let _turn = turn::take();
    in_both_modes(|mode| {
        let dir = tempfile::tempdir().expect("a directory");
        let cluster = Cluster::new(mode, dir.path(), free_port());
        let mut server = cluster.start();
        run(&mut cluster.client("pgbench", &["-i", "-q", "-s", "1"]), LIMIT).success();
        // First connections that stay, then one connection for each transaction.
        for (clients, transactions, extra) in [("16", "100", "-n"), ("4", "25", "-C")] {
            let arguments = ["-n", "-c", clients, "-j", "2", "-t", transactions, extra];
            let output = run(&mut cluster.client("pgbench", &arguments), LIMIT);
            let stdout = output.success();
            assert!(stdout.contains("number of failed transactions: 0 "), "{stdout}");
        }
        let sums = cluster.ask(
            "select count(*), (select sum(abalance) from pgbench_accounts) = sum(delta),
             (select sum(tbalance) from pgbench_tellers) = sum(delta),
             (select sum(bbalance) from pgbench_branches) = sum(delta) from pgbench_history",
        );
        assert_eq!(sums, "1700|t|t|t");
        server.check_epolls(mode);
        // SIGTERM waits for the backends; the last of them may still be about to end.
        server.stop_by(libc::SIGTERM);
        postgres::check_log(&server);
    });
}

/// Other processes set the latches of one backend: a notice, a released lock, workers of a parallel query, a
/// cancellation, a time limit.
#[test]
fn backends_of_postgresql_wake_each_other() {
    if !postgres::have() {
        return;
    }
    let _turn = turn::take();
    alike_in_both_modes(|mode| {
        let dir = tempfile::tempdir().expect("a directory");
        let cluster = Cluster::new(mode, dir.path(), free_port());
        let mut server = cluster.start();
        let mut answers = vec![cluster.ask(
            "create table numbers as select generate_series(1, 200000) as n;
             analyze numbers;
             set parallel_setup_cost = 0; set parallel_tuple_cost = 0; set min_parallel_table_scan_size = 0;
             select sum(n), count(*) from numbers;",
        )];
        let waits = |kind: &str| {
            let statement = format!("select count(*) from pg_stat_activity where wait_event = '{kind}'");
            eventually(kind, LIMIT, || cluster.ask(&statement) == "1");
        };

        let holder = start(&mut cluster.psql("select pg_advisory_lock(1); select pg_sleep(7200)"), "");
        waits("PgSleep");
        let waiter = start(&mut cluster.psql("select pg_advisory_lock(1), 'locked'"), "");
        waits("advisory");
        answers.push(
            cluster.ask("select pg_cancel_backend(pid) from pg_stat_activity where wait_event = 'PgSleep'"),
        );
        for output in [holder.finish(LIMIT), waiter.finish(LIMIT)] {
            answers.push(format!("{:?}", (output.status.code(), output.stdout, output.stderr)));
        }

        let output = run(&mut cluster.psql("set statement_timeout = 200; select pg_sleep(7200)"), LIMIT);
        answers.push(output.stderr);

        // When a backend is killed, the postmaster ends the others and starts anew.
        let sleeper = start(&mut cluster.psql("select pg_sleep(7200)"), "");
        waits("PgSleep");
        let pid = cluster.ask("select pid from pg_stat_activity where wait_event = 'PgSleep'");
        let pid = pid.parse().expect("a pid");
        // SAFETY: kill takes two numbers; the pid is that of a backend of the test's own server.
        assert_eq!(unsafe { libc::kill(pid, libc::SIGKILL) }, 0);
        let output = sleeper.finish(LIMIT);
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        eventually("it serves again", LIMIT, || run(&mut cluster.psql("select 1"), LIMIT).stdout == "1\n");
        answers.push(cluster.ask("select count(*) from numbers"));

        server.check_epolls(mode);
        server.stop_by(libc::SIGINT);
        assert!(!server.stderr().contains("glasspoll"), "{}", server.stderr());
        answers
    });
}

/// The children of the postmaster get no signal: they see the end of a pipe that they inherited.
#[test]
fn all_processes_of_postgresql_end_when_the_postmaster_is_killed() {
    if !postgres::have() {
        return;
    }
    let _turn = turn::take();
    in_both_modes(|mode| {
        let dir = tempfile::tempdir().expect("a directory");
        let cluster = Cluster::new(mode, dir.path(), free_port());
        let mut server = cluster.start();
        let sleeper = start(&mut cluster.psql("select pg_sleep(7200)"), "");
        let asleep = "select count(*) from pg_stat_activity where wait_event = 'PgSleep'";
        eventually("a backend sleeps", LIMIT, || cluster.ask(asleep) == "1");
        assert!(server.processes().len() > 5, "{:?}", server.processes());
        server.signal(libc::SIGKILL);
        assert!(!server.wait().success());
        server.check_gone();
        assert!(!sleeper.finish(LIMIT).status.success());
        assert!(!server.stderr().contains("glasspoll"), "{}", server.stderr());

        // The data are intact, and a start after the crash works.
        let mut server = cluster.start();
        assert_eq!(cluster.ask("select 1"), "1");
        server.stop_by(libc::SIGTERM);
    });
}
