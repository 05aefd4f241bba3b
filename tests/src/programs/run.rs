//! Runs a program to its end, within a time limit.

use std::fs;
use std::io::{Read, Seek, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// The limit for anything that takes only a moment: so long that even on a busy machine only a hang exceeds it.
pub const LIMIT: Duration = Duration::from_secs(900);

/// The result of a program.
#[derive(Debug, PartialEq, Eq)]
pub struct Output {
    /// Its exit status.
    pub status: ExitStatus,
    /// What it printed.
    pub stdout: String,
    /// What it wrote to standard error.
    pub stderr: String,
}

impl Output {
    /// Checks that the program succeeded; returns its standard output.
    pub fn success(self) -> String {
        assert!(self.status.success(), "{self:#?}");
        self.stdout
    }
}

/// Runs `command` to its end.
///
/// # Panics
/// If that takes longer than `limit`. The program and its children are killed then.
pub fn run(command: &mut Command, limit: Duration) -> Output {
    run_with_input(command, "", limit)
}

/// Like [`run`], with `input` as the standard input.
pub fn run_with_input(command: &mut Command, input: &str, limit: Duration) -> Output {
    start(command, input).finish(limit)
}

/// Starts `command` in parallel with the test; see [`Running::finish`].
///
/// The output goes to files and not to pipes: no thread has to read while the program runs, and a grandchild that keeps
/// the output open does not delay the end.
pub fn start(command: &mut Command, input: &str) -> Running {
    let (mut stdin, stdout, stderr) = (scratch(), scratch(), scratch());
    stdin.write_all(input.as_bytes()).expect("a scratch file");
    stdin.rewind().expect("a scratch file");
    let child = command
        .stdin(stdin)
        .stdout(copy(&stdout))
        .stderr(copy(&stderr))
        .process_group(0)
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    Running { what: format!("{command:?}"), child, stdout, stderr }
}

fn scratch() -> fs::File {
    tempfile::tempfile().expect("a scratch file")
}

fn copy(file: &fs::File) -> Stdio {
    file.try_clone().expect("a scratch file").into()
}

/// A program's output, in files.
pub struct Scratch {
    stdout: fs::File,
    stderr: fs::File,
}

/// Redirects `command`'s output to files, and its input from /dev/null.
pub fn scratch_output(command: &mut Command) -> Scratch {
    let (stdout, stderr) = (scratch(), scratch());
    command.stdin(Stdio::null()).stdout(copy(&stdout)).stderr(copy(&stderr));
    Scratch { stdout, stderr }
}

impl Scratch {
    /// Standard output and standard error.
    pub fn text(&self) -> (String, String) {
        (text(&self.stdout), text(&self.stderr))
    }
}

/// A program that runs in parallel with the test. Killed, with its children, when dropped.
pub struct Running {
    what: String,
    child: Child,
    stdout: fs::File,
    stderr: fs::File,
}

impl Running {
    /// Waits for the end.
    ///
    /// # Panics
    /// If it does not end within `limit`.
    pub fn finish(mut self, limit: Duration) -> Output {
        let Some(status) = wait(&mut self.child, limit) else {
            panic!(
                "still running after {limit:?}: {}\nstdout: {}\nstderr: {}",
                self.what,
                self.stdout_so_far(),
                text(&self.stderr),
            );
        };
        Output { status, stdout: self.stdout_so_far(), stderr: text(&self.stderr) }
    }

    /// Its pid.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Whether it has not ended yet.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("our child").is_none()
    }

    /// What it has printed so far.
    pub fn stdout_so_far(&self) -> String {
        text(&self.stdout)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        kill_group(&mut self.child);
    }
}

/// Reads the whole file. The program that writes it shares the file offset, so this opens the same file anew.
fn text(file: &fs::File) -> String {
    use std::os::fd::AsRawFd;
    let mut bytes = Vec::new();
    fs::File::open(format!("/proc/self/fd/{}", file.as_raw_fd()))
        .and_then(|mut file| file.read_to_end(&mut bytes))
        .expect("a scratch file");
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Waits for `child` at most `limit`.
pub fn wait(child: &mut Child, limit: Duration) -> Option<ExitStatus> {
    let end = Instant::now() + limit;
    loop {
        if let Some(status) = child.try_wait().expect("our child") {
            return Some(status);
        }
        if Instant::now() > end {
            return None;
        }
        thread::sleep(Duration::from_millis(5));
    }
}

/// Kills `child` and all of its process group, which it leads.
pub fn kill_group(child: &mut Child) {
    let pid = i32::try_from(child.id()).expect("a pid");
    // SAFETY: kill takes two numbers; the group is our child's own, because the child was started as the leader of a
    // new one.
    unsafe { libc::kill(-pid, libc::SIGKILL) };
    let _ = child.wait();
}

/// Calls `done` until it returns true.
///
/// # Panics
/// If `done` still returns false after `limit`.
pub fn eventually(what: &str, limit: Duration, mut done: impl FnMut() -> bool) {
    let end = Instant::now() + limit;
    while !done() {
        assert!(Instant::now() < end, "not within {limit:?}: {what}");
        thread::sleep(Duration::from_millis(10));
    }
}
