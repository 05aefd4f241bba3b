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
/// The most listeners whose first counts are remembered.
const MOST: usize = 1 << 12;
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

/// What the counters said at the first look at a listener.
#[derive(Clone, Copy)]
struct First {
    drops: u32,
    overflows: Option<u64>,
    /// It has TCP_DEFER_ACCEPT. None: it was not asked yet.
    defers: Option<bool>,
}

impl First {
    /// How many attempts to connect a full queue has dropped since. A listener also counts segments that are dropped for
    /// other reasons, which are no overflows of its namespace: every bare ACK with TCP_DEFER_ACCEPT, so nothing that it
    /// counts then says that its queue was full.
    /// Linux: `net/ipv4/tcp_minisocks.c:tcp_check_req`, `include/net/tcp.h:tcp_listendrop`.
    fn dropped(self, drops: u32, overflows: Option<u64>) -> u32 {
        if self.defers == Some(true) {
            return 0;
        }
        let dropped = drops.wrapping_sub(self.drops);
        match self.overflows.zip(overflows) {
            Some((then, now)) => dropped.min(u32::try_from(now.saturating_sub(then)).unwrap_or(u32::MAX)),
            None => dropped,
        }
    }
}

/// How often an accept queue of a process's network namespace was full when a connection came.
fn overflows(pid: u32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/net/netstat")).ok()?;
    let mut lines = text.lines().filter(|line| line.starts_with("TcpExt:"));
    let (names, numbers) = (lines.next()?, lines.next()?);
    let mut both = names.split(' ').zip(numbers.split(' '));
    both.find(|(name, _)| *name == "ListenOverflows")?.1.parse().ok()
}

/// Looks at accept queues.
pub struct AcceptQueues {
    due: Instant,
    known: BTreeMap<u32, Known>,
    firsts: HashMap<u64, First>,
    /// Some listener has ever dropped something, for whatever reason.
    have_dropped: bool,
    /// The netlink socket of each namespace. None: it cannot be looked into.
    sockets: HashMap<PathBuf, Option<File>>,
}

impl AcceptQueues {
    pub fn new() -> Self {
        Self {
            due: Instant::now(),
            known: BTreeMap::new(),
            firsts: HashMap::new(),
            have_dropped: false,
            sockets: HashMap::new(),
        }
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
            let (listeners, overflows): &(Vec<Listener>, _) =
                listed.entry(namespace.clone()).or_insert_with(|| {
                    let socket =
                        self.sockets.entry(namespace).or_insert_with(|| sys::sock_diag_of(*pid).ok());
                    let listeners = socket.as_mut().map(diag::listeners);
                    // Read afterwards: it has all that the listeners count.
                    (listeners.and_then(Result::ok).unwrap_or_default(), overflows(*pid))
                });
            let ns = clock::now_ns();
            let Some(known) = self.known.get_mut(pid) else { continue };
            known.read_links(*pid, listeners);
            for Listener { inode, waiting, most, drops } in listeners {
                let Some(fds) = known.fds.get(inode) else { continue };
                self.have_dropped |= *drops != 0;
                if self.firsts.len() >= MOST {
                    self.firsts.clear();
                }
                let first = self.firsts.entry(*inode);
                let first = first.or_insert(First { drops: *drops, overflows: *overflows, defers: None });
                if first.defers.is_none() && first.drops != *drops {
                    let defers = fds.first().is_some_and(|fd| sys::defers_accept(*pid, *fd).unwrap_or(false));
                    first.defers = Some(defers);
                }
                let (inode, waiting, most) = (*inode, *waiting, *most);
                let drops = first.dropped(*drops, *overflows);
                all.extend(
                    fds.iter().map(|fd| (*pid, AcceptQueue { ns, fd: *fd, waiting, most, drops, inode })),
                );
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
            if !queues.have_dropped && !all.iter().any(AcceptQueue::is_full) {
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
    fn what_is_dropped_while_no_queue_is_full_is_no_overflow() {
        let first = First { drops: u32::MAX, overflows: Some(7), defers: None };
        assert_eq!(first.dropped(99, Some(7)), 0, "deferred");
        assert_eq!(first.dropped(99, Some(10)), 3);
        assert_eq!(first.dropped(1, Some(10)), 2, "another listener's");
        assert_eq!(first.dropped(9, None), 10);
        assert_eq!(First { defers: Some(true), ..first }.dropped(99, Some(10)), 0);
        assert!(overflows(std::process::id()).is_some());
    }

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
