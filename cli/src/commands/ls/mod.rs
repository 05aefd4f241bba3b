//! `ls`: the epoll sets of running processes, and what is in them. The process's record tells of glasspoll's sets, and of
//! the kernel's that it observes; /proc tells of the kernel's.

mod kernel;
mod table;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::process::ExitCode;

use glasspoll_record::event::{Event, Mask};
use glasspoll_record::find::{self, Missing};
use glasspoll_record::layout::block;
use glasspoll_record::process::Process;
use glasspoll_record::ring::{Block, Header, Live};
use serde::Serialize;

use crate::args::Ls;
use crate::procfs::describe::Files;
use crate::procfs::{eventpoll, names};
use crate::program::preloadable;

pub fn main(args: &Ls) -> Result<ExitCode, String> {
    let processes = match args.pid {
        None => find::pids()
            .into_iter()
            .filter_map(|pid| Listed::of(pid).ok())
            .filter(|it| it.has_sets())
            .collect(),
        Some(pid) => match Listed::of(pid) {
            Ok(process) => vec![process],
            Err(missing) => {
                eprintln!("glasspoll: process {pid}: {missing}");
                return Ok(ExitCode::FAILURE);
            }
        },
    };
    let mut out = io::stdout().lock();
    let written = if args.json {
        let all = serde_json::json!({ "processes": processes });
        writeln!(out, "{all:#}")
    } else {
        if processes.is_empty() {
            eprintln!("glasspoll: no process that you may look into has an epoll set");
        }
        table::print(&processes, table::width(), &mut out)
    };
    written.map_err(|error| format!("stdout: {error}"))?;
    Ok(ExitCode::SUCCESS)
}

/// EPOLLERR and EPOLLHUP, which every item has.
const ALWAYS: u32 = 0x18;

/// A process, as JSON has it too.
#[derive(Debug, Serialize)]
struct Listed {
    pid: u32,
    comm: String,
    command: String,
    /// What its record says. None: it was not started with the library.
    #[serde(flatten)]
    record: Option<Recorded>,
    /// Why it cannot have the library, if its program shows that.
    unreachable: Option<String>,
    /// The kernel's sets. Their rates are not known.
    kernel_sets: Vec<kernel::Set>,
}

/// What the record of a process says.
#[derive(Debug, Serialize)]
struct Recorded {
    /// The time of becoming ready is exact.
    exact: bool,
    /// The kernel's epoll answers: the sets are among the kernel's, too.
    observed: bool,
    /// How long it has had a record.
    age_ns: u64,
    /// How many items found no room in the record.
    left_out: u32,
    sets: Vec<Set>,
}

#[derive(Debug, Serialize)]
struct Set {
    epoll: u32,
    /// None if it is not known.
    epfd: Option<i32>,
    /// How many waits have returned.
    waits: u32,
    /// Threads that wait now, as far as the record reaches.
    waiting: Vec<Thread>,
    items: Vec<Item>,
}

#[derive(Clone, Debug, Serialize)]
struct Thread {
    tid: u32,
    name: String,
}

#[derive(Debug, Serialize)]
struct Item {
    fd: i32,
    item: u32,
    what: Option<String>,
    interest: String,
    state: State,
    delivered: u32,
    /// How long it has been ready, if it is.
    ready_ns: Option<u64>,
    /// How long ago it was last delivered, if that is known.
    last_ns: Option<u64>,
    /// How long ago it was added, at least and at most.
    age_ns: [u64; 2],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    /// On the ready list.
    Ready,
    /// The waiting thread polls it itself.
    Hot,
    /// The kernel wakes us for it.
    Cold,
    /// EPOLLONESHOT has silenced it.
    Disarmed,
    /// The kernel knows, and does not tell.
    Unknown,
}

impl State {
    fn of(item: &glasspoll_record::ring::Item, observed: bool) -> Self {
        match item {
            item if item.queued => Self::Ready,
            item if item.disarmed => Self::Disarmed,
            _ if observed => Self::Unknown,
            item if item.hot => Self::Hot,
            _ => Self::Cold,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Hot => "hot",
            Self::Cold => "cold",
            Self::Disarmed => "disarmed",
            Self::Unknown => "-",
        }
    }
}

impl Listed {
    fn of(pid: u32) -> Result<Self, Missing> {
        let record = Recorded::of(pid);
        let kernel_sets = kernel::sets(pid).unwrap_or_default();
        let record = match record {
            Ok(record) => Some(record),
            Err(Missing::NotPreloaded | Missing::NoRing) if !kernel_sets.is_empty() => None,
            Err(Missing::NotPreloaded) => return Err(Missing::NoSet),
            Err(missing) => return Err(missing),
        };
        Ok(Self {
            pid,
            comm: names::comm(pid).unwrap_or_default(),
            command: names::command(pid).unwrap_or_default(),
            unreachable: if record.is_none() { preloadable::why_not_in(pid) } else { None },
            record,
            kernel_sets,
        })
    }

