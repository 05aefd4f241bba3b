//! A program to attach to, as a test sees it: it says when something is not as it was before a call, and answers when
//! it is asked. The library is a small one in the place of ours, so that such a test is about the command.

use crate::command::glasspoll;
use crate::mode::clean_command;
use crate::program;
use crate::run::{run, LIMIT};
use crate::Output;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// The program, the library, and a folder for more.
pub struct Built {
    /// The folder.
    pub dir: tempfile::TempDir,
}

impl Built {
    /// None: there is no compiler.
    pub fn new() -> Option<Self> {
        if !program::have(&["gcc"]) {
            return None;
        }
        let built = Self { dir: tempfile::tempdir().expect("a directory") };
        built.compile("gcc", "attach_target.c", "target", &["-pthread"]);
        built.compile("gcc", "attach_library.c", "libglasspoll.so", &["-shared", "-fPIC"]);
        Some(built)
    }

    /// A file in the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Compiles a program of `tests/programs`.
    pub fn compile(&self, compiler: &str, source: &str, name: &str, options: &[&str]) {
        let mut command = clean_command(program::path(compiler));
        command
            .args(["-O1", "-o", name])
            .arg(format!("{}/tests/programs/{source}", env!("CARGO_MANIFEST_DIR")));
        run(command.args(options).current_dir(self.dir.path()), LIMIT).success();
    }

    /// One of the programs.
    pub fn command(&self, name: &str, arguments: &[&str]) -> Command {
        let mut command = clean_command(self.path(name));
        command.args(arguments);
        command
    }

    /// The program, started with these arguments: which wait, and more.
    pub fn start(&self, arguments: &[&str]) -> Target {
        Target::start(&mut self.command("target", arguments))
    }

    /// The command with these arguments, on a process.
    pub fn glasspoll(&self, arguments: &[&str], target: &Target) -> Command {
        let mut command = glasspoll();
        command.args(arguments).arg(target.pid().to_string());
        command.env("GLASSPOLL_LIB", self.path("libglasspoll.so"));
        command
    }

    /// Attaches.
    pub fn attach(&self, target: &Target) -> Output {
        run(&mut self.glasspoll(&["attach"], target), LIMIT)
    }

    /// Detaches.
    pub fn detach(&self, target: &Target) -> Output {
        run(&mut self.glasspoll(&["detach"], target), LIMIT)
    }

    /// Attaching is refused with one line, and the program goes on.
    pub fn refuses(&self, target: &mut Target, words: &str) {
        let output = self.attach(target);
        check_refusal(&output, words);
        target.serves();
    }
}

/// The command has refused in one line with these words.
///
/// # Panics
/// If not.
pub fn check_refusal(output: &Output, words: &str) {
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert_eq!(output.stderr.lines().count(), 1, "{output:?}");
    assert!(output.stderr.contains(words), "{words}: {output:?}");
}

/// The program, as it runs. Killed when dropped.
pub struct Target {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl Target {
    /// Starts it.
    pub fn start(command: &mut Command) -> Self {
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

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The next line that it prints.
    pub fn line(&mut self) -> String {
        let mut line = String::new();
        self.stdout.read_line(&mut line).expect("a pipe");
        line
    }

    /// It answers, and reports nothing wrong since the last time. It may report `may_be`.
    pub fn serves_but(&mut self, may_be: &str) {
        self.stdin.write_all(b"x").expect("it lives");
        loop {
            let line = self.line();
            if line.starts_with("ok ") {
                return;
            }
            assert!(!may_be.is_empty() && line.contains(may_be), "{line:?}");
        }
    }

    /// It answers, and nothing was wrong since the last time.
    pub fn serves(&mut self) {
        self.serves_but("");
    }

    /// How many threads, descriptors and mappings it has.
    pub fn threads_and_mappings(&self) -> [usize; 3] {
        let count =
            |what: &str| fs::read_dir(format!("/proc/{}/{what}", self.pid())).expect("it lives").count();
        let maps = fs::read_to_string(format!("/proc/{}/maps", self.pid())).expect("it lives");
        [count("task"), count("fd"), maps.lines().count()]
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
