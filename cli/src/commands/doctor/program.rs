//! A program that is started here, and its children.

use std::collections::BTreeMap;
use std::env;
use std::time::{Duration, Instant};

use glasspoll_record::{clock, Process};

use crate::args;
use crate::collect::strays::Fate;
use crate::collect::{self, Collector, News, RECORDING};
use crate::doctor::code::{self, Adds, Source};
use crate::doctor::now::{self, Now, Reads};
use crate::doctor::seen::{Ended, Seen};
use crate::doctor::{name_files, sort, untouched, Doctor};
use crate::procfs::net;
use crate::program::engine::{self, Engine};
use crate::program::{preloadable, Refused, STACKS};
use crate::sys;

/// The pause between two looks at the descriptors of findings so far, which take at most 1 / `SHARE` of the time.
const NOW: Duration = Duration::from_millis(500);
const SHARE: u32 = 20;
/// The most processes that a note names.
const NAMED: usize = 16;

pub fn look(args: &args::Doctor) -> Result<Seen, Refused> {
    // A diagnosis must not change the patient.
    let settings = engine::decide(&args.settings, Engine::Observe)?;
    let settings = settings.with_stacks(env::var_os(STACKS).as_deref());
    let mut collector = Collector::start(&args.program, &settings, RECORDING)?;
    collector.seek_strays();
    collector.look_at_queues();
    collector.sample(!args.no_ptrace);
    let mut gathered = Gathered::default();
    gathered.doctor.somaxconn(net::somaxconn());
    let status = loop {
        collector.wait();
        // Ask before the look, so that the last look sees all that the program did.
        let status = collector.status();
        gathered.read_ns = clock::now_ns();
        gathered.take(collector.poll());
        if let Some(status) = status {
            break status;
        }
        gathered.look_at_now();
    };
    let fate = collector.fate();
    gathered.read_ns = clock::now_ns();
    let (last, _, looks) = collector.finish();
    gathered.take(last);
    let mut seen = gathered.finish();
    seen.looks = looks;
    seen.ended = Some(Ended::of(status));
    if seen.processes.is_empty() {
        let why = preloadable::why_not(&args.program[0]).unwrap_or_else(|| {
            "neither it nor a child of it made an epoll instance, or they do not use libc or LD_PRELOAD"
                .into()
        });
        seen.notes.push(format!("nothing was recorded: {why}"));
    }
    note(&fate, settings.observe, &mut seen);
    Ok(seen)
}

/// Says what the record lacks. Processes without our settings are not `observed`, even if the others are to be.
fn note(fate: &Fate, observe: bool, seen: &mut Seen) {
    let list = |all: Vec<String>| match all.len() {
        0..=NAMED => all.join(", "),
        many => format!("{} and {} more", all[..NAMED].join(", "), many - NAMED),
    };
    let named = |(pid, comm): (&u32, &String)| format!("{pid} ({comm})");
    if !fate.found.is_empty() {
        let all = list(fate.found.iter().map(named).collect());
        let is_emulated = |pid| seen.processes.iter().any(|process| process.pid == pid && !process.observed);
        let engine = match observe && fate.found.keys().copied().any(is_emulated) {
            true => "; without our settings it runs on glasspoll's own epoll",
            false => "",
        };
        seen.notes.push(format!("found through /proc, because it cannot hand in its record (its environment was cleared all but LD_PRELOAD, or it does not reach our socket): process {all}{engine}"));
    }
    if !fate.missed.is_empty() {
        let all = list(fate.missed.iter().map(named).collect());
        seen.notes.push(format!("process {all} ended before it could be looked into: its environment was cleared all but LD_PRELOAD; if it made an epoll instance, that is not judged"));
    }
    if !fate.outside.is_empty() {
        let all = list(fate.outside.iter().map(|(pid, (comm, _))| named((pid, comm))).collect());
        let lives = fate.outside.iter().find(|(_, (_, lives))| *lives).map(|(pid, _)| *pid);
        let what = match lives {
            Some(pid) => format!("glasspoll doctor --attach {pid}"),
            None => "glasspoll doctor --attach PID while it lives".into(),
        };
        seen.notes.push(format!("outside, and not judged: what has an epoll instance and not the library (its environment was cleared, LD_PRELOAD too, or it does not use libc) is process {all}: {what}"));
    }
    for (pid, (comm, has_ring)) in fate.living.iter().take(NAMED) {
        let yet = if *has_ring { "" } else { ", without an epoll instance so far" };
        seen.notes.push(format!("process {pid} ({comm}) lives on{yet}: glasspoll doctor {pid}"));
    }
    match fate.living.len().saturating_sub(NAMED) {
        0 => {}
        1 => seen.notes.push("1 more process lives on".into()),
        more => seen.notes.push(format!("{more} more processes live on")),
    }
}

