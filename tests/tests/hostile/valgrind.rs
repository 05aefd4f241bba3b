//! A program that runs on valgrind also runs on valgrind with the library. valgrind differs from a kernel: it keeps
//! signal 64 for itself, and after a handler it gives a thread its earlier mask back.

use glasspoll_tests::c_tests::{CTest, Folders};
use glasspoll_tests::documents::root;
use glasspoll_tests::mode::library;
use glasspoll_tests::port::free_port;
use glasspoll_tests::run::run;
use glasspoll_tests::run::LIMIT;
use glasspoll_tests::{in_both_modes, program, redis, Mode, Server};
use std::process::Command;

/// memcheck on `arguments`; if it complains, the status is 99.
fn valgrind(mode: Mode, arguments: &[String]) -> Command {
    let mut command = glasspoll_tests::mode::clean_command(program::path("valgrind"));
    if mode == Mode::Preloaded {
        command.env("LD_PRELOAD", library());
    }
    command.args(["-q", "--error-exitcode=99"]).args(arguments);
    command
}

#[test]
fn redis_serves_on_valgrind_and_ends_when_it_is_asked_to() {
    if !program::have(&redis::PROGRAMS) || !program::have(&["valgrind"]) {
        return;
    }
    in_both_modes(|mode| {
        let dir = tempfile::tempdir().expect("a directory");
        let port = free_port();
        let mut server = Server::start(valgrind(mode, &redis::arguments(dir.path(), port)), dir.path(), port);
        let arguments = ["-q", "-n", "500", "-c", "10", "-t", "get,set,lpush"];
        redis::check_output(&run(&mut redis::benchmark(&server, &arguments), LIMIT).success());
        assert_eq!(redis::ask(&server, &["PING"]), "PONG");
        // The server now sleeps in a wait, and the signal must end it.
        server.stop();
        redis::check_log(&server);
    });
}

/// Natively each program runs without complaints under memcheck, so a complaint is about the library.
#[test]
fn the_tests_of_signals_and_threads_hold_on_valgrind() {
    if !program::have(&["valgrind", "gcc"]) {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let folders = Folders { sources: root().join("c-tests"), programs: dir.path().to_owned() };
    let tests = CTest::all(&folders.sources).expect("c-tests can be read");
    for name in [
        "a_signal_interrupts_a_wait",
        "a_wakeup_that_meets_a_signal_is_not_lost",
        "a_handler_may_end_the_thread_it_interrupts",
        "pwait_swaps_the_mask_atomically",
        "signal_and_sigset_hand_back_the_programs_handlers",
        "two_edges_wake_exactly_two_of_three_waiters",
        "events_come_in_the_order_of_becoming_ready",
    ] {
        let test = tests.iter().find(|test| test.name == name).expect("a test of that name");
        let built = folders.build(&[test], 1).expect("a directory");
        let program = built[name].as_ref().unwrap_or_else(|said| panic!("{name}: {said}"));
        let arguments = [program.to_str().expect("a path in UTF-8").to_owned()];
        let output = run(&mut valgrind(Mode::Preloaded, &arguments), LIMIT);
        assert!(output.status.success(), "{name}: {}{}", output.stdout, output.stderr);
    }
}
