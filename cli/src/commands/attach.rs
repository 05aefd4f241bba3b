//! `attach` and `detach`: load the library into running processes, and take its hooks out again. `--attach` of the
//! commands that look.

use std::collections::BTreeSet;
use std::process::ExitCode;

use crate::args;
use crate::attach::{self, Look, Options, Refusal};
use crate::procfs::{family, names};
use crate::text::units::clean;

pub fn attach(args: &args::Attach) -> Result<ExitCode, String> {
    let words = args.ring.iter().map(|size| format!("ring={size}")).collect();
    let options = options(&args.attaching, words);
    for_each(&args.process, |pid| {
        let attached = attach::attach(pid, &options)?;
        let slots = attached.slots;
        attached.stay();
        Ok(match slots {
            Some(slots) => format!("attached: {slots} slots lead to the library"),
            None => "was attached already".into(),
        })
    })
}

pub fn detach(args: &args::Detach) -> Result<ExitCode, String> {
    let options = options(&args.attaching, Vec::new());
    for_each(&args.process, |pid| {
        attach::detach(pid, &options).map(|slots| format!("detached: {slots} slots are as before"))
    })
}

fn options(args: &args::Attaching, words: Vec<String>) -> Options {
    Options { words, force: args.force, verbose: args.verbose, is_look: false }
}

/// Attaches for as long as a command looks, if the user asks for that.
pub fn look(
    pid: u32,
    args: &args::Attachment,
    settings: Option<&args::Settings>,
) -> Result<Option<Look>, String> {
    if !args.attach {
        return Ok(None);
    }
    let mut words = Vec::new();
    if let Some(settings) = settings {
        if settings.exact || settings.chaos.is_some() {
            return Err(
                "--exact and --chaos need glasspoll's own epoll, and --attach leaves the kernel's".into()
            );
        }
        words.extend(settings.ring.iter().map(|size| format!("ring={size}")));
        words.extend(settings.stacks().map(|stacks| format!("stacks={stacks}")));
        words.extend(settings.log.iter().map(|filter| format!("log={filter}")));
    }
    let options = Options { words, force: args.force, verbose: args.verbose, is_look: true };
    Look::begin(pid, &options).map(Some)
}

/// Refuses `--attach` where nothing runs.
pub fn no_process(args: &args::Attachment) -> Result<(), String> {
    (!args.attach).then_some(()).ok_or_else(|| "--attach needs the pid of a process that runs".into())
}

/// Does it for a process and, if the user asks for that, for all that descend from it. Status 1: one was refused.
fn for_each(of: &args::Processes, what: impl Fn(u32) -> Result<String, Refusal>) -> Result<ExitCode, String> {
    let mut all = BTreeSet::from([of.pid]);
    if of.children {
        all.extend(family::descendants([of.pid]));
    }
    let mut status = ExitCode::SUCCESS;
    for pid in all {
        let comm = names::comm(pid).map(|comm| format!("{} ", clean(&comm))).unwrap_or_default();
        match what(pid) {
            Ok(done) => println!("{comm}{pid}: {done}"),
            // A child may end at any time.
            Err(Refusal::NoProcess | Refusal::Ended | Refusal::Zombie) if pid != of.pid => {}
            Err(refusal) => {
                eprintln!("glasspoll: {comm}{pid}: {refusal}");
                status = ExitCode::FAILURE;
            }
        }
    }
    Ok(status)
}
