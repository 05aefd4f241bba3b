//! The children of processes, and their children.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::procfs::names;

/// The most processes that are followed.
const MOST: usize = 4096;

/// The processes that descend from these, without them. A process whose parent has ended descends from another one.
pub fn descendants(of: impl IntoIterator<Item = u32>) -> BTreeSet<u32> {
    let mut left: Vec<u32> = of.into_iter().collect();
    let mut seen: BTreeSet<u32> = left.iter().copied().collect();
    let roots = seen.clone();
    while let Some(pid) = left.pop() {
        for child in children(pid) {
            if seen.len() < MOST && seen.insert(child) {
                left.push(child);
            }
        }
    }
    &seen - &roots
}

/// The children of a process, by each of its threads.
fn children(pid: u32) -> Vec<u32> {
    // A kernel may be built without these lists.
    if !Path::new("/proc/thread-self/children").exists() {
        return all_with_parent(pid);
    }
    let Ok(tasks) = fs::read_dir(format!("/proc/{pid}/task")) else { return Vec::new() };
    let lists = tasks.flatten().filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
    lists
        .flat_map(|list| list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>())
        .collect()
}

fn all_with_parent(parent: u32) -> Vec<u32> {
    let all = glasspoll_record::find::pids().into_iter();
    all.filter(|pid| parent_of(*pid) == Some(parent)).collect()
}

fn parent_of(pid: u32) -> Option<u32> {
    let status = names::read(format!("/proc/{pid}/status"))?;
    status.lines().find_map(|line| line.strip_prefix("PPid:")?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    #[test]
    fn a_child_and_its_child_descend_from_us() {
        let mut child = Command::new("sh")
            .args(["-c", "sleep 60 & echo $!; wait"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut stdout = std::io::BufReader::new(child.stdout.take().unwrap());
        std::io::BufRead::read_line(&mut stdout, &mut line).unwrap();
        let (me, grandchild) = (std::process::id(), line.trim().parse().unwrap());
        let all = descendants([me]);
        assert!(all.contains(&child.id()) && all.contains(&grandchild) && !all.contains(&me), "{all:?}");
        assert_eq!(parent_of(child.id()), Some(me));
        assert!(all_with_parent(me).contains(&child.id()));
        crate::sys::kill(grandchild, libc::SIGKILL);
        child.wait().unwrap();
    }
}
