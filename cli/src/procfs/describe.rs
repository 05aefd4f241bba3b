//! What the files of a process are, in words: `tcp 127.0.0.1:6379 listening`, `timerfd 50 ms`.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::FileTypeExt;
use std::time::Duration;

use crate::procfs::fdinfo::field;
use crate::procfs::names;
use crate::procfs::net::Sockets;
use crate::procfs::queue::Queue;
use crate::sys;
use crate::text::{self, units};

/// The files of a process. Sockets are read once for all of them, when the first one is asked for.
pub struct Files {
    pid: u32,
    /// Fds of glasspoll's sets: to the kernel they are eventfds.
    sets: BTreeSet<i32>,
    sockets: Option<Sockets>,
}

impl Files {
    /// The files of a process that has these sets.
    pub fn of(pid: u32, sets: BTreeSet<i32>) -> Self {
        Self { pid, sets, sockets: None }
    }

    /// The file behind an fd, in words; None if there is none, or we may not look at it.
    pub fn describe(&mut self, fd: i32) -> Option<String> {
        if self.sets.contains(&fd) {
            return Some("epoll".into());
        }
        let link = fs::read_link(format!("/proc/{}/fd/{fd}", self.pid)).ok()?;
        let link = link.to_string_lossy();
        let words = match link.split_once(':') {
            Some(("socket", inode)) => {
                let inode = inode.trim_matches(['[', ']']).parse().unwrap_or(0);
                match self.sockets().has(inode) {
                    true => self.sockets().describe(inode),
                    false => unlisted(&sys::protocol(self.pid, fd).unwrap_or_default()),
                }
            }
            Some(("pipe", _)) => format!("pipe ({})", self.direction(fd)),
            Some(("anon_inode", kind)) => self.anonymous(fd, kind.trim_matches(['[', ']'])),
            Some(("pidfd", _)) => self.anonymous(fd, "pidfd"),
            _ => self.named(fd, &link),
        };
        Some(units::clean(&words))
    }

    /// What waits in the queues of the file behind an fd. None: the kernel does not tell.
    pub fn queue(&mut self, fd: i32) -> Option<Queue> {
        let link = fs::read_link(format!("/proc/{}/fd/{fd}", self.pid)).ok()?;
        match link.to_string_lossy().split_once(':')? {
            ("socket", inode) => self.sockets().queue(inode.trim_matches(['[', ']']).parse().ok()?),
            ("anon_inode", _) => Queue::of_info(&self.info(fd)),
            _ => None,
        }
    }

    /// Whether its queue is told by the memory that it takes.
    pub fn counts_memory(&mut self, fd: i32) -> bool {
        let inode = self.socket(fd);
        inode.is_some_and(|inode| self.sockets().counts_memory(inode))
    }

    /// The signals that wait for a signalfd, as far as they are the process's or its first thread's.
    pub fn pending(&self, fd: i32) -> Option<String> {
        let mask = |text: &str, name| u64::from_str_radix(field(text, name)?, 16).ok();
        let status = names::read(format!("/proc/{}/status", self.pid))?;
        let pending = mask(&status, "SigPnd")? | mask(&status, "ShdPnd")?;
        let waiting = pending & mask(&self.info(fd), "sigmask")?;
        (waiting != 0).then(|| format!("pending: {}", signals(waiting)))
    }

    fn socket(&self, fd: i32) -> Option<u64> {
        let link = fs::read_link(format!("/proc/{}/fd/{fd}", self.pid)).ok()?;
        link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
    }

    /// A file that this process has added to a set, and no longer has at that fd.
    pub fn describe_elsewhere(&mut self, inode: u64) -> String {
        match self.sockets().has(inode) {
            true => units::clean(&self.sockets().describe(inode)),
            false => "a file".into(),
        }
    }

    /// The socket at the other end of that behind an fd, by its inode, if it is on this machine.
    pub fn peer(&mut self, fd: i32) -> Option<u64> {
        let inode = self.socket(fd)?;
        self.sockets().peer(inode)
    }

    fn sockets(&mut self) -> &Sockets {
        self.sockets.get_or_insert_with(|| Sockets::of(self.pid))
    }

