//! Whether an fd can be added to a set, and what an fd is that we did not make.
//!
//! Linux: `file_can_poll`, as far as it can be seen from outside.

mod device;
mod mounts;
mod procfs;

use glasspoll_reactor::sys::{self, magic, Errno};

/// What poll(2) answers for a file without a poll method. Linux: `DEFAULT_POLLMASK`.
const DEFAULT_POLLMASK: i16 = libc::POLLIN | libc::POLLOUT | libc::POLLRDNORM | libc::POLLWRNORM;

/// EBADF unless the fd is open, and not with O_PATH.
pub fn must_be_open(fd: i32) -> Result<(), Errno> {
    let is_open = match sys::fcntl(fd, libc::F_GETFL, 0) {
        Ok(flags) => flags & libc::O_PATH == 0,
        Err(Errno::EBADF) => false,
        // Refused, by seccomp for example.
        Err(_) => {
            let mut fds = [libc::pollfd { fd, events: 0, revents: 0 }];
            sys::poll_now(&mut fds).is_err() || fds[0].revents & libc::POLLNVAL == 0
        }
    };
    if is_open {
        Ok(())
    } else {
        Err(Errno::EBADF)
    }
}

/// EBADF unless open, EPERM unless it can be polled.
pub fn check(fd: i32) -> Result<(), Errno> {
    must_be_open(fd)?;
    let stat = match sys::fstat(fd) {
        Ok(stat) => stat,
        Err(Errno::EBADF) => return Err(Errno::EBADF),
        // The server of a FUSE filesystem has gone. Linux: `fs/fuse/dev.c:fuse_get_req`.
        Err(Errno::ENOTCONN | Errno::ECONNABORTED) if sys::known_type(fd) == Some(libc::S_IFREG) => {
            return Ok(())
        }
        Err(_) => return if looks_unpollable(fd) { Err(Errno::EPERM) } else { Ok(()) },
    };
    let pollable = match stat.st_mode & libc::S_IFMT {
        libc::S_IFDIR | libc::S_IFBLK | libc::S_IFLNK => false,
        libc::S_IFREG => regular_file_can_poll(fd, stat.st_ino),
        libc::S_IFCHR => device::can_poll(fd, stat.st_rdev),
        libc::S_IFIFO | libc::S_IFSOCK => true,
        _ => nameless_file_can_poll(fd),
    };
    if pollable {
        Ok(())
    } else {
        Err(Errno::EPERM)
    }
}

/// Polls the file only if its filesystem does not decide, because a poll may consume news
/// (`reactor/src/watch/kernel_file/news.rs`).
fn regular_file_can_poll(fd: i32, inode: u64) -> bool {
    match sys::filesystem(fd) {
        Ok(magic::PROC) => procfs::can_poll(fd, inode),
        // Every file of kernfs (Linux: `fs/kernfs/file.c:kernfs_file_fops`), every file of a FUSE filesystem, and every
        // message queue has a poll method.
        Ok(magic::SYSFS | magic::CGROUP | magic::CGROUP2 | magic::RESCTRL | magic::FUSE | magic::MQUEUE) => {
            true
        }
        Err(Errno::ENOTCONN | Errno::ECONNABORTED) => true,
        _ => !looks_unpollable(fd),
    }
}

/// Few files without a type (eventfd, timerfd, …) have no poll method: those of fsopen, Landlock and KVM.
fn nameless_file_can_poll(fd: i32) -> bool {
    // These give that same answer if they have both something to read and room.
    // Linux: `io_uring/io_uring.c:io_uring_poll`, `kernel/seccomp.c:seccomp_notify_poll`.
    const BOTH: [&[u8]; 2] = [b"anon_inode:[io_uring]", b"anon_inode:seccomp notify"];
    !looks_unpollable(fd) || BOTH.iter().any(|name| link_of(fd).starts_with(name))
}

/// Whether poll(2) answers as for a file without a poll method.
fn looks_unpollable(fd: i32) -> bool {
    let mut fds = [libc::pollfd { fd, events: !libc::POLLNVAL, revents: 0 }];
    sys::poll_now(&mut fds).is_err() || fds[0].revents == DEFAULT_POLLMASK
}

fn link_of(fd: i32) -> [u8; 64] {
    let path = format!("/proc/self/fd/{fd}\0");
    let mut link = [0u8; 64];
    let _ = sys::readlink(path.as_bytes(), &mut link);
    link
}

/// Whether the fd is an epoll instance of the kernel's: the program made it before us, or past us.
pub fn is_kernel_epoll(fd: i32) -> bool {
    let link = link_of(fd);
    if link[0] != 0 {
        return link.starts_with(b"anon_inode:[eventpoll]");
    }
    // There is no /proc here, as in a chroot.
    sys::epoll_member(fd, fd) != sys::Member::NoSet
}

const MARK: i32 = 64;

/// Marks the file beneath an epoll descriptor, for every process that has it. The mark is the number of a signal that
/// the file never sends.
pub fn mark_as_set(fd: i32) {
    let _ = sys::fcntl(fd, sys::F_SETSIG, MARK as usize);
}

/// Makes the fd of an epoll instance.
///
/// # Errors
/// The kernel's errno if there are no more fds, or no memory.
pub fn make_fd(flags: i32) -> Result<i32, Errno> {
    let scarce = |errno: Errno| matches!(errno, Errno::EMFILE | Errno::ENFILE | Errno::ENOMEM);
    sys::eventfd(flags & libc::EPOLL_CLOEXEC).or_else(|errno| {
        match sys::idle_timer(flags & libc::EPOLL_CLOEXEC) {
            Ok(fd) => Ok(fd),
            Err(_) if scarce(errno) => Err(errno),
            Err(other) if scarce(other) => Err(other),
            Err(_) => Err(Errno::ENOMEM),
        }
    })
}

/// Whether the fd was an epoll descriptor of ours before an exec, or is one in the process that sent it.
pub fn is_set_of_another(fd: i32) -> bool {
    let is_eventfd_or_timerfd = |link: [u8; 64]| {
        [&b"anon_inode:[eventfd]"[..], b"anon_inode:[timerfd]"].iter().any(|kind| link.starts_with(kind))
    };
    sys::fcntl(fd, sys::F_GETSIG, 0) == Ok(MARK) && is_eventfd_or_timerfd(link_of(fd))
}
