//! Class 26: the accept queue of a listener overflows. The kernel then drops what comes, and the clients try again
//! after a second.
//!
//! What the queues hold is not in the rings: whoever gathers them looks at the kernel's lists a few times a second.

#[cfg(test)]
mod tests;
mod words;

use std::collections::{BTreeMap, HashMap};

use glasspoll_record::accept_queue::AcceptQueue;
use glasspoll_record::event::{Ctl, Event, Op};
use glasspoll_record::ring::Item;
use glasspoll_record::Entry;

use crate::doctor::finding::{Finding, Severity, Tally};
use crate::doctor::Patient;
use crate::replay::World;
use crate::text::units::count;
use words::{advice, backlog, evidence, words};

const IN: u32 = libc::EPOLLIN as u32;

/// A queue that is full at one look may be emptied at the next one.
const FULL: u64 = 3;
/// The same, if nothing was dropped: connections wait, and no more came.
const FULL_ALONE: u64 = 5;
/// What was dropped at moments farther apart than this was not one burst.
const BURST_NS: u64 = 500_000_000;
/// So many attempts that are dropped in one burst are worth a note.
const MANY: u64 = 20;
/// A program with such a backlog means its clients to wait, as tests do.
const SMALL: u32 = 2;
/// If this many were dropped, the program does not mean it, whatever its backlog.
const TOO_MANY: u64 = 50;
/// The most listeners.
const LISTENERS: usize = 1 << 10;

/// Classes that say why nobody takes the connections, if they are about the listener; and those that say why the loop
/// has no time.
const CAUSES: [u8; 5] = [2, 3, 5, 12, 18];
const BUSY_ELSEWHERE: [u8; 3] = [16, 20, 25];

/// Sums at a look.
#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    ns: u64,
    drops: u32,
    waited_ns: u64,
    accepted: u64,
    told: u64,
}

#[derive(Clone, Debug, Default)]
struct Listener {
    inode: u64,
    epoll: Option<u32>,
    most: u32,
    looks: u64,
    full: u64,
    /// Looks at which it was full while the program did not ask for it.
    aside: u64,
    dropped: u64,
    /// Moments at which some were, far apart.
    bursts: u64,
    burst_ns: u64,
    /// Looks at which it was full or had dropped some.
    bad: Tally,
    bad_ns: u64,
    waited_ns: u64,
    taken: u64,
    told_meanwhile: u64,
    accepted: u64,
    told: u64,
    last: Option<Sums>,
}

impl Listener {
    fn severity(&self) -> Option<Severity> {
        if self.most <= SMALL && self.dropped < TOO_MANY {
            return None;
        }
        let goes_on = self.bursts >= 2 || self.full >= if self.dropped > 0 { FULL } else { FULL_ALONE };
        match goes_on {
            true if self.is_aside() => Some(Severity::Note),
            true => Some(Severity::Warning),
            false => (self.dropped >= MANY).then_some(Severity::Note),
        }
    }

    /// Looks at which it was full and the program asked for it.
    fn asked(&self) -> u64 {
        self.full.saturating_sub(self.aside)
    }

    /// Whether a finding is about a thread that waits on the listener's set.
    fn is_served_by(&self, world: &World, finding: &Finding) -> bool {
        let waits = |tid: &u32| world.thread(*tid).is_some_and(|thread| self.epoll == Some(thread.epoll));
        finding.pid == world.pid && (self.epoll.is_none() || finding.tids.iter().any(waits))
    }

    fn is_aside(&self) -> bool {
        self.full > 0 && self.aside * 2 > self.full
    }

    fn look(&mut self, queue: &AcceptQueue, waited_ns: u64, is_aside: bool) {
        let (AcceptQueue { ns, drops, .. }, accepted, told) = (*queue, self.accepted, self.told);
        let now = Sums { ns, drops, waited_ns, accepted, told };
        let before = self.last.replace(now).unwrap_or(now);
        self.looks += 1;
        self.most = queue.most;
        let dropped = u64::from(drops.wrapping_sub(before.drops));
        self.dropped += dropped;
        if dropped > 0 && (self.bursts == 0 || ns.saturating_sub(self.burst_ns) >= BURST_NS) {
            (self.bursts, self.burst_ns) = (self.bursts + 1, ns);
        }
        if queue.is_full() {
            self.full += 1;
            self.aside += u64::from(is_aside);
        }
        if queue.is_full() || dropped > 0 {
            self.bad.add(ns, queue.fd, 0);
            self.bad_ns += ns.saturating_sub(before.ns);
            self.waited_ns += waited_ns.saturating_sub(before.waited_ns);
            self.taken += accepted - before.accepted;
            self.told_meanwhile += told - before.told;
        }
    }
}

/// A listener of a process: its place, and the descriptor.
type Key = (usize, i32);

/// The rule of class 26, over all processes.
#[derive(Debug, Default)]
pub struct Overflow {
    listeners: BTreeMap<Key, Listener>,
    /// Items whose ADD is in no record: the set, and whether they ask for IN.
    learned: HashMap<Key, (u32, bool)>,
    /// The longest queue that the machine allows.
    pub limit: Option<u32>,
}

