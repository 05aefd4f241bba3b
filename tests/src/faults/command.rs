//! The command `faults` (`tools/faults.rs`).

use crate::run::LIMIT;
use std::env;
use std::fs;
use std::process::ExitCode;

use super::{filled, run, run_scenario, survey, Collector, Extent, Fault, Options, Survey, SCENARIOS};
use crate::Mode;

/// Does what the arguments say.
pub fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments.first().map(String::as_str) {
        Some("scenario") if arguments.len() == 2 && run_scenario(&arguments[1]) => ExitCode::SUCCESS,
        Some("survey") => surveys(&arguments[1..]),
        Some("document") if arguments.len() == 2 => document(&arguments[1]),
        Some("one") if arguments.len() >= 4 => one(&arguments[1..]),
        _ => {
            eprintln!("usage: faults survey [--all] [--collect] [--threads N] SCENARIO|all [NAME=VALUE...]");
            ExitCode::from(2)
        }
    }
}

/// Fills in the errnos of the table in that document.
fn document(path: &str) -> ExitCode {
    let text = fs::read_to_string(path).expect("the document");
    fs::write(path, filled(&text)).expect("the document can be written");
    ExitCode::SUCCESS
}

fn surveys(arguments: &[String]) -> ExitCode {
    let mut options = Options {
        program: env::current_exe().expect("/proc is mounted"),
        scenario: "all".into(),
        settings: Vec::new(),
        extent: Extent::Some,
        threads: 2,
    };
    let collector = Collector::begin();
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--all" => options.extent = Extent::All,
            "--threads" => {
                options.threads = arguments.next().and_then(|count| count.parse().ok()).unwrap_or(2);
            }
            "--collect" => options.settings.push(format!("GLASSPOLL_COLLECT={}", collector.path().display())),
            setting if setting.contains('=') => options.settings.push(setting.into()),
            name => options.scenario = name.into(),
        }
    }
    let names: Vec<&str> = SCENARIOS
        .iter()
        .map(|(name, _)| *name)
        .filter(|name| options.scenario == *name || options.scenario == "all" && *name != "inherited")
        .collect();
    if names.is_empty() {
        let all: Vec<&str> = SCENARIOS.iter().map(|(name, _)| *name).collect();
        eprintln!("faults: there is no scenario {}: use all or one of {}", options.scenario, all.join(", "));
        return ExitCode::from(2);
    }
    let mut whole = Survey::default();
    for name in names {
        let options = Options { scenario: name.into(), ..options.clone() };
        let found = survey(&options, |failure| eprintln!("FAILED {failure}"));
        println!(
            "{name}: {} runs, {} with a fault, {} told there is no more, {} failures",
            found.runs,
            found.hit,
            found.refused,
            found.failures.len()
        );
        whole.add(found);
    }
    print!("{whole}");
    ExitCode::from(u8::from(!whole.failures.is_empty()))
}

fn one(arguments: &[String]) -> ExitCode {
    let (name, number, errno) = (&arguments[0], arguments[1].parse().ok(), arguments[2].parse().unwrap_or(0));
    let command = || {
        let mut command = Mode::Preloaded.command(env::current_exe().expect("/proc is mounted"));
        command.args(["scenario", name]);
        command.envs(arguments[3..].iter().filter_map(|setting| setting.split_once('=')));
        command
    };
    let limit = LIMIT;
    let mut done = run(command(), Fault::None, limit);
    if let Some(number) = number {
        let call = done.calls[number];
        println!("{call}");
        let fault =
            if errno > 0 { Fault::Once(number, call, errno) } else { Fault::From(number, call, -errno) };
        done = run(command(), fault, limit);
    }
    for (at, call) in done.calls.iter().enumerate() {
        println!("{at} {call}");
    }
    println!("{} {}\n{}{}", done.status, if done.hung { "hung" } else { "" }, done.stdout, done.stderr);
    ExitCode::SUCCESS
}
