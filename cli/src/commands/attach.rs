//! `attach` and `detach`: load the library into running processes, and take its hooks out again.

use std::collections::BTreeSet;
use std::process::ExitCode;

use crate::args;
use crate::attach::{self, Refusal};
use crate::procfs::names;
use crate::text::units::clean;

pub fn attach(args: &args::Attach) -> Result<ExitCode, String> {
    let options = args.options();
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
    let options = args.options();
    for_each(&args.process, |pid| {
        attach::detach(pid, &options).map(|slots| format!("detached: {slots} slots are as before"))
    })
}

/// Does it for a process and, if the user asks for that, for all that descend from it. Status 1: one was refused.
fn for_each(of: &args::Processes, what: impl Fn(u32) -> Result<String, Refusal>) -> Result<ExitCode, String> {
    let mut all = BTreeSet::from([of.pid]);
    if of.children {
        all.extend(descendants(of.pid));
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

/// The children of a process, their children, and so on.
fn descendants(pid: u32) -> Vec<u32> {
    let mut all = vec![pid];
    let mut at = 0;
    while let Some(parent) = all.get(at).copied() {
        for (tid, _) in names::threads(parent) {
            let text = names::read(format!("/proc/{parent}/task/{tid}/children")).unwrap_or_default();
            let children = text.split_whitespace().filter_map(|word| word.parse().ok());
            let new: Vec<u32> = children.filter(|child| !all.contains(child)).collect();
            all.extend(new);
        }
        at += 1;
    }
    all.split_off(1)
}
