//! `mutants --work FOLDER [OPTION…] FILE…`: which changes of the reactor does no test notice? `scripts/mutants` says more.

use glasspoll_tests::mutants::{Jury, Mutant, Options, Tree};
use std::env;
use std::fs::OpenOptions;
use std::io::Write;
use std::process::ExitCode;
use std::time::Instant;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("mutants: {why}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), String> {
    let options = Options::read(env::args().skip(1))?;
    let mutants = Mutant::list(&options)?;
    if options.list {
        for mutant in mutants {
            println!("{}", mutant.name);
        }
        return Ok(());
    }
    let tree = Tree::copy(&options.work)?;
    if !tree.build() {
        return Err("the unchanged library cannot be built".to_owned());
    }
    let mut jury = Jury::call(&tree, &options.work)?;
    let (begin, mut caught, mut missed, mut unbuilt) = (Instant::now(), 0, 0, 0);
    for mutant in &mutants {
        if begin.elapsed() >= options.time {
            println!("the time is over");
            break;
        }
        tree.change(mutant, false)?;
        let (mut result, mut by) = ("unbuilt", None);
        if tree.build() {
            by = jury.c_test(&tree);
            result = if by.is_some() || jury.others(&tree) { "caught" } else { "missed" };
        }
        tree.change(mutant, true)?;
        match result {
            "unbuilt" => unbuilt += 1,
            "caught" => caught += 1,
            _ => {
                missed += 1;
                println!("missed: {}", mutant.name);
            }
        }
        log(result, &by.unwrap_or_default(), &mutant.name)?;
    }
    println!("{caught} caught, {missed} missed, {unbuilt} do not build");
    Ok(())
}

/// Writes a line for each mutation to the file MUTANTS_LOG: the result, the C test that noticed it, its name.
fn log(result: &str, by: &str, name: &str) -> Result<(), String> {
    let Some(path) = env::var_os("MUTANTS_LOG") else { return Ok(()) };
    let file = OpenOptions::new().append(true).create(true).open(path);
    file.and_then(|mut file| writeln!(file, "{result}\t{by}\t{name}"))
        .map_err(|error| format!("MUTANTS_LOG: {error}"))
}
