//! The system calls that the standard library has no name for.

use std::fs::{File, OpenOptions};
use std::io;
use std::mem;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::ptr;
use std::time::Duration;

fn check(result: i32) -> io::Result<i32> {
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result)
    }
}

/// The user that we act as.
pub fn user() -> u32 {
    // SAFETY: it takes nothing and cannot fail.
    unsafe { libc::geteuid() }
}

/// How long this thread has worked.
pub fn worked() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` lives.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// A name that nobody guesses.
pub fn secret() -> io::Result<String> {
    let mut bytes = [0u8; 16];
    // SAFETY: `bytes` lives and has so many bytes.
    check(unsafe { libc::getrandom(bytes.as_mut_ptr().cast(), bytes.len(), 0) } as i32)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// A descriptor that is readable once the process has ended.
pub fn pidfd(pid: u32) -> io::Result<OwnedFd> {
    // SAFETY: two numbers; the descriptor is nobody else's.
    unsafe {
        let fd = check(libc::syscall(libc::SYS_pidfd_open, pid as libc::pid_t, 0) as i32)?;
        Ok(OwnedFd::from_raw_fd(fd))
    }
}

/// Waits until one of the descriptors is readable, or the time is over. Says which are.
pub fn wait_readable(fds: &[BorrowedFd<'_>], limit: Duration) -> Vec<bool> {
    let of = |fd: &BorrowedFd<'_>| libc::pollfd { fd: fd.as_raw_fd(), events: libc::POLLIN, revents: 0 };
    let mut polled: Vec<_> = fds.iter().map(of).collect();
    let limit = limit.as_millis().min(i32::MAX as u128) as i32;
    // SAFETY: `polled` lives and has so many entries.
    let count = unsafe { libc::poll(polled.as_mut_ptr(), polled.len() as libc::nfds_t, limit) };
    polled.iter().map(|entry| count > 0 && entry.revents != 0).collect()
}

/// A SOCK_SEQPACKET socket that listens at a path.
pub fn listen(path: &Path) -> io::Result<OwnedFd> {
    let bytes = path.as_os_str().as_bytes();
    // SAFETY: a sockaddr of zeros is a valid one.
    let mut address: libc::sockaddr_un = unsafe { mem::zeroed() };
    if bytes.len() >= address.sun_path.len() {
        return Err(io::ErrorKind::InvalidFilename.into());
    }
    address.sun_family = libc::AF_UNIX as libc::sa_family_t;
    for (to, from) in address.sun_path.iter_mut().zip(bytes) {
        *to = *from as libc::c_char;
    }
    let len = mem::size_of_val(&address) as libc::socklen_t;
    let kind = libc::SOCK_SEQPACKET | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    // SAFETY: numbers; the descriptor is nobody else's; `address` lives.
    unsafe {
        let socket = OwnedFd::from_raw_fd(check(libc::socket(libc::AF_UNIX, kind, 0))?);
        check(libc::bind(socket.as_raw_fd(), ptr::from_ref(&address).cast(), len))?;
        check(libc::listen(socket.as_raw_fd(), 1024))?;
        Ok(socket)
    }
}

/// A socket at which the kernel lists sockets.
pub fn sock_diag() -> io::Result<File> {
    let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC;
    // SAFETY: numbers; the descriptor is nobody else's.
    unsafe { Ok(File::from_raw_fd(check(libc::socket(libc::AF_NETLINK, kind, libc::NETLINK_SOCK_DIAG))?)) }
}

/// The next connection, if there is one.
pub fn accept(listener: &OwnedFd) -> io::Result<OwnedFd> {
    let flags = libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    // SAFETY: no address is asked for; the descriptor is nobody else's.
    unsafe {
        let fd = libc::accept4(listener.as_raw_fd(), ptr::null_mut(), ptr::null_mut(), flags);
        Ok(OwnedFd::from_raw_fd(check(fd)?))
    }
}

/// The process that connected, and its user.
pub fn peer(socket: &OwnedFd) -> io::Result<(u32, u32)> {
    let mut peer = libc::ucred { pid: 0, uid: 0, gid: 0 };
    let mut len = mem::size_of_val(&peer) as libc::socklen_t;
    let (fd, level, option) = (socket.as_raw_fd(), libc::SOL_SOCKET, libc::SO_PEERCRED);
    // SAFETY: `peer` lives and has `len` bytes.
    check(unsafe { libc::getsockopt(fd, level, option, ptr::from_mut(&mut peer).cast(), &mut len) })?;
    Ok((peer.pid as u32, peer.uid))
}

/// The descriptor that a message brings.
pub fn receive(socket: &OwnedFd) -> io::Result<File> {
    let mut byte = 0u8;
    // Aligned as a cmsghdr, with room for one of a few descriptors.
    let mut control = [0u64; 8];
    let mut part = libc::iovec { iov_base: ptr::from_mut(&mut byte).cast(), iov_len: 1 };
    // SAFETY: a msghdr of zeros is a valid one.
    let mut message: libc::msghdr = unsafe { mem::zeroed() };
    message.msg_iov = &mut part;
    message.msg_iovlen = 1;
    message.msg_control = control.as_mut_ptr().cast();
    message.msg_controllen = mem::size_of_val(&control);
    // SAFETY: all that `message` points to lives.
    let got = unsafe { libc::recvmsg(socket.as_raw_fd(), &mut message, libc::MSG_CMSG_CLOEXEC) };
    check(got as i32)?;
    let mut files = Vec::new();
    // SAFETY: the kernel has filled `control` in; the descriptors are new and ours.
    unsafe {
        let mut head = libc::CMSG_FIRSTHDR(&message);
        while !head.is_null() {
            if (*head).cmsg_level == libc::SOL_SOCKET && (*head).cmsg_type == libc::SCM_RIGHTS {
                let bytes = (*head).cmsg_len as usize - libc::CMSG_LEN(0) as usize;
                let data: *const i32 = libc::CMSG_DATA(head).cast();
                for n in 0..bytes / mem::size_of::<i32>() {
                    files.push(File::from_raw_fd(data.add(n).read_unaligned()));
                }
            }
            head = libc::CMSG_NXTHDR(&message, head);
        }
    }
    files.into_iter().next().ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// Takes the lock of a file or folder, which is held until it is closed. An error if somebody has it.
pub fn lock(file: File) -> io::Result<File> {
    // SAFETY: numbers.
    check(unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) })?;
    Ok(file)
}

fn set_of(signals: &[i32]) -> libc::sigset_t {
    // SAFETY: `set` lives; sigemptyset makes it valid.
    unsafe {
        let mut set = mem::zeroed();
        libc::sigemptyset(&mut set);
        for signal in signals {
            libc::sigaddset(&mut set, *signal);
        }
        set
    }
}

/// Signals that are read, and not suffered, for as long as this lives.
pub struct Signals {
    fd: OwnedFd,
    /// What was blocked before: a program that is started gets it back.
    before: libc::sigset_t,
    /// What was done at SIGCHLD: of an ignored one the status of a child is lost.
    at_child: libc::sighandler_t,
    /// What has come and was not read is suffered in the end.
    suffers: bool,
}

impl Signals {
    /// Takes these.
    pub fn take(signals: &[i32]) -> io::Result<Self> {
        let set = set_of(signals);
        let mut before = set_of(&[]);
        // SAFETY: both sets live; the descriptor is nobody else's.
        unsafe {
            let fd = check(libc::signalfd(-1, &set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK))?;
            let fd = OwnedFd::from_raw_fd(fd);
            check(libc::sigprocmask(libc::SIG_BLOCK, &set, &mut before))?;
            let at_child = libc::signal(libc::SIGCHLD, libc::SIG_DFL);
            Ok(Self { fd, before, at_child, suffers: false })
        }
    }

    /// To be waited on.
    pub fn fd(&self) -> &OwnedFd {
        &self.fd
    }

    /// Has what is not read be suffered when this is dropped.
    pub fn suffer_what_is_left(&mut self) {
        self.suffers = true;
    }

    /// Lets a command start with what was before.
    pub fn give_back(&self, command: &mut Command) {
        let (before, at_child) = (self.before, self.at_child);
        // SAFETY: both may be called between fork and exec.
        unsafe {
            command.pre_exec(move || {
                libc::signal(libc::SIGCHLD, at_child);
                check(libc::sigprocmask(libc::SIG_SETMASK, &before, ptr::null_mut())).map(drop)
            })
        };
    }

    /// The next one, and whether a process has sent it (and not the kernel, for the terminal).
    pub fn next(&self) -> Option<(i32, bool)> {
        // SAFETY: a signalfd_siginfo of zeros is a valid one.
        let mut info: libc::signalfd_siginfo = unsafe { mem::zeroed() };
        let size = mem::size_of_val(&info);
        // SAFETY: `info` lives and has `size` bytes.
        let got = unsafe { libc::read(self.fd.as_raw_fd(), ptr::from_mut(&mut info).cast(), size) };
        (got == size as isize).then_some((info.ssi_signo as i32, info.ssi_code <= 0))
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        // What came while the program was ending was meant for it.
        while !self.suffers && self.next().is_some() {}
        // SAFETY: the set is one that sigprocmask gave, and the action one that signal gave.
        unsafe {
            libc::signal(libc::SIGCHLD, self.at_child);
            libc::sigprocmask(libc::SIG_SETMASK, &self.before, ptr::null_mut());
        }
    }
}

/// Sends a signal.
pub fn kill(pid: u32, signal: i32) {
    // SAFETY: numbers.
    unsafe { libc::kill(pid as libc::pid_t, signal) };
}

/// Sends a signal to all of a process group.
pub fn kill_group(group: u32, signal: i32) {
    // SAFETY: numbers.
    unsafe { libc::kill(-(group as libc::pid_t), signal) };
}

/// Whether there is still one of a process group, be it a zombie.
pub fn has_group(group: u32) -> bool {
    // SAFETY: numbers; nothing is sent.
    unsafe { libc::kill(-(group as libc::pid_t), 0) == 0 }
}

/// A file to write to and read from that has no name and goes when it is closed.
pub fn nameless_file() -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).custom_flags(libc::O_TMPFILE).mode(0o600);
    options.open(std::env::temp_dir()).or_else(|_| {
        // A filesystem that cannot do that.
        // SAFETY: a string that ends with a NUL.
        let fd = unsafe { libc::memfd_create(c"glasspoll-output".as_ptr(), libc::MFD_CLOEXEC) };
        // SAFETY: a fresh descriptor, unless it is negative.
        check(fd).map(|fd| unsafe { File::from_raw_fd(fd) })
    })
}

/// Ends us by a signal, without a core of our own.
pub fn die_by(signal: i32) {
    let none = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    let set = set_of(&[signal]);
    // SAFETY: `none` and `set` live; the rest are numbers.
    unsafe {
        libc::setrlimit(libc::RLIMIT_CORE, &none);
        libc::signal(signal, libc::SIG_DFL);
        libc::raise(signal);
        libc::sigprocmask(libc::SIG_UNBLOCK, &set, ptr::null_mut());
    }
}
