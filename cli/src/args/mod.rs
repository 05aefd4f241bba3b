//! The command line.

pub mod manual;

use std::ffi::{OsStr, OsString};
use std::hash::{BuildHasher, RandomState};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, Subcommand};
use clap_complete::Shell;
use glasspoll_record::chaos::Spec;
use glasspoll_record::ring_size;

use crate::doctor::id::{self, Ignored};
use crate::doctor::Severity;

/// The version, and the commit that it was built from.
pub const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), " (commit ", env!("GLASSPOLL_COMMIT"), ")");

/// An epoll you can see through: run a program on it, and see the flow of its events.
#[derive(Debug, Parser)]
#[command(name = "glasspoll", version = VERSION, max_term_width = 100, propagate_version = true)]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a program on glasspoll; its exit status is passed on
    Run(Run),
    /// List the epoll sets of running processes, glasspoll's and the kernel's, and what is in them
    Ls(Ls),
    /// Show the event loops of a process live
    Top(Top),
    /// Take what a running process has recorded, into a file
    Record(Record),
    /// Print what a running process has recorded, or a file has
    Dump(Dump),
    /// Load the library into a running process, to observe its event loops from now on
    Attach(Attach),
    /// Take what attach put into a process out again
    Detach(Detach),
    /// Make a page, a timeline or a text of a record
    Report(Report),
    /// Name the bugs of event loops: exit status 1 if there are any
    Doctor(Doctor),
    /// Print a completion script for a shell
    Completions(Completions),
    /// Print the man page
    Man,
    /// Use epoll once, and say whose it was: the program that doctor --self runs
    #[command(hide = true)]
    Probe,
}

/// How a program is to be run.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Settings {
    /// Leave the program on the kernel's epoll, and only record what it does: top and doctor do so by default (GLASSPOLL_ENGINE)
    #[arg(long, conflicts_with = "emulate")]
    pub observe: bool,
    /// Run the program on glasspoll's own epoll: run does so by default, and --exact and --chaos need it (GLASSPOLL_ENGINE)
    #[arg(long)]
    pub emulate: bool,
    /// Have the time of becoming ready exact: a helper thread watches all the time, which costs throughput (GLASSPOLL_READY)
    #[arg(long)]
    pub exact: bool,
    /// The size of each process's record in memory, such as 4M (GLASSPOLL_RING)
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub ring: Option<String>,
    /// Keep the call stack of each EPOLL_CTL_ADD, so that doctor can say which code added a descriptor: doctor does so by default (GLASSPOLL_STACKS)
    #[arg(long, overrides_with = "no_stacks")]
    pub stacks: bool,
    /// Keep no call stacks
    #[arg(long, overrides_with = "stacks")]
    pub no_stacks: bool,
    /// Log the event flow: a filter such as trace or glasspoll::flow=debug (GLASSPOLL_LOG)
    #[arg(long, value_name = "FILTER")]
    pub log: Option<String>,
    /// Let waits do what epoll(7) allows and rarely happens, such as all or short=20%,eintr=1%,seed=7 (GLASSPOLL_CHAOS)
    #[arg(long, value_name = "SPEC", value_parser = Chaos::parse)]
    pub chaos: Option<Chaos>,
}

impl Settings {
    /// The value of `GLASSPOLL_STACKS` that an option asks for.
    pub fn stacks(&self) -> Option<&'static str> {
        match (self.stacks, self.no_stacks) {
            (true, _) => Some("on"),
            (false, true) => Some("off"),
            (false, false) => None,
        }
    }

    /// The same settings, with call stacks unless `said`, the environment, or an option decides.
    pub fn with_stacks(&self, said: Option<&OsStr>) -> Self {
        let is_open = self.stacks().is_none() && said.is_none_or(OsStr::is_empty);
        Self { stacks: self.stacks || is_open, ..self.clone() }
    }
}

/// The chaos that the user asks for.
#[derive(Clone, Debug)]
pub struct Chaos {
    pub spec: Spec,
    /// No seed was given, so any seed will do.
    pub is_any: bool,
}

impl Chaos {
    fn parse(text: &str) -> Result<Self, String> {
        let spec: Spec = text.parse()?;
        let is_any =
            !text.split(',').any(|word| word.split_once('=').is_some_and(|(key, _)| key.trim() == "seed"));
        let any = u64::from(RandomState::new().hash_one(text) as u32);
        Ok(Self { spec: if is_any { spec.with_seed(any) } else { spec }, is_any })
    }
}

