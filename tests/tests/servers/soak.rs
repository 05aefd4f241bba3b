//! Each alarm of the soak works: a server does one thing wrong if the library is loaded, and the soak names the fault
//! and the seed.

use glasspoll_tests::mode::{clean_command, library};
use glasspoll_tests::run::run;
use glasspoll_tests::run::LIMIT;
use glasspoll_tests::{turn, Output};

const SOAK: &str = env!("CARGO_BIN_EXE_soak");

fn soak(minutes: &str, only: &str) -> Output {
    // The soak looks for it in its own folder.
    let _server = env!("CARGO_BIN_EXE_planted_server");
    let dir = tempfile::tempdir().expect("a directory");
    let mut command = clean_command(SOAK);
    command.env("TMPDIR", dir.path());
    command.env("GLASSPOLL_LIB", library());
    // Short enough that a hang is noticed, and long enough that a busy machine does not look like a hang.
    command.args([minutes, "--seed", "3", "--deadline", "10", "--only", only]);
    run(&mut command, LIMIT)
}

/// Checks that each fault is named, for glasspoll only.
fn is_named(output: &Output, faults: &[(&str, &str)]) {
    assert_eq!(output.status.code(), Some(1), "{output:#?}");
    for (name, fault) in faults {
        let alarm = format!("{fault}: {name} on glasspoll, phase ");
        assert!(output.stdout.contains(&alarm), "no {alarm:?} in {output:#?}");
    }
    assert!(output.stdout.contains("faults with seed 3"), "{output:#?}");
    assert!(!output.stdout.contains(" on the kernel, phase"), "{output:#?}");
}

#[test]
fn growth_and_ticking_are_named_and_a_server_without_a_fault_is_not() {
    let _turn = turn::take();
    let output = soak("0.25", "none,memory,descriptors,threads,ticks");
    let faults = [("memory", "Grew"), ("descriptors", "Grew"), ("threads", "Grew"), ("ticks", "Ticks")];
    is_named(&output, &faults);
    assert!(!output.stdout.contains("none on glasspoll, phase"), "{output:#?}");
    assert!(output.stdout.contains("| none | kernel |") && output.stdout.contains("| none | glasspoll |"));
}

#[test]
fn answers_that_are_lost_or_wrong_and_connections_that_hang_are_named() {
    let _turn = turn::take();
    is_named(&soak("0.1", "wrong,loses,hangs"), &[("wrong", "Wrong"), ("loses", "Lost"), ("hangs", "Hung")]);
}

#[test]
fn a_server_that_dies_is_named() {
    let _turn = turn::take();
    is_named(&soak("0.1", "crashes"), &[("crashes", "Crashed")]);
}

#[test]
fn a_run_in_which_nothing_is_wrong_says_so() {
    let _turn = turn::take();
    assert!(soak("0.1", "none").success().contains("nothing was lost"));
}
