//! A server from start to stop.

use crate::run::LIMIT;
use crate::run::{eventually, kill_group, wait};
use crate::{processes, Mode};
use std::collections::BTreeSet;
use std::fs;
use std::net::TcpStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// A server that listens on 127.0.0.1. Killed, with its children, when dropped.
pub struct Server {
    child: Child,
    dir: PathBuf,
    stdout: PathBuf,
    stderr: PathBuf,
    /// Where it listens.
    pub port: u16,
}

impl Server {
    /// Starts `command` in `dir` and waits until it accepts connections on `port`.
    pub fn start(command: Command, dir: &Path, port: u16) -> Server {
        let mut server = Server::spawn(command, dir, port);
        let end = Instant::now() + LIMIT;
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            let ended = server.child.try_wait().expect("our child");
            assert!(ended.is_none(), "server ended at start: {ended:?}");
            assert!(Instant::now() < end, "no server after {LIMIT:?}");
            thread::sleep(Duration::from_millis(10));
        }
        server
    }

    /// Starts `command` in `dir` without waiting for an answer.
    pub fn spawn(mut command: Command, dir: &Path, port: u16) -> Server {
        let (stdout, stderr) = (dir.join("stdout"), dir.join("stderr"));
        let open = |path| fs::File::create(path).expect("the test's own directory");
        let child = command
            .current_dir(dir)
            .stdin(Stdio::null())
            .stdout(open(&stdout))
            .stderr(open(&stderr))
            .process_group(0)
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let dir = dir.canonicalize().expect("the test's own directory");
        Server { child, dir, stdout, stderr, port }
    }

    /// The pid of the process that was started.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it has printed so far.
    pub fn stdout(&self) -> String {
        lossy(&self.stdout)
    }

    /// What it has written to standard error so far.
    pub fn stderr(&self) -> String {
        lossy(&self.stderr)
    }

    /// Its living processes, itself included.
    pub fn processes(&self) -> BTreeSet<u32> {
        processes::of(self.pid(), &self.dir)
    }

    /// Checks that its processes hold kernel epolls natively, and none preloaded.
    pub fn check_epolls(&self, mode: Mode) {
        let held: usize = self.processes().into_iter().map(processes::kernel_epolls).sum();
        assert_eq!(held > 0, mode == Mode::Native, "{held} epolls of the kernel");
    }

    /// Opens a connection whose reads and writes fail after a time limit.
    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).expect("the server listens");
        let limit = Some(LIMIT);
        stream.set_read_timeout(limit).expect("a TCP socket");
        stream.set_write_timeout(limit).expect("a TCP socket");
        stream
    }

    /// Sends `signal` to the process that was started.
    pub fn signal(&self, signal: i32) {
        let pid = i32::try_from(self.pid()).expect("a pid");
        // SAFETY: kill takes two numbers; the pid is our child's, not yet waited for.
        let result = unsafe { libc::kill(pid, signal) };
        assert_eq!(result, 0, "kill {pid}");
    }

    /// Waits for the end.
    pub fn wait(&mut self) -> ExitStatus {
        wait(&mut self.child, LIMIT).unwrap_or_else(|| panic!("still running after {LIMIT:?}"))
    }

    /// Sends SIGTERM; checks that the server ends with status 0.
    pub fn stop(&mut self) {
        self.stop_by(libc::SIGTERM);
    }

    /// Sends `signal`; checks that the server ends with status 0 and leaves no process.
    pub fn stop_by(&mut self, signal: i32) {
        self.signal(signal);
        let status = self.wait();
        assert!(status.success(), "ended with {status}");
        self.check_gone();
    }

    /// Checks that none of its processes outlives it.
    pub fn check_gone(&self) {
        eventually("no process is left", LIMIT, || self.processes().is_empty());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        kill_group(&mut self.child);
        for pid in self.processes() {
            // SAFETY: kill takes two numbers; the process runs in the test's own directory.
            unsafe { libc::kill(pid as i32, libc::SIGKILL) };
        }
        if thread::panicking() {
            eprintln!("server stdout: {}", tail(&self.stdout()));
            eprintln!("server stderr: {}", tail(&self.stderr()));
        }
    }
}

fn lossy(path: &Path) -> String {
    String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned()
}

/// The last lines, enough to see why a server failed.
fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(40)..].join("\n")
}
