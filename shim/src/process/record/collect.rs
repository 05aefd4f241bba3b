//! Hands the record to `glasspoll run`, which waits for it on a socket, so that it outlives the process.

use std::ffi::CString;
use std::mem;

use glasspoll_reactor::sys::{self, Errno};
use syscalls::Sysno;

/// How often we try a busy collector, and how long we wait in between.
const TRIES: u32 = 40;
const PAUSE_NS: u64 = 5_000_000;

/// A message that carries one descriptor, in the layout of `struct cmsghdr` and its macros.
#[repr(C)]
struct Control {
    header: libc::cmsghdr,
    fd: i32,
    _padding: i32,
}

/// Sends `fd` to the socket at `path`, by raw system calls: the descriptor table must not hear of them.
pub fn hand_over(path: &str, fd: i32) -> Result<(), Errno> {
    let mut address = libc::sockaddr_un { sun_family: libc::AF_UNIX as u16, sun_path: [0; 108] };
    let path = CString::new(path).map_err(|_| Errno::EINVAL)?;
    let bytes = path.as_bytes_with_nul();
    if bytes.len() > address.sun_path.len() {
        return Err(Errno::ENAMETOOLONG);
    }
    for (to, from) in address.sun_path.iter_mut().zip(bytes) {
        *to = *from as libc::c_char;
    }
    let kind = libc::SOCK_SEQPACKET | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    // Above the fds that other threads get meanwhile.
    let socket = sys::with_raised_limit(|| {
        let socket = call(Sysno::socket, [libc::AF_UNIX as usize, kind as usize, 0, 0, 0, 0])?;
        Ok(sys::move_high(socket as i32) as usize)
    })?;
    let sent = connect(socket, &address).and_then(|()| send(socket, fd));
    let _ = sys::close(socket as i32);
    sent
}

fn call(nr: Sysno, args: [usize; 6]) -> Result<usize, Errno> {
    // SAFETY: the callers pass numbers, and pointers to live memory.
    unsafe { sys::syscall(nr as usize, args) }
}

fn connect(socket: usize, address: &libc::sockaddr_un) -> Result<(), Errno> {
    let at = std::ptr::from_ref(address) as usize;
    let mut tries = 0;
    loop {
        match call(Sysno::connect, [socket, at, mem::size_of_val(address), 0, 0, 0]) {
            Err(Errno::EAGAIN | Errno::EINTR) if tries < TRIES => {
                tries += 1;
                sys::pause(PAUSE_NS);
            }
            done => return done.map(|_| ()),
        }
    }
}

fn send(socket: usize, fd: i32) -> Result<(), Errno> {
    let header = libc::cmsghdr {
        cmsg_len: (mem::size_of::<libc::cmsghdr>() + mem::size_of::<i32>()) as _,
        cmsg_level: libc::SOL_SOCKET,
        cmsg_type: libc::SCM_RIGHTS,
    };
    let mut control = Control { header, fd, _padding: 0 };
    let mut byte = [1u8];
    let mut part = libc::iovec { iov_base: byte.as_mut_ptr().cast(), iov_len: 1 };
    // SAFETY: all-zero bytes are an empty message.
    let mut message: libc::msghdr = unsafe { mem::zeroed() };
    message.msg_iov = &mut part;
    message.msg_iovlen = 1;
    message.msg_control = std::ptr::from_mut(&mut control).cast();
    message.msg_controllen = mem::size_of::<Control>() as _;
    let at = std::ptr::from_ref(&message) as usize;
    call(Sysno::sendmsg, [socket, at, libc::MSG_NOSIGNAL as usize, 0, 0, 0]).map(|_| ())
}
