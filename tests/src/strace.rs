//! Counting system calls.

use crate::mode::{clean_command, library};
use crate::{program, Mode};
use std::fs;
use std::path::Path;
use std::process::Command;

/// Every system call of epoll and io_uring, by whatever names this
/// architecture has.
pub const EPOLL_AND_IO_URING: &str = "/^(epoll|io_uring)_";

/// Everything that makes a process or a thread.
pub const CLONES: &str = "/^(clone|clone3|fork|vfork)$";

/// `arguments` run under strace, which writes the calls named by `which` to
/// `log`. Only the traced program is preloaded.
pub fn command(mode: Mode, which: &str, log: &Path, arguments: &[String]) -> Command {
    let mut command = clean_command(program::path("strace"));
    command.args(["-f", "--seccomp-bpf", "-e", "signal=none", "-e"]);
    command.arg(format!("trace={which}")).arg("-o").arg(log);
    if mode == Mode::Preloaded {
        let variable = format!("LD_PRELOAD={}", library().display());
        command.args(["-E", &variable]);
    }
    command.args(arguments);
    command
}

/// The calls in a log, one line each. A call that another thread's line cut in
/// two counts once; the ends of processes do not count.
pub fn calls(log: &Path) -> Vec<String> {
    let text = fs::read_to_string(log).expect("strace writes its log");
    text.lines().filter(|line| !line.contains("<... ") && !line.contains("+++ ")).map(str::to_owned).collect()
}
