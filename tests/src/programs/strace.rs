//! Counts system calls.

use crate::lockstep::Counts;
use crate::mode::{clean_command, library};
use crate::run::eventually;
use crate::run::LIMIT;
use crate::{program, Mode};
use std::fs;
use std::path::Path;
use std::process::Command;

/// Every system call of epoll and io_uring, under every name that this architecture has.
pub const EPOLL_AND_IO_URING: &str = "/^(epoll|io_uring)_";

/// Every system call that makes a process or a thread.
pub const CLONES: &str = "/^(clone|clone3|fork|vfork)$";

/// Runs `arguments` under strace, which writes the calls named by `which` to `log`. Only the traced program is
/// preloaded.
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

/// The calls in a log, one line each. A call that another thread's line splits in two counts once; the ends of
/// processes do not count.
pub fn calls(log: &Path) -> Vec<String> {
    let text = fs::read_to_string(log).expect("strace writes its log");
    text.lines().filter(|line| !line.contains("<... ") && !line.contains("+++ ")).map(str::to_owned).collect()
}

/// Runs `arguments` under strace, with `settings` if they are preloaded. It counts all calls of the program and its
/// children, and writes the counts to `log` when they have ended. The process that is started is the program; strace is
/// in a group of its own, so it outlives the program even if a signal ends the program's group.
pub fn counting(mode: Mode, settings: &[String], log: &Path, arguments: &[String]) -> Command {
    let mut command = clean_command(program::path("strace"));
    command.args(["-DD", "-f", "-c", "-o"]).arg(log);
    if mode == Mode::Preloaded {
        let variable = format!("LD_PRELOAD={}", library().display());
        command.args(["-E", &variable]);
        command.args(settings.iter().flat_map(|setting| ["-E", setting]));
    }
    command.args(arguments);
    command
}

/// How often each call was made, from the log of [`counting`].
pub fn counts(log: &Path) -> Counts {
    let done = || fs::read_to_string(log).is_ok_and(|text| text.contains(" total\n"));
    eventually("strace has written its counts", LIMIT, done);
    let text = fs::read_to_string(log).expect("strace has written it");
    // The fields: share of the time, seconds, time of one call, calls, errors (may be missing), name.
    let count = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let name = fields.last().filter(|name| **name != "total")?;
        Some(((*name).to_owned(), fields.get(3)?.parse().ok()?))
    };
    text.lines().filter_map(count).collect()
}
