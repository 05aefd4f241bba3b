//! A loop, and its longest serving periods.

use glasspoll_record::Process;
use serde::Serialize;

use super::{Times, Told};
use crate::replay::{Key, Loop};
use crate::report::track::base64;

#[derive(Debug, Serialize)]
pub struct Turns<'a> {
    tid: u32,
    thread: &'a str,
    epoll: String,
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

impl<'a> Turns<'a> {
    /// The data of a loop. `place` tells where the page has an item, -1 if nowhere.
    pub fn of(
        this: &Loop,
        process: &'a Process,
        told: &Told,
        begin: u64,
        place: impl Fn(&Key) -> i32,
    ) -> Self {
        let rel = |ns: u64| ns.saturating_sub(begin);
        let (waiting, serving) = this.times(process.end_ns());
        let track = told.tracks.get(&(this.tid, this.epoll));
        let longest = this.longest.iter().map(|period| {
            let shares = period.shares.iter().map(|(key, ns)| (place(key), *ns)).collect();
            Longest { from: rel(period.from_ns), ns: period.ns, events: period.events, shares }
        });
        Self {
            tid: this.tid,
            thread: process.threads.get(&this.tid).map_or("", String::as_str),
            epoll: told.replay.world.set_id(this.epoll),
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
    }
}
