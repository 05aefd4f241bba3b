//! A running process's ring, as it is at a moment.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use glasspoll_record::accept_queue::AcceptQueue;
use glasspoll_record::clock::{self, Moment};
use glasspoll_record::event::Event;
use glasspoll_record::file::{Named, Writer};
use glasspoll_record::find::{self, Missing};
use glasspoll_record::process::Process;
use glasspoll_record::ring::{parse_facts, parse_items, Block, Header, Page};

use crate::collect::spool::note_limit;
use crate::procfs::describe::Files;
use crate::procfs::names;

/// The whole ring, as bytes for a file and as a `Process`.
pub struct Snapshot {
    /// The same as a `Process`.
    pub process: Process,
    page: Page,
    blocks: Vec<Block>,
    items: Vec<u8>,
    facts: Vec<u8>,
    names: Vec<(Named, u64, String)>,
    queues: Vec<AcceptQueue>,
}

impl Snapshot {
    /// Takes a snapshot of a process's ring.
    pub fn of(pid: u32) -> Result<Self, Missing> {
        let broken = |error: io::Error| Missing::Broken(error.to_string());
        let mut live = find::open(pid)?;
        let mut blocks = Vec::new();
        let drained = live.drain(true, |block| blocks.push(*block)).map_err(broken)?;
        let page = live.page().map_err(broken)?;
        let header = Header::parse(&page).map_err(Missing::Broken)?;
        let items = live.items(&header).map_err(broken)?;
        // Stacks that cannot be read are not known.
        let stacks = live.stacks(&header).unwrap_or_default();
        let facts = live.facts().map_err(broken)?;
        let now = live.now();
        let mut process = Process::new(header);
        (process.taken, process.stacks) = (now, stacks);
        process.lost_blocks = drained.lost;
        blocks.iter().for_each(|block| process.add_block(block));
        process.finish();
        (process.items, process.items_ns) = (parse_items(&process.header, now, &items), now.ns);
        process.facts = parse_facts(&process.header, now, &facts);
        let mut snapshot =
            Self { process, page, blocks, items, facts, names: Vec::new(), queues: Vec::new() };
        snapshot.name(pid);
        Ok(snapshot)
    }

    /// Takes looks at the queues of its listeners in, which were taken before.
    pub fn with_queues(mut self, queues: Vec<AcceptQueue>) -> Self {
        self.queues = queues;
        self
    }

    /// Looks up all names.
    fn name(&mut self, pid: u32) {
        let now = clock::now_ns();
        let mut all: Vec<(Named, u64, String)> = Vec::new();
        all.extend(names::comm(pid).map(|text| (Named::Comm, now, text)));
        all.extend(names::command(pid).map(|text| (Named::Command, now, text)));
        all.extend(names::threads(pid).into_iter().map(|(tid, text)| (Named::Thread(tid), now, text)));
        let sets = sets(&self.process);
        let closed = closed(&self.process);
        let mut files = Files::of(pid, sets.clone());
        let items = self.process.items.iter().map(|item| item.fd);
        for fd in items.chain(sets).collect::<BTreeSet<i32>>() {
            if let Some(text) = files.describe(fd) {
                // Before its last close, the fd stood for another file.
                all.extend(closed.get(&fd).map(|ns| (Named::File(fd), ns.saturating_add(1), String::new())));
                all.push((Named::File(fd), clock::now_ns(), text));
            }
        }
        for (named, ns, text) in &all {
            self.process.name(*named, *ns, text.clone());
        }
        self.names = all;
    }

    /// Writes it to an empty file.
    pub fn write(&self, out: impl Write) -> io::Result<()> {
        let mut writer = Writer::new(out)?;
        let process = &self.process;
        writer.note("glasspoll", env!("CARGO_PKG_VERSION"))?;
        writer.note("command", &process.command)?;
        note_limit(&mut writer)?;
        writer.ring(0, &self.page)?;
        for block in &self.blocks {
            writer.block(0, block)?;
        }
        if process.lost_blocks != 0 {
            writer.lost(0, process.lost_blocks)?;
        }
        for (named, ns, text) in &self.names {
            writer.name(0, *named, *ns, text)?;
        }
        for queue in &self.queues {
            writer.accept_queue(0, queue)?;
        }
        for sample in &process.samples {
            writer.sample(0, sample)?;
        }
        let Moment { ticks, ns } = process.taken;
        writer.items(0, Moment { ticks, ns }, &self.page, &self.items)?;
        writer.stacks(0, &process.stacks)?;
        writer.facts(0, Moment { ticks, ns }, &self.facts)?;
        writer.moment(0, process.taken)?;
        writer.flush()
    }
}

/// The descriptors of its sets.
pub fn sets(process: &Process) -> BTreeSet<i32> {
    process.items.iter().filter(|item| item.is_set).map(|item| item.fd).collect()
}

/// When each fd was closed last.
fn closed(process: &Process) -> BTreeMap<i32, u64> {
    let mut closed = BTreeMap::new();
    for entry in &process.events {
        if let Event::Close { fd, errno: 0, .. } | Event::Dup { new: fd, .. } = entry.event {
            closed.insert(fd, entry.ns);
        }
    }
    closed
}
