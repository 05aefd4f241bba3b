//! The sockets of a network namespace, by inode: from `/proc/PID/net`, or by netlink if the namespace is our own.

pub mod diag;

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use diag::Tcp;

use crate::procfs::queue::Queue;

/// One socket.
#[derive(Debug, PartialEq, Eq)]
enum Socket {
    Tcp { local: SocketAddr, remote: SocketAddr, state: u8, queues: Queues },
    Udp { local: SocketAddr, remote: SocketAddr, queues: Queues },
    Unix { kind: &'static str, path: String },
    Netlink { family: u32, queues: Queues },
    Raw { protocol: u16 },
    Ping,
    Packet,
}

/// The bytes received and the bytes to send; for a listener, how many connections wait, and how many may.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Queues {
    pub unread: u32,
    pub unsent: u32,
}

impl Queues {
    fn of(self, is_listener: bool) -> Queue {
        match is_listener {
            true => Queue::Connections { waiting: self.unread, most: self.unsent },
            false => Queue::Bytes { unread: self.unread, unsent: self.unsent },
        }
    }
}

// Linux: include/net/tcp_states.h.
const ESTABLISHED: u8 = 1;
const SYN_SENT: u8 = 2;
const CLOSE_WAIT: u8 = 8;
const LISTEN: u8 = 10;

/// Linux: include/uapi/linux/netlink.h.
const NETLINK: [&str; 23] = [
    "route",
    "unused",
    "usersock",
    "firewall",
    "sock_diag",
    "nflog",
    "xfrm",
    "selinux",
    "iscsi",
    "audit",
    "fib_lookup",
    "connector",
    "netfilter",
    "ip6_fw",
    "dnrtmsg",
    "kobject_uevent",
    "generic",
    "dm",
    "scsitransport",
    "ecryptfs",
    "rdma",
    "crypto",
    "smc",
];

/// The inode of a socket that has none.
const NOBODYS: u64 = 0;

/// All sockets that a process can have.
#[derive(Debug, Default)]
pub struct Sockets {
    by_inode: HashMap<u64, Socket>,
    /// The queues of unix sockets, which their table does not tell.
    unix_queues: HashMap<u64, Queue>,
    /// The other ends of unix sockets.
    unix_peers: HashMap<u64, u64>,
    /// Ports that have a listener.
    listening: BTreeSet<u16>,
    /// The ports that the kernel gives to a connecting socket.
    given: (u16, u16),
}

impl Sockets {
    /// The sockets of a process's namespace.
    pub fn of(pid: u32) -> Self {
        let mut sockets = Self { given: given(), ..Self::default() };
        let read = |name| fs::read(format!("/proc/{pid}/net/{name}")).unwrap_or_default();
        let mut names = vec!["tcp", "tcp6", "udp", "udp6"];
        let is_ours = is_ours(pid);
        for unix in is_ours.then(|| diag::unix().ok()).flatten().unwrap_or_default() {
            sockets.unix_queues.insert(unix.inode, unix.queues.of(unix.state == LISTEN));
            sockets.unix_peers.extend(unix.peer.map(|peer| (unix.inode, peer)));
        }
        if let Some(all) = is_ours.then(|| diag::tcp().ok()).flatten() {
            names.drain(..2);
            all.into_iter().for_each(|tcp| sockets.add_tcp(tcp));
        }
        for name in names {
            sockets.take_table(name, &read(name));
        }
        for name in ["unix", "netlink", "packet", "raw", "raw6", "icmp", "icmp6"] {
            sockets.take_table(name, &read(name));
        }
        sockets
    }

    /// A file of `/proc/PID/net`.
    pub fn take_table(&mut self, name: &str, text: &[u8]) {
        for line in String::from_utf8_lossy(text).lines().skip(1) {
            let socket = match name {
                "unix" => unix(line),
                "netlink" => netlink(line),
                "packet" => packet(line),
                _ => internet(line, name),
            };
            match socket {
                Some((inode, Socket::Tcp { local, remote, state, queues })) => {
                    self.add_tcp(Tcp { local, remote, state, inode, queues });
                }
                Some((inode, socket)) => drop(self.by_inode.insert(inode, socket)),
                None => {}
            }
        }
    }

    fn add_tcp(&mut self, Tcp { local, remote, state, inode, queues }: Tcp) {
        if inode == NOBODYS {
            return;
        }
        if state == LISTEN {
            self.listening.insert(local.port());
        }
        self.by_inode.insert(inode, Socket::Tcp { local, remote, state, queues });
    }

    /// What waits in the queues of a socket. None: the kernel does not tell.
    pub fn queue(&self, inode: u64) -> Option<Queue> {
        match self.by_inode.get(&inode)? {
            Socket::Tcp { state, queues, .. } => Some(queues.of(*state == LISTEN)),
            Socket::Udp { queues, .. } | Socket::Netlink { queues, .. } => Some(queues.of(false)),
            Socket::Unix { .. } => self.unix_queues.get(&inode).copied(),
            _ => None,
        }
    }

