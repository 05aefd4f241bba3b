//! A recorded process: its events in order, its items, the names of its threads and files.

use std::collections::BTreeMap;

use crate::accept_queue::AcceptQueue;
use crate::clock::{self, Moment};
use crate::event::Event;
use crate::file::Named;
use crate::layout::{self, block};
use crate::mutation::is;
use crate::ring::{u32_at, u64_at, Block, Facts, Header, Item};
use crate::sample::{self, Sample};
use crate::stacks::Stacks;

/// One event.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Entry {
    /// The time: CLOCK_MONOTONIC, in nanoseconds.
    pub ns: u64,
    /// The thread.
    pub tid: u32,
    /// The event. Times in it are in nanoseconds.
    pub event: Event,
}

/// A process, and its record.
#[derive(Clone, Debug)]
pub struct Process {
    /// The ring's header.
    pub header: Header,
    /// Its events, in the order of time.
    pub events: Vec<Entry>,
    /// The items that it had at the end of the record.
    pub items: Vec<Item>,
    /// When the items were read. CLOCK_MONOTONIC.
    pub items_ns: u64,
    /// What is known of its descriptors, as of then.
    pub facts: BTreeMap<i32, Facts>,
    /// The name of its program, as in `/proc/PID/comm`.
    pub comm: String,
    /// Its command line, with spaces between the arguments.
    pub command: String,
    /// The names of threads.
    pub threads: BTreeMap<u32, String>,
    /// What files are. By fd: the moment at which the recorder looked at the file, and words such as `tcp
    /// 127.0.0.1:6379`. An entry without words is the moment at which the fd was closed before the recorder had
    /// looked at the file.
    pub files: BTreeMap<i32, Vec<(u64, String)>>,
    /// Looks at the queues of its listeners, in the order of time.
    pub accept_queues: Vec<AcceptQueue>,
    /// How many blocks of up to 31 events were overwritten before they were read.
    pub lost_blocks: u64,
    /// Moments at which blocks are missing between others. What a thread did before such a moment is unknown after it.
    pub gaps: Vec<u64>,
    /// How many records were torn.
    pub torn: u64,
    /// When it ended, and its status as wait(2) has it, if we know it.
    pub ended: Option<(u64, Option<i32>)>,
    /// The call stacks by which its items were added, if it keeps them.
    pub stacks: Stacks,
    /// What its threads did at some moments.
    pub samples: Vec<Sample>,
    /// The latest moment of the record.
    pub taken: Moment,
    blocks: BTreeMap<u64, Box<Block>>,
}

impl Process {
    /// A process of which nothing was recorded yet.
    pub fn new(header: Header) -> Self {
        let taken = header.begin;
        Self {
            header,
            events: Vec::new(),
            items: Vec::new(),
            items_ns: 0,
            facts: BTreeMap::new(),
            comm: String::new(),
            command: String::new(),
            threads: BTreeMap::new(),
            files: BTreeMap::new(),
            accept_queues: Vec::new(),
            lost_blocks: 0,
            gaps: Vec::new(),
            torn: 0,
            ended: None,
            stacks: Stacks::default(),
            samples: Vec::new(),
            taken,
            blocks: BTreeMap::new(),
        }
    }

    /// Its id.
    pub fn pid(&self) -> u32 {
        self.header.pid
    }

    /// When the record ends: with the process, or at its latest moment.
    pub fn end_ns(&self) -> u64 {
        let last = self.events.last().map_or(0, |entry| entry.ns);
        self.ended.map_or(self.taken.ns, |(ns, _)| ns).max(last)
    }

    /// What the file behind an fd was at that moment, in words, if the recorder looked at it.
    pub fn file_at(&self, fd: i32, ns: u64) -> Option<&str> {
        let known = self.files.get(&fd)?;
        let after = known.partition_point(|(when, _)| *when <= ns);
        // A look soon after the moment is better than one long before.
        let seen = known.get(after).or(known.last());
        seen.map(|(_, text)| text.as_str()).filter(|text| !text.is_empty())
    }

    /// Adds what a thread did at a moment.
    pub fn sample(&mut self, sample: Sample) {
        sample::keep(&mut self.samples, sample);
    }

    /// Adds the name of something at that moment. For a file an empty text says that the recorder had not
    /// looked at it until then.
    pub fn name(&mut self, named: Named, ns: u64, text: String) {
        match named {
            Named::Comm => self.comm = text,
            Named::Command => self.command = text,
            Named::Thread(tid) => drop(self.threads.insert(tid, text)),
            Named::File(fd) => {
                let known = self.files.entry(fd).or_default();
                let at = known.partition_point(|(when, _)| *when <= ns);
                known.insert(at, (ns, text));
            }
        }
    }

