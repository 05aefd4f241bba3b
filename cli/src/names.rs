//! What /proc says of a process: its program, its command line, its threads, its parents.

use std::fs;

fn read(path: String) -> Option<String> {
    fs::read(path).ok().map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

/// The name of its program.
pub fn comm(pid: u32) -> Option<String> {
    read(format!("/proc/{pid}/comm")).map(|text| text.trim_end_matches('\n').to_owned())
}

/// Its command line, with spaces between the arguments.
pub fn command(pid: u32) -> Option<String> {
    let text = read(format!("/proc/{pid}/cmdline"))?;
    Some(text.trim_end_matches('\0').replace('\0', " ").trim_end().to_owned())
}

/// The name of one of its threads.
pub fn thread(pid: u32, tid: u32) -> Option<String> {
    read(format!("/proc/{pid}/task/{tid}/comm")).map(|text| text.trim_end_matches('\n').to_owned())
}

/// The names of all its threads. A process inside a container has other numbers for them: those are left out.
pub fn threads(pid: u32) -> Vec<(u32, String)> {
    let Ok(entries) = fs::read_dir(format!("/proc/{pid}/task")) else { return Vec::new() };
    let tids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    tids.filter_map(|tid| Some((tid, thread(pid, tid)?))).collect()
}

/// Its parent.
fn parent(pid: u32) -> Option<u32> {
    let stat = read(format!("/proc/{pid}/stat"))?;
    // The name before it may have parentheses of its own.
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

/// Whether a process is another one, or one of its children, or theirs.
pub fn descends(pid: u32, from: u32) -> bool {
    let mut at = Some(pid);
    // A process that changes its parent while we climb makes no circle, but nothing says so.
    for _ in 0..10_000 {
        match at {
            Some(pid) if pid == from => return true,
            Some(pid) if pid > 1 => at = parent(pid),
            _ => return false,
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_has_a_name_and_descends_from_its_parent() {
        let me = std::process::id();
        assert!(comm(me).is_some_and(|comm| !comm.is_empty()));
        assert!(command(me).is_some_and(|command| !command.contains('\0')));
        let parent = parent(me).unwrap();
        assert!(descends(me, me));
        assert!(descends(me, parent));
        assert!(!descends(parent, me));
        assert_eq!(comm(u32::MAX), None);
    }
}
