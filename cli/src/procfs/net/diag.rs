//! Sockets as the kernel lists them by netlink: TCP without those in TIME_WAIT, which on a busy machine are tens of
//! thousands and belong to no process, and the queues of unix sockets.
//! Linux: include/uapi/linux/{sock_diag,inet_diag,unix_diag}.h.

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

/// All TCP sockets of our own namespace.
pub fn tcp() -> io::Result<Vec<Tcp>> {
    let mut all = Vec::new();
    for family in [libc::AF_INET, libc::AF_INET6] {
        dump(&request(family as u8), |body| all.extend(parse(body)))?;
    }
    Ok(all)
}

/// All unix sockets of our own namespace.
pub fn unix() -> io::Result<Vec<Unix>> {
    let mut all = Vec::new();
    dump(&unix_request(), |body| all.extend(parse_unix(body)))?;
    Ok(all)
}

fn dump(request: &[u8], mut take: impl FnMut(&[u8])) -> io::Result<()> {
    let mut socket = sys::sock_diag()?;
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
fn unix_request() -> [u8; HEAD + 24] {
    const UDIAG_SHOW_PEER: u32 = 0x4;
    const UDIAG_SHOW_RQLEN: u32 = 0x10;
    let mut bytes = asks::<{ HEAD + 24 }>(libc::AF_UNIX as u8);
    bytes[HEAD + 4..HEAD + 8].copy_from_slice(&u32::MAX.to_ne_bytes());
    bytes[HEAD + 12..HEAD + 16].copy_from_slice(&(UDIAG_SHOW_PEER | UDIAG_SHOW_RQLEN).to_ne_bytes());
    bytes
}

/// With a `struct inet_diag_req_v2`.
fn request(family: u8) -> [u8; HEAD + 56] {
    let mut bytes = asks::<{ HEAD + 56 }>(family);
    bytes[HEAD + 1] = libc::IPPROTO_TCP as u8;
    bytes[HEAD + 4..HEAD + 8].copy_from_slice(&STATES.to_ne_bytes());
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

/// A `struct unix_diag_msg` with its attributes.
pub fn parse_unix(body: &[u8]) -> Option<Unix> {
    const UNIX_DIAG_PEER: u16 = 2;
    const UNIX_DIAG_RQLEN: u16 = 4;
    let (mut peer, mut queues) = (None, None);
    let mut rest = body.get(16..)?;
    while let Some(len) = half(rest, 0).map(usize::from).filter(|len| (4..=rest.len()).contains(len)) {
        match half(rest, 2)? {
            UNIX_DIAG_PEER => peer = word(rest, 4).map(u64::from).filter(|inode| *inode != 0),
            UNIX_DIAG_RQLEN => queues = Some(Queues { unread: word(rest, 4)?, unsent: word(rest, 8)? }),
            _ => {}
        }
        rest = rest.get(len.next_multiple_of(4)..).unwrap_or_default();
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
        let whole = request(2);
        assert!(message(&whole)
            .is_some_and(|(kind, body, next)| kind == 20 && body.len() == 56 && next.is_empty()));
        for len in 0..whole.len() {
            assert!(message(&whole[..len]).is_none());
        }
        assert_eq!(message(&[0; 16]), None);
        assert_eq!(parse(&[2; 71]), None);
    }
}
