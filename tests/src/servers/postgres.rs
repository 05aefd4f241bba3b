//! PostgreSQL: how tests make, start, query and judge a cluster.
//!
//! It refuses to run as root; in that case it runs as the user that its package made.

use crate::mode::clean_command;
use crate::run::LIMIT;
use crate::run::{eventually, run, Output};
use crate::{mode, program, seccomp, Mode, Server};
use std::ffi::CString;
use std::fs;
use std::os::unix::fs::{chown, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

const DEBIAN: &str = "/usr/lib/postgresql";

/// Whether PostgreSQL and a user for it exist; says what is missing, like [`program::have`].
#[must_use]
pub fn have() -> bool {
    if bin_dir().is_none() {
        return program::have(&["initdb", "postgres", "pgbench", "psql"]);
    }
    assert!(!is_root() || user().is_some(), "root cannot run PostgreSQL, and there is no user postgres");
    true
}

/// Debian has a folder for each version.
fn bin_dir() -> Option<PathBuf> {
    let versions = fs::read_dir(DEBIAN).ok()?;
    let mut dirs: Vec<PathBuf> = versions.filter_map(|entry| Some(entry.ok()?.path().join("bin"))).collect();
    dirs.sort();
    dirs.into_iter()
        .rev()
        .find(|dir| ["initdb", "postgres", "pgbench"].iter().all(|name| dir.join(name).is_file()))
}

fn program_path(name: &str) -> PathBuf {
    bin_dir().map_or_else(|| program::path(name), |dir| dir.join(name))
}

fn is_root() -> bool {
    // SAFETY: geteuid takes nothing and cannot fail.
    unsafe { libc::geteuid() == 0 }
}

fn user() -> Option<(u32, u32)> {
    let name = CString::new("postgres").expect("no NUL");
    // SAFETY: the name ends with a NUL; the result is null or valid until the next such call.
    let entry = unsafe { libc::getpwnam(name.as_ptr()).as_ref() }?;
    Some((entry.pw_uid, entry.pw_gid))
}

/// A database cluster in a directory of its own.
pub struct Cluster {
    mode: Mode,
    dir: PathBuf,
    preload: PathBuf,
    port: u16,
}

impl Cluster {
    /// Makes one in `dir`, with initdb in the same `mode`.
    pub fn new(mode: Mode, dir: &Path, port: u16) -> Cluster {
        // The user may not have access to the folder in which the library was built.
        let library = dir.join("libglasspoll.so");
        fs::copy(mode::library(), &library).expect("the test's own directory");
        fs::set_permissions(&library, fs::Permissions::from_mode(0o755)).expect("our file");
        if let (true, Some((uid, gid))) = (is_root(), user()) {
            chown(dir, Some(uid), Some(gid)).expect("root may");
        }
        let cluster = Cluster { mode, dir: dir.to_owned(), preload: library, port };
        let mut initdb = cluster.command("initdb");
        initdb.args([
            "--no-sync",
            "--no-locale",
            "--encoding=UTF8",
            "--auth=trust",
            "--username=tester",
            "-D",
            "data",
        ]);
        run(initdb.current_dir(dir), LIMIT).success();
        cluster
    }

    /// A program of the server's, in the cluster's mode.
    fn command(&self, name: &str) -> Command {
        let mut command = seccomp::command(self.mode, program_path(name));
        if self.mode == Mode::Preloaded {
            command.env("LD_PRELOAD", &self.preload);
        }
        if let (true, Some((uid, gid))) = (is_root(), user()) {
            command.uid(uid).gid(gid);
        }
        command
    }

    /// Starts the server and waits until it answers.
    pub fn start(&self) -> Server {
        let mut command = self.command("postgres");
        let port = self.port.to_string();
        command.args(["-D", "data", "-p", &port, "-c", "listen_addresses=127.0.0.1"]);
        command.args(["-c", "fsync=off", "-c", "unix_socket_directories=", "-c", "max_connections=60"]);
        let server = Server::start(command, &self.dir, self.port);
        // It listens before it accepts clients.
        eventually("it serves", LIMIT, || {
            run(&mut self.client("pg_isready", &["-q", "-d"]), LIMIT).status.success()
        });
        server
    }

    /// A client, always native.
    pub fn client(&self, name: &str, arguments: &[&str]) -> Command {
        let mut command = clean_command(program_path(name));
        let port = self.port.to_string();
        command.args(["-h", "127.0.0.1", "-p", &port, "-U", "tester"]).args(arguments).arg("postgres");
        command
    }

    /// psql for `statements`; it goes on after an error.
    pub fn psql(&self, statements: &str) -> Command {
        self.client("psql", &["-X", "-q", "-A", "-t", "-c", statements])
    }

    /// The answer to `statements`.
    pub fn ask(&self, statements: &str) -> String {
        let Output { status, stdout, stderr } = run(&mut self.psql(statements), LIMIT);
        assert!(status.success() && stderr.is_empty(), "{statements}: {status} {stdout} {stderr}");
        stdout.trim_end().to_owned()
    }
}

/// Checks that the server's log has no errors.
pub fn check_log(server: &Server) {
    assert_eq!(server.stdout(), "", "the server's stdout");
    for line in server.stderr().lines() {
        let trouble = ["ERROR: ", "FATAL: ", "PANIC: ", "WARNING: ", "glasspoll"];
        let early = line.ends_with("the database system is starting up");
        assert!(early || !trouble.iter().any(|word| line.contains(word)), "server log: {line}");
    }
}
