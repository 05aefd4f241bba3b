//! Rows at a fixed rate: 50 connections, server and load each on a CPU of its own. The figure is the server's CPU time for
//! each request.

use super::figure::{Figure, Judge};
use super::rows::{Program, Row, Work, GLASSPOLL, KERNEL, REDIS};
use super::work::{program_of_ours, redis_server, Bench, Sample};
use crate::port::free_port;
use crate::run::{run, LIMIT};
use crate::{nginx, Server};

/// Whom the load asks.
#[derive(Clone, Copy, Debug)]
pub enum Asked {
    /// redis, a GET of a key that is not there.
    Redis,
    /// nginx with one worker, a small page.
    Nginx,
    /// The echo server, level-triggered.
    EchoLevel,
    /// The echo server, edge-triggered.
    EchoEdge,
}

const CONNECTIONS: usize = 50;
const FIGURES: &[Figure] = &[
    Figure { name: "CPU", unit: "µs", judge: Judge::Latency(1.10) },
    Figure { name: "p99", unit: "µs", judge: Judge::Latency(1.05) },
];
/// The load is our own.
const NGINX: &[Program] = &[("nginx", "nginx")];

const fn row(name: &'static str, what: &'static str, asked: Asked, rate: usize) -> Row {
    let programs = match asked {
        Asked::Redis => REDIS,
        Asked::Nginx => NGINX,
        Asked::EchoLevel | Asked::EchoEdge => &[],
    };
    Row { name, what, programs, figures: FIGURES, work: Work::Rate(asked, rate), sides: [KERNEL, GLASSPOLL] }
}

/// The rows.
pub(super) const ROWS: [Row; 12] = [
    row("rate-redis-1k", "redis, 1,000 requests a second", Asked::Redis, 1_000),
    row("rate-redis-5k", "redis, 5,000 requests a second", Asked::Redis, 5_000),
    row("rate-redis-20k", "redis, 20,000 requests a second", Asked::Redis, 20_000),
    row("rate-nginx-1k", "nginx, 1,000 requests a second", Asked::Nginx, 1_000),
    row("rate-nginx-5k", "nginx, 5,000 requests a second", Asked::Nginx, 5_000),
    row("rate-nginx-20k", "nginx, 20,000 requests a second", Asked::Nginx, 20_000),
    row("rate-lt-1k", "echo LT, 1,000 requests a second", Asked::EchoLevel, 1_000),
    row("rate-lt-5k", "echo LT, 5,000 requests a second", Asked::EchoLevel, 5_000),
    row("rate-lt-20k", "echo LT, 20,000 requests a second", Asked::EchoLevel, 20_000),
    row("rate-et-1k", "echo ET, 1,000 requests a second", Asked::EchoEdge, 1_000),
    row("rate-et-5k", "echo ET, 5,000 requests a second", Asked::EchoEdge, 5_000),
    row("rate-et-20k", "echo ET, 20,000 requests a second", Asked::EchoEdge, 20_000),
];

impl Bench<'_> {
    pub(super) fn at_rate(&self, asked: Asked, rate: usize) -> Sample {
        let (server, pid, protocol) = match asked {
            Asked::Redis => with_pid(redis_server(self), "redis"),
            Asked::Nginx => self.one_nginx(),
            Asked::EchoLevel => with_pid(self.echo_server("lt"), "echo"),
            Asked::EchoEdge => with_pid(self.echo_server("et"), "echo"),
        };
        let mut load = self.generator_for(&server, pid, protocol);
        load.args(["rate", &CONNECTIONS.to_string(), &rate.to_string()]);
        let line = run(&mut load, LIMIT).success();
        server.check_epolls(self.side.epoll());
        let json: serde_json::Value = serde_json::from_str(&line).expect("a line of JSON");
        let number = |name: &str| json[name].as_f64().unwrap_or_else(|| panic!("no {name} in {line}"));
        let cpu = number("server_ns") / 1000.0;
        let note = format!("server {:.0}% busy", number("server_busy") * 100.0);
        Sample { values: vec![cpu, number("p99") / 1000.0], cpu: Some(cpu), note }
    }

    fn echo_server(&self, mode: &str) -> Server {
        let port = free_port();
        let mut command = self.command(program_of_ours("echo_server"));
        command.args([&port.to_string(), mode, "1"]);
        self.server(command, port)
    }

    /// nginx, and its worker.
    fn one_nginx(&self) -> (Server, u32, &'static str) {
        let server = self.nginx_server(1);
        let worker = nginx::workers(&server).into_iter().next().expect("one worker");
        (server, worker, "http")
    }
}

fn with_pid(server: Server, protocol: &'static str) -> (Server, u32, &'static str) {
    let pid = server.pid();
    (server, pid, protocol)
}
