//! The soak: servers under a load that changes, for a long time, compared with the same servers on the kernel's epoll.
//!
//! What must hold: every request gets the right answer; no connection hangs; no process ends; memory, descriptors and
//! threads at rest do not grow more than on the kernel; when there is nothing to do, no thread wakes.
//!
//! | module | holds |
//! |---|---|
//! | `kind` | the servers |
//! | `phase` | the plan, made from a seed |
//! | `crowd`, `conn`, `socket` | the clients |
//! | `asker`, `answer` | what they ask, and the answers that must come |
//! | `disturb` | stops, signals, reloads, forks, killed clients |
//! | `subject`, `proc` | a server, and its measurements |
//! | `fault`, `verdict`, `table` | faults, the judgement of the whole run, the table at the end |

mod answer;
mod asker;
mod conn;
mod crowd;
mod disturb;
mod fault;
mod kind;
mod phase;
mod proc;
mod socket;
mod subject;
mod table;
mod verdict;

pub use fault::{summary, Fault, Found};
pub use kind::{Fault as Planted, Kind};

use crate::random::Random;
use crate::Mode;
use crowd::{Address, Crowd};
use fault::{Book, Report};
use phase::{Event, Phase, Step, Times};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};
use subject::Subject;

/// The options of a run.
#[derive(Clone, Debug)]
pub struct Options {
    /// For how many minutes.
    pub minutes: f64,
    /// The seed of the plan.
    pub seed: u64,
    /// Which servers.
    pub kinds: Vec<Kind>,
    /// A request without an answer for this long hangs.
    pub deadline: Duration,
    /// The folder of the servers.
    pub dir: PathBuf,
}

/// With fewer phases there are too few measurements at rest to tell growth from start-up, and too few idle windows to
/// tell ticking from chance.
const FEWEST_PHASES: usize = 4;

/// Runs it, and prints the result.
pub fn run(options: &Options) -> Vec<Found> {
    let times = Times::of(options.minutes * 60.0);
    let book = Book::new();
    let start = |kind: Kind, mode| Subject::start(kind, mode, &options.dir, &book, options.deadline);
    let subjects: Vec<Subject> = options
        .kinds
        .iter()
        .flat_map(|kind| [start(*kind, Mode::Native), start(*kind, Mode::Preloaded)])
        .collect();
    let end = Instant::now() + Duration::from_secs_f64(options.minutes * 60.0);
    let run = Run {
        options,
        times,
        subjects: &subjects,
        paused: AtomicBool::new(false),
        over: AtomicBool::new(false),
    };
    thread::scope(|scope| {
        scope.spawn(|| run.watch());
        let (mut number, mut told) = (0, Instant::now());
        // As long as there is time for another phase and its rest, and until there is enough to judge by.
        while (number < FEWEST_PHASES || Instant::now() + times.phase / 2 < end)
            && !run.is_spoilt(&book.found())
        {
            let phase = Phase::of(number, options.seed, &options.kinds, times);
            book.enter(number);
            run.phase(&phase);
            run.rest(&book, phase.idle);
            number += 1;
            if told.elapsed() > Duration::from_secs(55) {
                told = Instant::now();
                run.progress(&book, &phase);
            }
        }
        for subject in &subjects {
            subject.crowd.lock().expect("nobody panics with it").leave();
        }
        run.rest(&book, Some(times.idle));
        run.over.store(true, SeqCst);
    });
    for pair in subjects.chunks_exact(2) {
        pair.iter().for_each(Subject::check_logs);
        verdict::judge(&pair[1], Some(&pair[0]));
    }
    table::print(&subjects);
    book.found()
}

struct Run<'a> {
    options: &'a Options,
    times: Times,
    subjects: &'a [Subject],
    paused: AtomicBool,
    over: AtomicBool,
}

