//! The table: what is measured, and the bar for each figure.

use super::figure::{Figure, Judge};
use super::rate::{self, Asked};
use super::{observe, stacks, waiters};
use crate::Mode;

/// What the load does with its connections.
#[derive(Clone, Copy, Debug)]
pub enum Pattern {
    /// Some of the connections ask all the time.
    Closed {
        /// How many there are.
        count: usize,
        /// How many of them ask.
        active: usize,
    },
    /// One of all connections asks.
    One(usize),
    /// All ask, one after the other, in random order.
    Random(usize),
    /// This many are opened at a time; each asks once and is closed.
    Churn(usize),
    /// One sends without a pause to a server that reads slowly.
    Upload,
}

/// How a row is measured.
#[derive(Clone, Copy, Debug)]
pub enum Work {
    /// The echo server.
    Echo {
        /// Edge-triggered.
        edge: bool,
        /// Threads, each with a set.
        loops: usize,
        /// The load on it.
        pattern: Pattern,
        /// Whether glasspoll spins before it sleeps.
        spin: bool,
    },
    /// GET and SET by redis-benchmark.
    Redis {
        /// Connections.
        clients: usize,
        /// Requests sent at a time.
        pipelining: usize,
        /// Requests in a round of full length.
        requests: usize,
    },
    /// A page by wrk, over 100 connections. With several workers, no process is pinned.
    Nginx {
        /// Processes that serve.
        workers: u32,
    },
    /// tokio's multi-thread runtime, 50 connections.
    Tokio,
    /// memcached with 4 threads, 50 connections.
    Memcached,
    /// So many requests a second, on 50 connections.
    Rate(Asked, usize),
    /// So many threads on one set, all of which wake.
    Waiters(&'static [usize]),
    /// Single calls, by these names.
    Calls(&'static [&'static str]),
    /// Children of this kind, with each of these numbers of sockets in a set.
    Forks(&'static str, &'static [usize]),
    /// Memory of the echo server for each descriptor, with this many descriptors.
    Memory(usize),
    /// Time from start to end of a short program.
    StartUp,
    /// Memory of redis-server after some requests.
    RedisMemory,
    /// Time and memory for the page of a record with this many events.
    Report(u64),
    /// The error of the recorded ready time, in a loop that is busy for this many microseconds when the event comes.
    Ready(u64),
}

/// One of the two that are measured in turn.
#[derive(Clone, Copy, Debug)]
pub struct Side {
    /// Whose epoll it uses.
    pub mode: Mode,
    /// Settings of glasspoll's.
    pub settings: &'static [(&'static str, &'static str)],
    /// Under strace, which writes the epoll calls to a file.
    pub strace: bool,
}

impl Side {
    /// Whose epoll the program has: a program that is observed has the kernel's.
    pub fn epoll(&self) -> Mode {
        let observes = self.settings.contains(&("GLASSPOLL_ENGINE", "observe"));
        if observes {
            Mode::Native
        } else {
            self.mode
        }
    }
}

pub(super) const KERNEL: Side = Side { mode: Mode::Native, settings: &[], strace: false };
pub(super) const GLASSPOLL: Side = Side { mode: Mode::Preloaded, settings: &[], strace: false };
const NO_RECORD: Side = Side { settings: &[("GLASSPOLL_RING", "off")], ..GLASSPOLL };
const LOGGED: Side = Side { settings: &[("GLASSPOLL_LOG", "glasspoll::flow=trace")], ..GLASSPOLL };
const EXACT: Side = Side { settings: &[("GLASSPOLL_READY", "exact")], ..GLASSPOLL };
const STRACED: Side = Side { strace: true, ..KERNEL };
const EPOLLS: [Side; 2] = [KERNEL, GLASSPOLL];

/// A program and the Debian package it is in.
pub type Program = (&'static str, &'static str);

/// One row; it gives one figure or more.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// The name by which it is chosen.
    pub name: &'static str,
    /// A description.
    pub what: &'static str,
    /// The programs that must be installed.
    pub programs: &'static [Program],
    /// Its figures.
    pub figures: &'static [Figure],
    /// How it is measured.
    pub work: Work,
    /// The two sides that are compared.
    pub sides: [Side; 2],
}