    fn info(&self, fd: i32) -> String {
        names::read(format!("/proc/{}/fdinfo/{fd}", self.pid)).unwrap_or_default()
    }

    fn direction(&self, fd: i32) -> &'static str {
        let info = self.info(fd);
        let flags = field(&info, "flags").and_then(|flags| i32::from_str_radix(flags, 8).ok());
        match flags.map(|flags| flags & libc::O_ACCMODE) {
            Some(libc::O_RDONLY) => "reading",
            Some(libc::O_WRONLY) => "writing",
            _ => "both ends",
        }
    }

    fn anonymous(&self, fd: i32, kind: &str) -> String {
        let info = self.info(fd);
        match kind {
            "timerfd" => timer(&info),
            "eventpoll" => "epoll of the kernel's".into(),
            "pidfd" => match field(&info, "Pid") {
                Some(pid) if !pid.starts_with('-') => format!("pidfd {pid}"),
                _ => "pidfd of an ended process".into(),
            },
            "signalfd" => {
                let mask = field(&info, "sigmask").and_then(|mask| u64::from_str_radix(mask, 16).ok());
                format!("signalfd {}", signals(mask.unwrap_or(0))).trim_end().to_owned()
            }
            _ => kind.to_owned(),
        }
    }

    fn named(&self, fd: i32, link: &str) -> String {
        let kind = fs::metadata(format!("/proc/{}/fd/{fd}", self.pid)).map(|meta| meta.file_type());
        match kind {
            Ok(kind) if kind.is_fifo() => format!("fifo {link} ({})", self.direction(fd)),
            Ok(kind) if kind.is_char_device() && is_terminal(link) => format!("terminal {link}"),
            Ok(kind) if kind.is_file() => format!("file {link}"),
            _ => link.to_owned(),
        }
    }
}

/// A socket that is in no list of the kernel's: it has no address, or is of a rare kind. Its protocol is known.
fn unlisted(protocol: &str) -> String {
    match protocol {
        "" => "socket".into(),
        "TCP" | "TCPv6" => "tcp, not connected".into(),
        "UDP" | "UDPv6" | "UDP-Lite" | "UDPLITEv6" => "udp, not bound".into(),
        "UNIX" | "UNIX-STREAM" => "unix, not connected".into(),
        other => format!("{} socket", other.trim_start_matches("AF_").to_ascii_lowercase()),
    }
}

/// Whether it is a terminal, by its path.
pub fn is_terminal(link: &str) -> bool {
    link.starts_with("/dev/pts/")
        || link.starts_with("/dev/tty")
        || link == "/dev/console"
        || link == "/dev/ptmx"
}

/// A timerfd by its fdinfo.
pub fn timer(info: &str) -> String {
    let time = |name| {
        let (seconds, nanos) = field(info, name)?.trim_matches(['(', ')']).split_once(", ")?;
        Some(Duration::new(seconds.parse().ok()?, nanos.parse().ok().filter(|nanos| *nanos < 1_000_000_000)?))
    };
    match (time("it_interval").unwrap_or_default(), time("it_value").unwrap_or_default()) {
        (Duration::ZERO, Duration::ZERO) => "timerfd, off".into(),
        (Duration::ZERO, left) => format!("timerfd, once in {}", text::span(left.as_nanos() as u64)),
        (interval, _) => format!("timerfd {}", text::span(interval.as_nanos() as u64)),
    }
}

