//! What the machine, or its administrator, does to a program: hardly any CPU time, no more threads, a debugger.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{self, Command};
use std::thread;
use std::time::{Duration, Instant};

use glasspoll_tests::command::{install, is_root};
use glasspoll_tests::mode::{clean_command, library};
use glasspoll_tests::run::{run, start};
use glasspoll_tests::{in_both_modes, program, turn, Mode};

use crate::{is_fine, limited, scenario, FAULTS, LIMIT, SCENARIOS};

/// A user without any other process, so that the limit on threads applies to one process.
const NO_ONE: u32 = 64_123;

/// A control group with a hundredth of a processor: one millisecond in each hundred. Removed when dropped.
struct Hundredth(PathBuf);

impl Hundredth {
    /// None: this machine allows no control groups, or none with a limit.
    fn new() -> Option<Self> {
        // Version 1, then version 2. Linux: Documentation/scheduler/sched-bwc.rst
        let named = |folder: &str| Path::new(folder).join(format!("glasspoll-{}", process::id()));
        let (first, second) = (named("/sys/fs/cgroup/cpu"), named("/sys/fs/cgroup"));
        let one = || {
            fs::create_dir(&first).ok()?;
            let group = Self(first.clone());
            fs::write(first.join("cpu.cfs_period_us"), "100000").ok()?;
            fs::write(first.join("cpu.cfs_quota_us"), "1000").ok()?;
            Some(group)
        };
        let two = || {
            fs::create_dir(&second).ok()?;
            let group = Self(second.clone());
            fs::write(second.join("cpu.max"), "1000 100000").ok()?;
            Some(group)
        };
        one().or_else(two)
    }

    /// How often its processes were throttled.
    fn throttled(&self) -> u64 {
        let text = fs::read_to_string(self.0.join("cpu.stat")).expect("the group is ours");
        let count = text.lines().find_map(|line| line.strip_prefix("nr_throttled "));
        count.and_then(|count| count.parse().ok()).expect("a number")
    }
}

impl Drop for Hundredth {
    fn drop(&mut self) {
        // The processes in it have ended, and leave it a moment later.
        for _ in 0..500 {
            if fs::remove_dir(&self.0).is_ok() {
                return;
            }
            thread::sleep(Duration::from_millis(10));
        }
    }
}

/// The scenario runs in parallel with loops that take the remaining CPU time.
#[test]
fn starvation_is_not_felt() {
    let _turn = turn::take();
    let mut busy = Vec::new();
    for _ in 0..thread::available_parallelism().map_or(2, usize::from) {
        busy.push(start(Command::new("sh").args(["-c", "while :; do :; done"]), ""));
    }
    for name in SCENARIOS {
        let mut command = scenario(Mode::Preloaded, name);
        // SAFETY: one system call.
        unsafe {
            command.pre_exec(|| {
                let none = libc::sched_param { sched_priority: 0 };
                libc::sched_setscheduler(0, libc::SCHED_IDLE, &none);
                Ok(())
            });
        }
        is_fine(name, &run(&mut command, LIMIT));
    }
}

/// How often a scenario runs, until it has used up its share of the processor once.
const TRIES: usize = 50;

#[test]
fn a_hundredth_of_a_processor_is_enough() {
    let _turn = turn::take();
    let Some(group) = Hundredth::new() else {
        return program::skip(
            "no control group can be made here, and so none with a hundredth of a processor",
        );
    };
    in_both_modes(|mode| {
        for name in SCENARIOS {
            // On a busy machine a run may get so little CPU time that it stays within its share.
            let held_back = (0..TRIES).any(|_| {
                let before = group.throttled();
                let mut command = clean_command("sh");
                command.args(["-c", "echo $$ >\"$0\"/cgroup.procs && exec \"$@\""]).arg(&group.0);
                let inner = scenario(mode, name);
                command.arg(inner.get_program()).args(inner.get_args());
                command.envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
                is_fine(name, &run(&mut command, 4 * LIMIT));
                group.throttled() > before
            });
            assert!(held_back, "{name} was not held back in {TRIES} runs");
        }
    });
}