/// Checks that the library takes this size. The library gets the text as the user wrote it.
pub fn size(text: &str) -> Result<String, String> {
    ring_size::parse(text).map(|_| text.into()).ok_or_else(|| "use a size from 16K to 1G, such as 4M".into())
}

#[derive(Clone, Debug, clap::Args)]
#[command(after_long_help = manual::CHAOS)]
pub struct Run {
    /// Print a summary at the end, on stderr
    #[arg(short = 'c', long, conflicts_with = "chaos_until_fail")]
    pub count: bool,
    /// Keep the record of the program and its children in a file
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Stop no thread to look at its stack while it is overdue or spins
    #[arg(long)]
    pub no_ptrace: bool,
    #[command(flatten)]
    pub settings: Settings,
    /// Run the program with N seeds, one after another from that of --chaos, until it fails; then find the fewest injections that make it fail
    #[arg(long, value_name = "N", requires = "chaos", value_parser = clap::value_parser!(u64).range(1..))]
    pub chaos_until_fail: Option<u64>,
    /// How many seconds one of these runs may take: longer is a failure, too
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub chaos_timeout: u64,
    /// The program and its arguments
    #[arg(last = true, required = true, value_name = "PROGRAM")]
    pub program: Vec<OsString>,
}

#[derive(Clone, Debug, clap::Args)]
#[command(after_long_help = manual::LS)]
pub struct Ls {
    /// One process; without, all that you may look into
    pub pid: Option<u32>,
    /// As JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Clone, Debug, clap::Args)]
pub struct Top {
    /// The process
    #[arg(required_unless_present = "program", conflicts_with = "program")]
    pub pid: Option<u32>,
    #[command(flatten)]
    pub attachment: Attachment,
    /// Milliseconds between two looks
    #[arg(short, long, default_value_t = 500, value_parser = clap::value_parser!(u64).range(50..=60_000))]
    pub interval: u64,
    /// Stop no thread to look at its stack while it is overdue or spins
    #[arg(long)]
    pub no_ptrace: bool,
    #[command(flatten)]
    pub settings: Settings,
    /// A program to start and look at, and its arguments
    #[arg(last = true, value_name = "PROGRAM")]
    pub program: Vec<OsString>,
}

#[derive(Clone, Debug, clap::Args)]
pub struct Record {
    /// The process
    pub pid: u32,
    #[command(flatten)]
    pub attachment: Attachment,
    /// Stop no thread to look at its stack while it is overdue or spins
    #[arg(long)]
    pub no_ptrace: bool,
    #[command(flatten)]
    pub period: Period,
    /// Where to
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
}

#[derive(Clone, Debug, clap::Args)]
#[command(after_long_help = manual::DUMP)]
pub struct Dump {
    /// The process, or a file
    #[arg(value_name = "PID|FILE")]
    pub from: OsString,
    #[command(flatten)]
    pub attachment: Attachment,
    #[command(flatten)]
    pub period: Period,
    /// As JSON, an event a line
    #[arg(long)]
    pub json: bool,
}

#[derive(Clone, Debug, clap::Args)]
pub struct Report {
    /// The record
    pub file: PathBuf,
    /// What to make: .html is a page, .json a timeline for Perfetto and Chrome, .txt a text
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

#[derive(Clone, Debug, clap::Args)]
#[command(after_long_help = manual::DOCTOR)]
pub struct Doctor {
    /// A record, or a running process
    #[arg(value_name = "FILE|PID", required_unless_present_any = ["program", "explain", "this_machine"], conflicts_with = "program")]
    pub from: Option<OsString>,
    /// As JSON, for programs
    #[arg(long)]
    pub json: bool,
    /// As SARIF, for code hosts
    #[arg(long, conflicts_with = "json")]
    pub sarif: bool,
    /// Write the findings to a file: the program may print something itself
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    #[command(flatten)]
    pub attachment: Attachment,
    /// How long a running process is looked at, such as 500ms, 10s or 2m
    #[arg(long = "for", value_name = "TIME", conflicts_with = "seconds", value_parser = time)]
    pub period: Option<Duration>,
    /// The same in seconds
    #[arg(short, long, default_value_t = 5.0)]
    pub seconds: f64,
    /// Of a running process, leave out its children
    #[arg(long, conflicts_with = "program")]
    pub no_children: bool,
    /// Stop no thread to look at its stack while it is overdue or spins
    #[arg(long)]
    pub no_ptrace: bool,
    /// From which severity on a finding makes the exit status 1
    #[arg(long, value_name = "SEVERITY", default_value = "note")]
    pub fail_on: Severity,
    /// Leave out a kind of finding, or that of one descriptor: slow-callback, or slow-callback:7
    #[arg(long, value_name = "ID[:FD]")]
    pub ignore: Vec<Ignored>,
    /// Print what is known of a kind of finding: how it looks, why it happens, what to do
    #[arg(long, value_name = "ID", value_parser = id::parse, exclusive = true)]
    pub explain: Option<String>,
    /// Tell what this machine offers, and what glasspoll makes of it: exit status 1 if no program can be run on it
    #[arg(long = "self", conflicts_with_all = ["from", "program", "sarif", "attach"])]
    pub this_machine: bool,
    #[command(flatten)]
    pub settings: Settings,
    /// A program to run and look at, and its arguments
    #[arg(last = true, value_name = "PROGRAM")]
    pub program: Vec<OsString>,
}

/// Which processes.
#[derive(Clone, Debug, clap::Args)]
pub struct Processes {
    /// The process
    pub pid: u32,
    /// Its children too, and theirs
    #[arg(long)]
    pub children: bool,
}

/// How a process is attached to.
#[derive(Clone, Debug, clap::Args)]
pub struct Attaching {
    /// Attach though a seccomp filter cannot be read: if the filter forbids a call that loading needs, the process may die
    #[arg(long)]
    pub force: bool,
    /// Say how long a thread of the process stood
    #[arg(short, long)]
    pub verbose: bool,
}

#[derive(Clone, Debug, clap::Args)]
#[command(after_long_help = manual::ATTACH)]
pub struct Attach {
    #[command(flatten)]
    pub process: Processes,
    #[command(flatten)]
    pub attaching: Attaching,
    /// The size of the process's record in memory, such as 4M
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub ring: Option<String>,
}

#[derive(Clone, Debug, clap::Args)]
pub struct Detach {
    #[command(flatten)]
    pub process: Processes,
    #[command(flatten)]
    pub attaching: Attaching,
}

/// Whether a process that was started without the library is attached to for the time of the command.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Attachment {
    /// The process was started without the library: attach to it, and detach at the end
    #[arg(long)]
    pub attach: bool,
    /// With --attach: attach though a seccomp filter cannot be read
    #[arg(long, requires = "attach")]
    pub force: bool,
    /// With --attach: say how long a thread of the process stood
    #[arg(short, long, requires = "attach")]
    pub verbose: bool,
}

/// How long a command looks at a process that it attaches to.
#[derive(Clone, Debug, clap::Args)]
pub struct Period {
    /// With --attach: how long to look, such as 500ms, 10s or 2m
    #[arg(long = "for", value_name = "TIME", default_value = "5s", value_parser = time)]
    pub period: Duration,
}

/// A time with a unit; without one, seconds.
pub fn time(text: &str) -> Result<Duration, String> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.').len();
    let (number, unit) = text.split_at(digits);
    let scale = match unit {
        "ms" => 1e-3,
        "" | "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        _ => f64::NAN,
    };
    let seconds = number.parse::<f64>().unwrap_or(f64::NAN) * scale;
    // A week is the most that anybody waits.
    let fits = (0.0..=604_800.0).contains(&seconds);
    fits.then(|| Duration::from_secs_f64(seconds)).ok_or_else(|| "use a time such as 500ms, 10s or 2m".into())
}

