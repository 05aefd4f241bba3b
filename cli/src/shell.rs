//! Completion scripts and the man page, from the same source as the command line.

use std::io;
use std::process::ExitCode;

use clap::CommandFactory;

use crate::args::{Args, Completions};

pub fn completions(args: &Completions) -> Result<ExitCode, String> {
    clap_complete::generate(args.shell, &mut Args::command(), "glasspoll", &mut io::stdout());
    Ok(ExitCode::SUCCESS)
}

pub fn man() -> Result<ExitCode, String> {
    let man = clap_mangen::Man::new(Args::command());
    man.render(&mut io::stdout()).map_err(|error| error.to_string())?;
    Ok(ExitCode::SUCCESS)
}
