//! The differential fuzzer: the same walks on the kernel and preloaded, until they differ.
//!
//! `walk fuzz [WALKS] [SEED] [STEPS]` runs walks; a difference is shrunk and printed as a C program.
//! `walk run` runs the walk on its standard input and prints its log (what the fuzzer starts).
//! `walk show SEED [STEPS]` prints a walk.
//!
//! Settings among the arguments, such as `GLASSPOLL_HOT=512`, are for glasspoll, and for the walk, which then knows
//! what they leave open (`walk::Terms`). `--in-order` compares the order of events in spite of them.

use std::io::{Read, Write};
use std::process::{ExitCode, Stdio};
use std::time::{Duration, Instant};

use glasspoll_tests::walk::{c_program, canon, generate, run, shrink, Kind, Step, Terms};
use glasspoll_tests::{mode, Mode, LIMIT};

/// The search ends after this many walks that differ.
const ENOUGH: usize = 10;

/// How often the fuzzer runs the walk on the kernel again before a difference counts.
const RETRIES: usize = 8;

fn main() -> ExitCode {
    let mut args: Vec<String> = std::env::args().skip(1).collect();
    let settings: Vec<String> = args.extract_if(.., |arg| arg.contains('=')).collect();
    let mut terms = Terms::of(settings.iter().map(String::as_str));
    if args.extract_if(.., |arg| arg == "--in-order").count() > 0 {
        terms.any_order = false;
    }
    let fuzzer = Fuzzer { settings, terms };
    let number = |at: usize, default: u64| args.get(at).map_or(Ok(default), |arg| arg.parse());
    match args.first().map(String::as_str) {
        Some("run") => run_input(),
        Some("show") => match (number(1, 0), number(2, 400)) {
            (Ok(seed), Ok(steps)) => {
                print!("{}", text(&generate(seed, steps as usize, fuzzer.terms)));
                ExitCode::SUCCESS
            }
            _ => usage(),
        },
        Some("fuzz") => match (number(1, 300), number(2, 1), number(3, 400)) {
            (Ok(walks), Ok(seed), Ok(steps)) => fuzzer.fuzz(walks, seed, steps as usize),
            _ => usage(),
        },
        _ => usage(),
    }
}

fn usage() -> ExitCode {
    eprintln!(
        "usage: walk [GLASSPOLL_HOT=512 ...] [--in-order] fuzz [WALKS] [SEED] [STEPS] | run <WALK | show SEED [STEPS]"
    );
    ExitCode::from(2)
}

fn text(walk: &[Step]) -> String {
    walk.iter().map(|step| format!("{step}\n")).collect()
}

