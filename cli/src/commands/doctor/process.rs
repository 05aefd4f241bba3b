//! A running process and its children: what their rings have, and what comes for some seconds.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use glasspoll_record::find::{self, Missing};
use glasspoll_record::stream::Stream;
use glasspoll_record::{clock, Entry, Process};

use crate::attach::Look;
use crate::collect::accept_queues::AcceptQueues;
use crate::collect::snapshot::{sets, Snapshot};
use crate::doctor::code::{self, Adds, Source};
use crate::doctor::now::{self, Now, Reads};
use crate::doctor::seen::Seen;
use crate::doctor::standing::Standing;
use crate::doctor::{name_files, sort, untouched, Doctor};
use crate::procfs::{asleep, family, net};
use crate::sample::Sampler;
use crate::sys;

/// The pause between two looks at a running process: its ring is small, and a fast loop fills it in some 20 ms.
const LOOK: Duration = Duration::from_millis(4);
/// The pause between two looks for children.
const CHILDREN: Duration = Duration::from_millis(250);
/// The longest that a process is looked at: a week.
const LONGEST: f64 = 7.0 * 86_400.0;

/// A process that is looked at.
struct Patient {
    pid: u32,
    place: usize,
    stream: Stream,
    exit: OwnedFd,
    has_ended: bool,
    /// Its names when the look began.
    begin: Process,
    reads: Reads,
    adds: Adds,
    standing: Standing,
    /// Events that were read before the look at its names, and are not judged yet.
    first: Vec<Entry>,
    /// The lost blocks at the last look.
    known: u64,
}

/// All that are looked at.
struct Ward {
    doctor: Doctor,
    patients: Vec<Patient>,
    sampler: Sampler,
    seen: Seen,
    /// When the rings were last read. What happened later is not known, however long we take over what was read.
    read_ns: u64,
    queues: AcceptQueues,
}

/// Looks at a process for some seconds, and with `children` at all that descend from it. If the process is attached to,
/// the look ends sooner if a signal comes.
pub fn look(
    pid: u32,
    seconds: f64,
    children: bool,
    ptrace: bool,
    attached: Option<&Look>,
) -> Result<Seen, String> {
    let missing = |missing: Missing| format!("process {pid}: {missing}");
    let parent = sys::pidfd(pid).map_err(|_| missing(Missing::NoProcess))?;
    let mut ward = Ward {
        doctor: Doctor::new(),
        patients: Vec::new(),
        sampler: Sampler::new(ptrace),
        seen: Seen::new(0),
        read_ns: 0,
        queues: AcceptQueues::new(),
    };
    ward.doctor.somaxconn(net::somaxconn());
    let refused = ward.admit(pid).err();
    match refused {
        Some(Missing::NoRing | Missing::NotPreloaded) | None if children => ward.admit_children(pid),
        _ => {}
    }
    if let Some(refused) = refused {
        if ward.patients.is_empty() {
            return Err(missing(refused));
        }
        ward.seen.notes.push(format!("process {pid}: {refused}: its children alone are looked at"));
    }
    let seconds = if seconds.is_nan() { 0.0 } else { seconds.clamp(0.0, LONGEST) };
    let begin_ns = clock::now_ns();
    let end = Instant::now() + Duration::from_secs_f64(seconds);
    let mut children_due = Instant::now() + CHILDREN;
    loop {
        let is_over = Instant::now() >= end || attached.is_some_and(Look::is_to_end);
        let all_ended = ward.take()?;
        ward.look_at_queues();
        if is_over || (all_ended && sys::wait_readable(&[parent.as_fd()], Duration::ZERO) == [true]) {
            break;
        }
        if children && Instant::now() >= children_due {
            ward.admit_children(pid);
            children_due = Instant::now() + CHILDREN;
        }
        ward.wait();
    }
    Ok(ward.finish(begin_ns))
}

impl Ward {
    fn admit(&mut self, pid: u32) -> Result<(), Missing> {
        let live = find::open(pid)?;
        let exit = sys::pidfd(pid).map_err(|_| Missing::NoProcess)?;
        let items = live.read_items().map_err(Missing::Broken)?.1;
        let header = live.header().clone();
        // The ring of a fast loop runs over while its names are looked at.
        let mut stream = Stream::new(live);
        let first = stream.poll().map_err(|error| Missing::Broken(error.to_string()))?;
        // Events that were overwritten before we came are no gap.
        let known = stream.lost_blocks;
        let begin = Snapshot::of(pid)?.process;
        if self.patients.is_empty() {
            self.seen = Seen::new(header.begin.ns);
        }
        let place = self.doctor.process(&header);
        self.doctor.items(place, &items);
        self.sampler.begin(place as u32, pid, &header);
        let reads = Reads::default();
        self.patients.push(Patient {
            pid,
            place,
            stream,
            exit,
            has_ended: false,
            begin,
            reads,
            adds: Adds::default(),
            standing: Standing::begin(pid),
            first,
            known,
        });
        Ok(())
    }

    /// Those that descend from a process and have a ring.
    fn admit_children(&mut self, of: u32) {
        for pid in family::descendants([of]) {
            if !self.patients.iter().any(|patient| patient.pid == pid) {
                // Most have none, and one that is not there yet comes later.
                let _ = self.admit(pid);
            }
        }
    }

