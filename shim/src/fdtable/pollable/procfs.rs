//! Which regular files of procfs have a poll method.
//!
//! | file | poll method |
//! |---|---|
//! | a sysctl, below `sys` | yes. Linux: `fs/proc/proc_sysctl.c:proc_sys_file_operations` |
//! | a process's, below `PID` | only mounts and mountinfo. Linux: `fs/proc/base.c` |
//! | a process's network, `PID/net` | yes, as all others |
//! | all others | yes. Linux: `fs/proc/inode.c:proc_reg_poll` |
//!
//! Nearly all of them give the same answer in poll(2), so the path from the root of procfs decides.

use glasspoll_reactor::sys::{self, Errno};

use super::{looks_unpollable, mounts};

/// Linux: `fs/proc/root.c:PROC_ROOT_INO`.
const ROOT_INODE: u64 = 1;
/// Files that belong to no process have inode numbers from here on (Linux: `fs/proc/generic.c:PROC_DYNAMIC_FIRST`).
/// Files of processes, and sysctls, share a counter with sockets and pipes, which starts at 1. It gets here after four
/// billion of them.
const DYNAMIC_FIRST: u64 = 0xf000_0000;
/// The suffix of a path whose process has ended.
const DELETED: &[u8] = b" (deleted)";

pub fn can_poll(fd: i32, inode: u64) -> bool {
    let link = sys::path_of(fd).unwrap_or_default();
    let link = link.strip_suffix(DELETED).unwrap_or(&link);
    let of_a_process = match path_in_procfs(fd, link) {
        Some(path) => is_of_a_process(&path),
        None => inode < DYNAMIC_FIRST && (ends_as_of_a_process(link) || is_sequence(fd)),
    };
    !of_a_process || !looks_unpollable(fd)
}

/// The path from the root of procfs. None: its mount cannot be seen from here.
fn path_in_procfs(fd: i32, link: &[u8]) -> Option<Vec<u8>> {
    let (mount, _) = sys::mount_of(fd)?;
    match link.strip_prefix(b"/proc") {
        Some(path) if sys::mount_at(c"/proc/") == Some((mount, ROOT_INODE)) => Some(path.to_vec()),
        _ => mounts::path_within(mount, link),
    }
}

/// Whether the kernel writes the file through `fs/seq_file.c`, as it does most files of processes and no sysctl.
/// The file's position does not change.
fn is_sequence(fd: i32) -> bool {
    // Linux: `fs/seq_file.c:seq_lseek` does not know SEEK_DATA. For all others the offset is past the end.
    sys::seek(fd, i64::MAX, libc::SEEK_DATA) == Err(Errno::EINVAL)
}

fn parts(path: &[u8]) -> impl DoubleEndedIterator<Item = &[u8]> {
    path.split(|byte| *byte == b'/').filter(|part| !part.is_empty())
}

fn is_number(part: Option<&[u8]>) -> bool {
    part.is_some_and(|part| part.iter().all(u8::is_ascii_digit))
}

fn is_of_a_process(path: &[u8]) -> bool {
    let mut parts = parts(path);
    if !is_number(parts.next()) {
        return false;
    }
    match parts.next() {
        Some(b"net") => false,
        Some(b"task") => parts.nth(1) != Some(b"net"),
        _ => true,
    }
}

/// Whether a path ends like `PID/status`, `PID/attr/current` or `PID/fdinfo/0`. For paths whose root is unknown.
fn ends_as_of_a_process(path: &[u8]) -> bool {
    let mut folders = parts(path).rev().skip(1);
    match folders.next() {
        Some(b"attr" | b"fdinfo") => is_number(folders.next()),
        Some(b"apparmor" | b"smack") => folders.next() == Some(b"attr") && is_number(folders.next()),
        // A network interface may have the name 7. Linux: `net/ipv4/devinet.c:__devinet_sysctl_register`.
        folder => is_number(folder) && !matches!(folders.next(), Some(b"conf" | b"neigh")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_from_the_root() {
        for path in ["/12/status", "/12/task/13/stat", "/12/attr/current", "/12/task/13/fdinfo/0", "/12/netx"]
        {
            assert!(is_of_a_process(path.as_bytes()), "{path}");
        }
        for path in [
            "/sys/kernel/hostname",
            "/12/net/dev",
            "/12/task/13/net/dev",
            "/uptime",
            "/irq/12/spurious",
            "/bus/pci/00/1f.0",
            "/",
            "",
        ] {
            assert!(!is_of_a_process(path.as_bytes()), "{path}");
        }
    }

    #[test]
    fn ends_of_paths() {
        for path in ["/12/status", "/proc/12/task/13/stat", "/x/12/attr/apparmor/current", "/12/fdinfo/0"] {
            assert!(ends_as_of_a_process(path.as_bytes()), "{path}");
        }
        for path in
            ["/sys/kernel/hostname", "/y", "", "/proc/sys/net/ipv4/conf/7/forwarding", "/x/apparmor/current"]
        {
            assert!(!ends_as_of_a_process(path.as_bytes()), "{path}");
        }
    }
}
