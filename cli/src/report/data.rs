//! The data of the page, as JSON. Times are nanoseconds since the first event of the record.

use std::collections::{BTreeMap, HashMap, HashSet};

use glasspoll_record::event::Mask;
use glasspoll_record::histogram::Histogram;
use glasspoll_record::{Process, Recording};
use serde::Serialize;

use super::track::{base64, Numbers, Track};
use crate::doctor::Finding;
use crate::replay::{End, Item, Key, Latency, Loop, Replay};

/// How many items of all processes together the page has, and how many of these with a histogram; and the least
/// number for each process.
const ITEMS: usize = 5000;
const HISTOGRAMS: usize = 1000;
const LEAST: usize = 100;
/// The most events with exact timelines; with more, short pieces become one, down to about this many pieces.
const EVENTS: usize = 2_000_000;
const PIECES: u64 = 600_000;

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

#[derive(Debug, Serialize)]
struct Times {
    count: u64,
    p50: u64,
    p99: u64,
    max: u64,
    /// How many are upper bounds.
    at_most: u64,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    buckets: Vec<(u16, u64)>,
}

impl Times {
    fn new(histogram: &Histogram, at_most: u64) -> Self {
        Self {
            count: histogram.count(),
            p50: histogram.quantile(0.5),
            p99: histogram.quantile(0.99),
            max: histogram.max(),
            at_most,
            buckets: histogram.buckets().to_vec(),
        }
    }

    fn of(latency: &Latency) -> Self {
        Self::new(&latency.histogram, latency.at_most)
    }
}

#[derive(Debug, Serialize)]
struct Turns<'a> {
    tid: u32,
    thread: &'a str,
    epoll: u32,
    waits: u64,
    empty: u64,
    polls: u64,
    interrupted: u64,
    full: u64,
    events: u64,
    waiting: u64,
    serving: u64,
    latency: Times,
    per_wait: Times,
    served: Times,
    waited: Times,
    last: (u64, &'a str),
    longest: Vec<Longest>,
    pieces: u32,
    track: String,
}

/// One of the longest serving periods.
#[derive(Debug, Serialize)]
struct Longest {
    from: u64,
    ns: u64,
    events: u64,
    /// The places of the items in `items`, and how long each was served.
    shares: Vec<(i32, u64)>,
}

#[derive(Debug, Serialize)]
struct Row<'a> {
    epoll: u32,
    serial: u32,
    fd: i32,
    what: &'a str,
    interest: String,
    added: Option<u64>,
    ended: Option<u64>,
    how: &'a str,
    first: u64,
    last: u64,
    delivered: u64,
    latency: Times,
    read: u64,
    written: u64,
    reads: u64,
    writes: u64,
    again: u64,
    outs: u64,
    hups: u64,
    errs: u64,
    queued: Option<u64>,
    serving: u64,
    longest: u64,
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

/// A process, and the timelines of its loops.
#[derive(Debug)]
pub struct Told {
    replay: Replay,
    tracks: HashMap<(u32, u32), Track>,
    numbers: Numbers,
}

fn first(process: &Process) -> u64 {
    process.events.first().map_or(process.header.begin.ns, |entry| entry.ns)
}

fn begin(recording: &Recording) -> u64 {
    recording.processes.iter().map(first).min().unwrap_or(0)
}

