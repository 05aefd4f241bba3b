//! Sockets as the kernel lists them by netlink: TCP without those in TIME_WAIT, which on a busy machine are tens of
//! thousands and belong to no process, and the queues of unix sockets.
//! Linux: include/uapi/linux/{sock_diag,inet_diag,unix_diag}.h.

use std::fs::File;
use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::AsFd;
use std::time::Duration;

use super::Queues;
use crate::sys;

const SOCK_DIAG_BY_FAMILY: u16 = 20;
/// The kinds of messages that end a dump.
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
/// Of a message.
const HEAD: usize = 16;
/// All but TCP_TIME_WAIT, which is 6.
const STATES: u32 = 0xfff & !(1 << 6);
const LISTENING: u32 = 1 << super::LISTEN;
const INET_DIAG_SKMEMINFO: u16 = 7;

/// A TCP socket.
#[derive(Debug, PartialEq, Eq)]
pub struct Tcp {
    pub local: SocketAddr,
    pub remote: SocketAddr,
    pub state: u8,
    pub inode: u64,
    pub queues: Queues,
}

/// A unix socket.
#[derive(Debug, PartialEq, Eq)]
pub struct Unix {
    pub state: u8,
    pub inode: u64,
    /// The socket at the other end.
    pub peer: Option<u64>,
    pub queues: Queues,
}

/// A socket that listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listener {
    pub inode: u64,
    /// How many connections wait, and how many may.
    pub waiting: u32,
    pub most: u32,
    /// How many attempts to connect were dropped since listen(2). 0 of a unix socket, whose clients wait.
    pub drops: u32,
}

/// All TCP and unix sockets that listen, in the namespace of that netlink socket.
pub fn listeners(socket: &mut File) -> io::Result<Vec<Listener>> {
    let mut all = Vec::new();
    for family in [libc::AF_INET, libc::AF_INET6] {
        let mut asked = request(family as u8, LISTENING);
        asked[HEAD + 2] = 1 << (INET_DIAG_SKMEMINFO - 1);
        dump_by(socket, &asked, |body| all.extend(parse_listener(body)))?;
    }
    // A kernel may be built without the list of unix sockets.
    let _ = dump_by(socket, &unix_request(LISTENING), |body| {
        all.extend(parse_unix(body).map(|Unix { inode, queues, .. }| Listener {
            inode,
            waiting: queues.unread,
            most: queues.unsent,
            drops: 0,
        }));
    });
    Ok(all)
}

/// All TCP sockets of our own namespace.
pub fn tcp() -> io::Result<Vec<Tcp>> {
    let mut all = Vec::new();
    for family in [libc::AF_INET, libc::AF_INET6] {
        dump(&request(family as u8, STATES), |body| all.extend(parse(body)))?;
    }
    Ok(all)
}

/// All unix sockets of our own namespace.
pub fn unix() -> io::Result<Vec<Unix>> {
    let mut all = Vec::new();
    dump(&unix_request(u32::MAX), |body| all.extend(parse_unix(body)))?;
    Ok(all)
}

fn dump(request: &[u8], take: impl FnMut(&[u8])) -> io::Result<()> {
    dump_by(&mut sys::sock_diag()?, request, take)
}

fn dump_by(socket: &mut File, request: &[u8], mut take: impl FnMut(&[u8])) -> io::Result<()> {
    socket.write_all(request)?;
    let mut buffer = vec![0; 1 << 16];
    loop {
        if sys::wait_readable(&[socket.as_fd()], Duration::from_secs(1)) != [true] {
            return Err(io::ErrorKind::TimedOut.into());
        }
        let len = socket.read(&mut buffer)?;
        let mut rest = &buffer[..len];
        while let Some((kind, body, next)) = message(rest) {
            match kind {
                NLMSG_DONE => return Ok(()),
                NLMSG_ERROR => return Err(io::ErrorKind::Unsupported.into()),
                SOCK_DIAG_BY_FAMILY => take(body),
                _ => {}
            }
            rest = next;
        }
    }
}

