//! `glasspoll attach` and `detach`: a process that was started without the library gets it while it runs, and does what
//! it did. The library is a small one in its place, so that these tests are about the command.

use glasspoll_tests::command::{glasspoll, is_root};
use glasspoll_tests::mode::clean_command;
use glasspoll_tests::program;
use glasspoll_tests::run::{run, LIMIT};
use glasspoll_tests::Output;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// The program, the library, and a folder for more.
struct Built {
    dir: tempfile::TempDir,
}

impl Built {
    /// None: there is no compiler.
    fn new() -> Option<Self> {
        if !program::have(&["gcc"]) {
            return None;
        }
        let built = Self { dir: tempfile::tempdir().expect("a directory") };
        built.compile("gcc", "attach_target.c", "target", &["-pthread"]);
        built.compile("gcc", "attach_library.c", "libglasspoll.so", &["-shared", "-fPIC"]);
        Some(built)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn compile(&self, compiler: &str, source: &str, name: &str, options: &[&str]) {
        let mut command = clean_command(program::path(compiler));
        command.args(["-O1", "-o", name]).arg(format!("{}/tests/programs/{source}", env!("CARGO_MANIFEST_DIR")));
        run(command.args(options).current_dir(self.dir.path()), LIMIT).success();
    }

    fn command(&self, name: &str, arguments: &[&str]) -> Command {
        let mut command = clean_command(self.path(name));
        command.args(arguments);
        command
    }

    fn start(&self, arguments: &[&str]) -> Target {
        Target::start(&mut self.command("target", arguments))
    }

    fn glasspoll(&self, arguments: &[&str], target: &Target) -> Command {
        let mut command = glasspoll();
        command.args(arguments).arg(target.pid().to_string());
        command.env("GLASSPOLL_LIB", self.path("libglasspoll.so"));
        command
    }

    fn attach(&self, target: &Target) -> Output {
        run(&mut self.glasspoll(&["attach"], target), LIMIT)
    }

    fn detach(&self, target: &Target) -> Output {
        run(&mut self.glasspoll(&["detach"], target), LIMIT)
    }

    /// Attaching is refused with one line, and the program goes on.
    fn refuses(&self, target: &mut Target, words: &str) {
        let output = self.attach(target);
        check_refusal(&output, words);
        target.serves();
    }
}

fn check_refusal(output: &Output, words: &str) {
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert_eq!(output.stderr.lines().count(), 1, "{output:?}");
    assert!(output.stderr.contains(words), "{words}: {output:?}");
}

/// The program, as it runs. Killed when dropped.
struct Target {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl Target {
    fn start(command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let stdin = child.stdin.take().expect("a pipe");
        let stdout = BufReader::new(child.stdout.take().expect("a pipe"));
        let mut target = Self { child, stdin, stdout };
        assert_eq!(target.line(), "here\n");
        target
    }

    fn pid(&self) -> u32 {
        self.child.id()
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.stdout.read_line(&mut line).expect("a pipe");
        line
    }

    /// It answers, and nothing was wrong since the last time; but for a wait that ended early, if it may.
    fn serves_but(&mut self, may_be: &str) {
        self.stdin.write_all(b"x").expect("it lives");
        loop {
            let line = self.line();
            if line.starts_with("ok ") {
                return;
            }
            assert!(!may_be.is_empty() && line.contains(may_be), "{line:?}");
        }
    }

    fn serves(&mut self) {
        self.serves_but("");
    }