/// Replays each process.
pub fn replay(recording: &Recording) -> Vec<Told> {
    let begin = begin(recording);
    let events: usize = recording.processes.iter().map(|process| process.events.len()).sum();
    let pieces = (PIECES / recording.processes.len().max(1) as u64).max(1);
    let one = |process: &Process| {
        let length = process.end_ns().saturating_sub(first(process));
        let finest = if events > EVENTS { length / pieces } else { 0 };
        let mut tracks: HashMap<(u32, u32), Track> = HashMap::new();
        let mut numbers = Numbers::default();
        let replay = Replay::tell(process, |span| {
            let track = tracks.entry((span.tid, span.epoll)).or_default();
            track.add(&span, begin, finest, &mut numbers);
        });
        tracks.values_mut().for_each(Track::flush);
        Told { replay, tracks, numbers }
    };
    recording.processes.iter().map(one).collect()
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
    let items = chosen(process.pid(), &told.replay, findings, (ITEMS / processes).max(LEAST));
    let histograms = (HISTOGRAMS / processes).max(LEAST);
    let places: HashMap<Key, i32> =
        items.iter().enumerate().map(|(at, item)| (item.key(), at as i32)).collect();
    let place = |key: &Key| places.get(key).copied().unwrap_or(-1);
    let mut latency = Latency::default();
    sums.loops.iter().for_each(|this| latency.merge(&this.latency));
    let counts = sums.counts;
    let mut loops: Vec<&Loop> = sums.loops.iter().collect();
    loops.sort_by_key(|this| (this.epoll, std::cmp::Reverse(this.events)));
    let turns = |this: &&'a Loop| {
        let (waiting, serving) = this.times(end);
        let track = told.tracks.get(&(this.tid, this.epoll));
        let longest = this.longest.iter().map(|period| {
            let shares = period.shares.iter().map(|(key, ns)| (place(key), *ns)).collect();
            Longest { from: rel(period.from_ns), ns: period.ns, events: period.events, shares }
        });
        Turns {
            tid: this.tid,
            thread: process.threads.get(&this.tid).map_or("", String::as_str),
            epoll: this.epoll,
            waits: this.waits,
            empty: this.empty,
            polls: this.polls,
            interrupted: this.interrupted,
            full: this.full,
            events: this.events,
            waiting,
            serving,
            latency: Times::of(&this.latency),
            per_wait: Times::new(&this.per_wait, 0),
            served: Times::new(&this.served, 0),
            waited: Times::new(&this.waited, 0),
            last: (rel(this.last.0), this.last.1),
            longest: longest.collect(),
            pieces: track.map_or(0, |track| track.count),
            track: track.map_or(String::new(), |track| base64(&track.bytes)),
        }
    };
    One {
        pid: process.pid(),
        ppid: process.header.ppid,
        comm: &process.comm,
        command: &process.command,
        forked: process.header.forked,
        exact: process.header.exact,
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
        loops: loops.iter().map(turns).collect(),
        all_items: sums.items.len(),
        items: items.iter().enumerate().map(|(at, item)| row(item, at < histograms, begin)).collect(),
        numbers: told.numbers.keys().iter().map(place).collect(),
    }
}

/// The items of the page: those of findings, then those that cost most time.
fn chosen<'a>(pid: u32, replay: &'a Replay, findings: &[Finding], most: usize) -> Vec<&'a Item> {
    let of_this = findings.iter().filter(|finding| finding.pid == pid);
    let found: HashSet<i32> = of_this.flat_map(|finding| finding.fds.iter().copied()).collect();
    let mut items: Vec<&Item> = replay.sums.items.values().collect();
    items.sort_by_key(|item| {
        let slowest = item.latency.histogram.max();
        let cost = item.serving_ns.saturating_add(slowest);
        (!found.contains(&item.fd), std::cmp::Reverse((cost, item.deliveries)), item.key())
    });
    items.truncate(most);
    items
}

fn row(item: &Item, with_histogram: bool, begin: u64) -> Row<'_> {
    let rel = |ns: u64| ns.saturating_sub(begin);
    let mut latency = Times::of(&item.latency);
    if !with_histogram {
        latency.buckets.clear();
    }
    Row {
        epoll: item.epoll,
        serial: item.serial,
        fd: item.fd,
        what: item.what.as_deref().unwrap_or(""),
        interest: item.interest.map_or(String::new(), |mask| Mask(mask).to_string()),
        added: item.added.map(rel),
        ended: item.ended.map(|(ns, _)| rel(ns)),
        how: item.ended.map_or("", |(_, how)| match how {
            End::Deleted => "removed",
            End::Closed => "closed",
            End::SetClosed => "set closed",
        }),
        first: rel(item.delivered.map_or(item.seen.0, |(first, _)| first)),
        last: rel(item.delivered.map_or(item.seen.1, |(_, last)| last)),
        delivered: item.deliveries,
        latency,
        read: item.bytes.0,
        written: item.bytes.1,
        reads: item.calls.0,
        writes: item.calls.1,
        again: item.again,
        outs: item.outs,
        hups: item.hups,
        errs: item.errs,
        queued: item.queued.map(rel),
        serving: item.serving_ns,
        longest: item.longest.map_or(0, |(ns, _)| ns),
    }
}