/// A netlink header that asks for all of a family, before an empty body.
fn asks<const LEN: usize>(family: u8) -> [u8; LEN] {
    let mut bytes = [0; LEN];
    let flags = (libc::NLM_F_REQUEST | libc::NLM_F_DUMP) as u16;
    bytes[..4].copy_from_slice(&(LEN as u32).to_ne_bytes());
    bytes[4..6].copy_from_slice(&SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    bytes[6..8].copy_from_slice(&flags.to_ne_bytes());
    bytes[HEAD] = family;
    bytes
}

/// With a `struct unix_diag_req` that asks for the peers and the queues.
fn unix_request(states: u32) -> [u8; HEAD + 24] {
    const UDIAG_SHOW_PEER: u32 = 0x4;
    const UDIAG_SHOW_RQLEN: u32 = 0x10;
    let mut bytes = asks::<{ HEAD + 24 }>(libc::AF_UNIX as u8);
    bytes[HEAD + 4..HEAD + 8].copy_from_slice(&states.to_ne_bytes());
    bytes[HEAD + 12..HEAD + 16].copy_from_slice(&(UDIAG_SHOW_PEER | UDIAG_SHOW_RQLEN).to_ne_bytes());
    bytes
}

/// With a `struct inet_diag_req_v2`.
fn request(family: u8, states: u32) -> [u8; HEAD + 56] {
    let mut bytes = asks::<{ HEAD + 56 }>(family);
    bytes[HEAD + 1] = libc::IPPROTO_TCP as u8;
    bytes[HEAD + 4..HEAD + 8].copy_from_slice(&states.to_ne_bytes());
    bytes
}

/// The first message: its kind, what is in it, and what follows it.
pub fn message(bytes: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let len = u32::from_ne_bytes(bytes.get(..4)?.try_into().ok()?) as usize;
    let kind = u16::from_ne_bytes(bytes.get(4..6)?.try_into().ok()?);
    let body = bytes.get(HEAD..len)?;
    let next = bytes.get(len.next_multiple_of(4)..).unwrap_or_default();
    Some((kind, body, next))
}

/// A `struct inet_diag_msg`.
pub fn parse(body: &[u8]) -> Option<Tcp> {
    let state = *body.get(1)?;
    let address = |port: usize, at: usize| {
        let port = u16::from_be_bytes(body.get(port..port + 2)?.try_into().ok()?);
        let bytes: [u8; 16] = body.get(at..at + 16)?.try_into().ok()?;
        let ip = match i32::from(*body.first()?) {
            libc::AF_INET => IpAddr::V4(Ipv4Addr::new(bytes[0], bytes[1], bytes[2], bytes[3])),
            _ => Ipv6Addr::from(bytes).to_canonical(),
        };
        Some(SocketAddr::new(ip, port))
    };
    let queues = Queues { unread: word(body, 56)?, unsent: word(body, 60)? };
    let inode = word(body, 68)?.into();
    Some(Tcp { local: address(4, 8)?, remote: address(6, 24)?, state, inode, queues })
}

/// A `struct inet_diag_msg` of a listener with its attributes.
fn parse_listener(body: &[u8]) -> Option<Listener> {
    const SK_MEMINFO_DROPS: usize = 8;
    let Tcp { inode, queues, .. } = parse(body)?;
    let mut drops = 0;
    for (kind, value) in attributes(body.get(72..)?) {
        if kind == INET_DIAG_SKMEMINFO {
            drops = word(value, 4 * SK_MEMINFO_DROPS).unwrap_or(0);
        }
    }
    Some(Listener { inode, waiting: queues.unread, most: queues.unsent, drops })
}

/// The attributes of a message: the kind and the value of each.
fn attributes(mut rest: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let (len, kind) = (usize::from(half(rest, 0)?), half(rest, 2)?);
        let value = rest.get(4..len)?;
        rest = rest.get(len.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, value))
    })
}

/// A `struct unix_diag_msg` with its attributes.
pub fn parse_unix(body: &[u8]) -> Option<Unix> {
    const UNIX_DIAG_PEER: u16 = 2;
    const UNIX_DIAG_RQLEN: u16 = 4;
    let (mut peer, mut queues) = (None, None);
    for (kind, value) in attributes(body.get(16..)?) {
        match kind {
            UNIX_DIAG_PEER => peer = word(value, 0).map(u64::from).filter(|inode| *inode != 0),
            UNIX_DIAG_RQLEN => queues = Some(Queues { unread: word(value, 0)?, unsent: word(value, 4)? }),
            _ => {}
        }
    }
    Some(Unix { state: *body.get(2)?, inode: word(body, 4)?.into(), peer, queues: queues? })
}

