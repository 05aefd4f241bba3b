//! Any system call of the library fails, once or from then on: the program gets the same results as without.
#![cfg(target_arch = "x86_64")]

use glasspoll_tests::run::LIMIT;

use glasspoll_tests::faults::{run, survey, Call, Extent, Fault, Options};
use glasspoll_tests::{turn, Mode};

const FAULTS: &str = env!("CARGO_BIN_EXE_faults");

fn is_not_felt(scenario: &str, settings: &[&str]) {
    let _turn = turn::take();
    let options = Options {
        program: FAULTS.into(),
        scenario: scenario.into(),
        settings: settings.iter().map(|setting| (*setting).to_owned()).collect(),
        extent: Extent::Some,
        threads: 2,
    };
    let found = survey(&options, |failure| eprintln!("{failure}"));
    eprintln!("{found}");
    assert!(found.hit > 150, "{} faults only", found.hit);
    assert!(found.failures.is_empty(), "{:#?}", found.failures);
}

#[test]
fn no_fault_is_felt_in_one_loop() {
    is_not_felt("loop", &[]);
}

#[test]
fn no_fault_is_felt_in_nested_sets() {
    is_not_felt("nested", &[]);
}

#[test]
fn no_fault_is_felt_by_threads_that_wait_together() {
    is_not_felt("threads", &[]);
}

/// The library gets its signalfd only when a thread sleeps already; that thread must learn of it.
#[test]
fn a_signalfd_that_is_to_be_had_later_is_heard_of() {
    let signalfd = Call::new(libc::SYS_signalfd4, [u64::MAX, 0, 0, 0, 0, 0]);
    let mut command = Mode::Preloaded.command(FAULTS);
    command.args(["scenario", "latecomer"]);
    let ran = run(command, Fault::First(2, signalfd, libc::ENOMEM), LIMIT);
    assert!(ran.status.success() && ran.stdout == "done\n", "{ran:#?}");
    assert_eq!((ran.injected, ran.stderr.lines().count()), (2, 1), "{ran:#?}");
    assert!(!ran.stderr.contains("late"), "{ran:#?}");
}

#[test]
fn no_fault_is_felt_by_late_comers() {
    is_not_felt("latecomer", &[]);
}

#[test]
fn no_fault_is_felt_by_a_thread_that_polls_a_set() {
    is_not_felt("pollers", &[]);
}

#[test]
fn no_fault_is_felt_beside_a_thread_that_waits_no_more() {
    is_not_felt("leaver", &[]);
}

#[test]
fn no_fault_is_felt_in_a_forked_child_nor_by_its_parent() {
    is_not_felt("fork", &[]);
}

#[test]
fn no_fault_is_felt_after_a_failed_exec_nor_in_the_new_program() {
    is_not_felt("exec", &[]);
}

#[test]
fn no_fault_loses_a_signal_of_the_program() {
    is_not_felt("signals", &[]);
}
