//! Descriptors that go from one process to another in a message.

use libc::{c_int, iovec, msghdr};

const MOST: usize = 2;
const SIZE: u32 = size_of::<c_int>() as u32;

/// Room for a control message with this many descriptors, aligned.
type Control = [u64; 8];

fn message(part: &mut iovec, control: &mut Control) -> msghdr {
    // SAFETY: all-zero bytes are a valid header.
    let mut message: msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = part;
    message.msg_iovlen = 1;
    message.msg_control = control.as_mut_ptr().cast();
    message.msg_controllen = size_of::<Control>();
    message
}

/// Sends one byte and at most two descriptors.
pub fn send(socket: c_int, fds: &[c_int]) -> bool {
    let (mut byte, mut control) = (0u8, Control::default());
    let mut part = iovec { iov_base: (&raw mut byte).cast(), iov_len: 1 };
    let mut message = message(&mut part, &mut control);
    let bytes = SIZE * fds.len() as u32;
    // SAFETY: the control message fits into its buffer.
    unsafe {
        if fds.is_empty() {
            message.msg_controllen = 0;
        } else {
            message.msg_controllen = libc::CMSG_SPACE(bytes) as usize;
            let header = libc::CMSG_FIRSTHDR(&message);
            (*header).cmsg_level = libc::SOL_SOCKET;
            (*header).cmsg_type = libc::SCM_RIGHTS;
            (*header).cmsg_len = libc::CMSG_LEN(bytes) as usize;
            std::ptr::copy_nonoverlapping(fds.as_ptr(), libc::CMSG_DATA(header).cast(), fds.len());
        }
        libc::sendmsg(socket, &message, 0) == 1
    }
}

/// Receives the descriptors of one message. None: the other process is gone.
pub fn receive(socket: c_int) -> Option<Vec<c_int>> {
    let (mut byte, mut control) = (0u8, Control::default());
    let mut part = iovec { iov_base: (&raw mut byte).cast(), iov_len: 1 };
    let mut message = message(&mut part, &mut control);
    // SAFETY: the kernel stays within the buffers; what it has written is read unaligned.
    unsafe {
        let got = loop {
            let got = libc::recvmsg(socket, &mut message, libc::MSG_CMSG_CLOEXEC);
            if got >= 0 || super::calls::errno() != libc::EINTR {
                break got;
            }
        };
        if got != 1 {
            return None;
        }
        let header = libc::CMSG_FIRSTHDR(&message);
        if header.is_null() {
            return Some(Vec::new());
        }
        let count = ((*header).cmsg_len - libc::CMSG_LEN(0) as usize) / SIZE as usize;
        let data = libc::CMSG_DATA(header).cast::<c_int>();
        Some((0..count.min(MOST)).map(|at| data.add(at).read_unaligned()).collect())
    }
}