    /// Whether the kernel tells of its queues how much memory they take, and not how many bytes a reader gets.
    pub fn counts_memory(&self, inode: u64) -> bool {
        matches!(self.by_inode.get(&inode), Some(Socket::Udp { .. } | Socket::Netlink { .. }))
    }

    /// The socket at the other end of a connection, if it is on this machine, and in this namespace.
    pub fn peer(&self, inode: u64) -> Option<u64> {
        let Socket::Tcp { local, remote, state, .. } = self.by_inode.get(&inode)? else {
            return self.unix_peers.get(&inode).copied();
        };
        let is_it = |other: &Socket| matches!(other, Socket::Tcp { local: its, remote: to, .. } if its == remote && to == local);
        let mut others = self.by_inode.iter();
        others.find(|(_, other)| *state != LISTEN && is_it(other)).map(|(inode, _)| *inode)
    }

    /// Whether there is a socket with this inode.
    pub fn has(&self, inode: u64) -> bool {
        self.by_inode.contains_key(&inode)
    }

    /// A socket, in words.
    pub fn describe(&self, inode: u64) -> String {
        match self.by_inode.get(&inode) {
            // A socket of another kind, or a new one: neither bound nor connected.
            None => "socket".into(),
            Some(Socket::Tcp { local, state: LISTEN, .. }) => format!("tcp {local} listening"),
            Some(Socket::Tcp { local, remote, state, .. }) => {
                let arrow = if self.is_called(*local) { '←' } else { '→' };
                let state = match *state {
                    ESTABLISHED => "",
                    SYN_SENT => " (connecting)",
                    CLOSE_WAIT => " (closed by the peer)",
                    _ => " (closing)",
                };
                format!("tcp {local} {arrow} {remote}{state}")
            }
            Some(Socket::Udp { local, remote, .. }) if remote.port() == 0 => format!("udp {local}"),
            Some(Socket::Udp { local, remote, .. }) => format!("udp {local} → {remote}"),
            Some(Socket::Unix { kind, path }) if path.is_empty() => format!("unix {kind}"),
            Some(Socket::Unix { path, .. }) => format!("unix {path}"),
            Some(Socket::Netlink { family, .. }) => match NETLINK.get(*family as usize) {
                Some(name) => format!("netlink {name}"),
                None => format!("netlink family {family}"),
            },
            Some(Socket::Raw { protocol }) => format!("raw socket of protocol {protocol}"),
            Some(Socket::Ping) => "ping socket".into(),
            Some(Socket::Packet) => "packet socket".into(),
        }
    }

    /// Whether the other end made the connection, as far as the ports tell.
    fn is_called(&self, local: SocketAddr) -> bool {
        let (first, last) = self.given;
        self.listening.contains(&local.port()) || !(first..=last).contains(&local.port())
    }
}

/// Whether a process is in our network namespace.
fn is_ours(pid: u32) -> bool {
    let namespace = |of: &str| fs::read_link(format!("/proc/{of}/ns/net")).ok();
    namespace("self").is_some_and(|ours| namespace(&pid.to_string()) == Some(ours))
}

/// The key of a record's note that has the limit of accept queues.
pub const SOMAXCONN: &str = "net.core.somaxconn";

/// The longest accept queue that listen(2) gives in our namespace.
pub fn somaxconn() -> Option<u32> {
    fs::read_to_string("/proc/sys/net/core/somaxconn").ok()?.trim().parse().ok()
}

fn given() -> (u16, u16) {
    let text = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
    let mut ports = text.split_whitespace().map(|port| port.parse().ok());
    match (ports.next(), ports.next()) {
        (Some(Some(first)), Some(Some(last))) => (first, last),
        _ => (32768, 60999),
    }
}

/// Two numbers in hexadecimal, with a colon between them.
fn pair(text: &str) -> Option<[u32; 2]> {
    let (one, other) = text.split_once(':')?;
    Some([u32::from_str_radix(one, 16).ok()?, u32::from_str_radix(other, 16).ok()?])
}

