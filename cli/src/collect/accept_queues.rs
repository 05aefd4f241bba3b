//! Looks at the accept queues of processes, a few times a second, by the lists of the kernel's: the processes do not
//! notice. Which listeners a process has is known by the links in `/proc/PID/fd`, which are read rarely.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::{self, File};
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use glasspoll_record::accept_queue::AcceptQueue;
use glasspoll_record::clock;

use crate::procfs::net::diag::{self, Listener};
use crate::sys;

/// The pause between two looks.
const LOOK: Duration = Duration::from_millis(200);
/// The pauses between two looks at the links of a process: while it may have a new listener, and otherwise.
const SOON: Duration = Duration::from_millis(500);
const RARELY: Duration = Duration::from_secs(5);
/// Looking takes at most this part of the time: 1 / `SHARE`.
const SHARE: u32 = 100;
/// The most descriptors of a listener that are told.
const FDS: usize = 4;
/// The most looks that a snapshot takes if a queue is in trouble.
const LOOKS: usize = 6;

/// The listeners of a process.
struct Known {
    /// What /proc has for its network namespace.
    namespace: PathBuf,
    fds: HashMap<u64, Vec<i32>>,
    /// All listeners of the namespace when the links were read.
    asked: BTreeSet<u64>,
    soon_due: Instant,
    rarely_due: Instant,
}

/// Looks at accept queues.
pub struct AcceptQueues {
    due: Instant,
    known: BTreeMap<u32, Known>,
    /// The netlink socket of each namespace. None: it cannot be looked into.
    sockets: HashMap<PathBuf, Option<File>>,
}

impl AcceptQueues {
    pub fn new() -> Self {
        Self { due: Instant::now(), known: BTreeMap::new(), sockets: HashMap::new() }
    }

    /// How full the queues of these processes are, if it is time for a look.
    pub fn look(&mut self, pids: &[u32]) -> Vec<(u32, AcceptQueue)> {
        if Instant::now() < self.due {
            return Vec::new();
        }
        let begin = sys::worked();
        self.known.retain(|pid, _| pids.contains(pid));
        let (mut listed, mut all) = (HashMap::new(), Vec::new());
        for pid in pids {
            let Some(namespace) = self.namespace(*pid) else { continue };
            let listeners: &Vec<Listener> = listed.entry(namespace.clone()).or_insert_with(|| {
                let socket = self.sockets.entry(namespace).or_insert_with(|| sys::sock_diag_of(*pid).ok());
                let listeners = socket.as_mut().map(diag::listeners);
                listeners.and_then(Result::ok).unwrap_or_default()
            });
            let ns = clock::now_ns();
            let Some(known) = self.known.get_mut(pid) else { continue };
            known.read_links(*pid, listeners);
            for Listener { inode, waiting, most, drops } in listeners {
                for fd in known.fds.get(inode).into_iter().flatten() {
                    let (inode, fd) = (*inode, *fd);
                    all.push((
                        *pid,
                        AcceptQueue { ns, fd, waiting: *waiting, most: *most, drops: *drops, inode },
                    ));
                }
            }
        }
        self.due = Instant::now() + LOOK.max((sys::worked() - begin) * SHARE);
        all
    }

    /// Those of one process: at this moment, and if one is full or has dropped connections, for a second.
    pub fn of(pid: u32) -> Vec<AcceptQueue> {
        let mut queues = Self::new();
        let mut all: Vec<AcceptQueue> = Vec::new();
        for _ in 0..LOOKS {
            thread::sleep(queues.due.saturating_duration_since(Instant::now()));
            all.extend(queues.look(&[pid]).into_iter().map(|(_, queue)| queue));
            if !all.iter().any(|queue| queue.is_full() || queue.drops != 0) {
                break;
            }
        }
        all
    }

    fn namespace(&mut self, pid: u32) -> Option<PathBuf> {
        if let Some(known) = self.known.get(&pid) {
            return Some(known.namespace.clone());
        }
        let namespace = fs::read_link(format!("/proc/{pid}/ns/net")).ok()?;
        let (now, namespace_is) = (Instant::now(), namespace.clone());
        let known = Known {
            namespace: namespace_is,
            fds: HashMap::new(),
            asked: BTreeSet::new(),
            soon_due: now,
            rarely_due: now,
        };
        self.known.insert(pid, known);
        Some(namespace)
    }
}

impl Known {
    /// Learns which of the listeners are the process's, if it is time.
    fn read_links(&mut self, pid: u32, listeners: &[Listener]) {
        let now = Instant::now();
        let is_new = || listeners.iter().any(|listener| !self.asked.contains(&listener.inode));
        if now < self.soon_due || now < self.rarely_due && !is_new() {
            return;
        }
        let begin = sys::worked();
        self.asked = listeners.iter().map(|listener| listener.inode).collect();
        self.fds.clear();
        for entry in fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten() {
            let fd = entry.file_name().to_str().and_then(|name| name.parse().ok());
            let (Some(fd), Ok(link)) = (fd, fs::read_link(entry.path())) else { continue };
            let link = link.to_string_lossy();
            let inode = link.strip_prefix("socket:[").and_then(|link| link.strip_suffix(']')?.parse().ok());
            if let Some(inode) = inode.filter(|inode| self.asked.contains(inode)) {
                let fds = self.fds.entry(inode).or_default();
                if fds.len() < FDS {
                    fds.push(fd);
                }
            }
        }
        let took = (sys::worked() - begin) * SHARE;
        (self.soon_due, self.rarely_due) = (now + SOON.max(took), now + RARELY.max(took));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::AsRawFd;

    #[test]
    fn the_queue_of_a_listener_is_seen_and_looks_keep_their_distance() {
        let me = std::process::id();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let copy = listener.try_clone().unwrap();
        let _client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let mut queues = AcceptQueues::new();
        let all = queues.look(&[me]);
        // A kernel may be built without the list.
        if sys::sock_diag().is_ok_and(|mut socket| diag::listeners(&mut socket).is_ok()) {
            for fd in [listener.as_raw_fd(), copy.as_raw_fd()] {
                let found =
                    all.iter().find(|(pid, queue)| *pid == me && queue.fd == fd).expect("it listens").1;
                assert!(found.waiting == 1 && found.most > 1 && found.inode != 0, "{found:?}");
            }
        }
        assert_eq!(queues.look(&[me]), []);
        assert_eq!(AcceptQueues::new().look(&[u32::MAX]), []);
    }
}
