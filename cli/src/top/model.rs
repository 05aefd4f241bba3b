//! What is known of the process that top shows.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

use glasspoll_record::event::Event;
use glasspoll_record::layout;
use glasspoll_record::ring::{Header, Item};
use glasspoll_record::Entry;

use crate::doctor::Doctor;
use crate::replay::{Key, Latency, Loop, Sums};

/// How many intervals are remembered.
const HISTORY: usize = 200;
/// How many ended items are kept.
const KEEP: usize = 500;

/// The counts of an interval.
#[derive(Clone, Debug, Default)]
pub struct Sample {
    pub events_rate: f64,
    pub waits_rate: f64,
    /// p50, p99 and max, and whether they are upper bounds.
    pub latency: Option<([u64; 3], bool)>,
}

/// A process.
#[derive(Clone, Debug, Default)]
pub struct Model {
    pub pid: u32,
    /// The kernel's epoll answers it.
    pub observed: bool,
    pub comm: String,
    pub command: String,
    pub threads: BTreeMap<u32, String>,
    /// What a thread that is away from its waits was last seen to do, and since when it was away.
    pub doing: BTreeMap<u32, (u64, String)>,
    pub sums: Sums,
    /// Its items and sets as they are now.
    pub table: Vec<Item>,
    /// When it has ended, and how, in words.
    pub ended: Option<(u64, String)>,
    /// Records that were overwritten before they were read.
    pub lost: u64,
    /// Since the last interval ended.
    latency: Latency,
    begin: Option<u64>,
    counts: (u64, u64),
    of_items: HashMap<Key, u64>,
    of_loops: HashMap<(u32, u32), u64>,
    rates: HashMap<Key, f64>,
    loop_rates: HashMap<(u32, u32), f64>,
    samples: VecDeque<Sample>,
}

impl Model {
    /// A process of which nothing is known yet.
    pub fn new(header: &Header) -> Self {
        Self { pid: header.pid, observed: header.observed, ..Self::default() }
    }

    /// Takes in an event. `doctor` has the process at `place`.
    pub fn event(&mut self, doctor: &mut Doctor, place: usize, entry: &Entry) {
        // Events before the first interval are history.
        if let (Event::Deliver { ready_ns, known, .. }, Some(begin)) = (entry.event, self.begin) {
            if entry.ns >= begin {
                self.latency.add(ready_ns, known);
            }
        }
        doctor.event_with(place, entry, &mut self.sums);
    }

    /// Forgets what is too much.
    pub fn forget(&mut self) {
        self.sums.forget(KEEP);
    }

    /// Blocks are missing before the next events.
    pub fn lost(&mut self, blocks: u64) {
        if blocks != 0 {
            self.lost = self.lost.saturating_add(layout::records(blocks));
            self.sums.gap();
        }
    }

    /// Takes in the items as they are now.
    pub fn items(&mut self, table: Vec<Item>, now: u64) {
        self.sums.table(&table, now);
        self.table = table;
    }

    /// A set's name: its descriptor, or its number in the record if it has none now.
    pub fn set_id(&self, epoll: u32) -> String {
        match self.table.iter().find(|item| item.is_set && item.epoll == epoll) {
            Some(set) => set.fd.to_string(),
            None => format!("#{epoll}"),
        }
    }