/// The kernel itself refuses another thread (RLIMIT_NPROC), to a user without the privilege to exceed the limit.
#[test]
fn a_user_with_no_thread_left_is_told_and_served() {
    if !is_root() {
        return program::skip("only root can be another user, of whom there is no other process");
    }
    let installed = install();
    run(Command::new("cp").arg(FAULTS).arg(installed.dir().join("faults")), LIMIT).success();
    run(Command::new("chmod").args(["-R", "a+rX"]).arg(installed.dir()), LIMIT).success();
    for (name, exact) in [("loop", false), ("nested", false), ("loop", true), ("nested", true)] {
        let mut command = clean_command(installed.dir().join("faults"));
        command.args(["scenario", name]).uid(NO_ONE).gid(NO_ONE);
        command.env("LD_PRELOAD", installed.dir().join("libglasspoll.so"));
        if exact {
            // Exact times need the helper thread.
            command.env("GLASSPOLL_READY", "exact");
        }
        let output = run(&mut limited(command, libc::RLIMIT_NPROC, 1), LIMIT);
        is_fine(name, &output);
        let said = output.stderr.contains("no helper thread");
        assert!(said == exact && output.stderr.lines().count() == usize::from(exact), "{output:?}");
    }
}

/// gdb, in batch mode and without a user's settings.
fn gdb() -> Command {
    let mut command = clean_command(program::path("gdb"));
    command.args(["-nx", "-batch", "-ex", "set debuginfod enabled off", "-ex", "set pagination off"]);
    command
}

#[test]
fn a_debugger_is_not_felt() {
    if !program::have(&["gdb"]) {
        return;
    }
    in_both_modes(|mode| {
        for name in SCENARIOS {
            let mut command = gdb();
            if mode == Mode::Preloaded {
                command.arg("-ex").arg(format!("set environment LD_PRELOAD {}", library().display()));
            }
            // gdb passes on the signals that the scenario sends itself; by default it would stop at the library's own
            // signal.
            for line in [
                "handle all nostop noprint pass",
                "handle SIG64 stop print",
                "set startup-with-shell off",
                "run",
            ] {
                command.args(["-ex", line]);
            }
            let output = run(command.args(["--args", FAULTS, "scenario", name]), LIMIT);
            let ended = output.stdout.contains("exited normally");
            // gdb's own message about a thread may be in the same line.
            assert!(ended && output.stdout.contains("done\n"), "{name}: {output:#?}");
        }
    });
}

/// The program is stopped, looked at and continued, again and again, at whatever point it is.
#[test]
fn a_debugger_that_comes_and_goes_is_not_felt() {
    if !program::have(&["gdb", "python3"]) {
        return;
    }
    let scope = fs::read_to_string("/proc/sys/kernel/yama/ptrace_scope").unwrap_or_default();
    if !is_root() && !matches!(scope.trim(), "" | "0") {
        return program::skip("only root may attach to a process that is not his child's (ptrace_scope)");
    }
    let script = "import os, select, socket, threading, time\n\
        a, b = socket.socketpair(); a.setblocking(False); inner = select.epoll(); outer = select.epoll()\n\
        inner.register(a, select.EPOLLIN | select.EPOLLET); outer.register(inner, select.EPOLLIN)\n\
        def write():\n \
            for n in range(100000):\n  \
                if os.path.exists('stop'): break\n  \
                b.send(b'x'); time.sleep(0.002 if n % 50 else 0.1)\n \
            b.close()\n\
        threading.Thread(target=write).start()\n\
        count = 0; start = time.monotonic()\n\
        while True:\n \
            assert outer.poll(600), 'lost'\n \
            assert inner.poll(0), 'lost inside'\n \
            try:\n  \
                while data := a.recv(1000): count += len(data)\n  \
                break\n \
            except BlockingIOError: pass\n\
        print('done', count)\n";
    let dir = tempfile::tempdir().expect("a directory");
    in_both_modes(|mode| {
        let mut command = mode.command(program::path("python3"));
        let running = start(command.args(["-c", script]).current_dir(dir.path()), "");
        let pid = running.pid().to_string();
        let (end, mut looks) = (Instant::now() + LIMIT, 0);
        while looks < 8 && Instant::now() < end {
            let output =
                run(gdb().args(["-p", &pid, "-ex", "thread apply all bt 3", "-ex", "detach"]), LIMIT);
            looks += u32::from(output.stdout.contains("Thread 2"));
        }
        assert_eq!(looks, 8, "{mode:?}");
        fs::write(dir.path().join("stop"), "").expect("our own directory");
        let output = running.finish(LIMIT);
        assert!(output.status.success() && output.stdout.starts_with("done "), "{mode:?}: {output:?}");
        fs::remove_file(dir.path().join("stop")).expect("our own directory");
    });
}