    /// A process with the library is listed even if it has none now.
    fn has_sets(&self) -> bool {
        self.record.is_some() || !self.kernel_sets.is_empty()
    }
}

impl Recorded {
    /// Its own set among the kernel's, if it observes that one.
    fn observed(&self, kernels: &kernel::Set) -> Option<&Set> {
        let is_it = |set: &&Set| set.epfd.is_some_and(|epfd| kernels.epfds.contains(&epfd));
        self.sets.iter().filter(|_| self.observed).find(is_it)
    }

    fn of(pid: u32) -> Result<Self, Missing> {
        let mut live = find::open(pid)?;
        let waiting = waiting(&mut live);
        let (header, all) = live.read_items().map_err(Missing::Broken)?;
        let now = live.now().ns;
        let mut sets: BTreeMap<u32, Set> = BTreeMap::new();
        let epfds: BTreeSet<i32> = all.iter().filter(|item| item.is_set).map(|item| item.fd).collect();
        let mut files = Files::of(pid, epfds);
        for item in all {
            let epoll = item.epoll;
            let set = sets.entry(epoll).or_insert_with(|| Set {
                epoll,
                epfd: None,
                waits: 0,
                waiting: threads(pid, waiting.get(&epoll)),
                items: Vec::new(),
            });
            if item.is_set {
                (set.epfd, set.waits) = (Some(item.fd), item.delivered);
                continue;
            }
            let ago = item.since_ns.map(|since| now.saturating_sub(since));
            set.items.push(Item {
                fd: item.fd,
                item: item.serial,
                what: files.describe(item.fd),
                interest: Mask(item.interest & !ALWAYS).to_string(),
                state: State::of(&item, header.observed),
                delivered: item.delivered,
                ready_ns: ago.filter(|_| item.queued),
                last_ns: ago.filter(|_| !item.queued),
                age_ns: age(&header, item.serial, now),
            });
        }
        let asleep = if header.observed { eventpoll::waiting(pid) } else { Vec::new() };
        for set in sets.values_mut() {
            set.items.sort_by_key(|item| (item.fd, item.item));
            // A thread sleeps in the kernel's epoll. Its wait may be older than the record.
            for (_, tid, name) in asleep.iter().filter(|(epfd, ..)| Some(*epfd) == set.epfd) {
                if set.waiting.iter().all(|thread| thread.tid != *tid) {
                    set.waiting.push(Thread { tid: *tid, name: name.clone() });
                }
            }
        }
        Ok(Self {
            exact: header.exact,
            observed: header.observed,
            age_ns: now.saturating_sub(header.begin.ns),
            left_out: header.left_out,
            sets: sets.into_values().collect(),
        })
    }
}

/// How long ago an item was added, at least and at most. The ring notes a moment once a second at first, and less often
/// as the process gets older; it keeps at least 240 moments.
fn age(header: &Header, serial: u32, now: u64) -> [u64; 2] {
    let (from, until) = header.added(serial);
    let apart = (now.saturating_sub(header.begin.ns) / 240).max(1_000_000_000);
    let until = until.unwrap_or(u64::MAX).min(from.saturating_add(apart));
    [now.saturating_sub(until), now.saturating_sub(from)]
}

/// The threads that wait at each set now, by the last record of each thread.
fn waiting(live: &mut Live) -> BTreeMap<u32, Vec<u32>> {
    // The last block of each thread is enough, and the ring may be large.
    let mut last: BTreeMap<[u8; 4], (u64, Box<Block>)> = BTreeMap::new();
    let number =
        |block: &Block| u64::from_le_bytes(block[block::SERIAL..][..8].try_into().unwrap_or_default());
    let read = live.drain(true, |block| {
        let tid = block[block::TID..][..4].try_into().unwrap_or_default();
        let has_records = block[block::LEN..][..4] != [0; 4];
        if has_records && last.get(&tid).is_none_or(|(serial, _)| *serial < number(block)) {
            last.insert(tid, (number(block), Box::new(*block)));
        }
    });
    let mut process = Process::new(live.header().clone());
    if read.is_ok() {
        last.values().for_each(|(_, block)| process.add_block(block));
    }
    process.finish();
    let mut at: BTreeMap<u32, Event> = BTreeMap::new();
    at.extend(process.events.iter().map(|entry| (entry.tid, entry.event)));
    let mut waiting: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for (tid, event) in at {
        // A waiting thread polls for its wait; those records come after WaitEnter.
        if let Event::WaitEnter { epoll, .. } = event {
            waiting.entry(epoll).or_default().push(tid);
        }
    }
    waiting
}

fn threads(pid: u32, tids: Option<&Vec<u32>>) -> Vec<Thread> {
    let tids = tids.into_iter().flatten();
    // A thread that has ended has no name, and does not wait.
    tids.filter_map(|tid| Some(Thread { tid: *tid, name: names::thread(pid, *tid)? })).collect()
}
