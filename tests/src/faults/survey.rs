//! All runs of a scenario, and what each must end with.

use crate::run::LIMIT;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Mutex;
use std::thread;

use super::scenario::REFUSED;
use super::tracer::{run, Fault, Run};
use super::Call;
use crate::Mode;

/// How many of the possible runs are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// For each kind of call: the first, one in the middle and the last.
    Some,
    /// All.
    All,
}

/// What to run.
#[derive(Clone, Debug)]
pub struct Options {
    /// The program that runs scenarios: `PROGRAM scenario NAME`.
    pub program: PathBuf,
    /// The scenario.
    pub scenario: String,
    /// Settings, as NAME=VALUE.
    pub settings: Vec<String>,
    /// How many runs.
    pub extent: Extent,
    /// How many at a time.
    pub threads: usize,
}

/// What was found.
#[derive(Debug, Default)]
pub struct Survey {
    /// For each kind of call: how often it is made, and which faults were survived.
    pub calls: BTreeMap<Call, Made>,
    /// Runs.
    pub runs: usize,
    /// Those in which the fault took place.
    pub hit: usize,
    /// Runs that ended with an errno of epoll_create or ADD that the kernel may give as well.
    pub refused: usize,
    /// What was wrong.
    pub failures: Vec<String>,
    /// The lines that the library wrote.
    pub lines: BTreeSet<String>,
}

/// Faults of one kind of call.
#[derive(Debug, Default)]
pub struct Made {
    /// How often it is made in the clean run.
    pub times: usize,
    /// Injected once.
    pub once: BTreeSet<i32>,
    /// Injected from a call on.
    pub ever: BTreeSet<i32>,
}

impl Options {
    fn run(&self, fault: Fault) -> Run {
        let mut command = Mode::Preloaded.command(&self.program);
        command.args(["scenario", &self.scenario]);
        for setting in &self.settings {
            let (name, value) = setting.split_once('=').unwrap_or((setting, ""));
            command.env(name, value);
        }
        run(command, fault, LIMIT)
    }
}

fn plan(calls: &[Call], extent: Extent) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut places: BTreeMap<Call, Vec<usize>> = BTreeMap::new();
    for (at, call) in calls.iter().enumerate() {
        places.entry(*call).or_default().push(at);
    }
    for (call, places) in places {
        let last = places.len() - 1;
        for (nth, at) in places.iter().enumerate() {
            if extent == Extent::All || [0, last / 2, last].contains(&nth) {
                faults.extend(call.errnos().iter().map(|errno| Fault::Once(*at, call, *errno)));
            }
        }
        let from = BTreeSet::from([0, calls.len() / 2]);
        for at in from {
            faults.extend(call.refusals().iter().map(|errno| Fault::From(at, call, *errno)));
        }
    }
    faults
}

/// Makes all the runs.
///
/// # Panics
/// If the run without faults fails.
pub fn survey(options: &Options, progress: impl Fn(&str) + Sync) -> Survey {
    let clean = options.run(Fault::None);
    assert!(clean.status.success() && clean.stdout == "done\n" && clean.stderr.is_empty(), "{clean:#?}");
    let faults = plan(&clean.calls, options.extent);
    let mut found = Survey::default();
    for call in &clean.calls {
        found.calls.entry(*call).or_default().times += 1;
    }
    let found = Mutex::new(found);
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..options.threads {
            scope.spawn(|| loop {
                let at = next.fetch_add(1, Ordering::Relaxed);
                let Some(fault) = faults.get(at) else { return };
                let run = options.run(*fault);
                let mut found = found.lock().expect("nobody panics with it");
                if let Some(failure) = found.judge(*fault, &run) {
                    progress(&format!("{} {}: {failure}", options.scenario, options.settings.join(" ")));
                }
            });
        }
    });
    found.into_inner().expect("nobody panics with it")
}

