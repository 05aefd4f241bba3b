//! Many threads or processes that wait for one file: all are woken for what one takes (class 9), or one does the work
//! of all (class 10).
//!
//! A listener that processes share is known by their parent and its fd, which a fork does not change.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use glasspoll_record::event::{Ctl, Event, Op, EPOLLONESHOT};
use glasspoll_record::Entry;

use crate::doctor::finding::{Finding, Severity, Tally};
use crate::doctor::Patient;
use crate::text::span;
use crate::text::units::{count, percent};

const IN: u32 = libc::EPOLLIN as u32;
const EXCLUSIVE: u32 = 1 << 28;

/// The least number of wakeups in vain that is reported.
const VAIN: u64 = 100;
/// Wakeups in vain for each useful one: two workers may meet by chance, and a few more under load.
const VAIN_EACH: u64 = 2;
/// The least number of connections, or events, that shows how they are spread.
const ACCEPTED: u64 = 100;
const EVENTS: u64 = 1000;
/// A thread with less than this part of an equal share counts as having none.
const SHARE: u64 = 10;
/// From this utilisation on the busiest could use help.
const BUSY: f64 = 0.5;
/// Below this part of the busiest one's utilisation, another thread has time.
const IDLE: f64 = 0.25;
/// The average size from which a batch could be shared.
const BATCH: u64 = 2;
/// The most files and waiters that are followed.
const FILES: usize = 1 << 10;
const WAITERS: usize = 1 << 12;

/// A waiter: the process's place and the thread.
type WaiterId = (usize, u32);

#[derive(Debug, Default)]
struct Waiter {
    waiting_ns: u64,
    serving_ns: u64,
    /// When the last wait began or ended.
    last: Option<(u64, bool)>,
    /// The set that it waits on.
    epoll: u32,
    /// Fds that its last wait gave, and whether it has read or accepted from them since.
    told: BTreeMap<i32, bool>,
}

impl Waiter {
    /// It reads or accepts. Whether it had done so since its wait gave the fd; None: its wait did not give it.
    fn touch(&mut self, fd: i32) -> Option<bool> {
        self.told.get_mut(&fd).map(|touched| std::mem::replace(touched, true))
    }

