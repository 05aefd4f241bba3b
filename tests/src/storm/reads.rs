//! The calls that read, each with its own path through libc.

use std::ptr;

use libc::{c_int, c_void, iovec};

use super::calls::{self, checked};

/// Which call reads.
#[derive(Clone, Copy, Debug)]
pub enum How {
    Read,
    Readv,
    /// preadv2 with RWF_NOWAIT, or read if the file does not support it.
    Preadv2,
    /// For sockets only.
    Recv,
    Recvmsg,
}

/// The calls that work on every file, then those for sockets.
pub const HOWS: [How; 6] = [How::Read, How::Read, How::Readv, How::Preadv2, How::Recv, How::Recvmsg];
pub const ANY: usize = 4;

/// Bytes, or a negative errno.
pub fn read(how: How, fd: c_int, buf: &mut [u8]) -> isize {
    let (at, len) = (buf.as_mut_ptr().cast::<c_void>(), buf.len());
    // In two parts; the first has room for a whole counter or inotify event.
    let first = len.min(64);
    // SAFETY: it stays within the buffer.
    let rest = unsafe { at.cast::<u8>().add(first) };
    let mut parts =
        [iovec { iov_base: at, iov_len: first }, iovec { iov_base: rest.cast(), iov_len: len - first }];
    let count = if len > first { 2 } else { 1 };
    // SAFETY: the calls get the buffer's length, and both parts lie within it.
    let got = checked(unsafe {
        match how {
            How::Read => libc::read(fd, at, len),
            How::Readv => libc::readv(fd, parts.as_ptr(), count),
            How::Preadv2 => libc::preadv2(fd, parts.as_ptr(), count, -1, libc::RWF_NOWAIT),
            How::Recv => libc::recv(fd, at, len, 0),
            How::Recvmsg => {
                let mut message: libc::msghdr = std::mem::zeroed();
                message.msg_iov = parts.as_mut_ptr();
                message.msg_iovlen = count as usize;
                message.msg_name = ptr::null_mut();
                libc::recvmsg(fd, &mut message, 0)
            }
        }
    });
    match (how, -got as c_int) {
        (How::Preadv2, libc::EOPNOTSUPP | libc::EINVAL | libc::ESPIPE) => calls::read(fd, buf),
        _ => got,
    }
}
