//! One measurement of a row, on a fresh server.

use super::record;
use super::rows::{Pattern, Row, Side, Work};
use super::system::{cpu_time, cpus, pin, resident, LOAD_CPU, SERVER_CPU};
use crate::mode::{clean_command, library};
use crate::port::free_port;
use crate::run::{eventually, run, LIMIT};
use crate::{nginx, program, redis, Mode, Server};
use std::env;
use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// This many descriptors exist before the memory of further ones is measured.
const FIRST: usize = 2000;

/// The result of one measurement.
#[derive(Clone, Debug, Default)]
pub struct Sample {
    /// For each figure of the row.
    pub values: Vec<f64>,
    /// CPU time of the server for each request, in microseconds, where it was measured.
    pub cpu: Option<f64>,
    /// Something more for the reader.
    pub note: String,
}

impl Sample {
    pub(super) fn of(values: Vec<f64>) -> Self {
        Self { values, ..Self::default() }
    }
}

/// One measurement.
pub struct Bench<'a> {
    /// Whose epoll it uses, and with which settings.
    pub side: Side,
    /// The library that is preloaded; None: the one under test.
    pub library: Option<&'a Path>,
    /// The length, as a share of a full measurement: 1, or 0.25.
    pub length: f64,
    /// The server's own directory.
    pub dir: &'a Path,
}

