//! What is new in the rings that are gathered.

use std::collections::BTreeMap;

use glasspoll_record::accept_queue::AcceptQueue;
use glasspoll_record::clock::Moment;
use glasspoll_record::file::Named;
use glasspoll_record::process::{Entry, Process};
use glasspoll_record::ring::{Facts, Header, Item};
use glasspoll_record::stacks::Stacks;
use glasspoll_record::Sample;

/// What is new. A ring is one process from one exec to the next. The number of a ring is never used again.
#[derive(Debug)]
pub enum News {
    /// There is a new ring: a process has made its first epoll instance, or was forked from one that has some.
    Began { ring: u32, pid: u32, header: Box<Header> },
    /// A name of the process, of a thread or of a file, as seen at `ns`.
    Name { ring: u32, named: Named, ns: u64, text: String },
    /// How full the queue of a listener is.
    AcceptQueue { ring: u32, queue: AcceptQueue },
    /// Blocks of up to 31 events were overwritten before they were read: they are missing before what follows.
    Lost { ring: u32, blocks: u64 },
    /// What a thread did at a moment while it was overdue, or spun. It comes before the events that say that it is back.
    Sample { ring: u32, sample: Box<Sample> },
    /// What happened, in the order of time.
    Events { ring: u32, events: Vec<Entry> },
    /// The ring has ended. The status is that of wait(2), and known only for the program itself.
    Ended(Box<Ended>),
}

/// The end of a ring.
#[derive(Debug)]
pub struct Ended {
    pub ring: u32,
    /// When we noticed the end.
    pub at: Moment,
    /// None if the process goes on: we stopped reading.
    pub status: Option<Option<i32>>,
    /// The header as it was at the end.
    pub header: Header,
    /// The items at the end.
    pub items: Vec<Item>,
    /// The call stacks by which items were added.
    pub stacks: Stacks,
    /// What is known of its descriptors at the end.
    pub facts: BTreeMap<i32, Facts>,
    /// Records that were torn.
    pub torn: u64,
}

impl News {
    /// What a thread of a ring was seen to do.
    pub fn sample((ring, sample): (u32, Sample)) -> Self {
        Self::Sample { ring, sample: Box::new(sample) }
    }

    /// The ring that the news is about.
    pub fn ring(&self) -> u32 {
        match self {
            News::Began { ring, .. }
            | News::Name { ring, .. }
            | News::AcceptQueue { ring, .. }
            | News::Lost { ring, .. }
            | News::Sample { ring, .. }
            | News::Events { ring, .. } => *ring,
            News::Ended(ended) => ended.ring,
        }
    }
}

/// Applies news to `processes`.
pub fn apply(processes: &mut BTreeMap<u32, Process>, news: News) {
    let ring = news.ring();
    if let News::Began { header, .. } = news {
        processes.insert(ring, Process::new(*header));
        return;
    }
    let Some(process) = processes.get_mut(&ring) else { return };
    match news {
        News::Began { .. } => {}
        News::Name { named, ns, text, .. } => process.name(named, ns, text),
        News::AcceptQueue { queue, .. } => process.accept_queues.push(queue),
        News::Lost { blocks, .. } => {
            process.lost_blocks = process.lost_blocks.saturating_add(blocks);
            process.gaps.extend(process.events.last().map(|entry| entry.ns.saturating_add(1)));
        }
        News::Sample { sample, .. } => process.sample(*sample),
        News::Events { events, .. } => process.events.extend(events),
        News::Ended(ended) => {
            process.ended = ended.status.map(|status| (ended.at.ns, status));
            (process.items, process.items_ns, process.taken) = (ended.items, ended.at.ns, ended.at);
            (process.header, process.facts) = (ended.header, ended.facts);
            process.stacks = ended.stacks;
            process.torn = ended.torn;
            process.events.sort_by_key(|entry| entry.ns);
        }
    }
}