    /// Takes what is new, in the order of time. Says whether all have ended.
    fn take(&mut self) -> Result<bool, String> {
        self.read_ns = clock::now_ns();
        // By time and place; no entry: events are missing there.
        let mut all: Vec<(u64, usize, Option<Entry>)> = Vec::new();
        let mut ended = Vec::new();
        for patient in self.patients.iter_mut().filter(|patient| !patient.has_ended) {
            // Ask first, then look: if the process has ended, nothing comes after this look.
            patient.has_ended = sys::wait_readable(&[patient.exit.as_fd()], Duration::ZERO) == [true];
            let broken =
                |error: io::Error| format!("process {}: its record cannot be read: {error}", patient.pid);
            let first = std::mem::take(&mut patient.first);
            let new = patient.stream.poll().map_err(broken)?;
            for entry in first.iter().chain(&new) {
                patient.reads.event(entry);
                patient.adds.event(entry);
            }
            let place = patient.place;
            let lost = patient.stream.lost_blocks - patient.known;
            // Before all that takes time: what a thread does now is to be seen now.
            let both = [first.as_slice(), new.as_slice()].concat();
            let seen = self.sampler.take(place as u32, &both, lost != 0);
            seen.iter().for_each(|sample| self.doctor.sample(place, sample));
            all.extend(first.into_iter().map(|entry| (entry.ns, place, Some(entry))));
            patient.known = patient.stream.lost_blocks;
            if lost != 0 {
                self.seen.lost_blocks = self.seen.lost_blocks.saturating_add(lost);
                self.seen.gaps += 1;
                all.push((new.first().map_or(u64::MAX, |entry| entry.ns), place, None));
            }
            all.extend(new.into_iter().map(|entry| (entry.ns, place, Some(entry))));
            if patient.has_ended {
                ended.push(place);
            }
        }
        for (place, sample) in self.sampler.told() {
            self.doctor.sample(place as usize, &sample);
        }
        // Those of one process are in order already.
        if self.patients.len() > 1 {
            all.sort_by_key(|(ns, ..)| *ns);
        }
        for (_, place, entry) in &all {
            let Some(entry) = entry else {
                self.doctor.gap(*place);
                continue;
            };
            self.seen.event(entry);
            self.doctor.event(*place, entry);
        }
        for place in ended {
            self.doctor.ended(place, self.read_ns);
        }
        Ok(self.patients.iter().all(|patient| patient.has_ended))
    }

    fn look_at_queues(&mut self) {
        let living = self.patients.iter().filter(|patient| !patient.has_ended);
        let pids: Vec<u32> = living.map(|patient| patient.pid).collect();
        for (pid, queue) in self.queues.look(&pids) {
            if let Some(patient) = self.patients.iter().find(|patient| patient.pid == pid) {
                self.doctor.accept_queue(patient.place, &queue);
            }
        }
    }

    fn wait(&self) {
        let living = self.patients.iter().filter(|patient| !patient.has_ended);
        let exits: Vec<_> = living.map(|patient| patient.exit.as_fd()).collect();
        sys::wait_readable(&exits, LOOK.min(self.sampler.pause()));
    }

    fn finish(self, begin_ns: u64) -> Seen {
        let Self { mut doctor, patients, sampler, mut seen, read_ns, .. } = self;
        let (told, looks) = sampler.finish();
        told.iter().for_each(|(place, sample)| doctor.sample(*place as usize, sample));
        seen.looks = looks;
        seen.looked(begin_ns, read_ns);
        seen.findings = doctor.findings(read_ns);
        let (mut names, mut now) = (BTreeMap::new(), Now::default());
        // A process in a container has another pid there, by which its findings call it.
        let mut living: BTreeMap<u32, (u32, Reads)> = BTreeMap::new();
        let mut sources = Vec::new();
        for patient in patients {
            let Patient { pid, place, stream, begin, has_ended, mut reads, adds, standing, .. } = patient;
            seen.torn += stream.torn;
            let mut process = Snapshot::of(pid).map_or(begin, |snapshot| snapshot.process);
            if has_ended {
                // Its memory is still there.
                process.stacks = stream.live().stacks(&process.header).unwrap_or_default();
            }
            sources.push(Source::of(&process, pid, adds));
            if !has_ended {
                if let Some(world) = doctor.world(place) {
                    standing.end(pid, stream.live(), world, &mut seen.findings);
                }
                let before = seen.findings.len();
                untouched::living(pid, &process, &mut seen.findings);
                doctor.weigh(&mut seen.findings[before..]);
                reads.learn(&process.facts);
                living.insert(process.pid(), (pid, reads));
                now.sets(pid, sets(&process));
            }
            let has_sets = doctor.world(place).is_some_and(|world| !world.sets.is_empty());
            if !has_ended && !has_sets && sets(&process).is_empty() {
                seen.notes.push(no_set(pid, &process.comm));
            }
            seen.name(&process);
            names.insert(process.pid(), process);
        }
        sort(&mut seen.findings);
        name_files(&mut seen.findings, |pid, fd, ns| {
            names.get(&pid).and_then(|process: &Process| process.file_at(fd, ns)).map(str::to_owned)
        });
        for finding in &mut seen.findings {
            if let Some((pid, reads)) = living.get(&finding.pid) {
                for (fd, lines) in now.of(*pid, finding, reads) {
                    now::add(finding, "now", fd, &lines);
                }
            }
        }
        code::add(&mut seen.findings, &sources);
        seen
    }
}

/// Says of a process that has no epoll set what its threads wait in instead.
fn no_set(pid: u32, comm: &str) -> String {
    let waits = asleep::words(pid).map(|words| format!(": {words}")).unwrap_or_default();
    format!("process {pid} ({comm}) has no epoll set, so there is nothing to judge{waits}")
}
