//! The servers, and how each is started.

use super::asker::{page, PAGES};
use crate::port::free_port;
use crate::run::LIMIT;
use crate::{nginx, program, redis, Mode, Server};
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What a planted server does wrong if the library is loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// Nothing.
    None,
    /// Leaks memory for each connection.
    Memory,
    /// Leaks a descriptor for some connections.
    Descriptors,
    /// Leaks a thread for some connections.
    Threads,
    /// One request in 300 is never answered.
    Hangs,
    /// One answer in 300 is wrong.
    Wrong,
    /// One connection in 50 is closed with a request unanswered.
    Loses,
    /// Wakes ten times a second although there is nothing to do.
    Ticks,
    /// Dies during the run.
    Crashes,
}

impl Fault {
    /// All faults, with their names.
    pub const ALL: [(&str, Fault); 9] = [
        ("none", Fault::None),
        ("memory", Fault::Memory),
        ("descriptors", Fault::Descriptors),
        ("threads", Fault::Threads),
        ("hangs", Fault::Hangs),
        ("wrong", Fault::Wrong),
        ("loses", Fault::Loses),
        ("ticks", Fault::Ticks),
        ("crashes", Fault::Crashes),
    ];
}

/// A server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// redis.
    Redis,
    /// nginx, as a daemon with two workers.
    Nginx,
    /// memcached, with four threads.
    Memcached,
    /// node, as a cluster of two.
    Node,
    /// The server on tokio's multi-thread runtime.
    Tokio,
    /// A server of ours with a fault.
    Planted(Fault),
}

impl Kind {
    /// The servers of a run, unless options choose others.
    pub const ALL: [Kind; 5] = [Kind::Redis, Kind::Nginx, Kind::Memcached, Kind::Node, Kind::Tokio];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Redis => "redis",
            Kind::Nginx => "nginx",
            Kind::Memcached => "memcached",
            Kind::Node => "node",
            Kind::Tokio => "tokio",
            Kind::Planted(fault) => {
                Fault::ALL.iter().find(|(_, other)| *other == fault).expect("all are in it").0
            }
        }
    }

    /// The server of that name.
    pub fn of(name: &str) -> Option<Self> {
        let planted = Fault::ALL.into_iter().find(|(known, _)| *known == name);
        Self::ALL
            .into_iter()
            .find(|kind| kind.name() == name)
            .or(planted.map(|(_, fault)| Kind::Planted(fault)))
    }

    /// The program that must be installed.
    pub fn program(self) -> Option<&'static str> {
        match self {
            Kind::Redis => Some("redis-server"),
            Kind::Nginx => Some("nginx"),
            Kind::Memcached => Some("memcached"),
            Kind::Node => Some("node"),
            Kind::Tokio | Kind::Planted(_) => None,
        }
    }

    /// The unix socket on which it also listens.
    pub fn socket(self, dir: &Path) -> Option<PathBuf> {
        match self {
            Kind::Redis | Kind::Nginx | Kind::Tokio => Some(dir.join("socket")),
            _ => None,
        }
    }

    /// How many bytes more than on the kernel it may grow before that counts as growth: its allocator and its collector
    /// vary that much from run to run.
    pub fn leeway(self) -> f64 {
        let mib = match self {
            Kind::Node => 24.0,
            Kind::Nginx => 4.0,
            Kind::Planted(_) => 1.0,
            _ => 3.0,
        };
        mib * 1024.0 * 1024.0
    }

    /// Starts it in `dir`, and waits until it listens.
    pub fn start(self, mode: Mode, dir: &Path) -> Server {
        let port = free_port();
        let socket = dir.join("socket").into_os_string();
        let number = OsString::from(port.to_string());
        match self {
            Kind::Redis => {
                let mut command = redis::command(mode, dir, port);
                command.arg("--unixsocket").arg(socket).args(["--enable-debug-command", "yes"]);
                Server::start(command, dir, port)
            }
            Kind::Nginx => start_nginx(mode, dir, port),
            Kind::Memcached => {
                let mut command = mode.command(program::path("memcached"));
                command
                    .args(["-l", "127.0.0.1", "-U", "0", "-t", "4", "-m", "64", "-u", "root", "-p"])
                    .arg(number);
                Server::start(command, dir, port)
            }
            Kind::Node => {
                let file = dir.join("server.js");
                write_pages(dir);
                fs::write(&file, include_str!("server.js")).expect("our own directory");
                let mut command = mode.command(program::path("node"));
                command.arg("--expose-gc").arg(file).arg(number);
                Server::start(command, dir, port)
            }
            Kind::Tokio => start_ours("tokio_server", &[number, socket], mode, dir, port),
            Kind::Planted(_) => start_ours("planted_server", &[number, self.name().into()], mode, dir, port),
        }
    }
}

fn start_ours(name: &str, arguments: &[OsString], mode: Mode, dir: &Path, port: u16) -> Server {
    let path = std::env::current_exe().expect("/proc is mounted").with_file_name(name);
    // The tests of a package are one folder deeper; they find it too.
    let deeper = path.parent().and_then(Path::parent).map(|folder| folder.join(name));
    let path = if path.exists() { path } else { deeper.expect("cargo built this") };
    let mut command = mode.command(path);
    command.args(arguments);
    Server::start(command, dir, port)
}

fn start_nginx(mode: Mode, dir: &Path, port: u16) -> Server {
    let html = dir.join("html").display().to_string();
    let socket = dir.join("socket").display().to_string();
    nginx::configure_http(
        dir,
        2,
        &format!(
            "keepalive_timeout 1d; client_header_timeout 1d; send_timeout 1d; reset_timedout_connection off;
            server {{ listen 127.0.0.1:{port} backlog=1024; listen unix:{socket} backlog=1024; root {html}; }}"
        ),
    );
    write_pages(dir);
    let file = dir.join("nginx.conf");
    let text = fs::read_to_string(&file).expect("our own directory");
    // It is a daemon, because only then can its program be replaced; it hands down the variables that its configuration
    // names.
    fs::write(&file, text.replace("daemon off;", "env LD_PRELOAD;")).expect("our own directory");
    let mut server = Server::spawn(nginx::command(mode, dir), dir, port);
    let status = server.wait();
    assert!(status.success(), "nginx: {status}: {}", server.stderr());
    crate::run::eventually("nginx is there", LIMIT, || master(dir).is_some());
    server
}

/// The process that `nginx.pid` names.
pub fn master(dir: &Path) -> Option<i32> {
    fs::read_to_string(dir.join("nginx.pid")).ok()?.trim().parse().ok()
}

/// The pages that nginx and node serve.
fn write_pages(dir: &Path) {
    fs::create_dir_all(dir.join("html")).expect("our own directory");
    for (name, length) in PAGES {
        fs::write(dir.join("html").join(name), page(length)).expect("our own directory");
    }
}

/// `nginx -s SIGNAL`.
pub fn nginx_signal(mode: Mode, dir: &Path, signal: &str) -> Command {
    let mut command = nginx::command(mode, dir);
    command.args(["-s", signal]);
    command
}