/// `INT TERM`, or how many.
pub fn signals(mask: u64) -> String {
    const NAMES: [&str; 31] = [
        "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE",
        "ALRM", "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ",
        "VTALRM", "PROF", "WINCH", "IO", "PWR", "SYS",
    ];
    if mask.count_ones() > 4 {
        return format!("{} signals", mask.count_ones());
    }
    let set = (0..64).filter(|bit| mask >> bit & 1 != 0);
    let names: Vec<String> = set
        .map(|bit| NAMES.get(bit).map_or_else(|| (bit + 1).to_string(), |name| (*name).to_owned()))
        .collect();
    names.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream, UdpSocket};
    use std::os::fd::AsRawFd;
    use std::os::unix::net::UnixStream;

    fn describe(file: &impl AsRawFd) -> String {
        Files::of(std::process::id(), BTreeSet::new()).describe(file.as_raw_fd()).unwrap()
    }

    #[test]
    fn sockets_are_told_with_both_ends_and_who_called() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = listener.local_addr().unwrap();
        let client = TcpStream::connect(at).unwrap();
        let from = client.local_addr().unwrap();
        let (server, _) = listener.accept().unwrap();
        assert_eq!(describe(&listener), format!("tcp {at} listening"));
        assert_eq!(describe(&server), format!("tcp {at} ← {from}"));
        assert_eq!(describe(&client), format!("tcp {from} → {at}"));
        drop(client);
        assert_eq!(describe(&server), format!("tcp {at} ← {from} (closed by the peer)"));
        let udp = UdpSocket::bind("[::1]:0").unwrap();
        assert_eq!(describe(&udp), format!("udp {}", udp.local_addr().unwrap()));
        let (unix, _other) = UnixStream::pair().unwrap();
        assert_eq!(describe(&unix), "unix stream");
    }

    #[test]
    fn a_socket_that_no_list_has_is_told_by_its_protocol() {
        let socket = |domain, kind, protocol| {
            // SAFETY: it has no preconditions; the fd is nobody else's.
            let fd = unsafe { libc::socket(domain, kind, protocol) };
            // SAFETY: as the call has succeeded, the fd is open and ours.
            (fd >= 0).then(|| unsafe { <std::os::fd::OwnedFd as std::os::fd::FromRawFd>::from_raw_fd(fd) })
        };
        for (domain, kind, protocol, words) in [
            (libc::AF_INET, libc::SOCK_STREAM, 0, "tcp, not connected"),
            (libc::AF_INET6, libc::SOCK_STREAM, 0, "tcp, not connected"),
            (libc::AF_INET, libc::SOCK_DGRAM, 0, "udp, not bound"),
            (libc::AF_NETLINK, libc::SOCK_RAW, libc::NETLINK_ROUTE, "netlink socket"),
            (libc::AF_VSOCK, libc::SOCK_STREAM, 0, "vsock socket"),
            (libc::AF_PACKET, libc::SOCK_RAW, 0, "packet socket"),
        ] {
            // Some kinds are for root, or for a kernel that has them.
            let Some(socket) = socket(domain, kind, protocol) else { continue };
            assert_eq!(describe(&socket), words);
        }
        assert_eq!((unlisted(""), unlisted("MPTCP")), ("socket".into(), "mptcp socket".into()));
    }

    #[test]
    fn other_files_are_told_by_their_kind() {
        let (reader, writer) = std::io::pipe().unwrap();
        assert_eq!(
            (describe(&reader).as_str(), describe(&writer).as_str()),
            ("pipe (reading)", "pipe (writing)")
        );
        let null = fs::File::open("/dev/null").unwrap();
        assert_eq!(describe(&null), "/dev/null");
        let mut files = Files::of(std::process::id(), BTreeSet::from([null.as_raw_fd()]));
        assert_eq!(files.describe(null.as_raw_fd()).as_deref(), Some("epoll"));
        assert_eq!(files.describe(-1), None);
        assert_eq!(Files::of(u32::MAX, BTreeSet::new()).describe(0), None);
    }

    #[test]
    fn a_timer_is_told_by_its_times() {
        let info =
            |value, interval| timer(&format!("clockid: 1\nit_value: ({value})\nit_interval: ({interval})\n"));
        assert_eq!(info("0, 1000", "0, 50000000"), "timerfd 50 ms");
        assert_eq!(info("2, 0", "0, 0"), "timerfd, once in 2 s");
        assert_eq!(info("0, 0", "0, 0"), "timerfd, off");
        assert_eq!(timer("it_value: nonsense"), "timerfd, off");
    }

    #[test]
    fn a_signalfd_is_told_by_its_signals() {
        assert_eq!(signals(0x4002), "INT TERM");
        assert_eq!(signals(1 << 63), "64");
        assert_eq!(signals(u64::MAX), "64 signals");
        assert_eq!(signals(0), "");
    }
}
