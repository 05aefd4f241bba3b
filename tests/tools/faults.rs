//! `faults survey [--all] [--collect] [--threads N] SCENARIO|all [NAME=VALUE...]`: has every system call of the library fail in a
//! scenario (`glasspoll_tests::faults`), and prints what was survived and what was not.
//! `faults one SCENARIO NUMBER ERRNO [NAME=VALUE...]`: one run, and its calls. With -ERRNO all of the kind fail from there
//! on; with `-` for a number nothing does.
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
