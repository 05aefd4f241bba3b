//! Which descriptors are stuck, by two looks at the process.

use std::collections::BTreeMap;

use glasspoll_record::event::{EPOLLET, EPOLLONESHOT};
use glasspoll_record::facts::Result;
use glasspoll_record::ring::{Facts, Item};

use super::bytes;
use super::sample::Sample;
use crate::doctor::Severity;
use crate::procfs::queue::Queue;
use crate::text::span;

const IN: u32 = libc::EPOLLIN as u32;
const OUT: u32 = libc::EPOLLOUT as u32;
const GONE: u32 = (libc::EPOLLHUP | libc::EPOLLERR) as u32;

/// The least time between the two looks.
const LOOK_NS: u64 = 900_000_000;
/// For how long nothing was done about it. A handler that takes seconds is no rarity.
const LONG_NS: u64 = 3_000_000_000;
/// As in `rules::edge`: smaller reads are of known length.
const BUFFER: u32 = 64;

/// Why nothing is told of a descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Why {
    /// The last read of an edge-triggered item got all that it asked for.
    Full,
    /// Nothing was read after its last edge.
    Unread,
    /// A datagram or a connection was taken, and not the next one.
    OneTaken,
    /// It has data, and no event or read of it is known.
    Unknown,
    /// Its one-shot item is disarmed.
    Disarmed,
    /// The same, since before the library came.
    DisarmedBefore,
    /// A write was refused, and EPOLLOUT is not asked for.
    NotAsked,
    /// EPOLLOUT was asked for, and taken back.
    TakenBack,
    /// Another event has disarmed the item.
    RoomDisarmed,
    /// EPOLLOUT was told.
    RoomTold,
    /// An older item of its fd, whose file was closed here and is open in another process, has the same data.
    Twin,
    /// The fd is closed, and its file is open in another process: its item tells on.
    Gone,
}

impl Why {
    pub fn class(self) -> u8 {
        match self {
            Self::Full | Self::Unread | Self::OneTaken | Self::Unknown => 2,
            Self::Disarmed | Self::DisarmedBefore => 5,
            Self::NotAsked | Self::TakenBack | Self::RoomDisarmed | Self::RoomTold => 19,
            Self::Twin | Self::Gone => 1,
        }
    }

    pub fn words(self) -> &'static str {
        match self {
            Self::Full => "not read to EAGAIN, and data waits",
            Self::Unread => "not read after its last edge, and data waits",
            Self::OneTaken => "not read to EAGAIN, and more waits",
            Self::Unknown => "edge-triggered, data waits, and nothing is told of it",
            Self::Disarmed => "disarmed, and data waits",
            Self::DisarmedBefore => "one-shot and disarmed since before the library came, and data waits",
            Self::NotAsked => "a write was refused, there is room, and EPOLLOUT is not asked for",
            Self::TakenBack => {
                "a write was refused, EPOLLOUT was asked for and taken back, and there is room"
            }
            Self::RoomDisarmed => {
                "a write was refused, another event has disarmed its one-shot item, and there is room"
            }
            Self::RoomTold => "a write was refused, EPOLLOUT was told, and nothing was written",
            Self::Twin => {
                "events in vain: an earlier file of this number was closed here, lives on in another process, and is in the set with the same data"
            }
            Self::Gone => "closed here, and its events go on: its file lives on in another process, and in the set",
        }
    }

    /// Whether what the program did is known.
    pub fn is_known(self) -> bool {
        !matches!(self, Self::Unknown | Self::DisarmedBefore)
    }

    /// Whether it can be so with a file of this kind, in words as `describe` has them.
    pub fn fits(self, kind: &str) -> bool {
        let is_datagram = kind.starts_with("udp") || kind.contains("datagram");
        let is_stream = kind.starts_with("tcp") || kind.starts_with("unix") && !is_datagram;
        match self {
            Self::OneTaken => is_datagram || kind.ends_with(" listening"),
            Self::Unknown | Self::DisarmedBefore => is_stream || is_datagram,
            Self::Full | Self::Unread | Self::Disarmed | Self::Twin | Self::Gone => true,
            _ => is_stream,
        }
    }
}