/// `0100007F:1F90`: the address in words as the processor has them, the port as a number.
fn address(text: &str) -> Option<SocketAddr> {
    let (ip, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let word = |at: usize| Some(u32::from_str_radix(ip.get(at..at + 8)?, 16).ok()?.to_ne_bytes());
    let ip = match ip.len() {
        8 => IpAddr::V4(Ipv4Addr::from(word(0)?)),
        32 => {
            let mut bytes = [0; 16];
            for (n, part) in bytes.chunks_exact_mut(4).enumerate() {
                part.copy_from_slice(&word(n * 8)?);
            }
            Ipv6Addr::from(bytes).to_canonical()
        }
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

/// A line of tcp or udp: `sl local remote st queues timer retransmits uid timeout inode`.
/// Those of raw and icmp have the same columns; the port of a raw one is its protocol.
fn internet(line: &str, table: &str) -> Option<(u64, Socket)> {
    let mut fields = line.split_ascii_whitespace().skip(1);
    let (local, remote, state) = (fields.next()?, fields.next()?, fields.next()?);
    let queues = fields.next()?;
    let inode = fields.nth(4)?.parse().ok()?;
    // Sockets in TIME_WAIT have no inode, and may be many.
    if inode == NOBODYS {
        return None;
    }
    let (local, remote) = (address(local)?, address(remote)?);
    let state = u8::from_str_radix(state, 16).ok()?;
    let [unsent, unread] = pair(queues)?;
    let queues = Queues { unread, unsent };
    let socket = match table.trim_end_matches('6') {
        "tcp" => Socket::Tcp { local, remote, state, queues },
        "raw" => Socket::Raw { protocol: local.port() },
        "icmp" => Socket::Ping,
        _ => Socket::Udp { local, remote, queues },
    };
    Some((inode, socket))
}

/// A line of netlink: `sk Eth Pid Groups Rmem Wmem Dump Locks Drops Inode`.
fn netlink(line: &str) -> Option<(u64, Socket)> {
    let mut fields = line.split_ascii_whitespace().skip(1);
    let family = fields.next()?.parse().ok()?;
    let mut queues = fields.by_ref().skip(2).map(|bytes| bytes.parse().ok());
    let queues = Queues { unread: queues.next()??, unsent: queues.next()?? };
    Some((fields.nth(3)?.parse().ok()?, Socket::Netlink { family, queues }))
}

/// A line of packet: `sk RefCnt Type Proto Iface R Rmem User Inode`.
fn packet(line: &str) -> Option<(u64, Socket)> {
    Some((line.split_ascii_whitespace().nth(8)?.parse().ok()?, Socket::Packet))
}

/// A line of unix: `Num RefCount Protocol Flags Type St Inode Path`.
fn unix(line: &str) -> Option<(u64, Socket)> {
    let mut fields = line.split_whitespace().skip(4);
    let kind = match fields.next()? {
        "0001" => "stream",
        "0002" => "datagram",
        "0005" => "seqpacket",
        _ => "",
    };
    let inode = fields.nth(1)?.parse().ok()?;
    Some((inode, Socket::Unix { kind, path: fields.collect::<Vec<_>>().join(" ") }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_makes_no_sense_is_left_out() {
        let mut sockets = Sockets::default();
        for line in ["", "0: 0100007F", "0: 0100007F:ZZ 0:0 0A", "a b c d e f g h"] {
            for name in ["tcp", "unix", "netlink", "packet", "raw"] {
                sockets.take_table(name, format!("the titles\n{line}").as_bytes());
            }
        }
        assert!(sockets.by_inode.is_empty());
        assert_eq!(sockets.describe(7), "socket");
        assert_eq!(address("0100007F:é"), None);
        assert_eq!(address("é000007F:0001"), None);
    }

    #[test]
    fn other_kinds_are_told_by_their_tables() {
        let mut sockets = Sockets::default();
        for (name, line) in [
            ("netlink", "00000000 15 770 00000001 832 0 0 2 0 21"),
            ("netlink", "00000000 99 770 00000001 0 0 0 2 0 22"),
            ("packet", "00000000 3 3 0003 2 1 0 0 23"),
            ("raw6", "1: 00000000:003A 00000000:0000 07 00000000:00000000 00:00000000 00000000 0 0 24 2 0 0"),
            ("icmp", "1: 00000000:0001 00000000:0000 07 00000000:00000000 00:00000000 00000000 0 0 25 2 0 0"),
        ] {
            sockets.take_table(name, format!("the titles\n{line}").as_bytes());
        }
        let told: Vec<String> = (21..26).map(|inode| sockets.describe(inode)).collect();
        let all =
            ["netlink kobject_uevent", "netlink family 99", "packet socket", "raw socket of protocol 58"];
        assert_eq!(told, [&all[..], &["ping socket"]].concat());
        assert_eq!(sockets.queue(21), Some(Queue::Bytes { unread: 832, unsent: 0 }));
        assert!(sockets.counts_memory(21) && !sockets.counts_memory(23));
        assert_eq!((sockets.queue(23), sockets.peer(21)), (None, None));
    }

    #[cfg(target_endian = "little")]
    #[test]
    fn addresses_are_read_as_the_kernel_writes_them() {
        assert_eq!(address("0100007F:1F90"), "127.0.0.1:8080".parse().ok());
        assert_eq!(address("00000000000000000000000001000000:0050"), "[::1]:80".parse().ok());
        assert_eq!(address("0000000000000000FFFF00000100007F:0050"), "127.0.0.1:80".parse().ok());
    }
}