pub(super) const REDIS: &[Program] = &[("redis-server", "redis-server"), ("redis-benchmark", "redis-tools")];
pub(super) const NGINX: &[Program] = &[("nginx", "nginx"), ("wrk", "wrk")];
const STRACE: &[Program] =
    &[("redis-server", "redis-server"), ("redis-benchmark", "redis-tools"), ("strace", "strace")];
pub(super) const MEMCACHED: &[Program] = &[("memcached", "memcached")];

const fn figure(name: &'static str, unit: &'static str, judge: Judge) -> Figure {
    Figure { name, unit, judge }
}

const fn rate(bar: f64) -> Figure {
    figure("", "/s", Judge::Rate(bar))
}

const GET_AND_SET: &[Figure] =
    &[figure("GET", "/s", Judge::Rate(1.05)), figure("SET", "/s", Judge::Rate(1.05))];
const LATENCIES: &[Figure] =
    &[figure("p50", "µs", Judge::Latency(1.05)), figure("p99", "µs", Judge::Latency(1.05))];
const WITH_RECORD: &[Figure] =
    &[figure("GET", "/s", Judge::Rate(0.98)), figure("SET", "/s", Judge::Rate(0.98))];
const LOGS: &[Figure] = &[figure("GET", "/s", Judge::Rate(0.75)), figure("SET", "/s", Judge::Rate(0.75))];
const SHOWN: &[Figure] = &[figure("GET", "/s", Judge::RateShown), figure("SET", "/s", Judge::RateShown)];
const UPLOAD: &[Figure] = &[figure("", "MiB/s", Judge::Rate(1.0))];
const AS_FAST: &[Figure] = &[rate(1.0)];
const NEARLY_AS_FAST: &[Figure] = &[rate(0.95)];

const fn redis(
    name: &'static str,
    what: &'static str,
    (clients, pipelining, requests): (usize, usize, usize),
) -> Row {
    let work = Work::Redis { clients, pipelining, requests };
    Row { name, what, programs: REDIS, figures: GET_AND_SET, work, sides: EPOLLS }
}

/// Redis with 50 clients, compared with itself under other conditions.
const fn redis_sides(
    name: &'static str,
    what: &'static str,
    figures: &'static [Figure],
    requests: usize,
    sides: [Side; 2],
) -> Row {
    let programs = if sides[1].strace { STRACE } else { REDIS };
    Row { name, what, programs, figures, work: Work::Redis { clients: 50, pipelining: 1, requests }, sides }
}

const fn echo(
    name: &'static str,
    what: &'static str,
    figures: &'static [Figure],
    edge: bool,
    pattern: Pattern,
) -> Row {
    Row {
        name,
        what,
        programs: &[],
        figures,
        work: Work::Echo { edge, loops: 1, pattern, spin: false },
        sides: EPOLLS,
    }
}

/// CPU time for each child, with this many sockets in a set.
const fn fork(name: &'static str, what: &'static str, kind: &'static str, figures: &'static [Figure]) -> Row {
    Row { name, what, programs: &[], figures, work: Work::Forks(kind, &[1, 300, 10_000]), sides: EPOLLS }
}

const CHILDREN: &[Figure] = &[
    figure("1 socket", "µs", Judge::Latency(1.2)),
    figure("300 sockets", "µs", Judge::Latency(1.2)),
    figure("10,000 sockets", "µs", Judge::Latency(1.2)),
];
const CHILDREN_SHOWN: &[Figure] = &[
    figure("1 socket", "µs", Judge::LatencyShown),
    figure("300 sockets", "µs", Judge::LatencyShown),
    figure("10,000 sockets", "µs", Judge::LatencyShown),
];

const FEW: Pattern = Pattern::Closed { count: 50, active: 50 };
const THOUSAND: Pattern = Pattern::Closed { count: 1000, active: 100 };
const MANY: Pattern = Pattern::Closed { count: 9000, active: 100 };
const LT: bool = false;
const ET: bool = true;

