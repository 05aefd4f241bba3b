//! How much there is to read from a file, in a unit that depends on the file.

use std::ptr;

use super::{args_of, fcntl, getsockopt, is_listening, syscall, Errno, Sysno};
use crate::sync::global::AtomicU64;
use crate::sync::Ordering;

/// By how much a read reduces `unread`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// By the bytes that it returns.
    Bytes,
    /// By one: accept(2) takes a connection.
    Connections,
    /// Not known: a datagram takes memory, a packet may be read in part, a counter has no amount.
    Unknown,
}

/// The unit of `unread`.
pub fn unit(fd: i32) -> Unit {
    match getsockopt(fd, libc::SOL_SOCKET, libc::SO_TYPE) {
        Ok(libc::SOCK_STREAM) if !is_listening(fd) => Unit::Bytes,
        Ok(libc::SOCK_STREAM) if waiting_connections(fd).is_some() => Unit::Connections,
        Ok(_) => Unit::Unknown,
        // Linux: `fs/pipe.c:pipe_read` throws away the rest of a packet.
        Err(_) if fcntl(fd, libc::F_GETFL, 0).is_ok_and(|flags| flags & libc::O_DIRECT != 0) => Unit::Unknown,
        Err(_) if readable_bytes(fd).is_ok() => Unit::Bytes,
        Err(_) => Unit::Unknown,
    }
}

/// How much there is to read: bytes, connections of a listening TCP socket, or for a datagram socket the memory
/// of the queued datagrams. It grows when something arrives. 0 if the file has no such amount.
pub fn unread(fd: i32) -> u64 {
    let domain = getsockopt(fd, libc::SOL_SOCKET, libc::SO_DOMAIN);
    if matches!(domain, Ok(libc::AF_INET | libc::AF_INET6))
        && getsockopt(fd, libc::SOL_SOCKET, libc::SO_TYPE) != Ok(libc::SOCK_STREAM)
    {
        // Linux: the first word of SO_MEMINFO is SK_MEMINFO_RMEM_ALLOC.
        return getsockopt(fd, libc::SOL_SOCKET, libc::SO_MEMINFO).unwrap_or(0) as u64;
    }
    match readable_bytes(fd) {
        Ok(bytes) => bytes,
        // A listening socket.
        Err(Errno::EINVAL) if domain.is_ok() => waiting_connections(fd).unwrap_or(0),
        // The file has no such amount.
        Err(Errno::ENOTTY | Errno::EINVAL | Errno::EBADF | Errno::EOPNOTSUPP) => 0,
        // The amount is unknown, and may have grown.
        Err(_) => NEVER_THE_SAME.fetch_add(1, Ordering::Relaxed),
    }
}

static NEVER_THE_SAME: AtomicU64 = AtomicU64::new(1 << 32);

fn readable_bytes(fd: i32) -> Result<u64, Errno> {
    let mut bytes = 0i32;
    call!(ioctl, fd, libc::FIONREAD, ptr::from_mut(&mut bytes)).map(|_| bytes as u64)
}

/// How many connections wait to be accepted. None if the file is not a listening TCP socket.
/// Linux: `net/ipv4/tcp.c:tcp_get_info` gives `sk_ack_backlog` as `tcpi_unacked`.
fn waiting_connections(fd: i32) -> Option<u64> {
    const TCP_LISTEN: u8 = 10;
    const UNACKED: usize = 24;
    let mut info = [0u8; UNACKED + 4];
    let mut len = info.len() as u32;
    let asked =
        call!(getsockopt, fd, libc::IPPROTO_TCP, libc::TCP_INFO, info.as_mut_ptr(), ptr::from_mut(&mut len));
    let count = info
        .last_chunk::<4>()
        .filter(|_| asked.is_ok() && len as usize == UNACKED + 4 && info[0] == TCP_LISTEN)?;
    Some(u64::from(u32::from_ne_bytes(*count)))
}

/// How many messages are in a message queue. None if the file is no message queue.
/// Linux: `ipc/mqueue.c:do_mq_getsetattr`.
pub fn queued_messages(fd: i32) -> Option<u64> {
    const CURRENT: usize = 3;
    let mut attributes = [0usize; 8];
    call!(mq_getsetattr, fd, 0, attributes.as_mut_ptr()).ok()?;
    Some(attributes[CURRENT] as u64)
}
