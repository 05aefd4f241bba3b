//! Findings: the bugs of event loops that show in the flow of their events.
//!
//! Each of the classes (`finding::CLASSES`) is a rule: a small machine that sees all events of a process once, in
//! order, with bounded memory. The same rules run on a file (`examine`) and on a process that runs (`Doctor`).
//!
//! A rule stays silent where the program may intend what it does. A finding is an *error* only if it is surely a bug
//! and had consequences. Each threshold is a constant with its reason.
//!
//! | module | holds |
//! |---|---|
//! | `rules` | a rule for each class, or a few close ones |
//! | `finding`, `id` | a finding and the classes, and their identifiers |
//! | `merge` | many findings with one cause |
//! | `overload` | what is judged by time while the process had no processor |
//! | `now` | what is so with its descriptors while the process lives |
//! | `code`, `shown` | which code added its descriptors, and what is shown of that |
//! | `standing`, `untouched` | what has been stuck for longer than the ring remembers, and what was never used |
//! | `seen`, `print`, `sarif` | what was looked at, and how it is said |
//!
//! `replay::world` has what is known of a process at a moment. The rules share it with the sums of `report` and `top`.
//! The command is `commands::doctor`.

pub mod cause;
pub mod code;
mod finding;
pub mod id;
mod merge;
pub mod now;
mod overload;
pub mod print;
mod rules;
pub mod sarif;
#[cfg(test)]
mod script;
pub mod seen;
mod shown;
pub mod standing;
pub mod untouched;

use glasspoll_record::accept_queue::AcceptQueue;
use glasspoll_record::ring::{Header, Item};
use glasspoll_record::{Entry, Recording, Sample};

pub use finding::{Finding, Severity};
use rules::forks::Forks;
use rules::overflow::Overflow;
use rules::waiters::Waiters;
use rules::Rule;

use crate::procfs::net;
use crate::replay::{Sums, World};
use crate::text::units::counted;

/// A process under examination.
#[derive(Debug)]
struct Patient {
    world: World,
    /// Its parent.
    ppid: u32,
    rules: Vec<Box<dyn Rule>>,
}

/// Examines processes while their events come.
#[derive(Debug, Default)]
pub struct Doctor {
    patients: Vec<Patient>,
    forks: Forks,
    waiters: Waiters,
    overflow: Overflow,
}

impl Doctor {
    /// A doctor that has seen nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a process, one for each ring. Returns its place, which names the process in the other methods.
    pub fn process(&mut self, header: &Header) -> usize {
        // All times in findings count from the moment at which the first process began.
        let zero_ns = self.patients.first().map_or(header.begin.ns, |first| first.world.begin_ns);
        let mut world = World::new(header.pid, header.begin.ns, zero_ns);
        world.observed = header.observed;
        self.patients.push(Patient { world, ppid: header.ppid, rules: rules::all() });
        self.patients.len() - 1
    }

    /// Takes the table of items: it has items whose ADD is in no record. Best called before the events.
    pub fn items(&mut self, place: usize, items: &[Item]) {
        if let Some(patient) = self.patients.get_mut(place) {
            patient.world.learn(items);
            self.overflow.learn(place, items);
        }
    }

    /// Takes a look at the queue of a listener.
    pub fn accept_queue(&mut self, place: usize, queue: &AcceptQueue) {
        if let Some(patient) = self.patients.get(place) {
            self.overflow.look(place, &patient.world, queue);
        }
    }

    /// The longest accept queue that the machine allows.
    pub fn somaxconn(&mut self, limit: Option<u32>) {
        self.overflow.limit = limit;
    }

    /// Takes the next event. The events of all processes must come in the order of time, more or less.
    pub fn event(&mut self, place: usize, entry: &Entry) {
        self.judge(place, entry);
        if let Some(patient) = self.patients.get_mut(place) {
            patient.world.take(entry);
        }
    }

    /// The same, and counts it in the sums of that process.
    pub fn event_with(&mut self, place: usize, entry: &Entry, sums: &mut Sums) {
        self.judge(place, entry);
        if let Some(patient) = self.patients.get_mut(place) {
            sums.event(&mut patient.world, entry, &mut |_| {});
        }
    }

    /// Shows it to the rules.
    fn judge(&mut self, place: usize, entry: &Entry) {
        self.forks.event(place, entry);
        self.waiters.event(&self.patients, place, entry);
        self.overflow.event(place, entry);
        let Some(patient) = self.patients.get_mut(place) else { return };
        for rule in &mut patient.rules {
            rule.event(&patient.world, entry);
        }
    }

    /// What is known of a process.
    pub fn world(&mut self, place: usize) -> Option<&mut World> {
        self.patients.get_mut(place).map(|patient| &mut patient.world)
    }

    /// Takes what a thread was seen to do, before the events that say that it is back.
    pub fn sample(&mut self, place: usize, sample: &Sample) {
        if let Some(patient) = self.patients.get_mut(place) {
            patient.world.looks.add(sample);
        }
    }

    /// Events were lost here: the next events may depend on them.
    pub fn gap(&mut self, place: usize) {
        let Some(patient) = self.patients.get_mut(place) else { return };
        for rule in &mut patient.rules {
            rule.gap();
        }
        patient.world.gap();
        self.waiters.gap(place);
    }

