//! The data of the page, as JSON. Times are nanoseconds since the first event of the record.
//!
//! | module | holds |
//! |---|---|
//! | `told` | a process's replay, and its timelines |
//! | `turns`, `row` | a loop, and an item |
//! | `times` | times by size |

mod row;
mod times;
mod told;
mod turns;

use std::collections::{BTreeMap, HashMap};

use glasspoll_record::{Process, Recording};
use serde::Serialize;

use crate::doctor::Finding;
use crate::replay::{Key, Latency, Loop, Replay};
use row::Row;
use times::Times;
pub use told::{replay, Told};
use turns::Turns;

/// How many items of all processes together the page has, and how many of these with a histogram; and the least
/// number for each process.
const ITEMS: usize = 5000;
const HISTOGRAMS: usize = 1000;
const LEAST: usize = 100;

#[derive(Debug, Serialize)]
pub struct Data<'a> {
    pub version: &'a str,
    pub notes: &'a BTreeMap<String, String>,
    pub trouble: Option<&'a str>,
    /// When the first event was, in milliseconds since 1970.
    pub began_ms: u64,
    pub findings: Vec<Found<'a>>,
    pub processes: Vec<One<'a>>,
}

#[derive(Debug, Serialize)]
pub struct Found<'a> {
    class: u8,
    name: &'a str,
    severity: &'a str,
    title: &'a str,
    evidence: &'a [String],
    advice: &'a str,
    unknown: Option<&'a str>,
    pid: u32,
    first: u64,
    last: u64,
    count: u64,
    fds: &'a [i32],
    tids: &'a [u32],
}

#[derive(Debug, Serialize)]
pub struct One<'a> {
    pid: u32,
    ppid: u32,
    comm: &'a str,
    command: &'a str,
    forked: bool,
    exact: bool,
    observed: bool,
    /// When the record begins and ends.
    from: u64,
    to: u64,
    /// Its status, if it has ended and that is known.
    status: Option<i32>,
    ended: bool,
    records: u64,
    lost: u64,
    torn: u64,
    waits: u64,
    deliveries: u64,
    adds: u64,
    failed_ctls: u64,
    accepts: u64,
    read: u64,
    written: u64,
    latency: Times,
    sets: Vec<(u32, Option<i32>, bool)>,
    loops: Vec<Turns<'a>>,
    items: Vec<Row<'a>>,
    /// How many items there are in all.
    all_items: usize,
    /// For each item number of the timelines, less 1, its place in `items`; -1 if it was left out.
    numbers: Vec<i32>,
}

/// All data of the page.
pub fn of<'a>(recording: &'a Recording, told: &'a [Told], findings: &'a [Finding]) -> Data<'a> {
    let begin = begin(recording);
    let first = recording.processes.iter().min_by_key(|process| first(process));
    let began = first.map_or(0, |process| {
        process.header.realtime.saturating_add(begin.saturating_sub(process.header.begin.ns))
    });
    Data {
        version: env!("CARGO_PKG_VERSION"),
        notes: &recording.notes,
        trouble: recording.trouble.as_deref(),
        began_ms: began / 1_000_000,
        findings: findings.iter().map(|finding| found(finding, begin)).collect(),
        processes: recording
            .processes
            .iter()
            .zip(told)
            .map(|(process, told)| one(process, told, begin, findings, recording.processes.len()))
            .collect(),
    }
}

fn found(finding: &Finding, begin: u64) -> Found<'_> {
    Found {
        class: finding.class,
        name: finding.name,
        severity: finding.severity.name(),
        title: &finding.title,
        evidence: &finding.evidence,
        advice: finding.advice,
        unknown: finding.unknown.as_deref(),
        pid: finding.pid,
        first: finding.first_ns.saturating_sub(begin),
        last: finding.last_ns.saturating_sub(begin),
        count: finding.count,
        fds: &finding.fds,
        tids: &finding.tids,
    }
}

fn first(process: &Process) -> u64 {
    process.events.first().map_or(process.header.begin.ns, |entry| entry.ns)
}

fn begin(recording: &Recording) -> u64 {
    recording.processes.iter().map(first).min().unwrap_or(0)
}

fn one<'a>(
    process: &'a Process,
    told: &'a Told,
    begin: u64,
    findings: &[Finding],
    processes: usize,
) -> One<'a> {
    let Replay { world, sums } = &told.replay;
    let end = process.end_ns();
    let rel = |ns: u64| ns.saturating_sub(begin);
    let items = row::chosen(process.pid(), &told.replay, findings, (ITEMS / processes).max(LEAST));
    let histograms = (HISTOGRAMS / processes).max(LEAST);
    let places: HashMap<Key, i32> =
        items.iter().enumerate().map(|(at, item)| (item.key(), at as i32)).collect();
    let place = |key: &Key| places.get(key).copied().unwrap_or(-1);
    let mut latency = Latency::default();
    sums.loops.iter().for_each(|this| latency.merge(&this.latency));
    let counts = sums.counts;
    let mut loops: Vec<&Loop> = sums.loops.iter().collect();
    loops.sort_by_key(|this| (this.epoll, std::cmp::Reverse(this.events)));
    One {
        pid: process.pid(),
        ppid: process.header.ppid,
        comm: &process.comm,
        command: &process.command,
        forked: process.header.forked,
        exact: process.header.exact,
        observed: process.header.observed,
        from: rel(first(process)),
        to: rel(end),
        status: process.ended.and_then(|(_, status)| status),
        ended: process.ended.is_some(),
        records: counts.records,
        lost: glasspoll_record::layout::records(process.lost_blocks),
        torn: process.torn,
        waits: counts.waits,
        deliveries: counts.deliveries,
        adds: counts.adds,
        failed_ctls: counts.failed_ctls,
        accepts: counts.accepts,
        read: counts.read,
        written: counts.written,
        latency: Times::of(&latency),
        sets: world.sets.iter().map(|(epoll, set)| (*epoll, set.epfd, set.inherited)).collect(),
        loops: loops.iter().map(|this| Turns::of(this, process, told, begin, place)).collect(),
        all_items: sums.items.len(),
        items: items
            .iter()
            .enumerate()
            .map(|(at, item)| Row::of(item, world, at < histograms, begin))
            .collect(),
        numbers: told.numbers.keys().iter().map(place).collect(),
    }
}
