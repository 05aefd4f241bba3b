//! The files of a walk: how each kind is made.

use std::path::PathBuf;
use std::{fs, ptr};

use super::step::Kind;
use super::world::BACKLOG;
use libc::c_int;

/// Makes the files of a walk; those with names are in a directory of their own.
pub struct Files {
    dir: PathBuf,
}

impl Files {
    pub fn new() -> Self {
        let dir = std::env::temp_dir().join(format!("walk-{}", std::process::id()));
        let _ = fs::create_dir_all(&dir);
        let files = Self { dir };
        files.touch();
        files
    }

    fn path(&self, name: &str) -> std::ffi::CString {
        let path = self.dir.join(name).into_os_string().into_encoded_bytes();
        std::ffi::CString::new(path).unwrap_or_default()
    }

    /// Writes to the file that every inotify watches.
    pub fn touch(&self) {
        let _ = fs::write(self.dir.join("touched"), "x");
    }

    /// The descriptors; the first `kind.places()` count. -1: making it failed.
    pub unsafe fn make(&self, kind: Kind) -> [c_int; 2] {
        let mut pair = [-1; 2];
        // SAFETY: `pair` takes two numbers.
        unsafe {
            match kind {
                Kind::Pipe => _ = libc::pipe2(pair.as_mut_ptr(), libc::O_NONBLOCK),
                Kind::Fifo => self.fifo(&mut pair),
                Kind::Unix => sockets(libc::SOCK_STREAM, &mut pair),
                Kind::Dgram => sockets(libc::SOCK_DGRAM, &mut pair),
                Kind::Tcp => tcp(&mut pair),
                Kind::Listener => pair[0] = listener(),
                Kind::Udp => udp(&mut pair),
                Kind::Pty => pty(&mut pair),
                Kind::Eventfd => pair[0] = libc::eventfd(0, libc::EFD_NONBLOCK),
                Kind::Timerfd => pair[0] = libc::timerfd_create(libc::CLOCK_MONOTONIC, libc::TFD_NONBLOCK),
                Kind::Inotify => {
                    pair[0] = libc::inotify_init1(libc::IN_NONBLOCK);
                    libc::inotify_add_watch(pair[0], self.path("touched").as_ptr(), libc::IN_MODIFY);
                }
                Kind::Regular => pair[0] = libc::open(self.path("touched").as_ptr(), libc::O_RDWR),
                Kind::Epoll => pair[0] = libc::epoll_create1(0),
            }
        }
        pair
    }

    /// The name is removed once both ends are open.
    unsafe fn fifo(&self, pair: &mut [c_int; 2]) {
        let path = self.path("fifo");
        // SAFETY: the path ends with a NUL.
        unsafe {
            libc::mkfifo(path.as_ptr(), 0o600);
            pair[0] = libc::open(path.as_ptr(), libc::O_RDONLY | libc::O_NONBLOCK);
            pair[1] = libc::open(path.as_ptr(), libc::O_WRONLY | libc::O_NONBLOCK);
            libc::unlink(path.as_ptr());
        }
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.dir);
    }
}

fn nonblocking(fd: c_int) {
    // SAFETY: a number.
    unsafe { libc::fcntl(fd, libc::F_SETFL, libc::fcntl(fd, libc::F_GETFL) | libc::O_NONBLOCK) };
}

unsafe fn sockets(kind: c_int, pair: &mut [c_int; 2]) {
    // SAFETY: `pair` takes two numbers.
    unsafe { libc::socketpair(libc::AF_UNIX, kind | libc::SOCK_NONBLOCK, 0, pair.as_mut_ptr()) };
}

/// A loopback address and its length.
fn loopback() -> (libc::sockaddr_in, libc::socklen_t) {
    // SAFETY: plain numbers.
    let mut addr: libc::sockaddr_in = unsafe { std::mem::zeroed() };
    addr.sin_family = libc::AF_INET as u16;
    addr.sin_addr.s_addr = u32::from_ne_bytes([127, 0, 0, 1]);
    (addr, size_of::<libc::sockaddr_in>() as u32)
}

fn at(addr: &mut libc::sockaddr_in) -> *mut libc::sockaddr {
    ptr::from_mut(addr).cast()
}

unsafe fn bound(kind: c_int) -> c_int {
    let (mut addr, len) = loopback();
    // SAFETY: the address lives, and the call gets its length.
    unsafe {
        let fd = libc::socket(libc::AF_INET, kind, 0);
        libc::bind(fd, at(&mut addr), len);
        fd
    }
}

