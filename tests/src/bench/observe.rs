//! The rows of `GLASSPOLL_ENGINE=observe`, beside the kernel's epoll without the library.

use super::figure::{Figure, Judge};
use super::rows::{Pattern, Program, Row, Side, Work, GLASSPOLL, KERNEL, MEMCACHED, NGINX, REDIS};

const OBSERVED: Side = Side { settings: &[("GLASSPOLL_ENGINE", "observe")], ..GLASSPOLL };

const RATE: &[Figure] = &[Figure { name: "", unit: "/s", judge: Judge::Rate(0.98) }];
const GET_AND_SET: &[Figure] = &[
    Figure { name: "GET", unit: "/s", judge: Judge::Rate(0.98) },
    Figure { name: "SET", unit: "/s", judge: Judge::Rate(0.98) },
];

const fn observed(
    name: &'static str,
    what: &'static str,
    programs: &'static [Program],
    figures: &'static [Figure],
    work: Work,
) -> Row {
    Row { name, what, programs, figures, work, sides: [KERNEL, OBSERVED] }
}

pub(super) const ON_REDIS: Row = observed(
    "observe-redis",
    "redis, 50 clients, observed",
    REDIS,
    GET_AND_SET,
    Work::Redis { clients: 50, pipelining: 1, requests: 300_000 },
);

pub(super) const ON_NGINX: Row = observed(
    "observe-nginx",
    "nginx, 1 worker, wrk with 100 connections, observed",
    NGINX,
    RATE,
    Work::Nginx { workers: 1 },
);

pub(super) const ON_TOKIO: Row =
    observed("observe-tokio", "tokio, 4 threads, 50 connections, observed", &[], RATE, Work::Tokio);

pub(super) const ON_MEMCACHED: Row = observed(
    "observe-memcached",
    "memcached, 4 threads, 50 connections, observed",
    MEMCACHED,
    RATE,
    Work::Memcached,
);

pub(super) const ON_ECHO: Row = observed(
    "observe-echo",
    "echo ET, 9,000 connections, 100 active, observed",
    &[],
    RATE,
    Work::Echo { edge: true, loops: 1, pattern: Pattern::Closed { count: 9000, active: 100 }, spin: false },
);
