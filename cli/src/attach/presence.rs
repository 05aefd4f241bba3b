//! Which commands look at a process just now, so that the last one detaches, and not the first that ends. Each has a
//! socket with a name of its own, which the kernel takes away when the command ends, however it ends. And one command at
//! a time attaches or detaches.
//!
//! Commands in another network namespace are not seen.

use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::thread;
use std::time::Instant;

use super::visit::BOUND;
use crate::procfs::names;

/// The pause between two tries.
const PAUSE: std::time::Duration = std::time::Duration::from_millis(2);

/// This command looks.
#[derive(Debug)]
pub struct Presence {
    _socket: UnixDatagram,
}

impl Presence {
    /// From now on, until this is dropped. None: the process has ended, or there is no socket.
    pub fn begin(pid: u32) -> Option<Self> {
        let name = format!("{}{}", looks_at(pid)?, std::process::id());
        Some(Self { _socket: bind(&name).ok()? })
    }
}

/// Whether a command looks at a process.
pub fn is_looked_at(pid: u32) -> bool {
    looks_at(pid).is_some_and(|name| is_bound(&name))
}

/// Whether a socket has a name that begins so. A busy machine has a long list of them.
fn is_bound(name: &str) -> bool {
    let name = format!("@{name}").into_bytes();
    let Ok(file) = File::open("/proc/net/unix") else { return false };
    let mut lines = BufReader::new(file).split(b'\n').map_while(Result::ok);
    lines.any(|line| line.windows(name.len()).any(|part| part == name))
}

/// It is this command's turn to attach or detach.
#[derive(Debug)]
pub struct Turn {
    _socket: Option<UnixDatagram>,
}

impl Turn {
    /// Waits for it, but not for ever.
    pub fn of(pid: u32) -> Self {
        let until = Instant::now() + BOUND;
        let name = started(pid).map(|time| format!("glasspoll-turn-{pid}-{time}"));
        loop {
            match name.as_deref().map(bind) {
                Some(Err(error)) if error.kind() == ErrorKind::AddrInUse && Instant::now() < until => {
                    thread::sleep(PAUSE);
                }
                bound => return Self { _socket: bound.and_then(Result::ok) },
            }
        }
    }
}

fn looks_at(pid: u32) -> Option<String> {
    Some(format!("glasspoll-look-{pid}-{}-", started(pid)?))
}

/// When a process began: it tells apart processes with one pid.
fn started(pid: u32) -> Option<u64> {
    let stat = names::read(format!("/proc/{pid}/stat"))?;
    stat.rsplit(')').next()?.split_whitespace().nth(19)?.parse().ok()
}

fn bind(name: &str) -> std::io::Result<UnixDatagram> {
    UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(name)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_is_seen_as_long_as_it_lasts() {
        let pid = std::process::id();
        assert!(!is_looked_at(pid));
        let look = Presence::begin(pid);
        assert!(look.is_some() && is_looked_at(pid));
        drop(look);
        assert!(!is_looked_at(pid));
        assert!(Presence::begin(u32::MAX).is_none());
    }

    #[test]
    fn a_look_is_seen_among_many_sockets() {
        let names = |what: &str, count: usize| -> Vec<String> {
            (0..count).map(|n| format!("glasspoll-test-{what}-{}-{n:070}", std::process::id())).collect()
        };
        let _many: Vec<_> = names("many", 500).iter().filter_map(|name| bind(name).ok()).collect();
        for name in names("look", 40) {
            let _look = bind(&name).unwrap();
            assert!(is_bound(&name[..name.len() - 1]), "{name}");
        }
    }

    #[test]
    fn one_at_a_time_has_its_turn() {
        let pid = std::process::id();
        let turn = Turn::of(pid);
        let waits = thread::spawn(move || Turn::of(pid)._socket.is_some());
        thread::sleep(PAUSE * 10);
        assert!(!waits.is_finished());
        drop(turn);
        assert!(waits.join().unwrap());
    }
}