/// A descriptor that is stuck.
#[derive(Clone, Debug)]
pub struct Left {
    pub fd: i32,
    pub epoll: u32,
    pub why: Why,
    pub severity: Severity,
    /// Why it may be meant so.
    pub excuse: Option<&'static str>,
    /// Since when nothing was done about it.
    pub since_ns: u64,
    /// Since when it was seen to be so.
    pub seen_ns: u64,
    /// The thread slept in its wait all the while.
    pub sleeps: bool,
    facts: Facts,
    queue: Queue,
}

impl Left {
    /// What happened last, and what waits.
    pub fn times(&self, now_ns: u64) -> String {
        let ago = |ns: u64| format!("{} ago", span(now_ns.saturating_sub(ns)));
        let delivered = self.facts.delivered.map(|(ns, _)| format!("last event {}", ago(ns)));
        let read = self.facts.read_ns.map(|ns| {
            let got = match self.facts.read {
                Some((Result::Full, n)) => format!(" (all of {})", bytes(n.into())),
                Some((Result::Short, n)) => format!(" ({})", bytes(n.into())),
                Some((Result::Again, _)) => " (EAGAIN)".into(),
                Some((Result::Failed, _)) => " (failed)".into(),
                Some((Result::End | Result::Accepted, _)) | None => String::new(),
            };
            format!("last read {}{got}", ago(ns))
        });
        let refused = self.facts.refused_ns.map(|ns| format!("last write refused {}", ago(ns)));
        let refused = refused.filter(|_| self.why.class() == 19);
        let waits = Some(self.queue.to_string()).filter(|text| text != "-");
        let all: Vec<String> = [delivered, read, refused, waits].into_iter().flatten().collect();
        match all.is_empty() {
            true => "nothing is known of it".into(),
            false => all.join(", "),
        }
    }
}

/// All that are stuck.
/// `sleeps`: whether a thread has slept in a wait for a set since a moment, as far as the record tells.
pub fn left(before: &Sample, after: &Sample, sleeps: impl Fn(u32, u64) -> bool) -> Vec<Left> {
    if after.ns.saturating_sub(before.ns) < LOOK_NS || before.is_stopped || after.is_stopped {
        return Vec::new();
    }
    let old: BTreeMap<u32, &Item> = of_items(before).map(|item| (item.serial, item)).collect();
    let mut by_fd: BTreeMap<i32, Vec<&Item>> = BTreeMap::new();
    of_items(after).for_each(|item| by_fd.entry(item.fd).or_default().push(item));
    let excuse = is_blocked(before, after).then_some("another descriptor's peer does not read");
    let mut all = Vec::new();
    for (fd, items) in by_fd {
        let facts = after.facts.get(&fd).copied().unwrap_or_default();
        if before.facts.get(&fd).copied().unwrap_or_default().words != facts.words {
            continue;
        }
        let (Some(first), Some(queue)) = (before.queues.get(&fd), after.queues.get(&fd)) else { continue };
        let is_same = |item: &&Item| {
            old.get(&item.serial).is_some_and(|old| {
                (old.delivered, old.interest, old.queued) == (item.delivered, item.interest, false)
            }) && !item.queued
        };
        if !items.iter().all(is_same) {
            continue;
        }
        let Some((item, why)) = why(&items, &facts, *first, *queue) else { continue };
        let slept = sleeps(item.epoll, before.ns);
        let Some(sleeps) = goes_on(before, after, item.epoll, slept) else { continue };
        let last = |facts: &Facts| facts.delivered.map(|(ns, _)| ns).max(facts.read_ns);
        let since_ns = match why.class() {
            19 => facts.refused_ns,
            _ => last(&facts),
        };
        // With no moment at all, the look itself has to do: the library came after it.
        if since_ns
            .max(facts.changed_ns.filter(|_| why.is_known()))
            .is_some_and(|ns| after.ns.saturating_sub(ns) < LONG_NS)
        {
            continue;
        }
        // A handler may take that long.
        if why == Why::DisarmedBefore && after.ns.saturating_sub(before.ns) < LONG_NS {
            continue;
        }
        let habits = after.habits;
        let habit = match why {
            Why::Full | Why::Unread | Why::OneTaken if habits.came_back != 0 => {
                Some("the program has read other descriptors by itself, long after their events")
            }
            Why::Disarmed if habits.rearmed != 0 || habits.came_back != 0 => {
                Some("the program has armed other descriptors again long after their events")
            }
            Why::NotAsked | Why::TakenBack | Why::RoomDisarmed | Why::RoomTold if habits.retried != 0 => {
                Some("the program has tried other writes again by itself")
            }
            _ => None,
        };
        if why == Why::Unread && habit.is_some() {
            continue;
        }
        let excuse = excuse.filter(|_| why.class() != 19).or(habit);
        all.push(Left {
            fd,
            epoll: item.epoll,
            why,
            severity: if excuse.is_some() || why == Why::DisarmedBefore {
                Severity::Note
            } else {
                Severity::Warning
            },
            excuse,
            since_ns: since_ns.unwrap_or(before.ns),
            seen_ns: before.ns,
            sleeps,
            facts,
            queue: *queue,
        });
    }
    all
}