impl Overflow {
    /// Takes the table of items of a process.
    pub fn learn(&mut self, place: usize, items: &[Item]) {
        for item in items.iter().filter(|item| !item.is_set) {
            let asks = !item.disarmed && item.interest & IN != 0;
            self.learned.insert((place, item.fd), (item.epoll, asks));
        }
    }

    /// Sees an event of the process at `place`.
    pub fn event(&mut self, place: usize, entry: &Entry) {
        let fd = match entry.event {
            Event::Io { fd, op: Op::Accept, errno: 0, .. } | Event::Deliver { fd, .. } => fd,
            Event::Ctl { fd, op: Some(Ctl::Del | Ctl::Mod | Ctl::Add), errno: 0, .. }
            | Event::Close { fd, errno: 0, .. } => {
                self.learned.remove(&(place, fd));
                return;
            }
            _ => return,
        };
        if let Some(listener) = self.listeners.get_mut(&(place, fd)) {
            match entry.event {
                Event::Deliver { .. } => listener.told += 1,
                _ => listener.accepted += 1,
            }
        }
    }

    /// Takes a look at a queue.
    pub fn look(&mut self, place: usize, world: &World, queue: &AcceptQueue) {
        let key = (place, queue.fd);
        let learned = self.learned.get(&key).copied();
        let items = world.items_by(queue.fd);
        let items = items.map(|(_, item)| (item.epoll, item.events.is_none_or(|events| events & IN != 0)));
        let items: Vec<(u32, bool)> = items.chain(learned).collect();
        let is_known = self.listeners.get(&key).is_some_and(|listener| listener.inode == queue.inode);
        if !is_known {
            // It is no listener of a loop.
            if items.is_empty() || self.listeners.len() >= LISTENERS {
                return;
            }
            self.listeners.insert(key, Listener { inode: queue.inode, ..Listener::default() });
        }
        let Some(listener) = self.listeners.get_mut(&key) else { return };
        listener.epoll = items.first().map(|(epoll, _)| *epoll).or(listener.epoll);
        let set = listener.epoll.and_then(|epoll| world.set(epoll));
        let waited_ns = set.map_or(0, |set| set.waited(queue.ns));
        listener.look(queue, waited_ns, !items.iter().any(|(_, asks)| *asks));
    }

    /// What was found. A finding that says why the queue overflows is told of it instead.
    pub fn findings(&self, patients: &[Patient], out: &mut Vec<Finding>) {
        let mut sockets: BTreeMap<u64, Vec<(Key, &Listener)>> = BTreeMap::new();
        for (key, listener) in &self.listeners {
            sockets.entry(listener.inode).or_default().push((*key, listener));
        }
        for sharers in sockets.values() {
            let key = |listener: &Listener| (listener.full, listener.dropped, listener.asked());
            let Some(((place, fd), worst)) = sharers.iter().max_by_key(|(_, listener)| key(listener)) else {
                continue;
            };
            // One of the processes asks for it at a time, perhaps.
            let asked: u64 = sharers.iter().map(|(_, listener)| listener.asked()).sum();
            let listener = &Listener { aside: worst.full.saturating_sub(asked), ..(*worst).clone() };
            let (Some(severity), Some(patient)) = (listener.severity(), patients.get(*place)) else {
                continue;
            };
            let pids: Vec<u32> =
                sharers.iter().filter_map(|((place, _), _)| Some(patients.get(*place)?.world.pid)).collect();
            let words = words(listener);
            let is_about = |finding: &&mut Finding| {
                CAUSES.contains(&finding.class) && pids.contains(&finding.pid) && finding.fds.contains(fd)
            };
            if let Some(cause) = out.iter_mut().find(is_about) {
                cause.evidence.push(format!("its {words}"));
                continue;
            }
            let taken: u64 = sharers.iter().map(|(_, listener)| listener.taken).sum();
            let told: u64 = sharers.iter().map(|(_, listener)| listener.told_meanwhile).sum();
            let is_its_loops = |other: &&Finding| {
                BUSY_ELSEWHERE.contains(&other.class)
                    && sharers.iter().any(|((place, _), listener)| {
                        patients
                            .get(*place)
                            .is_some_and(|patient| listener.is_served_by(&patient.world, other))
                    })
            };
            let busy = out.iter().find(is_its_loops);
            let slow =
                busy.map(|other| format!("the loop has no time for it: see {}: {}", other.name, other.title));
            let title = format!("listener fd {fd}: {words}");
            let mut finding = Finding::new(26, severity, patient.world.pid, title, &listener.bad);
            finding.count = listener.dropped.max(listener.full);
            finding.evidence = evidence(&patient.world, listener, taken, told);
            finding.evidence.push(backlog(listener.most, self.limit));
            if pids.len() > 1 {
                finding
                    .evidence
                    .push(format!("{} processes have it in their sets", count(pids.len() as u64)));
            }
            finding.advice =
                advice(&patient.world, listener, slow.is_some(), taken, told).unwrap_or(finding.advice);
            finding.evidence.extend(slow);
            // Where nothing at all is taken, it is no matter of time.
            if taken > 0 {
                finding = finding.timed(listener.bad.first_ns, listener.bad.last_ns, true);
            }
            out.push(finding);
        }
    }
}
