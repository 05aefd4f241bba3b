//! The processes of a server, and the kernel epolls that they hold.

use std::collections::BTreeSet;
use std::fs;
use std::net::TcpStream;
use std::path::Path;

/// The link in `/proc/PID/fd` for an fd of the kernel's epoll.
const KERNEL_EPOLL: &str = "anon_inode:[eventpoll]";

/// The living processes of the group `group`, and those whose working directory is `dir`: a child that left the group
/// (as PostgreSQL's do) keeps that directory.
pub fn of(group: u32, dir: &Path) -> BTreeSet<u32> {
    let belongs = |pid: u32| {
        let (state, in_group) = state_and_group(pid)?;
        let here = fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd.starts_with(dir));
        Some(state != "Z" && (in_group == group || here))
    };
    let entries = fs::read_dir("/proc").expect("/proc is mounted");
    entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|pid| belongs(*pid) == Some(true))
        .collect()
}

/// The state and the group: the third and the fifth field of /proc/PID/stat, counted after the name in parentheses.
fn state_and_group(pid: u32) -> Option<(String, u32)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = stat.rsplit_once(") ")?;
    let mut fields = rest.split(' ');
    let state = fields.next()?.to_owned();
    Some((state, fields.nth(1)?.parse().ok()?))
}

/// Whether the process's first thread sleeps.
pub fn is_asleep(pid: u32) -> bool {
    state_and_group(pid).is_some_and(|(state, _)| state == "S")
}

/// Whether the server has accepted this connection over IPv4: until then its socket has no inode.
/// Linux: `net/ipv4/tcp_ipv4.c:get_tcp4_sock`, `sock_i_ino`.
pub fn has_accepted(connection: &TcpStream) -> bool {
    let own = connection.local_addr().expect("it is connected").port();
    let table = fs::read_to_string("/proc/net/tcp").expect("/proc is mounted");
    // The server's end: the fields are a number, its address, ours, the state, ..., the inode as the tenth.
    let inode = |line: &str| {
        let mut fields = line.split_whitespace();
        let peer = fields.nth(2)?.split(':').nth(1)?;
        (u16::from_str_radix(peer, 16) == Ok(own)).then(|| fields.nth(6).map(str::to_owned))?
    };
    table.lines().skip(1).filter_map(inode).any(|inode| inode != "0")
}

/// How many descriptors `pid` holds.
pub fn descriptors(pid: u32) -> usize {
    fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count)
}

/// How many fds of the kernel's epoll `pid` holds.
pub fn kernel_epolls(pid: u32) -> usize {
    let Ok(entries) = fs::read_dir(format!("/proc/{pid}/fd")) else { return 0 };
    let links = entries.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
    links.filter(|link| link.to_str() == Some(KERNEL_EPOLL)).count()
}

/// Whether `pid` has a handler for `signal`, and does not block it.
pub fn takes(pid: u32, signal: i32) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let has = |field: &str| {
        let mask = status.lines().find_map(|line| line.strip_prefix(field)).map(str::trim);
        mask.and_then(|mask| u64::from_str_radix(mask, 16).ok()).map(|mask| mask >> (signal - 1) & 1 == 1)
    };
    has("SigCgt:") == Some(true) && has("SigBlk:") == Some(false)
}