/// This many events in vain are no chance.
const IN_VAIN: u32 = 50;

/// Descriptors that are closed here, and of which the process is told all the same.
pub fn gone(before: &Sample, after: &Sample) -> Vec<Left> {
    let closed = before.gone.intersection(&after.gone).copied();
    let left = closed.filter_map(|(epoll, fd)| {
        let facts = after.facts.get(&fd).copied()?;
        let (told_ns, _) = facts.delivered?;
        let is_told = told_ns > before.ns.saturating_add(LOOK_NS);
        is_told.then(|| seen(before, after, (epoll, fd), Why::Gone))
    });
    left.collect()
}

/// What both looks have seen of an item, and warn of.
fn seen(before: &Sample, after: &Sample, (epoll, fd): (u32, i32), why: Why) -> Left {
    Left {
        fd,
        epoll,
        why,
        severity: Severity::Warning,
        excuse: None,
        since_ns: before.ns,
        seen_ns: before.ns,
        sleeps: false,
        facts: after.facts.get(&fd).copied().unwrap_or_default(),
        queue: after.queues.get(&fd).copied().unwrap_or(Queue::Bytes { unread: 0, unsent: 0 }),
    }
}

/// Descriptors that get the events of an earlier file of their number.
pub fn twins(before: &Sample, after: &Sample) -> Vec<Left> {
    let delivered = |sample: &Sample, (epoll, fd): (u32, i32)| {
        of_items(sample).find(|item| (item.epoll, item.fd) == (epoll, fd)).map(|item| item.delivered)
    };
    let mut all = Vec::new();
    for twin in before.twins.intersection(&after.twins).copied() {
        let (Some(then), Some(now)) = (delivered(before, twin), delivered(after, twin)) else { continue };
        let left = seen(before, after, twin, Why::Twin);
        let in_vain = matches!(left.facts.read, Some((Result::Again, _)));
        if in_vain && now.wrapping_sub(then) >= IN_VAIN {
            all.push(left);
        }
    }
    all
}

fn of_items(sample: &Sample) -> impl Iterator<Item = &Item> {
    sample.items.iter().filter(|item| !item.is_set)
}

