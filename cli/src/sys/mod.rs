//! What is asked of the kernel: the system calls that the standard library has no name for.
//!
//! | module | holds |
//! |---|---|
//! | `signals` | signals that are waited for |
//! | `output` | a file that is put in place at the end |

pub mod output;
pub mod signals;

use std::fs::{File, OpenOptions};
use std::io::{self, IoSliceMut};
use std::mem::{self, MaybeUninit};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::ptr;
use std::thread;
use std::time::Duration;

use rustix::event::{poll, PollFd, PollFlags, Timespec};
use rustix::fs::{flock, getxattr, memfd_create, FlockOperation, MemfdFlags};
use rustix::io::ioctl_fionread;
use rustix::net::{
    accept_with, bind, netlink, recvmsg, socket_with, AddressFamily, RecvAncillaryBuffer,
    RecvAncillaryMessage, RecvFlags, SocketAddrUnix, SocketFlags, SocketType,
};
use rustix::process::{geteuid, kill_process, kill_process_group, pidfd_open, test_kill_process_group};
use rustix::process::{pidfd_getfd, Pid, PidfdFlags, PidfdGetfdFlags, Signal};
use rustix::rand::{getrandom, GetRandomFlags};
use rustix::thread::{move_into_link_name_space, LinkNameSpaceType};
use rustix::time::{clock_gettime, ClockId};
use syscalls::Sysno;

/// The most descriptors that a message brings.
const MOST_FDS: usize = 12;

/// How many items with one fd a set is asked for: files that were closed here, and live on elsewhere, leave them.
const MOST_ITEMS_OF_A_FD: u32 = 4;

/// The effective user id of this process.
pub fn user() -> u32 {
    geteuid().as_raw()
}

/// The processor time that this thread has used.
pub fn worked() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// A name that nobody can guess.
pub fn secret() -> io::Result<String> {
    let mut bytes = [0u8; 16];
    getrandom(&mut bytes, GetRandomFlags::empty())?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

fn pid_of(pid: u32) -> io::Result<Pid> {
    let pid = i32::try_from(pid).ok().filter(|pid| *pid > 0).and_then(Pid::from_raw);
    pid.ok_or_else(|| io::Error::from_raw_os_error(libc::ESRCH))
}

/// Whether two fds of a process stand for one open file. False if we may not ask.
/// Linux: `kernel/kcmp.c`.
pub fn is_same_file(pid: u32, one: i32, other: i32) -> bool {
    compare_files((pid, one), (pid, other)) == Some(true)
}

/// Whether two fds, each of a process, stand for one open file. None: we may not ask.
pub fn compare_files(one: (u32, i32), other: (u32, i32)) -> Option<bool> {
    const KCMP_FILE: usize = 0;
    let [pid, its_pid, fd, its_fd] = [one.0 as usize, other.0 as usize, one.1 as usize, other.1 as usize];
    // SAFETY: the call takes numbers alone.
    let order = unsafe { syscalls::syscall!(Sysno::kcmp, pid, its_pid, KCMP_FILE, fd, its_fd) };
    order.ok().map(|order| order == 0)
}

/// Whether an fd of a process stands for the file that a process (`of`) has added to its set `epfd` as `target`. False
/// if we may not ask.
/// Linux: `kernel/kcmp.c:kcmp_epoll_target`.
pub fn is_target_of(holder: (u32, i32), of: u32, epfd: i32, target: i32) -> bool {
    const KCMP_EPOLL_TFD: usize = 7;
    // struct kcmp_epoll_slot: the set, the fd in it, and which of the items with that fd.
    (0..MOST_ITEMS_OF_A_FD).any(|nth| {
        let slot = [epfd as u32, target as u32, nth];
        let [pid, its_pid, fd] = [holder.0 as usize, of as usize, holder.1 as usize];
        // SAFETY: `slot` lives, and the call only reads it.
        let order =
            unsafe { syscalls::syscall!(Sysno::kcmp, pid, its_pid, KCMP_EPOLL_TFD, fd, slot.as_ptr()) };
        order == Ok(0)
    })
}

/// A copy of an fd of another process. As long as it lives, the file is in use by us, too: it is to be short.
pub fn copy_of(pid: u32, fd: i32) -> io::Result<OwnedFd> {
    let process = pidfd_open(pid_of(pid)?, PidfdFlags::empty())?;
    Ok(pidfd_getfd(process, fd, PidfdGetfdFlags::empty())?)
}

/// How many bytes a reader of the file would get, and the events that poll(2) has for it.
pub fn waiting_in(file: &OwnedFd) -> (Option<u64>, u32) {
    let asked = PollFlags::IN | PollFlags::PRI | PollFlags::RDHUP;
    let mut polled = [PollFd::from_borrowed_fd(file.as_fd(), asked)];
    let is_ready = poll(&mut polled, Some(&Timespec::default())).is_ok_and(|count| count > 0);
    let events = if is_ready { polled[0].revents().bits() } else { 0 };
    (ioctl_fionread(file).ok(), events.into())
}

/// Whether a listener of another process has TCP_DEFER_ACCEPT: it drops the bare ACK of each connection. The copy of its
/// descriptor lives for microseconds.
pub fn defers_accept(pid: u32, fd: i32) -> io::Result<bool> {
    let copy = copy_of(pid, fd)?;
    let (mut seconds, mut len) = (0i32, size_of::<i32>() as libc::socklen_t);
    let (level, option) = (libc::IPPROTO_TCP, libc::TCP_DEFER_ACCEPT);
    // SAFETY: the pointers are to locals, and `len` is the length of the first.
    let result = unsafe {
        libc::getsockopt(copy.as_raw_fd(), level, option, ptr::from_mut(&mut seconds).cast(), &mut len)
    };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(seconds != 0)
}

/// The name of a socket's protocol, as `TCP`, by an attribute of its link in /proc.
/// Linux: `net/socket.c:sockfs_xattr_get`.
pub fn protocol(pid: u32, fd: i32) -> Option<String> {
    let mut name = [0; 64];
    let len = getxattr(format!("/proc/{pid}/fd/{fd}"), "system.sockprotoname", &mut name).ok()?;
    let name = name[..len].split(|byte| *byte == 0).next()?;
    Some(String::from_utf8_lossy(name).into_owned()).filter(|name| !name.is_empty())
}

/// A descriptor that becomes readable when the process ends.
pub fn pidfd(pid: u32) -> io::Result<OwnedFd> {
    Ok(pidfd_open(pid_of(pid)?, PidfdFlags::empty())?)
}

/// Waits until one of the descriptors is readable, or the time is over. Says which are.
pub fn wait_readable(fds: &[BorrowedFd<'_>], limit: Duration) -> Vec<bool> {
    let mut polled: Vec<_> = fds.iter().map(|fd| PollFd::from_borrowed_fd(*fd, PollFlags::IN)).collect();
    // If no timespec holds the limit, it is close to waiting for ever: None.
    let limit = Timespec::try_from(limit).ok();
    let count = poll(&mut polled, limit.as_ref()).unwrap_or(0);
    polled.iter().map(|entry| count > 0 && !entry.revents().is_empty()).collect()
}

/// A SOCK_SEQPACKET socket that listens at a path.
pub fn listen(path: &Path) -> io::Result<OwnedFd> {
    let address = SocketAddrUnix::new(path)?;
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
    bind(&socket, &address)?;
    rustix::net::listen(&socket, 1024)?;
    Ok(socket)
}

/// A socket at which the kernel lists sockets.
pub fn sock_diag() -> io::Result<File> {
    let (kind, protocol) = (SocketType::RAW, Some(netlink::SOCK_DIAG));
    Ok(socket_with(AddressFamily::NETLINK, kind, SocketFlags::CLOEXEC, protocol)?.into())
}

/// The same in the network namespace of a process. If it is another one than ours, that takes the rights of root.
pub fn sock_diag_of(pid: u32) -> io::Result<File> {
    let namespace = File::open(format!("/proc/{pid}/ns/net"))?;
    let enter = || {
        move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))?;
        sock_diag()
    };
    // A thread is in a namespace by itself, and this one ends.
    thread::scope(|scope| scope.spawn(enter).join()).unwrap_or_else(|_| Err(io::ErrorKind::Other.into()))
}

