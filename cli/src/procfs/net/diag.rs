//! TCP sockets as the kernel lists them by netlink: without those in TIME_WAIT, which on a busy machine are tens of
//! thousands and belong to no process. Linux: include/uapi/linux/{sock_diag,inet_diag}.h.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::AsFd;
use std::time::Duration;

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
}

/// All TCP sockets of our own namespace.
pub fn tcp() -> io::Result<Vec<Tcp>> {
    let mut all = Vec::new();
    for family in [libc::AF_INET, libc::AF_INET6] {
        dump(family as u8, &mut all)?;
    }
    Ok(all)
}

fn dump(family: u8, all: &mut Vec<Tcp>) -> io::Result<()> {
    let mut socket = sys::sock_diag()?;
    socket.write_all(&request(family))?;
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
                SOCK_DIAG_BY_FAMILY => all.extend(parse(body)),
                _ => {}
            }
            rest = next;
        }
    }
}

/// A netlink header and a `struct inet_diag_req_v2` that asks for all of a family.
fn request(family: u8) -> [u8; HEAD + 56] {
    let mut bytes = [0; HEAD + 56];
    let len = bytes.len() as u32;
    let flags = (libc::NLM_F_REQUEST | libc::NLM_F_DUMP) as u16;
    bytes[..4].copy_from_slice(&len.to_ne_bytes());
    bytes[4..6].copy_from_slice(&SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    bytes[6..8].copy_from_slice(&flags.to_ne_bytes());
    bytes[HEAD] = family;
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
    let inode = u32::from_ne_bytes(body.get(68..72)?.try_into().ok()?);
    Some(Tcp { local: address(4, 8)?, remote: address(6, 24)?, state, inode: inode.into() })
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