fn half(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn a_listener_is_in_the_list_with_its_inode() {
        use std::os::fd::AsRawFd;
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let link = std::fs::read_link(format!("/proc/self/fd/{}", listener.as_raw_fd())).unwrap();
        // A kernel may be built without it: then /proc is asked.
        let Ok(all) = tcp() else { return };
        let found = all.iter().find(|tcp| tcp.local == listener.local_addr().unwrap()).unwrap();
        assert_eq!(link.to_str(), Some(format!("socket:[{}]", found.inode).as_str()));
        assert_eq!(found.state, 10);
        assert_eq!(found.queues.unread, 0);
        let client = std::net::TcpStream::connect(found.local).unwrap();
        (&client).write_all(b"hello").unwrap();
        let all = tcp().unwrap();
        let found =
            all.iter().find(|tcp| tcp.state == 10 && tcp.local == listener.local_addr().unwrap()).unwrap();
        // The standard library asks for a queue of 4096, and the machine may limit it.
        assert!(found.queues.unread == 1 && found.queues.unsent > 1, "{found:?}");
        let (server, _) = listener.accept().unwrap();
        let unread =
            || tcp().unwrap().iter().find(|tcp| tcp.remote == client.local_addr().unwrap()).unwrap().queues;
        while unread().unread != 5 {
            std::thread::yield_now();
        }
        drop(server);
    }

    #[test]
    fn a_full_queue_and_what_was_dropped_are_told() {
        use std::os::fd::AsRawFd;
        let inode = |fd: i32| std::fs::read_link(format!("/proc/self/fd/{fd}")).unwrap();
        let mut socket = sys::sock_diag_of(std::process::id()).unwrap();
        let mut listed = |fd: i32| {
            let is_it =
                |listener: &&Listener| inode(fd).to_str() == Some(&format!("socket:[{}]", listener.inode));
            listeners(&mut socket).ok()?.iter().find(is_it).copied()
        };
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        // SAFETY: the fd is open.
        assert_eq!(unsafe { libc::listen(listener.as_raw_fd(), 1) }, 0);
        // A kernel may be built without it.
        let Some(found) = listed(listener.as_raw_fd()) else { return };
        assert_eq!((found.waiting, found.most, found.drops), (0, 1, 0));
        let connect = || {
            std::net::TcpStream::connect_timeout(&listener.local_addr().unwrap(), Duration::from_millis(20))
        };
        let clients: Vec<_> = (0..4).map(|_| connect()).collect();
        let found = listed(listener.as_raw_fd()).unwrap();
        assert!(found.waiting == 2 && found.drops >= 2, "{found:?} {clients:?}");
        let dir = std::env::temp_dir().join(format!("glasspoll-diag-{}", std::process::id()));
        let unix = std::os::unix::net::UnixListener::bind(&dir).unwrap();
        let client = std::os::unix::net::UnixStream::connect(&dir).unwrap();
        std::fs::remove_file(dir).unwrap();
        if let Some(found) = listed(unix.as_raw_fd()) {
            assert!(found.waiting == 1 && found.most > 1 && found.drops == 0, "{found:?} {client:?}");
        }
    }

    #[test]
    fn the_queues_of_a_unix_socket_are_told() {
        use std::os::fd::AsRawFd;
        let (one, mut other) = std::os::unix::net::UnixStream::pair().unwrap();
        other.write_all(b"hello").unwrap();
        let link = std::fs::read_link(format!("/proc/self/fd/{}", one.as_raw_fd())).unwrap();
        // A kernel may be built without it.
        let Ok(all) = unix() else { return };
        let is_it = |unix: &&Unix| link.to_str() == Some(format!("socket:[{}]", unix.inode).as_str());
        let found = all.iter().find(is_it).unwrap();
        assert_eq!(found.queues.unread, 5);
        let its = std::fs::read_link(format!("/proc/self/fd/{}", other.as_raw_fd())).unwrap();
        assert_eq!(its.to_str(), found.peer.map(|inode| format!("socket:[{inode}]")).as_deref());
        assert_eq!(parse_unix(&[0; 20]), None);
    }

    #[test]
    fn a_message_that_is_cut_is_none() {
        let whole = request(2, STATES);
        assert!(message(&whole)
            .is_some_and(|(kind, body, next)| kind == 20 && body.len() == 56 && next.is_empty()));
        for len in 0..whole.len() {
            assert!(message(&whole[..len]).is_none());
        }
        assert_eq!(message(&[0; 16]), None);
        assert_eq!(parse(&[2; 71]), None);
    }
}
