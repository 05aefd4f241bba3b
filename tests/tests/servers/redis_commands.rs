//! redis commands that wait: subscriptions and blocking pops.

use glasspoll_tests::run::LIMIT;
use glasspoll_tests::run::{eventually, start};
use glasspoll_tests::{in_both_modes, program, redis};
use std::fmt::Write;
use std::thread;
use std::time::{Duration, Instant};

#[test]
fn redis_subscribers_get_every_message() {
    if !program::have(&redis::PROGRAMS) {
        return;
    }
    in_both_modes(|mode| {
        let dir = tempfile::tempdir().expect("a directory");
        let mut server = redis::start(mode, dir.path());
        let subscribers: Vec<_> =
            (0..3).map(|_| start(&mut redis::cli(&server, &["SUBSCRIBE", "news"]), "")).collect();
        eventually("all have subscribed", LIMIT, || {
            redis::ask(&server, &["PUBSUB", "NUMSUB", "news"]).ends_with('3')
        });

        let mut commands = String::new();
        for number in 0..1000 {
            writeln!(commands, "PUBLISH news message-{number}").expect("a string");
        }
        let answers = redis::ask_all(&server, &commands);
        assert_eq!(answers, "3\n".repeat(1000), "subscribers reached");

        for subscriber in &subscribers {
            let count = |text: String| text.matches("message-").count();
            eventually("all messages arrive", LIMIT, || count(subscriber.stdout_so_far()) == 1000);
            let stdout = subscriber.stdout_so_far();
            let got = stdout.lines().filter(|line| line.starts_with("message-"));
            let sent = (0..1000).map(|number| format!("message-{number}"));
            assert!(got.eq(sent), "out of order: {stdout}");
        }
        redis::check_log(&server);
        server.stop();
    });
}

#[test]
fn redis_blocking_pop_wakes_when_another_client_pushes() {
    if !program::have(&redis::PROGRAMS) {
        return;
    }
    in_both_modes(|mode| {
        let dir = tempfile::tempdir().expect("a directory");
        let mut server = redis::start(mode, dir.path());
        let mut pop = start(&mut redis::cli(&server, &["BLPOP", "queue", "0"]), "");
        eventually("the client blocks", LIMIT, || {
            redis::ask(&server, &["INFO", "clients"]).contains("blocked_clients:1")
        });
        thread::sleep(Duration::from_millis(200));
        assert!(pop.is_running(), "BLPOP did not block");
        assert_eq!(redis::ask(&server, &["LPUSH", "queue", "job"]), "1");
        assert_eq!(pop.finish(LIMIT).success(), "queue\njob\n");
        redis::check_log(&server);
        server.stop();
    });
}

#[test]
fn redis_blocking_pop_gives_up_after_its_timeout_and_not_before() {
    if !program::have(&redis::PROGRAMS) {
        return;
    }
    in_both_modes(|mode| {
        let dir = tempfile::tempdir().expect("a directory");
        let mut server = redis::start(mode, dir.path());
        let begin = Instant::now();
        assert_eq!(redis::ask(&server, &["BLPOP", "queue", "1"]), "");
        let waited = begin.elapsed();
        assert!(waited >= Duration::from_secs(1), "gave up after {waited:?}");
        redis::check_log(&server);
        server.stop();
    });
}