/// The next connection, if there is one.
pub fn accept(listener: &OwnedFd) -> io::Result<OwnedFd> {
    Ok(accept_with(listener, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK)?)
}

/// The process that connected, and its user. The process is 0 if our PID namespace does not have it: rustix's `UCred`
/// has no such value, so this call is libc's.
pub fn peer(socket: &OwnedFd) -> io::Result<(u32, u32)> {
    let mut peer = libc::ucred { pid: 0, uid: 0, gid: 0 };
    let mut len = mem::size_of_val(&peer) as libc::socklen_t;
    let (fd, level, option) = (socket.as_raw_fd(), libc::SOL_SOCKET, libc::SO_PEERCRED);
    // SAFETY: `peer` lives and has `len` bytes.
    let result = unsafe { libc::getsockopt(fd, level, option, ptr::from_mut(&mut peer).cast(), &mut len) };
    match result {
        0 => Ok((peer.pid as u32, peer.uid)),
        _ => Err(io::Error::last_os_error()),
    }
}

/// The first descriptor that a message brings; the others are closed.
pub fn receive(socket: &OwnedFd) -> io::Result<File> {
    let mut byte = [0u8];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_FDS))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    recvmsg(socket, &mut [IoSliceMut::new(&mut byte)], &mut control, RecvFlags::CMSG_CLOEXEC)?;
    let fd = control.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut fds) => fds.next(),
        _ => None,
    });
    fd.map(File::from).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// Takes the lock of a file or folder, which is held until the file is closed. An error if another process holds it.
pub fn lock(file: File) -> io::Result<File> {
    flock(&file, FlockOperation::NonBlockingLockExclusive)?;
    Ok(file)
}

/// Sends a signal; to a process that has ended, or if the signal is a real-time one, it does nothing.
pub fn kill(pid: u32, signal: i32) {
    if let (Ok(pid), Some(signal)) = (pid_of(pid), Signal::from_named_raw(signal)) {
        // A process that has ended needs no signal.
        let _ = kill_process(pid, signal);
    }
}

/// Sends a signal to all processes of a group, likewise.
pub fn kill_group(group: u32, signal: i32) {
    if let (Ok(group), Some(signal)) = (pid_of(group), Signal::from_named_raw(signal)) {
        let _ = kill_process_group(group, signal);
    }
}

/// Whether a process group still has a process, or a zombie.
pub fn has_group(group: u32) -> bool {
    pid_of(group).is_ok_and(|group| test_kill_process_group(group).is_ok())
}

/// A file to write to and read from that has no name and goes when it is closed.
pub fn nameless_file() -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).custom_flags(libc::O_TMPFILE).mode(0o600);
    // Not every filesystem has O_TMPFILE.
    options
        .open(std::env::temp_dir())
        .or_else(|_| Ok(memfd_create("glasspoll-output", MemfdFlags::CLOEXEC)?.into()))
}
