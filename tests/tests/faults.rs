//! Whatever system call of the library's fails, once or for good: the program is told what it is told without.
#![cfg(target_arch = "x86_64")]

use glasspoll_tests::faults::{survey, Extent, Options};
use glasspoll_tests::turn;

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

#[test]
fn no_fault_is_felt_by_who_polls_a_set() {
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
