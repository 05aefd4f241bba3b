//! What this machine offers, and what glasspoll makes of it: `glasspoll doctor --self`.
//!
//! Nothing is assumed. Each call is tried, in a child of its own (`child`), for a sandbox may kill for it; and a program
//! is started on the library (`trial`), on both engines, and told to use epoll.
//!
//! | module | holds |
//! |---|---|
//! | `child` | trying a call, whatever becomes of the one that tries |
//! | `calls` | the system calls that glasspoll uses, and those that are refused here |
//! | `probes` | what is tried: signals, seals, descriptors of others, tracing |
//! | `trial` | a program on the library |
//! | `facts` | what all that means |

mod calls;
mod child;
mod facts;
mod probes;
mod trial;

use std::io::{self, Write};
use std::process::ExitCode;

use serde_json::json;

use crate::args::VERSION;
use crate::sys::output::Output;
pub use trial::probe;

/// How well glasspoll is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// As well as it can be.
    Full,
    /// There is a way around, or something is left out.
    Less,
    /// Not at all.
    Missing,
}

impl Standing {
    fn word(self) -> &'static str {
        match self {
            Self::Full => "ok",
            Self::Less => "less",
            Self::Missing => "no",
        }
    }
}

/// A line: what was looked at, what is here, what follows.
#[derive(Debug)]
struct Fact {
    name: &'static str,
    standing: Standing,
    here: String,
    effect: String,
}

/// `glasspoll doctor --self`. The exit status is 1 if no program can be run on the library.
pub fn main(as_json: bool, output: Option<&mut Output>) -> Result<ExitCode, String> {
    let facts = facts::gather();
    let works = facts.iter().all(|fact| fact.standing != Standing::Missing);
    let mut text = Vec::new();
    let written = if as_json { json(&facts, works, &mut text) } else { print(&facts, works, &mut text) };
    written.map_err(|error| format!("memory: {error}"))?;
    match output {
        Some(output) => {
            output.file().and_then(|mut file| file.write_all(&text)).map_err(|error| error.to_string())?;
            output.put_in_place()?;
        }
        None => io::stdout().lock().write_all(&text).map_err(|error| format!("stdout: {error}"))?,
    }
    Ok(if works { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn print(facts: &[Fact], works: bool, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "glasspoll {VERSION} on this machine")?;
    let name = facts.iter().map(|fact| fact.name.chars().count()).max().unwrap_or(0);
    let here =
        facts.iter().map(|fact| fact.here.chars().count()).filter(|width| *width <= 32).max().unwrap_or(0);
    for fact in facts {
        let (standing, what) = (fact.standing.word(), &fact.here);
        writeln!(out, "  {standing:<4}  {:<name$}  {what:<here$}  {}", fact.name, fact.effect)?;
    }
    let sum = if works {
        "Programs can be run on glasspoll here."
    } else {
        "No program can be run on glasspoll here."
    };
    writeln!(out, "{sum}")
}

fn json(facts: &[Fact], works: bool, out: &mut impl Write) -> io::Result<()> {
    let facts: Vec<_> = facts
        .iter()
        .map(|fact| {
            json!({ "name": fact.name, "standing": fact.standing.word(), "here": fact.here, "effect": fact.effect })
        })
        .collect();
    serde_json::to_writer_pretty(&mut *out, &json!({ "version": VERSION, "works": works, "facts": facts }))?;
    writeln!(out)
}