fn run_input() -> ExitCode {
    let mut input = String::new();
    if std::io::stdin().read_to_string(&mut input).is_err() {
        return usage();
    }
    match input.lines().map(str::parse).collect::<Result<Vec<Step>, _>>() {
        Ok(walk) => {
            print!("{}", run(&walk));
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}

/// Gives other work on the machine time to finish, more with each retry.
fn pause(retry: usize) {
    std::thread::sleep(Duration::from_millis(retry as u64));
}

/// The index of the first line in which logs of the same walk differ; `usize::MAX` if they are all alike.
fn first_variation(logs: &[String]) -> usize {
    let first: Vec<&str> = logs[0].lines().collect();
    let differs = |log: &String| {
        let lines: Vec<&str> = log.lines().collect();
        (0..first.len().max(lines.len())).find(|at| first.get(*at) != lines.get(*at))
    };
    logs.iter().filter_map(differs).min().unwrap_or(usize::MAX)
}

/// Compares the kernel with glasspoll in one of its modes.
struct Fuzzer {
    /// Each is `NAME=VALUE`.
    settings: Vec<String>,
    terms: Terms,
}

impl Fuzzer {
    /// The log of a walk, run in a process of its own. The limit detects a hang: a walk never sleeps, so a process that
    /// still runs after minutes hangs.
    fn log_of(&self, mode: Mode, walk: &[Step]) -> String {
        let this = std::env::current_exe().expect("/proc is mounted");
        let mut command = mode.command("timeout");
        command.envs(self.settings.iter().filter_map(|setting| setting.split_once('=')));
        command.arg(LIMIT.as_secs().to_string()).arg(this).arg("run");
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("this program can start itself");
        let mut stdin = child.stdin.take().expect("it was piped");
        stdin.write_all(text(walk).as_bytes()).expect("the walk reads its input");
        drop(stdin);
        let output = child.wait_with_output().expect("it ends");
        let mut log = String::from_utf8_lossy(&output.stdout).into_owned();
        if !output.status.success() || !output.stderr.is_empty() {
            log += &format!("{:?}: {}\n", output.status, String::from_utf8_lossy(&output.stderr));
        }
        if self.terms.any_order {
            canon(walk, &log)
        } else {
            log
        }
    }

    /// The first line in which the kernel and glasspoll differ.
    ///
    /// Where time has an influence (on how much a TCP connection takes, for example), the kernel's own answers vary.
    /// From the first line that varies on, nothing counts; an answer that the kernel gives at times does not count
    /// either.
    fn difference(&self, walk: &[Step]) -> Option<(String, String)> {
        let mut kernel = vec![self.log_of(Mode::Native, walk)];
        let mut ours = vec![self.log_of(Mode::Preloaded, walk)];
        for retry in 0..RETRIES {
            if kernel.contains(&ours[0]) {
                return None;
            }
            pause(retry);
            kernel.push(self.log_of(Mode::Native, walk));
        }
        // What is written to a terminal arrives some time later. How much a full TCP connection takes after a read
        // depends on when its peer acknowledges. Both happen on the kernel and on glasspoll.
        let timed = |step: &Step| matches!(step, Step::Make(Kind::Pty) | Step::Fill { .. });
        if walk.iter().any(timed) {
            for retry in 0..RETRIES {
                pause(retry);
                kernel.push(self.log_of(Mode::Native, walk));
                ours.push(self.log_of(Mode::Preloaded, walk));
            }
        }
        if ours.iter().any(|log| kernel.contains(log)) {
            return None;
        }
        let certain = first_variation(&kernel).min(first_variation(&ours));
        let (kernel, ours): (Vec<&str>, Vec<&str>) = (kernel[0].lines().collect(), ours[0].lines().collect());
        let at =
            (0..certain.min(kernel.len().max(ours.len()))).find(|at| kernel.get(*at) != ours.get(*at))?;
        let line = |log: &[&str]| (*log.get(at).unwrap_or(&"the end")).to_owned();
        Some((line(&kernel), line(&ours)))
    }

    fn fuzz(&self, walks: u64, seed: u64, steps: usize) -> ExitCode {
        println!("{walks} walks of {steps} steps from seed {seed}, against {}", mode::library().display());
        if !self.settings.is_empty() {
            println!("with {}", self.settings.join(" "));
        }
        let start = Instant::now();
        let mut different = Vec::new();
        for done in 0..walks {
            let seed = seed + done;
            let walk = generate(seed, steps, self.terms);
            if let Some(first) = self.difference(&walk) {
                self.show_difference(seed, &walk, first);
                different.push(seed);
                if different.len() == ENOUGH {
                    println!("{ENOUGH} walks differ, that is enough: seeds {different:?}");
                    return ExitCode::FAILURE;
                }
            }
            if (done + 1) % 100 == 0 || done + 1 == walks {
                let rate = (done + 1) as f64 / start.elapsed().as_secs_f64();
                println!("{} of {walks} walks, {rate:.0} walks/s", done + 1);
            }
        }
        if different.is_empty() {
            println!("{walks} walks, no difference");
            return ExitCode::SUCCESS;
        }
        println!("{walks} walks, {} differ: seeds {different:?}", different.len());
        ExitCode::FAILURE
    }

    /// Shrinks a walk and prints what differs, and how to see it.
    fn show_difference(&self, seed: u64, walk: &[Step], first: (String, String)) {
        let short = shrink(walk, self.terms, |walk| self.difference(walk).is_some());
        // A difference that comes and goes may not appear in the last run.
        let (kernel, ours) = self.difference(&short).unwrap_or(first);
        println!("seed {seed}: they differ, shrunk to {} steps", short.len());
        println!("  kernel    {kernel}\n  glasspoll {ours}\n");
        println!("{}\n/*\n{}*/", c_program(&short), text(&short));
    }
}
