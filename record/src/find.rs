//! Finding the rings of processes, through /proc.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use crate::layout;
use crate::ring::Live;

/// Why a process has no ring that can be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Missing {
    /// There is no such process.
    NoProcess,
    /// The process is another user's, or protects itself.
    Forbidden,
    /// The process has the library, but has made no epoll instance, or records nothing (`GLASSPOLL_RING=off`).
    NoRing,
    /// The process does not have the library.
    NotPreloaded,
    /// The process has no epoll set at all, neither ours nor the kernel's.
    NoSet,
    /// There is a ring, but it cannot be read, for this reason.
    Broken(String),
}

impl std::fmt::Display for Missing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Missing::NoProcess => "there is no such process",
            // SAFETY: geteuid has no preconditions, and cannot fail.
            Missing::Forbidden => forbidden(unsafe { libc::geteuid() } == 0),
            Missing::NoRing => "it runs on glasspoll, but has no record: it has made no epoll instance yet, GLASSPOLL_RING=off is set, or it was detached from (--attach)",
            Missing::NotPreloaded => "it does not run on glasspoll: look into it with --attach, or start it with 'glasspoll run -- PROGRAM'",
            Missing::NoSet => "it has no epoll set",
            Missing::Broken(what) => what,
        })
    }
}

/// What to say of a process that cannot be looked into.
fn forbidden(is_root: bool) -> &'static str {
    match is_root {
        false => "it cannot be looked into: it is another user's, or protects itself; be that user, or root",
        true => "it cannot be looked into, even by root here: root lacks CAP_SYS_PTRACE, as in a container, or a security module forbids it; look from the host, or as the process's user",
    }
}

/// All processes.
pub fn pids() -> Vec<u32> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let mut pids: Vec<u32> =
        entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    pids.sort_unstable();
    pids
}

/// The path by which the ring of a process can be opened.
///
/// # Errors
/// Why not.
pub fn path(pid: u32) -> Result<PathBuf, Missing> {
    let missing = |error: io::Error| match error.kind() {
        io::ErrorKind::PermissionDenied => Missing::Forbidden,
        _ => Missing::NoProcess,
    };
    let entries = fs::read_dir(format!("/proc/{pid}/fd")).map_err(missing)?;
    let name = format!("/memfd:{} (deleted)", layout::NAME);
    let mut denied = false;
    for entry in entries.flatten() {
        match fs::read_link(entry.path()) {
            // A child that was just forked still has its parent's ring.
            Ok(link) if link.as_os_str() == name.as_str() && is_of(&entry.path(), pid) => {
                return Ok(entry.path())
            }
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => denied = true,
            _ => {}
        }
    }
    if denied {
        return Err(Missing::Forbidden);
    }
    let maps = File::open(format!("/proc/{pid}/maps")).map_err(missing)?;
    Err(if has_line_with(maps, b"libglasspoll.so") { Missing::NoRing } else { Missing::NotPreloaded })
}

/// Whether a line has these bytes. Reads line by line with a bound, because a process can make its maps, and
/// the lines in them, very long.
fn has_line_with(from: impl Read, what: &[u8]) -> bool {
    let (mut from, mut line) = (BufReader::new(from), Vec::new());
    loop {
        line.clear();
        match from.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line) {
            Ok(1..) if line.windows(what.len()).any(|window| window == what) => return true,
            Ok(1..) => {}
            Ok(0) | Err(_) => return false,
        }
    }
}

/// A path has up to 4096 bytes, and each may be written as four.
const LONGEST_LINE: u64 = 1 << 15;

fn is_of(path: &std::path::Path, pid: u32) -> bool {
    // Opening the ring reports why it cannot be read.
    Live::open(path).map_or(true, |live| live.header().pid == pid_inside(pid))
}

/// The id of a process in its own pid namespace: in a container it differs from ours.
pub fn pid_inside(pid: u32) -> u32 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("NSpid:"));
    line.and_then(|line| line.split_whitespace().last()?.parse().ok()).unwrap_or(pid)
}

/// Opens the ring of a process.
///
/// # Errors
/// Why not.
pub fn open(pid: u32) -> Result<Live, Missing> {
    Live::open(&path(pid)?).map_err(Missing::Broken)
}

/// The user that a process belongs to.
pub fn user(pid: u32) -> Option<u32> {
    fs::metadata(format!("/proc/{pid}")).ok().map(|meta| meta.uid())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_is_not_told_to_be_root() {
        assert!(forbidden(false).ends_with("be that user, or root"));
        assert!(!forbidden(true).contains("or root") && forbidden(true).contains("CAP_SYS_PTRACE"));
    }
}