/// What the news of a program's processes add up to.
#[derive(Default)]
struct Gathered {
    doctor: Doctor,
    /// The doctor's place of each ring.
    places: BTreeMap<u32, usize>,
    /// Each ring's names; no events.
    processes: BTreeMap<u32, Process>,
    seen: Option<Seen>,
    /// When the rings were last read. What happened later is not known, however long we take over what was read.
    read_ns: u64,
    /// The pid of each living ring's process, by the pid that its findings have.
    pids: BTreeMap<u32, u32>,
    /// What was so with the descriptors of findings when they were last looked at, and when that was.
    now: BTreeMap<(u8, u32, i32), (u64, Vec<String>)>,
    now_due: Option<Instant>,
    /// By the pid that findings have.
    reads: BTreeMap<u32, Reads>,
    /// The ADDs of each ring, and its process.
    adds: BTreeMap<u32, (u32, Adds)>,
}

impl Gathered {
    /// Looks at the descriptors of findings so far: when the program has ended, they are gone.
    fn look_at_now(&mut self) {
        let due = *self.now_due.get_or_insert_with(|| Instant::now() + NOW);
        if Instant::now() < due {
            return;
        }
        let begin = sys::worked();
        let (mut now, now_ns) = (Now::default(), clock::now_ns());
        for finding in self.doctor.findings(self.read_ns) {
            let (Some(pid), Some(reads)) = (self.pids.get(&finding.pid), self.reads.get(&finding.pid)) else {
                continue;
            };
            for (fd, lines) in now.of(*pid, &finding, reads) {
                self.now.insert((finding.class, finding.pid, fd), (now_ns, lines));
            }
        }
        self.now_due = Some(Instant::now() + NOW.max((sys::worked() - begin) * SHARE));
    }

    fn take(&mut self, all: Vec<News>) {
        for news in all {
            let ring = news.ring();
            if let News::Began { pid, header, .. } = &news {
                self.pids.insert(header.pid, *pid);
                self.adds.insert(ring, (*pid, Adds::default()));
                self.places.insert(ring, self.doctor.process(header));
                self.seen.get_or_insert_with(|| Seen::new(header.begin.ns));
            }
            let (Some(place), Some(seen)) = (self.places.get(&ring), &mut self.seen) else { continue };
            match &news {
                News::Lost { .. } => {
                    seen.gaps += 1;
                    self.doctor.gap(*place);
                }
                News::AcceptQueue { queue, .. } => {
                    self.doctor.accept_queue(*place, queue);
                    continue;
                }
                News::Sample { sample, .. } => {
                    self.doctor.sample(*place, sample);
                    continue;
                }
                News::Events { events, .. } => {
                    let pid = self.processes.get(&ring).map_or(0, Process::pid);
                    let reads = self.reads.entry(pid).or_default();
                    let adds = &mut self.adds.entry(ring).or_default().1;
                    for entry in events {
                        adds.event(entry);
                        reads.event(entry);
                        seen.event(entry);
                        self.doctor.event(*place, entry);
                    }
                    continue;
                }
                News::Ended(ended) if ended.status.is_some() => {
                    self.pids.remove(&ended.header.pid);
                    self.reads.remove(&ended.header.pid);
                    self.doctor.ended(*place, ended.at.ns);
                }
                _ => {}
            }
            collect::apply(&mut self.processes, news);
        }
    }

    fn finish(mut self) -> Seen {
        let mut seen = self.seen.unwrap_or_else(|| Seen::new(0));
        seen.findings = self.doctor.findings(self.read_ns);
        for process in self.processes.values() {
            seen.process(process);
            let before = seen.findings.len();
            untouched::findings(process, |_| true, &mut seen.findings);
            self.doctor.weigh(&mut seen.findings[before..]);
        }
        sort(&mut seen.findings);
        name_files(&mut seen.findings, |pid, fd, ns| {
            let of_pid = self.processes.values().filter(|process| process.pid() == pid);
            of_pid.filter_map(|process| process.file_at(fd, ns)).next_back().map(str::to_owned)
        });
        let mut findings = std::mem::take(&mut seen.findings);
        for finding in &mut findings {
            for fd in finding.fds.clone() {
                if let Some((ns, lines)) = self.now.get(&(finding.class, finding.pid, fd)) {
                    now::add(finding, &format!("at {:.3} s", seen.since_begin(*ns)), fd, lines);
                }
            }
        }
        let sources: Vec<_> = self
            .processes
            .iter()
            .map(|(ring, process)| {
                let (pid, adds) = self.adds.remove(ring).unwrap_or_default();
                Source::of(process, pid, adds)
            })
            .collect();
        code::add(&mut findings, &sources);
        seen.findings = findings;
        seen
    }
}
