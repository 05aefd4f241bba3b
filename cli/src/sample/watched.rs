//! A process whose threads are looked at: where each of them is by its events, and when the next look is due.

use std::collections::HashMap;

use glasspoll_record::event::Event;
use glasspoll_record::{clock, Entry, Sample};

use super::load::Load;
use super::look::{self, Look, Times};
use super::spin::Spins;
use super::stacks::Stacks;
use super::FIRST;
use crate::procfs::names;

/// The longest pause between two looks at a thread: it is to be known when it goes on.
const LONGEST_NS: u64 = 1_000_000_000;
/// The pause is this part of the time that the thread has been looked at, and no less than `SHORTEST_NS`.
const PART: u64 = 4;
const SHORTEST_NS: u64 = 5_000_000;
/// While a thread spins, and how often in all.
const SPIN_NS: u64 = 20_000_000;
const SPIN_LOOKS: u32 = 10;
/// The stack of a thread that is away for less is no matter.
const STACK_NS: u64 = 50_000_000;
/// The most stacks of a case.
const STACKS: u32 = 10;
/// The most threads.
const THREADS: usize = 1 << 12;

/// A thread.
#[derive(Debug, Default)]
struct Thread {
    /// When its last wait ended, if it has not begun another.
    away_ns: Option<u64>,
    /// What it is looked at for.
    case: Option<Case>,
    /// The last descriptor on which it was seen to spin.
    spun: Option<i32>,
}

/// A thread is overdue, or spins.
#[derive(Debug)]
struct Case {
    since_ns: u64,
    /// It spins on this fd.
    spins: Option<i32>,
    due_ns: u64,
    looks: u32,
    stacks: u32,
    /// At the first look, and when that was.
    begin: Times,
    begin_ns: u64,
}

/// The process.
#[derive(Debug)]
pub struct Watched {
    pid: u32,
    /// Its pid in its own namespace, which its record has.
    own_pid: u32,
    threads: HashMap<u32, Thread>,
    spins: Spins,
    /// All of its threads together.
    pub load: Load,
}

impl Watched {
    pub fn new(pid: u32, own_pid: u32) -> Self {
        Self { pid, own_pid, threads: HashMap::new(), spins: Spins::default(), load: Load::new(pid) }
    }

    /// Events are missing: where the threads are is not known.
    pub fn gap(&mut self) {
        for thread in self.threads.values_mut() {
            thread.away_ns = None;
            thread.case.take_if(|case| case.spins.is_none());
        }
        self.spins.gap();
    }

    pub fn event(&mut self, entry: &Entry, seen: &mut Vec<Sample>) {
        match entry.event {
            Event::WaitEnter { .. } => {
                let Some(thread) = self.threads.get_mut(&entry.tid) else { return };
                thread.away_ns = None;
                if let Some(case) = thread.case.take_if(|case| case.spins.is_none()) {
                    let times =
                        host(self.pid, self.own_pid, entry.tid).and_then(|tid| look::times(self.pid, tid));
                    seen.extend(times.map(|times| case.over(entry.tid, entry.ns, times)));
                }
            }
            Event::WaitReturn { .. } => {
                if self.threads.len() >= THREADS && !self.threads.contains_key(&entry.tid) {
                    return;
                }
                self.threads.entry(entry.tid).or_default().away_ns = Some(entry.ns);
            }
            _ => self.spins.event(entry),
        }
    }

