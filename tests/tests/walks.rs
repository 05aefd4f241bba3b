//! Random walks over the API give the same log on the kernel and preloaded.

use std::time::Duration;

use glasspoll_tests::mode::clean_command;
use glasspoll_tests::run::run;

#[test]
fn walks_are_the_same_on_both() {
    let mut command = clean_command(env!("CARGO_BIN_EXE_walk"));
    let output = run(command.args(["fuzz", "300", "1", "400"]), Duration::from_secs(300));
    assert!(output.status.success(), "{}", output.stdout);
    assert!(output.stdout.contains("300 walks, no difference"), "{}", output.stdout);
}