impl Run<'_> {
    /// Measures everything twice a second, except in idle windows.
    fn watch(&self) {
        let mut gone = vec![false; self.subjects.len()];
        while !self.over.load(SeqCst) {
            for (subject, gone) in self.subjects.iter().zip(&mut gone) {
                if !*gone && !subject.lives() {
                    *gone = true;
                    subject.report.tell(Fault::Crashed, "its main process is gone".into());
                }
                if !self.paused.load(SeqCst) {
                    subject.look();
                }
            }
            thread::sleep(Duration::from_millis(500));
        }
    }

    fn is_spoilt(&self, found: &[Found]) -> bool {
        found.len() > 500 || found.iter().any(|found| found.fault == Fault::Crashed)
    }

    fn phase(&self, phase: &Phase) {
        // A worker that was replaced lives as long as it has connections.
        let replaces = |(_, event): &(Duration, Event)| matches!(event, Event::Reload | Event::Upgrade);
        let keep = if phase.events.iter().any(replaces) { 0 } else { phase.keep };
        thread::scope(|scope| {
            for subject in self.subjects.iter().filter(|subject| phase.active.contains(&subject.kind)) {
                scope.spawn(move || {
                    let mut crowd = subject.crowd.lock().expect("nobody panics with it");
                    crowd.run(&phase.steps, keep, phase.seed);
                });
                scope.spawn(move || subject.disturb(phase));
            }
        });
    }

    /// Leaves all servers alone, and measures them.
    fn rest(&self, book: &Book, idle: Option<Duration>) {
        self.subjects.iter().filter(|subject| subject.lives()).for_each(Subject::calm);
        thread::sleep(self.times.settle);
        self.subjects.iter().for_each(|subject| subject.rest(book.start().elapsed()));
        let Some(idle) = idle else { return };
        self.paused.store(true, SeqCst);
        // The watching thread may be in the middle of a measurement.
        thread::sleep(Duration::from_millis(300));
        let pids: Vec<Vec<u32>> = self.subjects.iter().map(Subject::pids).collect();
        let before: Vec<_> = pids.iter().map(|pids| proc::sleeps(pids)).collect();
        let from = Instant::now();
        thread::sleep(idle);
        for ((subject, pids), before) in self.subjects.iter().zip(&pids).zip(&before) {
            let after = proc::sleeps(pids);
            let woken = |(id, (_, count)): (&(u32, u32), &(String, u64))| {
                count.saturating_sub(before.get(id).map_or(0, |(_, count)| *count))
            };
            let sum: u64 = after.iter().map(woken).sum();
            let rate = sum as f64 / from.elapsed().as_secs_f64();
            let some = after.iter().filter(|seen| woken(*seen) != 0);
            let who = some.map(|seen| format!("{} {} {}", (seen.0).1, (seen.1).0, woken(seen)));
            let mut seen = subject.seen.lock().expect("nobody panics with it");
            seen.wakeups.push(rate);
            seen.woken = who.collect::<Vec<_>>().join(", ");
        }
        self.paused.store(false, SeqCst);
    }

    /// Prints a line of progress.
    fn progress(&self, book: &Book, phase: &Phase) {
        let (mut parts, mut all) = (Vec::new(), [0, 0]);
        for subject in self.subjects {
            let crowd = subject.crowd.lock().expect("nobody panics with it");
            all[usize::from(subject.mode == Mode::Preloaded)] += crowd.done.answered;
            let seen = subject.seen.lock().expect("nobody panics with it");
            let mib = seen.at_rest.last().map_or(0.0, |seen| seen.usage.bytes as f64 / 1048576.0);
            match subject.mode {
                Mode::Native => parts.push(format!("{} {mib:.1}", subject.kind.name())),
                Mode::Preloaded => parts.last_mut().expect("the twin").push_str(&format!("/{mib:.1}")),
            }
        }
        println!(
            "{:5.1} of {} min, phase {} ({}): {} + {} answers, {} faults; MiB at rest (kernel/glasspoll): {}",
            book.start().elapsed().as_secs_f64() / 60.0,
            self.options.minutes,
            phase.number,
            phase.title(),
            all[0],
            all[1],
            book.found().len(),
            parts.join(", ")
        );
    }
}

/// A client in a process of its own, which runs until it is killed.
pub fn client(kind: Kind, mode: Mode, port: u16, number: u64) {
    let book = Book::new();
    let report = Report::new(&book, kind, mode, Path::new("/nowhere"), 0);
    let address = Address { kind, port, socket: None };
    let deadline = Duration::from_secs(60);
    let mut crowd = Crowd::new(address, subject::pages(), deadline, report, &format!("k{}-", number % 16));
    // This client does not learn when its server reloads.
    crowd.shed.now.store(true, SeqCst);
    let mut random = Random(number);
    let step = Step {
        length: Duration::from_secs(60),
        connections: 1 + random.below(30),
        depth: random.pick(&[1, 8, 16]),
        pause: Duration::ZERO,
        requests: random.pick(&[0, 10]),
        stall: 20,
        halves: 10,
        resets: 0,
    };
    crowd.run(&[step], 0, number);
}
