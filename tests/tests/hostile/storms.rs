//! Threads write, wait, change and close at the same time: the invariants hold on both epolls, and the storm that
//! checks them notices when they do not.

use glasspoll_tests::run::LIMIT;

use glasspoll_tests::mode::clean_command;
use glasspoll_tests::run::run;
use glasspoll_tests::storm::Fault;
use glasspoll_tests::{in_both_modes, turn};

const STORM: &str = env!("CARGO_BIN_EXE_storm");

#[test]
fn a_storm_breaks_no_invariant() {
    let _turn = turn::take();
    in_both_modes(|mode| {
        let output = run(mode.command(STORM).args(["6", "1"]), LIMIT).success();
        assert!(output.contains("all invariants held"), "{output}");
    });
}

/// The first eras of these seeds have fast timers, files of another process and reads of every kind. Once, the library
/// polled after a read for what the read had left, and so lost edges for good.
#[test]
fn a_storm_of_files_that_become_ready_amid_a_read_breaks_no_invariant() {
    let _turn = turn::take();
    in_both_modes(|mode| {
        for seed in ["1002", "3002"] {
            let output = run(mode.command(STORM).args(["6", seed]), LIMIT).success();
            assert!(output.contains("all invariants held"), "{output}");
        }
    });
}

#[test]
fn a_storm_on_polled_files_breaks_no_invariant() {
    let _turn = turn::take();
    let mut command = glasspoll_tests::Mode::Preloaded.command(STORM);
    let output = run(command.env("GLASSPOLL_DEVICE", "poll").args(["6", "1"]), LIMIT);
    assert!(output.success().contains("all invariants held"));
}

#[test]
fn a_storm_on_the_kernels_epoll_observed_breaks_no_invariant() {
    let _turn = turn::take();
    let mut command = glasspoll_tests::Mode::Preloaded.command(STORM);
    let output = run(command.env("GLASSPOLL_ENGINE", "observe").args(["20", "1"]), LIMIT);
    assert!(output.success().contains("all invariants held"));
}

/// Storms seldom run long enough at one pace for hot items: here every set has them from the start, or no set has any.
#[test]
fn a_storm_on_hot_items_breaks_no_invariant() {
    let _turn = turn::take();
    for bound in ["0", "3", "512"] {
        let mut command = glasspoll_tests::Mode::Preloaded.command(STORM);
        let output = run(command.env("GLASSPOLL_HOT", bound).args(["6", "1"]), LIMIT);
        assert!(output.success().contains("all invariants held"), "GLASSPOLL_HOT={bound}");
    }
}

#[test]
fn a_storm_with_spinning_waits_breaks_no_invariant() {
    let _turn = turn::take();
    let mut command = glasspoll_tests::Mode::Preloaded.command(STORM);
    let output = run(command.env("GLASSPOLL_SPIN", "auto").args(["6", "1"]), LIMIT);
    assert!(output.success().contains("all invariants held"));
}

#[test]
fn a_storm_under_a_helper_that_always_watches_breaks_no_invariant() {
    let _turn = turn::take();
    let mut command = glasspoll_tests::Mode::Preloaded.command(STORM);
    let output = run(command.env("GLASSPOLL_READY", "exact").args(["6", "1"]), LIMIT);
    assert!(output.success().contains("all invariants held"));
}

#[test]
fn every_invariant_notices_when_it_is_broken() {
    let _turn = turn::take();
    for (fault, invariant) in Fault::names() {
        let output = run(clean_command(STORM).args(["--fault", fault, "60", "1"]), LIMIT);
        assert_eq!(output.status.code(), Some(1), "{fault} passed: {}", output.stdout);
        let said = format!("storm: {invariant}: ");
        assert!(output.stderr.starts_with(&said), "{fault} is not {invariant}: {}", output.stderr);
    }
}
