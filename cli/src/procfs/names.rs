//! What /proc says of a process: its program, its command line, its threads.

use std::fs::{self, File};
use std::io::Read;

/// The most that is read of another process's file.
const MOST: u64 = 1 << 16;

/// The beginning of a file: another process may make it as long as it likes.
pub fn read(path: String) -> Option<String> {
    let mut bytes = Vec::new();
    File::open(path).ok()?.take(MOST).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
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

/// The names of all its threads. The record of a process in a container has other tids: they get no name here.
pub fn threads(pid: u32) -> Vec<(u32, String)> {
    let Ok(entries) = fs::read_dir(format!("/proc/{pid}/task")) else { return Vec::new() };
    let tids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    tids.filter_map(|tid| Some((tid, thread(pid, tid)?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_has_a_name_and_threads() {
        let me = std::process::id();
        assert!(comm(me).is_some_and(|comm| !comm.is_empty()));
        assert!(command(me).is_some_and(|command| !command.contains('\0')));
        assert!(!threads(me).is_empty());
        assert_eq!(comm(u32::MAX), None);
    }
}
