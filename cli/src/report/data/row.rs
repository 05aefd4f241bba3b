//! An item's row.

use std::collections::HashSet;

use glasspoll_record::event::Mask;
use serde::Serialize;

use super::Times;
use crate::doctor::Finding;
use crate::replay::{End, Item, Replay, World};

#[derive(Debug, Serialize)]
pub struct Row<'a> {
    epoll: String,
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

impl<'a> Row<'a> {
    /// The row of an item.
    pub fn of(item: &'a Item, world: &World, with_histogram: bool, begin: u64) -> Self {
        let rel = |ns: u64| ns.saturating_sub(begin);
        let latency = Times::of(&item.latency);
        let latency = if with_histogram { latency } else { latency.without_histogram() };
        Self {
            epoll: world.set_id(item.epoll),
            serial: item.serial,
            fd: item.fd,
            what: item.what.as_deref().unwrap_or(""),
            interest: item.interest.map_or(String::new(), |mask| Mask(mask).to_string()),
            added: item.added.map(rel),
            ended: item.ended.map(|(ns, _)| rel(ns)),
            how: item.ended.map_or("", |(_, how)| match how {
                End::Deleted => "removed",
                End::Closed => "closed",
                End::ClosedHere => "closed here (may live on in another process)",
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
}

/// The items of the page: those of findings, then those that cost most time.
pub fn chosen<'a>(pid: u32, replay: &'a Replay, findings: &[Finding], most: usize) -> Vec<&'a Item> {
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
