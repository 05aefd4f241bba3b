//! `soak [MINUTES] [--seed N] [--deadline SECONDS] [--only SERVER,…]`: see `scripts/soak`.

use glasspoll_tests::bench::system::allow_descriptors;
use glasspoll_tests::soak::{client, run, summary, Kind, Options};
use glasspoll_tests::Mode;
use std::process::ExitCode;
use std::time::Duration;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.first().is_some_and(|word| word == "client") {
        // The arguments that `disturb` gives.
        let [_, kind, epoll, port, number] = &arguments[..] else { return ExitCode::from(2) };
        let mode = if epoll == "kernel" { Mode::Native } else { Mode::Preloaded };
        if let (Some(kind), Ok(port), Ok(number)) = (Kind::of(kind), port.parse(), number.parse()) {
            client(kind, mode, port, number);
        }
        return ExitCode::SUCCESS;
    }
    let Some(options) = parse(&arguments) else {
        eprintln!("usage: soak [MINUTES] [--seed N] [--deadline SECONDS] [--only SERVER,...]");
        return ExitCode::from(2);
    };
    allow_descriptors(4000);
    let names: Vec<&str> = options.kinds.iter().map(|kind| kind.name()).collect();
    println!("soak: {} min, seed {}, {}", options.minutes, options.seed, names.join(", "));
    let found = run(&options);
    if found.is_empty() {
        println!("nothing was lost, wrong or late; nothing hung, grew or ticked");
        let _ = std::fs::remove_dir_all(&options.dir);
        return ExitCode::SUCCESS;
    }
    summary(&found).iter().for_each(|line| println!("{line}"));
    println!(
        "{} faults with seed {}; logs and records are in {}",
        found.len(),
        options.seed,
        options.dir.display()
    );
    ExitCode::FAILURE
}

fn parse(arguments: &[String]) -> Option<Options> {
    let mut options = Options {
        minutes: 60.0,
        seed: 1,
        kinds: Kind::ALL.to_vec(),
        deadline: Duration::from_secs(30),
        dir: std::env::temp_dir(),
    };
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--seed" => options.seed = words.next()?.parse().ok()?,
            "--deadline" => options.deadline = Duration::from_secs(words.next()?.parse().ok()?),
            "--only" => options.kinds = words.next()?.split(',').map(Kind::of).collect::<Option<_>>()?,
            minutes => options.minutes = minutes.parse().ok().filter(|minutes| *minutes > 0.0)?,
        }
    }
    options.dir = tempfile::Builder::new().prefix("soak-").tempdir().ok()?.keep();
    Some(options)
}