/// All rows.
pub const ROWS: &[Row] = &[
    redis("redis-50", "redis, 50 clients", (50, 1, 300_000)),
    redis("redis-50-p16", "redis, 50 clients, pipelining 16", (50, 16, 2_000_000)),
    redis("redis-500", "redis, 500 clients", (500, 1, 300_000)),
    Row {
        name: "nginx",
        what: "nginx, 1 worker, wrk with 100 connections",
        programs: NGINX,
        figures: AS_FAST,
        work: Work::Nginx { workers: 1 },
        sides: EPOLLS,
    },
    Row {
        name: "nginx-2",
        what: "nginx, 2 workers, nothing pinned",
        programs: NGINX,
        figures: AS_FAST,
        work: Work::Nginx { workers: 2 },
        sides: EPOLLS,
    },
    echo("echo-lt-50", "echo LT, 50 connections", AS_FAST, LT, FEW),
    echo("echo-et-50", "echo ET, 50 connections", AS_FAST, ET, FEW),
    echo("echo-lt-1000", "echo LT, 1,000 connections, 100 active", AS_FAST, LT, THOUSAND),
    echo("echo-et-1000", "echo ET, 1,000 connections, 100 active", AS_FAST, ET, THOUSAND),
    echo("echo-lt-9000", "echo LT, 9,000 connections, 100 active", AS_FAST, LT, MANY),
    echo("echo-et-9000", "echo ET, 9,000 connections, 100 active", AS_FAST, ET, MANY),
    echo("latency-lt", "echo LT, 9,000 connections, 1 active: latency", LATENCIES, LT, Pattern::One(9000)),
    echo("latency-et", "echo ET, 9,000 connections, 1 active: latency", LATENCIES, ET, Pattern::One(9000)),
    echo(
        "random-lt",
        "echo LT, 9,000 connections, one after another",
        NEARLY_AS_FAST,
        LT,
        Pattern::Random(9000),
    ),
    echo(
        "random-et",
        "echo ET, 9,000 connections, one after another",
        NEARLY_AS_FAST,
        ET,
        Pattern::Random(9000),
    ),
    Row {
        name: "tokio",
        what: "tokio, 4 threads, 50 connections",
        programs: &[],
        figures: NEARLY_AS_FAST,
        work: Work::Tokio,
        sides: EPOLLS,
    },
    Row {
        name: "memcached",
        what: "memcached, 4 threads, 50 connections",
        programs: MEMCACHED,
        figures: NEARLY_AS_FAST,
        work: Work::Memcached,
        sides: EPOLLS,
    },
    Row {
        name: "loops",
        what: "echo LT, 4 event loops, 50 connections",
        programs: &[],
        figures: NEARLY_AS_FAST,
        work: Work::Echo { edge: LT, loops: 4, pattern: FEW, spin: false },
        sides: EPOLLS,
    },
    echo("single", "echo LT, 1 connection", &[figure("", "/s", Judge::RateShown)], LT, Pattern::One(1)),
    Row {
        name: "single-spin",
        what: "echo LT, 1 connection, `GLASSPOLL_SPIN=auto`, server on any CPU",
        programs: &[],
        figures: &[rate(1.2)],
        work: Work::Echo { edge: LT, loops: 1, pattern: Pattern::One(1), spin: true },
        sides: EPOLLS,
    },
    Row {
        name: "ctl",
        what: "one call",
        programs: &[],
        figures: &[figure("ADD+DEL", "ns", Judge::Speed(10.0)), figure("MOD", "ns", Judge::Speed(10.0))],
        work: Work::Calls(&["add-del", "mod"]),
        sides: EPOLLS,
    },
    Row {
        name: "wait",
        what: "one call, 1,000 sockets",
        programs: &[],
        figures: &[
            figure("`epoll_wait(0)`, nothing ready", "ns", Judge::Speed(0.6)),
            figure("`epoll_wait(0)`, one ready", "ns", Judge::Speed(0.9)),
        ],
        work: Work::Calls(&["wait-idle", "wait-one"]),
        sides: EPOLLS,
    },
    fork("fork-exit", "CPU time of fork and `_exit` with", "exit", CHILDREN),
    fork("fork-exec", "CPU time of fork and exec with", "exec", CHILDREN),
    fork("fork-redirect", "CPU time of fork, redirections and exec with", "redirect", CHILDREN),
    fork("fork-vfork", "CPU time of vfork and exec with", "vfork", CHILDREN),
    fork("fork-spawn", "CPU time of `posix_spawn` with", "spawn", CHILDREN),
    fork("fork-use", "CPU time of fork and `epoll_wait(0)` in the child with", "use", CHILDREN_SHOWN),
    echo("churn", "20,000 connections: accept, ADD, one request, close", AS_FAST, LT, Pattern::Churn(20_000)),
    echo("upload-lt", "bulk upload to a slow reader, LT", UPLOAD, LT, Pattern::Upload),
    echo("upload-et", "bulk upload to a slow reader, ET", UPLOAD, ET, Pattern::Upload),
    Row {
        name: "memory",
        what: "memory for each idle descriptor",
        programs: &[],
        figures: &[figure("", "bytes", Judge::Added(200.0))],
        work: Work::Memory(10_000),
        sides: EPOLLS,
    },
    Row {
        name: "start",
        what: "start-up",
        programs: &[],
        figures: &[
            figure("of `true`", "ms", Judge::Added(3.0)),
            figure("of a program with one set", "ms", Judge::Added(3.0)),
        ],
        work: Work::StartUp,
        sides: EPOLLS,
    },
    Row {
        name: "redis-memory",
        what: "resident memory of redis-server",
        programs: REDIS,
        figures: &[figure("", "MiB", Judge::Added(2.0))],
        work: Work::RedisMemory,
        sides: EPOLLS,
    },
    rate::ROWS[0],
    rate::ROWS[1],
    rate::ROWS[2],
    rate::ROWS[3],
    rate::ROWS[4],
    rate::ROWS[5],
    rate::ROWS[6],
    rate::ROWS[7],
    rate::ROWS[8],
    rate::ROWS[9],
    rate::ROWS[10],
    rate::ROWS[11],
    waiters::MANY,
    observe::ON_REDIS,
    observe::ON_NGINX,
    observe::ON_TOKIO,
    observe::ON_MEMCACHED,
    observe::ON_ECHO,
    stacks::ADD,
    stacks::OBSERVED_ADD,
    stacks::CHURN,
    redis_sides(
        "record-redis",
        "redis, 50 clients: glasspoll without and with its record",
        WITH_RECORD,
        300_000,
        [NO_RECORD, GLASSPOLL],
    ),
    Row {
        name: "record-nginx",
        what: "nginx, 1 worker: glasspoll without and with its record",
        programs: NGINX,
        figures: &[rate(0.98)],
        work: Work::Nginx { workers: 1 },
        sides: [NO_RECORD, GLASSPOLL],
    },
    redis_sides(
        "log-redis",
        "redis, 50 clients: glasspoll without and with the whole flow logged to a file",
        LOGS,
        100_000,
        [GLASSPOLL, LOGGED],
    ),
    redis_sides(
        "exact-redis",
        "redis, 50 clients: glasspoll without and with `GLASSPOLL_READY=exact`",
        SHOWN,
        100_000,
        [GLASSPOLL, EXACT],
    ),
    Row {
        name: "ready",
        what: "time of becoming ready, `GLASSPOLL_READY=exact`, loop busy for 2 ms: off by, p50",
        programs: &[],
        figures: &[figure("", "µs", Judge::AtMost(50.0))],
        work: Work::Ready(2000),
        sides: [KERNEL, EXACT],
    },
    Row {
        name: "report",
        what: "`glasspoll report` of 1,000,000 events",
        programs: &[],
        figures: &[figure("", "s", Judge::AtMost(3.0)), figure("memory", "MiB", Judge::AtMost(300.0))],
        work: Work::Report(1_000_000),
        sides: EPOLLS,
    },
    redis_sides(
        "strace-redis",
        "redis, 50 clients: the kernel's epoll without and with strace of its epoll calls",
        SHOWN,
        100_000,
        [KERNEL, STRACED],
    ),
];
