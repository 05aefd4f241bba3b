//! What is on the screen: plain data, made of a `Model` at a moment, so that it can be drawn, and frozen.

use glasspoll_record::event::Mask;

use super::model::Model;
use crate::doctor::Severity;
use crate::replay::{Key, Loop, State, ALWAYS};
use crate::text::units::{clean, duration};

/// By what items are sorted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sort {
    /// By events a second.
    #[default]
    Rate,
    /// By the longest recent time from ready to delivered.
    Latency,
    /// By how long they have been ready.
    Backlog,
}

/// A process on the screen.
#[derive(Clone, Debug, Default)]
pub struct View {
    pub pid: u32,
    /// The kernel's epoll answers it.
    pub observed: bool,
    pub comm: String,
    pub command: String,
    /// Its place among the processes, and how many there are.
    pub place: (usize, usize),
    /// How it has ended, in words.
    pub ended: Option<String>,
    /// Records that were overwritten before they were read.
    pub lost: u64,
    /// Events a second, recently.
    pub events_rate: f64,
    pub waits_rate: f64,
    /// Recent p50, p99 and max, and whether they are upper bounds.
    pub latency: Option<([u64; 3], bool)>,
    /// p99 in each interval, the latest last.
    pub history: Vec<u64>,
    pub loops: Vec<LoopRow>,
    pub items: Vec<ItemRow>,
    pub findings: Vec<(Severity, String)>,
}

/// A loop.
#[derive(Clone, Debug, Default)]
pub struct LoopRow {
    pub thread: String,
    pub epoll: String,
    pub state: String,
    pub utilisation: Option<f64>,
    pub rate: f64,
    pub per_wait: f64,
    pub p99: u64,
    pub longest: u64,
}

/// An item.
#[derive(Clone, Debug, Default)]
pub struct ItemRow {
    pub key: Key,
    pub fd: i32,
    pub what: String,
    pub interest: String,
    pub state: &'static str,
    pub rate: f64,
    pub events: u64,
    pub p50: u64,
    pub max: u64,
    pub is_bound: bool,
    /// How long it has been ready.
    pub backlog: Option<u64>,
}

impl View {
    /// The view of a model at this moment.
    pub fn of(model: &Model, place: (usize, usize), findings: Vec<(Severity, String)>, now: u64) -> Self {
        let latest = model.latest();
        let now = model.ended.as_ref().map_or(now, |(ns, _)| *ns);
        Self {
            pid: model.pid,
            observed: model.observed,
            comm: clean(&model.comm),
            command: clean(&model.command),
            place,
            ended: model.ended.as_ref().map(|(_, how)| how.clone()),
            lost: model.lost,
            events_rate: latest.events_rate,
            waits_rate: latest.waits_rate,
            latency: latest.latency,
            history: model.history().collect(),
            loops: loops(model, now),
            items: items(model, now),
            findings,
        }
    }
}

fn loops(model: &Model, now: u64) -> Vec<LoopRow> {
    let mut rows: Vec<LoopRow> = (model.sums.loops.iter())
        .map(|this| {
            let recent = this.recent(now);
            let name = model.threads.get(&this.tid).map_or("thread", String::as_str);
            LoopRow {
                thread: format!("{} {}", clean(name), this.tid),
                epoll: model.set_id(this.epoll),
                state: state(model, this, now),
                utilisation: recent.utilisation(),
                rate: model.loop_rate(this),
                per_wait: this.per_wait.mean(),
                p99: this.latency.histogram.quantile(0.99),
                longest: this.longest.first().map_or(0, |period| period.ns),
            }
        })
        .collect();
    rows.sort_by(|a, b| b.rate.total_cmp(&a.rate));
    rows
}

/// A sample's time may differ from that of an event by this much: the clock of the record is reckoned.
const SLACK_NS: u64 = 5_000_000;

fn state(model: &Model, this: &Loop, now: u64) -> String {
    match this.state {
        State::Unknown => "unknown".into(),
        State::Elsewhere => "elsewhere".into(),
        State::Waiting { since, .. } => format!("waiting {}", duration(now.saturating_sub(since))),
        State::Serving { since } => {
            let doing = model.doing.get(&this.tid).filter(|(from, _)| from.abs_diff(since) < SLACK_NS);
            let doing = doing.map_or(String::new(), |(_, what)| format!(" {}", clean(what)));
            format!("serving {}{doing}", duration(now.saturating_sub(since)))
        }
    }
}

fn items(model: &Model, now: u64) -> Vec<ItemRow> {
    let row = |entry: &glasspoll_record::ring::Item| {
        let key = (entry.epoll, entry.serial);
        let item = model.sums.items.get(&key);
        let what = item.and_then(|item| item.what.as_deref()).unwrap_or("");
        let state = match entry {
            _ if entry.disarmed => "disarmed",
            _ if entry.queued => "ready",
            _ if entry.hot => "hot",
            _ => "",
        };
        let latency = item.map(|item| &item.latency);
        ItemRow {
            key,
            fd: entry.fd,
            what: clean(what),
            interest: Mask(entry.interest & !ALWAYS).to_string(),
            state,
            rate: model.item_rate(key),
            events: entry.delivered.into(),
            p50: latency.map_or(0, |latency| latency.histogram.quantile(0.5)),
            max: latency.map_or(0, |latency| latency.histogram.max()),
            is_bound: latency.is_some_and(|latency| latency.is_bound()),
            backlog: entry.since_ns.filter(|_| entry.queued).map(|since| now.saturating_sub(since)),
        }
    };
    model.table.iter().filter(|entry| !entry.is_set).map(row).collect()
}

/// The places of items in order.
pub fn sorted(items: &[ItemRow], sort: Sort) -> Vec<usize> {
    let mut order: Vec<usize> = (0..items.len()).collect();
    order.sort_by(|a, b| {
        let (a, b) = (&items[*a], &items[*b]);
        let by = match sort {
            Sort::Rate => b.rate.total_cmp(&a.rate).then(b.events.cmp(&a.events)),
            Sort::Latency => b.max.cmp(&a.max),
            Sort::Backlog => b.backlog.cmp(&a.backlog).then(b.rate.total_cmp(&a.rate)),
        };
        by.then(a.key.cmp(&b.key))
    });
    order
}
