//! Sockets.

use std::ptr;

use super::{args_of, syscall, Errno, Sysno};

/// A socket option that is an int.
pub fn getsockopt(fd: i32, level: i32, name: i32) -> Result<i32, Errno> {
    let mut value = 0i32;
    let mut len = 4u32;
    call!(getsockopt, fd, level, name, ptr::from_mut(&mut value), ptr::from_mut(&mut len)).map(|_| value)
}

/// Whether the file is a TCP socket without a protocol above TCP (`TCP_ULP`).
pub fn is_plain_tcp(fd: i32) -> bool {
    // Linux: `include/net/tcp.h:TCP_ULP_NAME_MAX`.
    let (mut name, mut len) = ([0u8; 16], 16u32);
    let above =
        call!(getsockopt, fd, libc::IPPROTO_TCP, libc::TCP_ULP, name.as_mut_ptr(), ptr::from_mut(&mut len));
    // A kernel without such protocols refuses the question.
    (above.is_err() || len == 0 || name[0] == 0)
        && getsockopt(fd, libc::SOL_SOCKET, libc::SO_PROTOCOL) == Ok(libc::IPPROTO_TCP)
}

/// Whether the file is a listening socket.
pub fn is_listening(fd: i32) -> bool {
    getsockopt(fd, libc::SOL_SOCKET, libc::SO_ACCEPTCONN).is_ok_and(|listens| listens != 0)
}

/// Whether the file is a connected socket.
pub fn has_peer(fd: i32) -> bool {
    let (mut address, mut len) = ([0u8; 128], 128u32);
    call!(getpeername, fd, address.as_mut_ptr(), ptr::from_mut(&mut len)).is_ok()
}

/// How many bytes a TCP connection has received in its life; None for a listening socket.
/// Linux 4.1: `tcp_info.tcpi_bytes_received`.
pub fn bytes_received(fd: i32) -> Option<u64> {
    const AT: usize = 128;
    const TCP_LISTEN: u8 = 10;
    let mut info = [0u8; AT + 8];
    let mut len = info.len() as u32;
    let asked =
        call!(getsockopt, fd, libc::IPPROTO_TCP, libc::TCP_INFO, info.as_mut_ptr(), ptr::from_mut(&mut len));
    let bytes = info
        .last_chunk::<8>()
        .filter(|_| asked.is_ok() && len as usize == AT + 8 && info[0] != TCP_LISTEN)?;
    Some(u64::from_ne_bytes(*bytes))
}
