//! Random walks over the API give the same log on the kernel and preloaded.

use glasspoll_tests::run::LIMIT;

use glasspoll_tests::mode::clean_command;
use glasspoll_tests::run::{run, Output};

#[test]
fn walks_are_the_same_on_both() {
    check(300, &[]);
}

/// `walk::Terms` says what such a walk leaves out and what is compared.
#[test]
fn walks_are_the_same_with_every_bound_of_hot_items() {
    check(60, &["GLASSPOLL_HOT=0"]);
    check(60, &["GLASSPOLL_HOT=3"]);
    check(60, &["GLASSPOLL_HOT=512"]);
    check(60, &["GLASSPOLL_HOT=18446744073709551615"]);
}

#[test]
fn walks_are_the_same_without_signals() {
    check(60, &["GLASSPOLL_DEVICE=poll"]);
    check(60, &["GLASSPOLL_DEVICE=poll", "GLASSPOLL_HOT=512"]);
}

#[test]
fn walks_are_the_same_where_the_kernels_epoll_is_observed() {
    check(300, &["GLASSPOLL_ENGINE=observe"]);
}

#[test]
fn walks_are_the_same_with_spinning_waits() {
    check(60, &["GLASSPOLL_SPIN=auto"]);
    check(60, &["GLASSPOLL_SPIN=auto", "GLASSPOLL_HOT=512"]);
}

/// Only the order of hot items is not compared: if it were, walks would differ.
#[test]
fn a_difference_is_found_and_printed() {
    let output = fuzz(1, &["GLASSPOLL_HOT=512", "--in-order"]);
    assert_eq!(output.status.code(), Some(1), "{}", output.stdout);
    assert!(output.stdout.contains("they differ, shrunk to"), "{}", output.stdout);
    assert!(output.stdout.contains("int main(void)"), "{}", output.stdout);
}

fn check(walks: u32, settings: &[&str]) {
    let output = fuzz(walks, settings);
    assert!(output.status.success(), "{}", output.stdout);
    assert!(output.stdout.contains(&format!("{walks} walks, no difference")), "{}", output.stdout);
}

fn fuzz(walks: u32, settings: &[&str]) -> Output {
    let mut command = clean_command(env!("CARGO_BIN_EXE_walk"));
    run(command.args(["fuzz", &walks.to_string(), "1", "400"]).args(settings), LIMIT)
}