    /// Looks at the thread that is due for the longest time. Says whether there was one.
    pub fn look(&mut self, key: u32, now: u64, stacks: &mut Stacks, seen: &mut Vec<Sample>) -> bool {
        if let Some(spin) = self.spins.take() {
            let thread = self.threads.entry(spin.tid).or_default();
            if thread.spun != Some(spin.fd) {
                thread.spun = Some(spin.fd);
                let (since_ns, spins) = (spin.since_ns, Some(spin.fd));
                thread.case = Some(Case {
                    since_ns,
                    spins,
                    due_ns: now,
                    looks: 0,
                    stacks: 0,
                    begin: Times::default(),
                    begin_ns: now,
                });
            }
        }
        let due = self.threads.iter().filter_map(|(tid, thread)| Some((thread.due_ns()?, *tid))).min();
        let Some((_, tid)) = due.filter(|(due, _)| *due <= now) else { return false };
        let Some(thread) = self.threads.get_mut(&tid) else { return false };
        let at = host(self.pid, self.own_pid, tid).unwrap_or(u32::MAX);
        let Some(look) = Look::at(self.pid, at) else {
            // It has ended, or may not be looked at.
            self.threads.remove(&tid);
            return true;
        };
        if thread.case.is_none() {
            let since_ns = thread.away_ns.unwrap_or(now);
            thread.case = Some(Case {
                since_ns,
                spins: None,
                due_ns: now,
                looks: 0,
                stacks: 0,
                begin: look.times,
                begin_ns: now,
            });
        }
        let Some(case) = &mut thread.case else { return true };
        if case.looks == 0 {
            (case.begin, case.begin_ns) = (look.times, now);
        }
        case.looks += 1;
        let away = now.saturating_sub(case.since_ns);
        case.due_ns = now
            + match case.spins {
                Some(_) => SPIN_NS,
                // It goes on at a moment that is to be known.
                None if look.state == b'T' => SHORTEST_NS * 2,
                None => ((now - case.begin_ns) / PART).clamp(SHORTEST_NS, LONGEST_NS),
            };
        if case.spins.is_none() && look.is_back() {
            return true;
        }
        let sample = case.sample(tid, clock::now_ns(), &look);
        let is_worth = case.stacks < STACKS && (case.spins.is_some() || away >= STACK_NS);
        if is_worth && stacks.copy(key, self.pid, at, &look, &sample) {
            case.stacks += 1;
        }
        seen.push(sample);
        if case.spins.is_some() && case.looks >= SPIN_LOOKS {
            let times = look.times;
            seen.extend(thread.case.take().map(|case| case.over(tid, clock::now_ns(), times)));
        }
        true
    }

    /// Whether a thread is looked at.
    pub fn is_busy(&self) -> bool {
        self.threads.values().any(|thread| thread.case.is_some())
    }

    /// When the next look is due.
    pub fn due_ns(&self) -> Option<u64> {
        self.threads.values().filter_map(Thread::due_ns).min()
    }
}

impl Thread {
    fn due_ns(&self) -> Option<u64> {
        match &self.case {
            Some(case) => Some(case.due_ns),
            None => self.away_ns.map(|ns| ns + FIRST.as_nanos() as u64),
        }
    }
}

impl Case {
    fn sample(&self, tid: u32, ns: u64, look: &Look) -> Sample {
        let mut sample = self.over(tid, ns, look.times);
        sample.state = look.state;
        if let Some(call) = look.call {
            sample.call = call.number.name().into();
            sample.fd = call.fd.unwrap_or(-1);
        }
        sample.fd = self.spins.unwrap_or(sample.fd);
        sample
    }

    /// What it has used of the time in all.
    fn over(&self, tid: u32, ns: u64, times: Times) -> Sample {
        Sample {
            ns,
            since_ns: self.since_ns,
            ran_ns: times.ran.saturating_sub(self.begin.ran),
            waited_ns: times.waited.saturating_sub(self.begin.waited),
            tid,
            fd: self.spins.unwrap_or(-1),
            spins: self.spins.is_some(),
            ..Sample::default()
        }
    }
}

/// The id that a thread of a process in a container has for us.
fn host(pid: u32, own_pid: u32, tid: u32) -> Option<u32> {
    if pid == own_pid {
        return Some(tid);
    }
    let own = |tid: u32| {
        let status = names::read(format!("/proc/{pid}/task/{tid}/status"))?;
        let line = status.lines().find_map(|line| line.strip_prefix("NSpid:"))?;
        line.split_ascii_whitespace().next_back()?.parse::<u32>().ok()
    };
    names::threads(pid).into_iter().map(|(at, _)| at).find(|at| own(*at) == Some(tid))
}