impl Bench<'_> {
    /// Measures `row`.
    pub fn measure(&self, row: &Row) -> Sample {
        match row.work {
            Work::Echo { edge, loops, pattern, spin } => {
                let server = program_of_ours("echo_server");
                // On one CPU glasspoll does not spin.
                let mut command = if spin { self.free_command(server) } else { self.command(server) };
                let port = free_port();
                command.arg(port.to_string()).arg(if edge { "et" } else { "lt" }).arg(loops.to_string());
                if matches!(pattern, Pattern::Upload) {
                    command.arg("sink");
                }
                if spin && self.side.mode == Mode::Preloaded {
                    command.env("GLASSPOLL_SPIN", "auto");
                }
                self.load(command, port, "echo", pattern, row)
            }
            Work::Redis { clients, pipelining, requests } => self.redis(clients, pipelining, requests),
            Work::Nginx { workers } => self.nginx(workers),
            Work::Tokio => {
                let mut command = self.command(program_of_ours("tokio_server"));
                let port = free_port();
                command.arg(port.to_string()).arg(self.dir.join("socket"));
                self.load(command, port, "line", Pattern::Closed { count: 50, active: 50 }, row)
            }
            Work::Memcached => {
                let mut command = self.command(program::path("memcached"));
                let port = free_port();
                command
                    .args(["-t", "4", "-u", "root", "-U", "0", "-l", "127.0.0.1", "-p"])
                    .arg(port.to_string());
                self.load(command, port, "memcached", Pattern::Closed { count: 50, active: 50 }, row)
            }
            Work::Rate(asked, rate) => self.at_rate(asked, rate),
            Work::Waiters(counts) => self.waiters(counts),
            Work::Calls(kinds) => self.calls(kinds),
            Work::Forks(kind, sockets) => self.forks(kind, sockets),
            Work::Memory(count) => self.memory(count),
            Work::StartUp => self.start_up(),
            // The kernel's epoll has nothing like it.
            Work::Report(_) if self.side.mode == Mode::Native => Sample::of(vec![f64::NAN; 2]),
            Work::Ready(_) if self.side.mode == Mode::Native => Sample::of(vec![f64::NAN]),
            Work::Report(events) => record::report(self.dir, events),
            Work::Ready(busy_us) => record::ready(self.command(program_of_ours("delays")), busy_us),
            Work::RedisMemory => {
                let server = redis_server(self);
                // After this load the record is full.
                let load = ["-q", "-n", "50000", "-t", "get", "-c", "50"];
                crate::run(&mut crate::redis::benchmark(&server, &load), LIMIT).success();
                std::thread::sleep(Duration::from_millis(200));
                server.check_epolls(self.side.epoll());
                Sample::of(vec![resident(server.pid()) as f64 / f64::from(1 << 20)])
            }
        }
    }

    /// A pinned command for `program` in this mode, with glasspoll's settings.
    pub(super) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = self.free_command(program);
        pin(&mut command, SERVER_CPU);
        command
    }

    /// The same, not pinned.
    fn free_command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = if self.side.strace {
            let mut strace = clean_command(crate::program::path("strace"));
            strace.args(["-f", "-qq", "-e", "trace=epoll_wait,epoll_pwait,epoll_ctl", "-o"]);
            strace.arg(self.dir.join("strace")).arg(program);
            strace
        } else {
            clean_command(program)
        };
        if self.side.mode == Mode::Preloaded {
            let settings = env::vars_os().filter(|(name, _)| {
                let name = name.to_string_lossy();
                name.starts_with("GLASSPOLL_") && name != "GLASSPOLL_LIB" && name != "GLASSPOLL_TESTS"
            });
            command.envs(settings);
            let library = self.library.map_or_else(library, Path::to_owned);
            command.env("LD_PRELOAD", library.canonicalize().expect("the library is there"));
            command.envs(self.side.settings.iter().copied());
            if self.side.settings.iter().any(|(name, _)| *name == "GLASSPOLL_LOG") {
                command.env("GLASSPOLL_LOG_FILE", self.dir.join("flow.log"));
            }
        }
        command
    }

    pub(super) fn server(&self, command: Command, port: u16) -> Server {
        Server::start(command, self.dir, port)
    }

    /// Runs the load generator on a server of ours, or one with a protocol that it speaks.
    fn load(&self, command: Command, port: u16, protocol: &str, pattern: Pattern, row: &Row) -> Sample {
        let server = self.server(command, port);
        let mut load = self.generator(&server, protocol);
        let numbers: (&str, Vec<usize>) = match pattern {
            Pattern::Closed { count, active } => ("closed", vec![count, active]),
            Pattern::One(count) => ("one", vec![count]),
            Pattern::Random(count) => ("random", vec![count]),
            Pattern::Churn(count) => ("churn", vec![(count as f64 * self.length) as usize, 50]),
            Pattern::Upload => ("upload", vec![]),
        };
        load.arg(numbers.0).args(numbers.1.iter().map(usize::to_string));
        let line = run(&mut load, LIMIT).success();
        server.check_epolls(self.side.epoll());
        let json: serde_json::Value = serde_json::from_str(&line).expect("a line of JSON");
        let number = |name: &str| json[name].as_f64().unwrap_or_else(|| panic!("no {name} in {line}"));
        let values = row.figures.iter().map(|figure| match figure.name {
            "p50" | "p99" => number(figure.name) / 1000.0,
            _ if figure.unit == "MiB/s" => number("rate") / 1024.0,
            _ => number("rate"),
        });
        Sample {
            values: values.collect(),
            cpu: Some(number("server_ns") / 1000.0),
            note: format!(
                "server {:.0}% busy, load {:.0}%",
                number("server_busy") * 100.0,
                number("load_busy") * 100.0
            ),
        }
    }

    fn generator(&self, server: &Server, protocol: &str) -> Command {
        self.generator_for(server, server.pid(), protocol)
    }

    /// A load generator that measures the CPU time of `pid`.
    pub(super) fn generator_for(&self, server: &Server, pid: u32, protocol: &str) -> Command {
        let mut load = clean_command(program_of_ours("load"));
        pin(&mut load, LOAD_CPU);
        load.args([server.port.to_string(), pid.to_string(), protocol.to_owned()]);
        load.arg((2.0 * self.length).to_string());
        load
    }

    fn redis(&self, clients: usize, pipelining: usize, requests: usize) -> Sample {
        let server = redis_server(self);
        let requests = (requests as f64 * self.length) as usize;
        let ask = |test: &str, requests: usize| {
            let numbers = [clients, pipelining, requests].map(|number| number.to_string());
            let arguments = ["-t", test, "-c", &numbers[0], "-P", &numbers[1], "-n", &numbers[2], "--csv"];
            let mut command = redis::benchmark(&server, &arguments);
            pin(&mut command, LOAD_CPU);
            let stdout = run(&mut command, LIMIT).success();
            let line =
                stdout.lines().find_map(|line| line.strip_prefix(&format!("\"{}\",\"", test.to_uppercase())));
            let rate = line.and_then(|rest| rest.split('"').next()?.parse::<f64>().ok());
            rate.unwrap_or_else(|| panic!("no rate in {stdout}"))
        };
        ask("set", 20_000.max(clients));
        let before = cpu_time(server.pid());
        let values = vec![ask("get", requests), ask("set", requests)];
        let used = (cpu_time(server.pid()) - before) as f64;
        server.check_epolls(self.side.epoll());
        Sample { values, cpu: Some(used / 1000.0 / (2 * requests) as f64), note: String::new() }
    }

    /// nginx with its workers. A single worker is pinned.
    pub(super) fn nginx_server(&self, workers: u32) -> Server {
        let port = free_port();
        nginx::configure(self.dir, port, workers);
        let arguments = nginx::arguments(self.dir);
        let pinned = workers == 1;
        let mut command = if pinned { self.command(&arguments[0]) } else { self.free_command(&arguments[0]) };
        command.args(&arguments[1..]);
        let server = self.server(command, port);
        eventually("the workers are there", LIMIT, || nginx::workers(&server).len() == workers as usize);
        server
    }

    fn nginx(&self, workers: u32) -> Sample {
        let mut server = self.nginx_server(workers);
        let pinned = workers == 1;
        let workers = nginx::workers(&server);
        let used = || workers.iter().map(|pid| cpu_time(*pid)).sum::<u64>();
        let before = used();
        let seconds = (3.0 * self.length).ceil() as u32;
        let mut wrk = nginx::wrk(&server, seconds, true);
        if pinned {
            pin(&mut wrk, LOAD_CPU);
        }
        let stdout = run(&mut wrk, LIMIT).success();
        nginx::check_answers(&stdout);
        server.check_epolls(self.side.epoll());
        let number = |line: &str| -> f64 {
            let found = stdout.lines().find_map(|text| text.trim().strip_prefix(line));
            found.and_then(|rest| rest.trim().parse().ok()).unwrap_or_else(|| panic!("no {line} in {stdout}"))
        };
        let rate = number("Requests/sec:");
        let used = (used() - before) as f64 / 1000.0;
        // Once the server has stopped, the workers' time counts as ours.
        server.stop();
        Sample { values: vec![rate], cpu: Some(used / (rate * f64::from(seconds))), note: String::new() }
    }

    fn calls(&self, kinds: &[&str]) -> Sample {
        let one = |kind: &&str| {
            let mut command = self.command(program_of_ours("calls"));
            let stdout = run(command.arg(kind), LIMIT).success();
            stdout.trim().parse().unwrap_or_else(|_| panic!("no number: {stdout}"))
        };
        Sample::of(kinds.iter().map(one).collect())
    }

    /// Not pinned: that many threads use all CPUs.
    fn waiters(&self, counts: &[usize]) -> Sample {
        let one = |count: &usize| {
            let mut command = self.free_command(program_of_ours("waiters"));
            let stdout = run(command.arg(count.to_string()), LIMIT).success();
            stdout.trim().parse().unwrap_or_else(|_| panic!("no number: {stdout}"))
        };
        Sample::of(counts.iter().map(one).collect())
    }

    fn forks(&self, kind: &str, sockets: &[usize]) -> Sample {
        let one = |sockets: &usize| {
            let mut command = self.command(program_of_ours("forks"));
            let stdout = run(command.arg(kind).arg(sockets.to_string()), LIMIT).success();
            stdout.trim().parse().unwrap_or_else(|_| panic!("no number: {stdout}"))
        };
        Sample::of(sockets.iter().map(one).collect())
    }

    /// Bytes by which the server grows for each connection that has asked once and is idle now. Only descriptors after
    /// the first ones count, because the first ones bring costs that occur once.
    fn memory(&self, count: usize) -> Sample {
        let mut command = self.command(program_of_ours("echo_server"));
        let port = free_port();
        command.arg(port.to_string()).arg("lt");
        // The row of redis's memory shows what the record takes as it fills.
        command.env("GLASSPOLL_RING", "64K");
        let server = self.server(command, port);
        let first = self.idle(&server, FIRST);
        let before = resident(server.pid());
        let rest = self.idle(&server, count);
        let after = resident(server.pid());
        server.check_epolls(self.side.epoll());
        for mut load in [first, rest] {
            drop(load.stdin.take());
            crate::run::wait(&mut load, LIMIT).expect("it ends with its input");
        }
        Sample::of(vec![(after as f64 - before as f64) / count as f64])
    }

    /// Opens `count` idle connections in a process, which holds them until its input is closed.
    fn idle(&self, server: &Server, count: usize) -> Child {
        let mut load = self.generator(server, "echo");
        load.args(["idle".to_owned(), count.to_string()]);
        let mut load =
            load.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the load generator starts");
        let mut line = String::new();
        let stdout = load.stdout.as_mut().expect("a pipe");
        BufReader::new(stdout).read_line(&mut line).expect("a pipe");
        assert_eq!(line, "{}\n", "the load generator");
        std::thread::sleep(Duration::from_millis(300));
        load
    }

    /// Milliseconds from the start to the end, the median of many.
    fn start_up(&self) -> Sample {
        let time = |program: &Path, arguments: &[&str]| {
            let once = || {
                let mut command = self.command(program);
                let start = Instant::now();
                let status = command.args(arguments).stdout(std::process::Stdio::null()).status();
                assert!(status.expect("it starts").success());
                start.elapsed().as_secs_f64() * 1000.0
            };
            let mut times: Vec<f64> = (0..(100.0 * self.length) as usize).map(|_| once()).collect();
            times.sort_by(f64::total_cmp);
            times[times.len() / 2]
        };
        Sample::of(vec![time(&program::path("true"), &[]), time(&program_of_ours("calls"), &["once"])])
    }
}

pub(super) fn redis_server(bench: &Bench) -> Server {
    let port = free_port();
    let arguments = redis::arguments(bench.dir, port);
    let mut command = bench.command(&arguments[0]);
    // The load comes from several addresses of this machine.
    command.args(&arguments[1..]).args(["--protected-mode", "no"]);
    bench.server(command, port)
}

/// A program of this crate, in the same folder as this one.
pub(super) fn program_of_ours(name: &str) -> PathBuf {
    let path = env::current_exe().expect("/proc is mounted").with_file_name(name);
    assert!(path.is_file(), "{} is missing", path.display());
    path
}

/// A warning if the figures are rough.
pub fn warning() -> Option<&'static str> {
    (cpus() < 2).then_some("only one CPU: server and load share it, the figures are rough")
}