    fn utilisation(&self) -> f64 {
        self.serving_ns as f64 / self.serving_ns.saturating_add(self.waiting_ns).max(1) as f64
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Share {
    useful: u64,
    in_vain: u64,
    events: u64,
    waits: u64,
}

#[derive(Debug, Default)]
struct Contested {
    shares: BTreeMap<WaiterId, Share>,
    vain: Tally,
    useful: Tally,
    exclusive: bool,
    /// Sets that have it for any number of events, with their processes.
    sets: BTreeSet<(usize, u32)>,
}

impl Contested {
    /// A set has it. A one-shot item is armed for one event at a time: its waiters get what the program means them to
    /// get. Erlang leaves a disarmed one in the set of its poll thread.
    fn watch(&mut self, set: (usize, u32), events: Option<u32>) {
        let has = |flag| events.is_some_and(|events| events & flag != 0);
        self.exclusive |= has(EXCLUSIVE);
        if !has(EPOLLONESHOT) {
            self.sets.insert(set);
        }
    }

    /// The share of one waiter. None if there are too many.
    fn share(&mut self, waiter_id: WaiterId) -> Option<&mut Share> {
        if self.shares.len() >= WAITERS && !self.shares.contains_key(&waiter_id) {
            return None;
        }
        Some(self.shares.entry(waiter_id).or_default())
    }
}

/// A file that threads wait for: the process, or its parent if the file is a listener, and the fd.
type Key = (u32, i32);

/// Worker processes have one parent; a process alone is its own group.
fn key(patients: &[Patient], place: usize, fd: i32) -> Option<Key> {
    let Patient { world, ppid, .. } = patients.get(place)?;
    let has_siblings = patients.iter().filter(|other| other.ppid == *ppid).nth(1).is_some();
    Some((if has_siblings { *ppid } else { world.pid }, fd))
}

/// The rule of classes 9 and 10, over all processes.
#[derive(Debug, Default)]
pub struct Waiters {
    waiters: HashMap<WaiterId, Waiter>,
    listeners: BTreeMap<Key, Contested>,
    /// Files that were read in vain.
    files: BTreeMap<(usize, i32), Contested>,
    /// Sets on which several threads have waited at once.
    pools: BTreeMap<(usize, u32), Contested>,
}

impl Waiters {
    /// Sees an event of the process at `place`. `patients` are all processes.
    pub fn event(&mut self, patients: &[Patient], place: usize, entry: &Entry) {
        let waiter_id = (place, entry.tid);
        match entry.event {
            Event::WaitEnter { epoll, .. } => self.enter(patients, waiter_id, epoll, entry.ns),
            Event::WaitReturn { epoll, n, .. } => self.back(waiter_id, epoll, n, entry),
            Event::Deliver { fd, events, .. } if events & IN != 0 => {
                if let Some(waiter) = self.waiters.get_mut(&waiter_id) {
                    waiter.told.insert(fd, false);
                }
            }
            Event::Io { fd, op: Op::Accept, result, errno, .. } => {
                let is_vain = i32::from(errno) == libc::EAGAIN;
                let touched = self.waiters.get_mut(&waiter_id).and_then(|waiter| waiter.touch(fd));
                if is_vain && touched == Some(false) || result >= 0 {
                    self.accept(patients, waiter_id, fd, (is_vain, touched.is_some()), entry);
                }
            }
            // A process that starts later watches it too.
            Event::Ctl { epoll, op: Some(Ctl::Add | Ctl::Found), fd, events, errno: 0, .. } => {
                if let Some(listener) = key(patients, place, fd).and_then(|key| self.listeners.get_mut(&key))
                {
                    listener.watch((place, epoll), Some(events));
                }
            }
            Event::Io { fd, op: Op::Read, errno, .. } => {
                let touched = self.waiters.get_mut(&waiter_id).and_then(|waiter| waiter.touch(fd));
                if touched == Some(false) {
                    self.read(waiter_id, fd, i32::from(errno) == libc::EAGAIN, entry);
                }
            }
            _ => {}
        }
    }

    /// Events of the process were lost.
    pub fn gap(&mut self, place: usize) {
        self.waiters.retain(|(other, _), _| *other != place);
    }

    fn enter(&mut self, patients: &[Patient], waiter_id: WaiterId, epoll: u32, ns: u64) {
        if self.waiters.len() >= WAITERS && !self.waiters.contains_key(&waiter_id) {
            return;
        }
        let waiter = self.waiters.entry(waiter_id).or_default();
        if let Some((since, false)) = waiter.last.replace((ns, true)) {
            waiter.serving_ns = waiter.serving_ns.saturating_add(ns.saturating_sub(since));
        }
        waiter.epoll = epoll;
        waiter.told.clear();
        let set = patients.get(waiter_id.0).and_then(|patient| patient.world.set(epoll));
        if set.is_some_and(|set| set.waiting > 0) && self.pools.len() < FILES {
            self.pools.entry((waiter_id.0, epoll)).or_default();
        }
    }

    fn back(&mut self, waiter_id: WaiterId, epoll: u32, n: i32, entry: &Entry) {
        let Some(waiter) = self.waiters.get_mut(&waiter_id) else { return };
        if let Some((since, true)) = waiter.last.replace((entry.ns, false)) {
            waiter.waiting_ns = waiter.waiting_ns.saturating_add(entry.ns.saturating_sub(since));
        }
        if let Some(pool) = self.pools.get_mut(&(waiter_id.0, epoll)) {
            let share = pool.shares.entry(waiter_id).or_default();
            if n > 0 {
                share.events += n as u64;
                share.waits += 1;
                pool.useful.add(entry.ns, -1, entry.tid);
            }
        }
    }

    /// An accept that found a connection or nothing, by a thread that its own wait told of it or not.
    fn accept(
        &mut self,
        patients: &[Patient],
        waiter_id: WaiterId,
        fd: i32,
        (is_vain, is_told): (bool, bool),
        entry: &Entry,
    ) {
        let Some(key) = key(patients, waiter_id.0, fd) else { return };
        if self.listeners.len() >= FILES && !self.listeners.contains_key(&key) {
            return;
        }
        let listener = self.listeners.entry(key).or_default();
        // Counting the other watchers takes time, so this is done only now and then.
        if (listener.vain.count + listener.useful.count).is_multiple_of(64) {
            for (place, Patient { world, .. }) in patients.iter().enumerate() {
                if self::key(patients, place, fd) == Some(key) {
                    for (_, item) in world.items_of(fd) {
                        listener.watch((place, item.epoll), item.events);
                    }
                }
            }
        }
        let Some(share) = listener.share(waiter_id) else { return };
        if is_vain {
            share.in_vain += 1;
            listener.vain.add(entry.ns, fd, entry.tid);
        } else {
            // One that another thread hands the event to is no waiter that competes for connections.
            share.useful += u64::from(is_told);
            listener.useful.add(entry.ns, fd, entry.tid);
        }
    }

    fn read(&mut self, waiter_id: WaiterId, fd: i32, is_vain: bool, entry: &Entry) {
        let key = (waiter_id.0, fd);
        if !is_vain && !self.files.contains_key(&key) || self.files.len() >= FILES {
            return;
        }
        let file = self.files.entry(key).or_default();
        let Some(share) = file.share(waiter_id) else { return };
        if is_vain {
            share.in_vain += 1;
            file.vain.add(entry.ns, fd, entry.tid);
        } else {
            share.useful += 1;
            file.useful.add(entry.ns, fd, entry.tid);
        }
    }

    /// Adds the findings. `patients` are all processes.
    pub fn findings(&self, patients: &[Patient], out: &mut Vec<Finding>) {
        for ((_, fd), contested) in &self.listeners {
            self.herd(patients, *fd, contested, "connection accepted", out);
            self.listener(patients, *fd, contested, out);
        }
        for ((_, fd), contested) in &self.files {
            self.herd(patients, *fd, contested, "read", out);
        }
        for ((place, epoll), pool) in &self.pools {
            self.pool(patients, *place, *epoll, pool, out);
        }
    }

    fn herd(&self, patients: &[Patient], fd: i32, contested: &Contested, what: &str, out: &mut Vec<Finding>) {
        let woken: Vec<&WaiterId> = contested
            .shares
            .iter()
            .filter(|(_, share)| share.in_vain > 0)
            .map(|(waiter_id, _)| waiter_id)
            .collect();
        let (vain, useful) = (contested.vain.count, contested.useful.count);
        let processes: BTreeSet<usize> = woken.iter().map(|waiter_id| waiter_id.0).collect();
        // Among processes, glasspoll's epoll does not honour EPOLLEXCLUSIVE, so it causes that herd itself.
        let is_emulated = |place: &usize| patients.get(*place).is_some_and(|patient| !patient.world.observed);
        let is_ours = contested.exclusive && processes.len() > 1 && processes.iter().any(is_emulated);
        if vain < VAIN || woken.len() < 2 || vain < useful.saturating_mul(VAIN_EACH) || is_ours {
            return;
        }
        let Some(Patient { world, .. }) = processes.first().and_then(|place| patients.get(*place)) else {
            return;
        };
        let each = (vain + useful) as f64 / useful.max(1) as f64;
        let title = format!("fd {fd}: {each:.0} woken for each {what}");
        let woken_threads = if processes.len() > 1 {
            format!("{} processes", processes.len())
        } else {
            format!("{} threads", woken.len())
        };
        out.push(Finding::new(9, Severity::Warning, world.pid, title, &contested.vain).because(format!(
            "{woken_threads} were told of it; {} found nothing (EAGAIN), {} were of use, in {}",
            count(vain),
            count(useful),
            span(contested.vain.lasted())
        )));
    }

    /// The waiters of a listener: all threads that watch it, also those that never accept.
    fn listener(&self, patients: &[Patient], fd: i32, contested: &Contested, out: &mut Vec<Finding>) {
        let told: u64 = contested.shares.values().map(|share| share.useful).sum();
        if told < ACCEPTED {
            return;
        }
        let watches = |(waiter_id, waiter): &(&WaiterId, &Waiter)| {
            contested.sets.contains(&(waiter_id.0, waiter.epoll))
        };
        let all = self.waiters.iter().filter(watches);
        let shares: Vec<(WaiterId, u64)> = all
            .map(|(waiter_id, _)| {
                (*waiter_id, contested.shares.get(waiter_id).map_or(0, |share| share.useful))
            })
            .collect();
        self.imbalance(
            patients,
            &format!("listener fd {fd}"),
            "connections",
            &shares,
            &contested.useful,
            out,
        );
    }

    /// The threads that wait on one set at once.
    fn pool(&self, patients: &[Patient], place: usize, epoll: u32, pool: &Contested, out: &mut Vec<Finding>) {
        let total: u64 = pool.shares.values().map(|share| share.events).sum();
        let most = pool.shares.values().max_by_key(|share| share.events).copied().unwrap_or_default();
        if total < EVENTS || most.events < most.waits.saturating_mul(BATCH) {
            return;
        }
        let Some(Patient { world, .. }) = patients.get(place) else { return };
        let shares: Vec<(WaiterId, u64)> =
            pool.shares.iter().map(|(waiter_id, share)| (*waiter_id, share.events)).collect();
        self.imbalance(patients, &world.set_name(epoll), "events", &shares, &pool.useful, out);
    }

    fn imbalance(
        &self,
        patients: &[Patient],
        what: &str,
        of: &str,
        shares: &[(WaiterId, u64)],
        tally: &Tally,
        out: &mut Vec<Finding>,
    ) {
        let total: u64 = shares.iter().map(|(_, share)| share).sum();
        let most = shares.iter().max_by_key(|(_, share)| *share);
        let least = shares.iter().min_by_key(|(_, share)| *share);
        let (Some((most, top)), Some((least, low))) = (most, least) else { return };
        let used = |waiter_id: &WaiterId| self.waiters.get(waiter_id).map_or(0.0, Waiter::utilisation);
        let (busiest, idlest) = (used(most), used(least));
        let is_even = low.saturating_mul(shares.len() as u64).saturating_mul(SHARE) > total;
        // If the busiest thread has time left, one thread may well do it all.
        if shares.len() < 2 || is_even || busiest < BUSY || idlest > busiest * IDLE {
            return;
        }
        let Some(Patient { world, .. }) = patients.get(most.0) else { return };
        let part = |share: &u64| percent(*share as f64 / total.max(1) as f64);
        let title = format!(
            "{what}: thread {} has {} of the {of}, thread {} {}",
            most.1,
            part(top),
            least.1,
            part(low)
        );
        let mut tally = tally.clone();
        tally.tids = [most.1, least.1].into();
        // A thread that has no processor serves for long, and takes what the others would.
        let (from_ns, to_ns) = (tally.first_ns, tally.last_ns);
        let finding = Finding::new(10, Severity::Warning, world.pid, title, &tally);
        out.push(finding.timed(from_ns, to_ns, true).because(format!(
            "{} of {} {of} among {} waiters; the busiest serves {} of the time, the idlest {}",
            count(*top),
            count(total),
            shares.len(),
            percent(busiest),
            percent(idlest)
        )));
    }
}

#[cfg(test)]
mod tests;