#[derive(Clone, Debug, clap::Args)]
pub struct Completions {
    /// Which shell
    pub shell: Shell,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_makes_sense() {
        use clap::CommandFactory;
        Args::command().debug_assert();
    }

    #[test]
    fn an_option_or_the_environment_decides_whether_stacks_are_kept() {
        let decided = |options: &[&str], said: Option<&str>| {
            let words = ["glasspoll", "doctor"].iter().chain(options).chain(&["--", "true"]);
            let Command::Doctor(args) = Args::parse_from(words).command else { panic!("another command") };
            args.settings.with_stacks(said.map(OsStr::new)).stacks()
        };
        assert_eq!((decided(&[], None), decided(&[], Some(""))), (Some("on"), Some("on")));
        assert_eq!((decided(&[], Some("off")), decided(&["--stacks"], Some("off"))), (None, Some("on")));
        assert_eq!(decided(&["--no-stacks"], None), Some("off"));
        assert_eq!(decided(&["--stacks", "--no-stacks"], None), Some("off"));
    }

    #[test]
    fn a_time_has_a_unit() {
        assert_eq!(time("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(time("10s"), time("10"));
        assert_eq!(time("1.5m"), Ok(Duration::from_secs(90)));
        for text in ["", "s", "-1s", "1 s", "1d", "inf", "1e9s", "99999999h"] {
            assert!(time(text).is_err(), "{text}");
        }
    }
}