/// Why nothing is told of a descriptor that has these items, and what waits in it at the two looks.
fn why<'a>(items: &[&'a Item], facts: &Facts, first: Queue, queue: Queue) -> Option<(&'a Item, Why)> {
    let asking = |bit: u32| -> Vec<&'a Item> {
        items.iter().copied().filter(|item| !item.disarmed && item.interest & bit != 0).collect()
    };
    let are_edges = |items: &[&Item]| items.iter().all(|item| item.interest & EPOLLET != 0);
    let is_taken = |item: &&Item| item.disarmed && item.interest & EPOLLONESHOT != 0 && facts.taken;
    let taken = items.iter().copied().find(is_taken);
    if readable(first, queue) {
        let readers = asking(IN);
        match (readers.first(), taken) {
            (Some(item), _) if are_edges(&readers) => {
                if let Some(why) = edge(item, facts) {
                    return Some((item, why));
                }
            }
            (None, Some(item)) => return Some((item, Why::Disarmed)),
            (None, None) => {
                if let Some(item) = items.iter().copied().find(|item| is_disarmed_before(item, facts)) {
                    return Some((item, Why::DisarmedBefore));
                }
            }
            _ => {}
        }
    }
    facts.refused_ns.filter(|_| writable(first, queue))?;
    // Its peer is gone, or has ended the connection: what happens then is another class.
    let is_gone = facts.delivered.is_some_and(|(_, events)| events & GONE != 0);
    if is_gone || matches!(facts.read, Some((Result::End, _))) {
        return None;
    }
    let (writers, first) = (asking(OUT), items.first().copied());
    match (writers.first(), taken) {
        (Some(item), _) => (facts.told_room && are_edges(&writers)).then_some((*item, Why::RoomTold)),
        (None, Some(item)) => Some((item, Why::RoomDisarmed)),
        // A paused item is paused on purpose.
        (None, None) if items.iter().any(|item| item.disarmed) => None,
        (None, None) if facts.asked => first.map(|item| (item, Why::TakenBack)),
        (None, None) => first.map(|item| (item, Why::NotAsked)),
    }
}

/// Whether an event has disarmed it, and nothing has happened to it since the library came.
fn is_disarmed_before(item: &Item, facts: &Facts) -> bool {
    let is_untouched = facts.delivered.is_none() && facts.changed_ns.is_none() && item.delivered == 0;
    item.disarmed && item.interest & EPOLLONESHOT != 0 && is_untouched
}

/// Why nothing more is told of an edge-triggered item that has data.
fn edge(item: &Item, facts: &Facts) -> Option<Why> {
    match (facts.read, facts.told) {
        (None, _) if facts.delivered.is_none() && item.delivered == 0 => Some(Why::Unknown),
        (Some(_), true) => Some(Why::Unread),
        (Some((Result::Full, n)), false) if n >= BUFFER => Some(Why::Full),
        (Some((Result::Full | Result::Short | Result::Accepted, _)), false) => Some(Why::OneTaken),
        _ => None,
    }
}

/// Whether the same data waited at both looks, or more.
fn readable(first: Queue, queue: Queue) -> bool {
    match (first, queue) {
        (Queue::Bytes { unread: before, .. }, Queue::Bytes { unread, .. }) => before != 0 && unread >= before,
        (Queue::Connections { waiting: before, .. }, Queue::Connections { waiting, .. }) => {
            before != 0 && waiting >= before
        }
        _ => false,
    }
}

/// Whether the peer had taken all at both looks.
fn writable(first: Queue, queue: Queue) -> bool {
    [first, queue].iter().all(|queue| matches!(queue, Queue::Bytes { unsent: 0, .. }))
}

/// Whether a descriptor's write is refused, and its peer does not read: others may wait for it on purpose.
fn is_blocked(before: &Sample, after: &Sample) -> bool {
    after.facts.iter().filter(|(_, facts)| facts.refused_ns.is_some()).any(|(fd, _)| {
        [before, after]
            .iter()
            .all(|sample| matches!(sample.queues.get(fd), Some(Queue::Bytes { unsent: 1.., .. })))
    })
}

/// Whether the loop of a set went on between the looks, and slept all the while. None: it did something else.
fn goes_on(before: &Sample, after: &Sample, epoll: u32, slept: bool) -> Option<bool> {
    let (then, now) = (before.set(epoll)?, after.set(epoll)?);
    let turns = now.delivered.wrapping_sub(then.delivered);
    let slept = slept || before.waiting.contains(&now.fd) && after.waiting.contains(&now.fd);
    (turns >= 2 || slept).then_some(turns == 0)
}