unsafe fn listener() -> c_int {
    // SAFETY: plain numbers.
    unsafe {
        let fd = bound(libc::SOCK_STREAM | libc::SOCK_NONBLOCK);
        libc::listen(fd, BACKLOG as c_int);
        fd
    }
}

/// A socket of `kind`, connected to the address of `to`.
unsafe fn connected(kind: c_int, to: c_int) -> c_int {
    let (mut addr, mut len) = loopback();
    // SAFETY: the address lives, and the call gets its length.
    unsafe {
        libc::getsockname(to, at(&mut addr), &mut len);
        let fd = libc::socket(libc::AF_INET, kind, 0);
        libc::connect(fd, at(&mut addr), len);
        fd
    }
}

/// A connection to a listening socket, not yet accepted.
pub unsafe fn connect(listener: c_int) -> c_int {
    // SAFETY: plain numbers.
    unsafe { connected(libc::SOCK_STREAM | libc::SOCK_NONBLOCK, listener) }
}

/// Two sockets connected over loopback.
unsafe fn tcp(pair: &mut [c_int; 2]) {
    // SAFETY: the options live, and the calls get their lengths.
    unsafe {
        let listener = bound(libc::SOCK_STREAM);
        libc::listen(listener, 1);
        pair[1] = connected(libc::SOCK_STREAM, listener);
        pair[0] = libc::accept(listener, ptr::null_mut(), ptr::null_mut());
        libc::close(listener);
        let one = 1;
        for fd in *pair {
            libc::setsockopt(fd, libc::IPPROTO_TCP, libc::TCP_NODELAY, ptr::from_ref(&one).cast(), 4);
            nonblocking(fd);
        }
    }
}

/// Two sockets connected to each other.
unsafe fn udp(pair: &mut [c_int; 2]) {
    // SAFETY: the addresses live, and the calls get their lengths.
    unsafe {
        pair[0] = bound(libc::SOCK_DGRAM | libc::SOCK_NONBLOCK);
        pair[1] = connected(libc::SOCK_DGRAM | libc::SOCK_NONBLOCK, pair[0]);
        let (mut addr, mut len) = loopback();
        libc::getsockname(pair[1], at(&mut addr), &mut len);
        libc::connect(pair[0], at(&mut addr), len);
    }
}

unsafe fn pty(pair: &mut [c_int; 2]) {
    // SAFETY: null asks for defaults; `pair` takes two numbers.
    unsafe {
        let mut raw: libc::termios = std::mem::zeroed();
        libc::cfmakeraw(&mut raw);
        let (master, slave) = pair.split_at_mut(1);
        libc::openpty(&mut master[0], &mut slave[0], ptr::null_mut(), &raw, ptr::null());
        nonblocking(pair[0]);
        nonblocking(pair[1]);
    }
}

/// Sends `what` over a unix stream, and receives it at the other end. Returns its new fd, or -1.
pub unsafe fn pass(over: c_int, to: c_int, what: c_int) -> c_int {
    let mut byte = 0u8;
    let mut rest = [0u8; 4096];
    let mut iov = libc::iovec { iov_base: ptr::from_mut(&mut byte).cast(), iov_len: 1 };
    let mut control = [0u64; 4];
    // SAFETY: a header with room for one descriptor, and buffers with their lengths.
    unsafe {
        // Earlier data would be received first.
        while libc::read(to, rest.as_mut_ptr().cast(), rest.len()) > 0 {}
        let mut msg: libc::msghdr = std::mem::zeroed();
        (msg.msg_iov, msg.msg_iovlen) = (&mut iov, 1);
        (msg.msg_control, msg.msg_controllen) = (control.as_mut_ptr().cast(), libc::CMSG_SPACE(4) as usize);
        let cmsg = libc::CMSG_FIRSTHDR(&msg);
        ((*cmsg).cmsg_level, (*cmsg).cmsg_type) = (libc::SOL_SOCKET, libc::SCM_RIGHTS);
        (*cmsg).cmsg_len = libc::CMSG_LEN(4) as usize;
        libc::CMSG_DATA(cmsg).cast::<c_int>().write_unaligned(what);
        if libc::sendmsg(over, &msg, libc::MSG_NOSIGNAL) < 0 || libc::recvmsg(to, &mut msg, 0) != 1 {
            return -1;
        }
        let cmsg = libc::CMSG_FIRSTHDR(&msg);
        if cmsg.is_null() {
            return -1;
        }
        libc::CMSG_DATA(cmsg).cast::<c_int>().read_unaligned()
    }
}
