//! `forbid_epoll PROGRAM [ARGUMENTS…]`: runs a program that dies by SIGSYS at
//! its first epoll or io_uring call.

use glasspoll_tests::seccomp;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let Some(program) = arguments.next() else {
        eprintln!("usage: forbid_epoll PROGRAM [ARGUMENTS...]");
        return ExitCode::from(2);
    };
    if let Err(error) = seccomp::forbid_epoll() {
        eprintln!("forbid_epoll: no filter: {error}");
        return ExitCode::from(125);
    }
    let error = Command::new(&program).args(arguments).exec();
    eprintln!("forbid_epoll: {}: {error}", program.to_string_lossy());
    ExitCode::from(127)
}