    fn threads_and_mappings(&self) -> [usize; 3] {
        let count = |what: &str| {
            std::fs::read_dir(format!("/proc/{}/{what}", self.pid())).expect("it lives").count()
        };
        let maps = std::fs::read_to_string(format!("/proc/{}/maps", self.pid())).expect("it lives");
        [count("task"), count("fd"), maps.lines().count()]
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const KINDS: [&str; 10] = [
    "epoll_wait",
    "epoll_pwait",
    "poll",
    "ppoll",
    "select",
    "nanosleep",
    "clock_nanosleep",
    "read",
    "condition",
    "spin",
];

#[test]
fn a_program_in_any_wait_is_attached_to_and_sees_nothing() {
    let Some(built) = Built::new() else { return };
    for kind in KINDS {
        let mut target = built.start(&[kind]);
        let pid = target.pid();
        for _ in 0..3 {
            let stdout = built.attach(&target).success();
            assert_eq!(stdout, format!("target {pid}: attached: 7 slots lead to the library\n"), "{kind}");
            target.serves();
            assert!(built.attach(&target).success().contains("was attached already"), "{kind}");
            target.serves();
            let stdout = built.detach(&target).success();
            assert_eq!(stdout, format!("target {pid}: detached: 7 slots are as before\n"), "{kind}");
            target.serves();
        }
        check_refusal(&built.detach(&target), "nothing is attached to it");
        target.serves();
    }
}

#[test]
fn cycles_leave_no_more_behind_than_the_first() {
    let Some(built) = Built::new() else { return };
    let mut target = built.start(&["epoll_wait"]);
    let cycle = || {
        built.attach(&target).success();
        built.detach(&target).success();
        target.threads_and_mappings()
    };
    let first = cycle();
    for _ in 0..20 {
        assert_eq!(cycle(), first);
    }
    target.serves();
}

#[test]
fn signals_come_to_their_handlers_while_the_program_is_attached_to() {
    let Some(built) = Built::new() else { return };
    for kind in ["epoll_wait", "poll", "nanosleep", "condition"] {
        let mut target = built.start(&[kind, "timer"]);
        for _ in 0..20 {
            built.attach(&target).success();
            target.serves();
            built.detach(&target).success();
            target.serves();
        }
    }
}

#[test]
fn a_command_that_is_killed_at_any_step_leaves_a_program_that_lives_and_serves() {
    let Some(built) = Built::new() else { return };
    for kind in ["epoll_wait", "poll", "nanosleep", "read", "spin"] {
        for what in ["attach", "detach"] {
            let mut step = 0;
            loop {
                step += 1;
                // Each time anew: the first attach does more than the others.
                let mut target = built.start(&[kind]);
                if what == "detach" {
                    built.attach(&target).success();
                }
                let mut command = built.glasspoll(&[what], &target);
                let output = run(command.env("GLASSPOLL_ATTACH_DIE_AT", step.to_string()), LIMIT);
                // The kernel ends an interrupted epoll_wait so, and nobody is left to put that right.
                target.serves_but("returned -1, errno 4");
                // The next command finds it as it is, and cleans up.
                if output.status.signal() != Some(libc::SIGKILL) {
                    assert!(step > 5 && output.status.success(), "{kind}, {step}: {output:?}");
                    break;
                }
                let attached = built.attach(&target).success();
                assert!(attached.contains("attached"), "{kind}, {what}, {step}: {attached}");
                target.serves();
                built.detach(&target).success();
                target.serves();
            }
        }
    }
}

#[test]
fn a_library_that_crashes_does_not_take_the_program_with_it() {
    let Some(built) = Built::new() else { return };
    let mut target = Target::start(built.command("target", &["epoll_wait"]).env("CRASH", "yes"));
    for _ in 0..2 {
        built.refuses(&mut target, "caught signal 11 in it");
    }
}

#[test]
fn words_for_the_library_reach_it() {
    let Some(built) = Built::new() else { return };
    let target = Target::start(built.command("target", &["epoll_wait"]).env("SAY_TO", "1"));
    run(built.glasspoll(&["attach", "--ring", "4M"], &target).arg("--verbose"), LIMIT).success();
    let mut target = target;
    assert_eq!(target.line(), "attach ring=4M\n");
    built.detach(&target).success();
    assert_eq!(target.line(), "detach\n");
    target.serves();
}

#[test]
fn a_process_that_does_not_see_the_library_is_handed_it() {
    let Some(built) = Built::new() else { return };
    if !is_root() {
        program::skip("only root may hide a folder from a process");
        return;
    }
    // Another user may not enter the folder; in a namespace of its own the folder has other files.
    run(Command::new("cp").args(["target", "/tmp"]).current_dir(built.dir.path()), LIMIT);
    let mut other_user = built.command("target", &["epoll_wait"]);
    let program = tempfile::Builder::new().prefix("attach").tempfile_in("/tmp").expect("a file").into_temp_path();
    std::fs::copy(built.path("target"), &program).expect("a copy");
    std::fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("our file");
    other_user = clean_command(&program);
    other_user.arg("epoll_wait").uid(65_534).gid(65_534);
    let mut hidden = clean_command(program::path("unshare"));
    let script = format!("mount -t tmpfs none {} && exec {} epoll_wait", built.dir.path().display(), program.display());
    hidden.args(["-m", "sh", "-c", &script]);
    for mut command in [other_user, hidden] {
        let mut target = Target::start(&mut command);
        let mut seen = Vec::new();
        for _ in 0..3 {
            assert!(built.attach(&target).success().contains("attached: 7 slots"), "{command:?}");
            target.serves();
            built.detach(&target).success();
            target.serves();
            seen.push(target.threads_and_mappings());
        }
        assert!(seen.iter().all(|counts| *counts == seen[0]), "{seen:?}");
        let maps = std::fs::read_to_string(format!("/proc/{}/maps", target.pid())).expect("it lives");
        assert!(maps.contains("/memfd:libglasspoll.so"), "{maps}");
    }
}

#[path = "attach_refusals.rs"]
mod refusals;