impl Survey {
    /// Counts a run. Returns what is wrong with it, if anything.
    fn judge(&mut self, fault: Fault, run: &Run) -> Option<String> {
        let (call, errno, once) = match fault {
            Fault::None => return None,
            Fault::Once(_, call, errno) | Fault::First(_, call, errno) => (call, errno, true),
            Fault::From(_, call, errno) => (call, errno, false),
        };
        self.runs += 1;
        self.hit += usize::from(run.injected > 0);
        let lines: Vec<&str> = run.stderr.lines().collect();
        self.lines.extend(
            lines.iter().filter(|line| line.starts_with("glasspoll: ")).map(|line| (*line).to_owned()),
        );
        let scarce = matches!(errno, libc::ENOMEM | libc::EMFILE | libc::ENFILE);
        let fine = match run.status.code() {
            Some(0) => run.stdout == "done\n",
            Some(REFUSED) if scarce => {
                self.refused += 1;
                true
            }
            _ => false,
        };
        // If the log file cannot be opened, the log itself follows.
        let logs = lines.first().is_some_and(|line| line.ends_with("logging to stderr"));
        let wordy = !logs
            && (lines.len() > run.programs || lines.iter().any(|line| !line.starts_with("glasspoll: ")));
        if fine && !run.hung && !wordy {
            if run.injected > 0 {
                let made = self.calls.entry(call).or_default();
                let set = if once { &mut made.once } else { &mut made.ever };
                set.insert(errno);
            }
            return None;
        }
        let how = if run.hung { "hung".to_owned() } else { run.status.to_string() };
        let said: String = run.stdout.trim().chars().take(200).collect();
        let wrote: String = run.stderr.trim().chars().take(400).collect();
        let failure = format!("{}: {how}: {said} | {wrote}", Named(fault, call));
        self.failures.push(failure.clone());
        Some(failure)
    }
}

struct Named(Fault, Call);

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(fault, call) = self;
        match fault {
            Fault::None => f.write_str("no fault"),
            Fault::Once(at, _, errno) => write!(f, "{call} number {at} gives {}", name_of(*errno)),
            Fault::First(count, _, errno) => write!(f, "{call} gives {} {count} times", name_of(*errno)),
            Fault::From(at, _, errno) => write!(f, "{call} gives {} from number {at} on", name_of(*errno)),
        }
    }
}

/// An errno's name.
pub fn name_of(errno: i32) -> String {
    let name = syscall_errno(errno);
    name.map_or_else(|| errno.to_string(), str::to_owned)
}

macro_rules! errnos {
    ($errno:expr, $($name:ident),*) => {
        match $errno { $(libc::$name => Some(stringify!($name)),)* _ => None }
    };
}

fn syscall_errno(errno: i32) -> Option<&'static str> {
    errnos!(
        errno,
        EACCES,
        EAFNOSUPPORT,
        EAGAIN,
        EBUSY,
        ECONNREFUSED,
        EDQUOT,
        EFBIG,
        EINTR,
        EINVAL,
        EIO,
        EMFILE,
        ENFILE,
        ENOBUFS,
        ENODEV,
        ENOENT,
        ENOMEM,
        ENOPROTOOPT,
        ENOSPC,
        ENOSYS,
        ENOTCONN,
        ENOTTY,
        EOVERFLOW,
        EPERM,
        EPIPE,
        EROFS,
        ESRCH,
        ETOOMANYREFS
    )
}

impl Survey {
    /// Adds what another scenario found.
    pub fn add(&mut self, other: Self) {
        for (call, made) in other.calls {
            let all = self.calls.entry(call).or_default();
            all.times += made.times;
            all.once.extend(made.once);
            all.ever.extend(made.ever);
        }
        self.runs += other.runs;
        self.hit += other.hit;
        self.refused += other.refused;
        self.failures.extend(other.failures);
        self.lines.extend(other.lines);
    }
}

impl fmt::Display for Survey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list =
            |errnos: &BTreeSet<i32>| errnos.iter().map(|errno| name_of(*errno)).collect::<Vec<_>>().join(" ");
        let mut pairs = 0;
        for (call, made) in &self.calls {
            pairs += made.once.len() + made.ever.len();
            let (once, ever) = (list(&made.once), list(&made.ever));
            writeln!(f, "{:28} {:5} made; once: {once}; for good: {ever}", call.to_string(), made.times)?;
        }
        for line in &self.lines {
            writeln!(f, "said: {line}")?;
        }
        writeln!(
            f,
            "{} kinds of call, {pairs} pairs of call and errno, {} runs ({} in which the fault took place, {} that were \
             told there is no more), {} failures",
            self.calls.len(),
            self.runs,
            self.hit,
            self.refused,
            self.failures.len()
        )
    }
}
