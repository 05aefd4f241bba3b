//! `faults survey [--all] [--collect] [--threads N] SCENARIO|all [NAME=VALUE...]`: makes every system call of the library
//! fail in a scenario (`glasspoll_tests::faults`), and prints what the program survived and what it did not.
//! `faults one SCENARIO NUMBER ERRNO [NAME=VALUE...]`: one run, and its calls. With -ERRNO all of the kind fail from
//! there on; with `-` for NUMBER no call fails.
//! `faults document FILE`: fills in the errnos that are injected, in the table of docs/faults.md.
//! `faults scenario NAME`: the program that is run.

use std::process::ExitCode;

#[cfg(target_arch = "x86_64")]
fn main() -> ExitCode {
    glasspoll_tests::faults::command()
}

#[cfg(not(target_arch = "x86_64"))]
fn main() -> ExitCode {
    eprintln!("faults: the registers of this processor are not known");
    ExitCode::from(77)
}
