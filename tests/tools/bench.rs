//! `bench [--quick] [--rounds N] [--baseline LIB] [ROW…]`: kernel epoll and glasspoll side by side. `scripts/bench` runs it.

use glasspoll_tests::bench::quiet::Patience;
use glasspoll_tests::bench::rows::{Row, ROWS};
use glasspoll_tests::bench::{chart, machine, report, rounds, work};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use std::{env, fs};

/// How long each row may wait while other processes use the machine.
const PATIENCE: Duration = Duration::from_secs(20);

const USAGE: &str = "usage: bench [--quick] [--rounds N] [--baseline LIB] [--list | --programs] [ROW...]";

struct Options {
    rounds: usize,
    length: f64,
    baseline: Option<PathBuf>,
    list: bool,
    programs: bool,
    rows: Vec<&'static Row>,
}

fn main() -> ExitCode {
    let options = match parse(env::args().skip(1)) {
        Ok(options) => options,
        Err(wrong) => {
            eprintln!("bench: {wrong}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    if options.list {
        options.rows.iter().for_each(|row| println!("{:14} {}", row.name, row.what));
    } else if options.programs {
        let programs = options.rows.iter().flat_map(|row| row.programs);
        programs.for_each(|(program, package)| println!("{program}={package}"));
    } else {
        run(&options);
    }
    ExitCode::SUCCESS
}

fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Options, String> {
    let mut options =
        Options { rounds: 7, length: 1.0, baseline: None, list: false, programs: false, rows: Vec::new() };
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--quick" => (options.rounds, options.length) = (3, 0.4),
            "--rounds" => {
                let number = arguments.next().and_then(|text| text.parse().ok()).filter(|n| *n > 0);
                options.rounds = number.ok_or("--rounds wants a number")?;
            }
            "--baseline" => {
                let library = arguments.next().map(PathBuf::from).filter(|path| path.is_file());
                options.baseline = Some(library.ok_or("--baseline wants a library")?);
            }
            "--list" => options.list = true,
            "--programs" => options.programs = true,
            name => options.rows.extend(named(name)?),
        }
    }
    if options.rows.is_empty() {
        options.rows = ROWS.iter().collect();
    }
    Ok(options)
}

/// The row of this name, or all rows whose names begin with it: `redis` is `redis-50` and more.
fn named(name: &str) -> Result<Vec<&'static Row>, String> {
    if let Some(row) = ROWS.iter().find(|row| row.name == name) {
        return Ok(vec![row]);
    }
    let begins = |row: &&Row| row.name.strip_prefix(name).is_some_and(|rest| rest.starts_with('-'));
    let rows: Vec<&Row> = ROWS.iter().filter(begins).collect();
    if rows.is_empty() {
        return Err(format!("no row {name}; --list names them"));
    }
    Ok(rows)
}

/// Measures, prints the table, and writes it with the picture.
fn run(options: &Options) {
    if let Some(warning) = work::warning() {
        eprintln!("{warning}");
    }
    let mut patience = Patience(PATIENCE * options.rows.len() as u32);
    let mut measure = |row: &&'static Row| {
        let baseline = options.baseline.as_deref();
        rounds::measure(row, options.rounds, options.length, &mut patience, baseline)
    };
    let outcomes: Vec<_> = options.rows.iter().map(&mut measure).collect();
    let machine = machine::describe();
    let table = report::markdown(&outcomes, &machine, options.rounds);
    println!("\n{table}");
    let folder = folder();
    fs::create_dir_all(&folder).expect("the target directory");
    fs::write(folder.join("bench.md"), table).expect("the target directory");
    fs::write(folder.join("bench.svg"), chart::svg(&outcomes, &machine)).expect("the target directory");
    println!("written to {}/bench.md and bench.svg", folder.display());
}

/// `bench` in the target directory.
fn folder() -> PathBuf {
    let exe = env::current_exe().expect("/proc is mounted");
    exe.ancestors().nth(2).expect("cargo built this into PROFILE/").join("bench")
}