    /// Adds a block. A longer one with the same number replaces it.
    pub fn add_block(&mut self, bytes: &Block) {
        self.blocks.insert(u64_at(bytes, block::SERIAL), Box::new(*bytes));
    }

    /// Makes events of the blocks that were added.
    pub fn finish(&mut self) {
        let blocks = std::mem::take(&mut self.blocks);
        let mut latest = self.taken;
        for bytes in blocks.values() {
            let moment = moment(bytes);
            if moment.ns > latest.ns && moment.ticks > latest.ticks {
                latest = moment;
            }
        }
        let speed = speed(&self.header, latest);
        self.events.reserve(blocks.len() * layout::RECORDS);
        let mut order = Order::default();
        let mut expected = None;
        for (serial, bytes) in &blocks {
            if expected.is_some_and(|expected| expected != *serial) {
                self.gaps.push(moment(bytes).ns);
            }
            expected = Some(serial.saturating_add(1));
            self.torn += decode(bytes, 0, speed, &mut order, &mut self.events);
        }
        self.events.sort_by_key(|entry| entry.ns);
    }
}

/// When a block was taken.
pub(crate) fn moment(bytes: &Block) -> Moment {
    Moment { ticks: u64_at(&bytes[..], block::TICKS), ns: u64_at(&bytes[..], block::NS) }
}

/// How many nanoseconds a tick of the ring takes, computed with a later moment.
pub(crate) fn speed(header: &Header, latest: Moment) -> f64 {
    if header.counts {
        header.begin.speed(latest).or_else(|| speed_here(header)).unwrap_or(1.0)
    } else {
        1.0
    }
}

/// The same by this machine's clocks, if it is the one that wrote the ring, and has not been booted since.
fn speed_here(header: &Header) -> Option<f64> {
    /// The time of day may have been set by a little since.
    const SET_NS: u64 = 5_000_000_000;
    let now = Moment::now(true);
    let passed = now.ns.checked_sub(header.begin.ns)?;
    let is_here = header.realtime.saturating_add(passed).abs_diff(clock::realtime_ns()) < SET_NS;
    header.begin.speed(now).filter(|_| is_here)
}

/// How many records a block has.
pub(crate) fn len(bytes: &Block) -> usize {
    (u32_at(bytes, block::LEN) as usize).min(layout::RECORDS)
}

/// The time of each thread's last event. It keeps a thread's events in order, even if the length of a tick is
/// inexact.
#[derive(Clone, Debug, Default)]
pub(crate) struct Order(BTreeMap<u32, u64>);

/// Makes events of the records of a block, from a place on. Returns how many records were torn.
pub(crate) fn decode(
    bytes: &Block,
    from: usize,
    speed: f64,
    order: &mut Order,
    events: &mut Vec<Entry>,
) -> u64 {
    let serial = u64_at(bytes, block::SERIAL);
    let (ns, tid) = (u64_at(bytes, block::NS), u32_at(bytes, block::TID));
    let mut torn = 0;
    let last = order.0.entry(tid).or_default();
    for place in from..len(bytes) {
        let at = block::RECORDS + place * layout::RECORD;
        let [first, a, b, c] = [0, 8, 16, 24].map(|word| u64_at(bytes, at + word));
        let check = first >> 48;
        let first = first & !(0xffff << 48);
        if layout::check(serial, place, [first, a, b, c]) != check && !is("no_record_is_checked") {
            torn += 1;
            continue;
        }
        let scale = |ticks: u64| (ticks as f64 * speed) as u64;
        let Some(mut event) = Event::unpack((first >> 40) as u8, [a, b, c]) else { continue };
        *last = (*last).max(ns.saturating_add(scale(first & ((1 << 40) - 1))));
        match &mut event {
            Event::Deliver { ready_ns, .. } => *ready_ns = scale(*ready_ns),
            Event::WaitReturn { waited_ns, .. } => *waited_ns = scale(*waited_ns),
            Event::WaitedForNothing { epoll, maxevents } => {
                let (epoll, maxevents) = (*epoll, *maxevents);
                let entered = Event::WaitEnter { epoll, maxevents, timeout_ns: 0 };
                events.push(Entry { ns: *last, tid, event: entered });
                event = Event::WaitReturn { epoll, n: 0, waited_ns: 0 };
            }
            _ => {}
        }
        events.push(Entry { ns: *last, tid, event });
    }
    torn
}