    /// The process has ended: the silence after that is no evidence.
    pub fn ended(&mut self, place: usize, ns: u64) {
        if let Some(patient) = self.patients.get_mut(place) {
            patient.world.ended_ns = Some(ns);
        }
    }

    /// Makes notes of findings from elsewhere that the machine may be behind.
    pub fn weigh(&self, findings: &mut [Finding]) {
        overload::judge(&self.patients, findings);
    }

    /// The findings up to now, the worst first.
    pub fn findings(&self, now_ns: u64) -> Vec<Finding> {
        let mut findings = Vec::new();
        for patient in &self.patients {
            let until = patient.world.until(now_ns);
            for rule in &patient.rules {
                rule.findings(&patient.world, until, &mut findings);
            }
        }
        self.forks.findings(&self.patients, &mut findings);
        self.waiters.findings(&self.patients, &mut findings);
        self.overflow.findings(&self.patients, &mut findings);
        overload::judge(&self.patients, &mut findings);
        // One cause is one finding: a descriptor that keeps the loop is why the callback is slow.
        let kept: Vec<(u32, Vec<i32>)> = findings
            .iter()
            .filter(|finding| finding.class == 20)
            .map(|finding| (finding.pid, finding.fds.clone()))
            .collect();
        findings.retain(|finding| {
            finding.class != 16 || !kept.iter().any(|(pid, fds)| *pid == finding.pid && *fds == finding.fds)
        });
        merge::explained(&mut findings);
        merge::merge(&mut findings);
        sort(&mut findings);
        findings
    }
}

/// Puts the worst first.
pub fn sort(findings: &mut [Finding]) {
    findings.sort_by(|a, b| {
        let key = |finding: &Finding| (finding.class, finding.first_ns, finding.pid);
        b.severity.cmp(&a.severity).then_with(|| key(a).cmp(&key(b)))
    });
}

/// Examines a whole record, all of its processes together.
pub fn examine(recording: &Recording) -> Vec<Finding> {
    let mut doctor = Doctor::new();
    doctor.somaxconn(recording.notes.get(net::SOMAXCONN).and_then(|limit| limit.parse().ok()));
    let mut now_ns = 0;
    for process in &recording.processes {
        let place = doctor.process(&process.header);
        doctor.items(place, &process.items);
        process.samples.iter().for_each(|sample| doctor.sample(place, sample));
        if let Some((ns, _)) = process.ended {
            doctor.ended(place, ns);
        }
        let last = process.events.last().map_or(0, |entry| entry.ns);
        now_ns = now_ns.max(last).max(process.taken.ns);
    }
    let mut at = vec![0; recording.processes.len()];
    let (mut gaps, mut looks) = (at.clone(), at.clone());
    loop {
        let next = recording.processes.iter().zip(&at).enumerate();
        let next = next.filter_map(|(place, (process, at))| Some((process.events.get(*at)?, place)));
        let Some((entry, place)) = next.min_by_key(|(entry, _)| entry.ns) else { break };
        let all = &recording.processes[place].gaps;
        if all.get(gaps[place]).is_some_and(|gap| *gap <= entry.ns) {
            doctor.gap(place);
            gaps[place] = all.partition_point(|gap| *gap <= entry.ns);
        }
        let queues = recording.processes[place].accept_queues.get(looks[place]..).unwrap_or_default();
        for queue in queues.iter().take_while(|queue| queue.ns <= entry.ns) {
            doctor.accept_queue(place, queue);
            looks[place] += 1;
        }
        doctor.event(place, entry);
        at[place] += 1;
    }
    for (place, process) in recording.processes.iter().enumerate() {
        let rest = process.accept_queues.get(looks[place]..).unwrap_or_default();
        rest.iter().for_each(|queue| doctor.accept_queue(place, queue));
    }
    let mut findings = doctor.findings(now_ns);
    let before = findings.len();
    recording.processes.iter().for_each(|process| untouched::findings(process, |_| true, &mut findings));
    doctor.weigh(&mut findings[before..]);
    sort(&mut findings);
    name_files(&mut findings, |pid, fd, ns| {
        let process = recording.processes.iter().find(|process| process.pid() == pid)?;
        process.file_at(fd, ns).map(str::to_owned)
    });
    findings
}

/// The most descriptors of a finding that are told of.
const TOLD: usize = 4;

/// Adds to each finding what its descriptors were, by process, fd and moment, as far as it is known. Drops the findings
/// that another kind of file would have to be behind.
pub fn name_files(findings: &mut Vec<Finding>, file_at: impl Fn(u32, i32, u64) -> Option<String>) {
    findings.retain_mut(|finding| {
        let mut is_meant = finding.only.is_none();
        let mut told = 0;
        for fd in &finding.fds {
            if let Some(text) = file_at(finding.pid, *fd, finding.first_ns) {
                is_meant |= finding.only.is_some_and(|only| only(&text));
                if told < TOLD {
                    finding.evidence.push(format!("fd {fd} is {text}"));
                }
                told += 1;
            }
        }
        if told > TOLD {
            finding.evidence.push(format!("and {}", counted((told - TOLD) as u64, "more descriptor")));
        }
        is_meant
    });
}