    /// An interval is over.
    pub fn tick(&mut self, now: u64) {
        let counts = (self.sums.counts.deliveries, self.sums.counts.waits);
        let seconds = self.begin.map(|begin| now.saturating_sub(begin) as f64 / 1e9);
        let rate = |count: u64, before: u64| match seconds {
            Some(seconds) if seconds > 0.0 => count.saturating_sub(before) as f64 / seconds,
            _ => 0.0,
        };
        let latency = std::mem::take(&mut self.latency);
        let quantiles = [0.5, 0.99, 1.0].map(|share| latency.histogram.quantile(share));
        let sample = Sample {
            events_rate: rate(counts.0, self.counts.0),
            waits_rate: rate(counts.1, self.counts.1),
            latency: (latency.histogram.count() != 0).then(|| (quantiles, latency.is_bound())),
        };
        let live: HashSet<Key> = self.table.iter().map(|item| (item.epoll, item.serial)).collect();
        let items = self.sums.items.values().filter(|item| live.contains(&item.key()));
        let now_items: HashMap<Key, u64> = items.map(|item| (item.key(), item.deliveries)).collect();
        let before = |key: &Key| self.of_items.get(key).copied().unwrap_or(0);
        self.rates = now_items.iter().map(|(key, count)| (*key, rate(*count, before(key)))).collect();
        let loops = self.sums.loops.iter().map(|this| ((this.tid, this.epoll), this.events));
        let now_loops: HashMap<(u32, u32), u64> = loops.collect();
        let before = |key: &(u32, u32)| self.of_loops.get(key).copied().unwrap_or(0);
        self.loop_rates = now_loops.iter().map(|(key, count)| (*key, rate(*count, before(key)))).collect();
        (self.of_items, self.of_loops, self.counts) = (now_items, now_loops, counts);
        if self.begin.is_some() {
            self.samples.push_back(sample);
        }
        while self.samples.len() > HISTORY {
            self.samples.pop_front();
        }
        self.begin = Some(now);
    }

    /// The interval that ended last.
    pub fn latest(&self) -> Sample {
        self.samples.back().cloned().unwrap_or_default()
    }

    /// The p99 of each interval, 0 where nothing came.
    pub fn history(&self) -> impl Iterator<Item = u64> + '_ {
        self.samples.iter().map(|sample| sample.latency.map_or(0, |([_, p99, _], _)| p99))
    }

    /// Events a second of an item, recently.
    pub fn item_rate(&self, key: Key) -> f64 {
        self.rates.get(&key).copied().unwrap_or(0.0)
    }

    /// Events a second of a loop, recently.
    pub fn loop_rate(&self, this: &Loop) -> f64 {
        self.loop_rates.get(&(this.tid, this.epoll)).copied().unwrap_or(0.0)
    }

    /// The fds of items whose file is not known.
    pub fn unnamed(&self) -> Vec<i32> {
        let is_unnamed = |entry: &&Item| {
            let item = self.sums.items.get(&(entry.epoll, entry.serial));
            !entry.is_set && item.is_some_and(|item| item.what.is_none())
        };
        self.table.iter().filter(is_unnamed).map(|entry| entry.fd).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replay::script::Script;

    #[test]
    fn rates_are_those_of_the_last_interval() {
        let mut script = Script::new();
        let mut model = Model::new(&script.process.header);
        let mut doctor = Doctor::new();
        let place = doctor.process(&script.process.header);
        script.add(5, 1, 1).wait(10, &[(5, 1, 900)]);
        script.process.events.iter().for_each(|entry| model.event(&mut doctor, place, entry));
        let item = |fd, serial| Item {
            epoll: 1,
            is_set: false,
            fd,
            serial,
            interest: 1,
            queued: false,
            hot: false,
            disarmed: false,
            delivered: 1,
            since_ns: None,
        };
        let table = vec![item(5, 1), item(6, 2)];
        doctor.world(place).expect("a process").take_table(&table);
        model.items(table, script.now);
        model.tick(script.now);
        assert_eq!(model.latest().events_rate, 0.0);
        let from = script.process.events.len();
        for _ in 0..100 {
            script.after(10_000).wait(0, &[(5, 1, 20)]);
        }
        script.process.events[from..].iter().for_each(|entry| model.event(&mut doctor, place, entry));
        model.tick(script.now);
        assert_eq!((model.latest().events_rate.round(), model.item_rate((1, 1)).round()), (100.0, 100.0));
        assert_eq!(model.latest().latency.map(|([_, _, max], _)| max), Some(20_000));
        assert_eq!(model.unnamed(), [5, 6]);
        model.sums.name(doctor.world(place).expect("a process"), 5, "pipe");
        assert_eq!(model.unnamed(), [6]);
        model.lost(2);
        assert_eq!(model.lost, 62);
    }
}
