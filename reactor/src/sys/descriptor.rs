//! Descriptors: their properties and settings.

use std::ptr;

use super::{args_of, getpid, syscall, Errno, Sysno};

/// Sets the signal for a file's wakeups. Linux: `<asm-generic/fcntl.h>`.
pub const F_SETSIG: i32 = 10;
/// Returns the signal for a file's wakeups.
pub const F_GETSIG: i32 = 11;
/// Sets the receiver of that signal, as (kind, id).
pub const F_SETOWN_EX: i32 = 15;
/// Returns the receiver of that signal.
pub const F_GETOWN_EX: i32 = 16;
const F_OWNER_PID: i32 = 1;

/// Closes a descriptor of ours.
pub fn close(fd: i32) -> Result<(), Errno> {
    call!(close, fd).map(drop)
}

/// `eventfd2(2)`, with the value 0.
pub fn eventfd(flags: i32) -> Result<i32, Errno> {
    call!(eventfd2, 0, flags).map(|fd| fd as i32)
}

/// A descriptor that is never ready until it is set, for sandboxes that refuse eventfds.
/// Linux: `timerfd_create(2)`.
pub fn idle_timer(flags: i32) -> Result<i32, Errno> {
    call!(timerfd_create, libc::CLOCK_MONOTONIC, flags).map(|fd| fd as i32)
}

/// `fcntl(2)` with an integer as argument.
pub fn fcntl(fd: i32, cmd: i32, arg: usize) -> Result<i32, Errno> {
    call!(fcntl, fd, cmd, arg).map(|value| value as i32)
}

/// Sets or clears O_ASYNC and no other flag. Linux: `fs/ioctl.c:ioctl_fioasync`.
pub fn set_async(fd: i32, on: bool) -> Result<(), Errno> {
    let on = i32::from(on);
    call!(ioctl, fd, libc::FIOASYNC, ptr::from_ref(&on)).map(drop)
}

/// Makes a process the receiver of the file's signals.
pub fn set_owner(fd: i32, pid: i32) -> Result<(), Errno> {
    let owner = [F_OWNER_PID, pid];
    call!(fcntl, fd, F_SETOWN_EX, owner.as_ptr()).map(drop)
}

/// `ioctl(2)`.
pub fn ioctl(fd: i32, request: u64, arg: usize) -> Result<i32, Errno> {
    call!(ioctl, fd, request, arg).map(|value| value as i32)
}

/// `isatty(3)`.
pub fn is_terminal(fd: i32) -> bool {
    // SAFETY: all-zero bytes are a valid `termios`, which is larger than the kernel's.
    let mut mode: libc::termios = unsafe { std::mem::zeroed() };
    call!(ioctl, fd, libc::TCGETS, ptr::from_mut(&mut mode)).is_ok()
}

/// Whether the file is a timerfd that is not set.
pub fn is_stopped_timer(fd: i32) -> bool {
    // SAFETY: all-zero bytes are a valid `itimerspec`.
    let mut left: libc::itimerspec = unsafe { std::mem::zeroed() };
    call!(timerfd_gettime, fd, ptr::from_mut(&mut left)).is_ok()
        && (left.it_value.tv_sec, left.it_value.tv_nsec) == (0, 0)
}

/// Whether two descriptors of this process have one open file description. False if the kernel does not say.
pub fn is_same_file(a: i32, b: i32) -> bool {
    /// Linux 6.10. Sandboxes often refuse kcmp.
    const F_DUPFD_QUERY: i32 = 1027;
    const KCMP_FILE: i32 = 0;
    let pid = getpid();
    match call!(kcmp, pid, pid, KCMP_FILE, a, b) {
        Ok(order) => order == 0,
        Err(_) => fcntl(a, F_DUPFD_QUERY, b as usize) == Ok(1),
    }
}

/// What an epoll descriptor has under an fd.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Member {
    /// The file that the fd stands for.
    This,
    /// Another file, or none.
    Other,
    /// It is no epoll descriptor, or the kernel does not say.
    NoSet,
}

/// Whether `epfd` is an epoll descriptor, and has an item for `fd`. Linux: `fs/eventpoll.c:get_epoll_tfile_raw_ptr`.
pub fn epoll_member(epfd: i32, fd: i32) -> Member {
    /// Linux: `include/uapi/linux/kcmp.h`, from 4.13 on.
    const KCMP_EPOLL_TFD: i32 = 7;
    let pid = getpid();
    // Linux: `struct kcmp_epoll_slot`.
    let slot: [u32; 3] = [epfd as u32, fd as u32, 0];
    match call!(kcmp, pid, pid, KCMP_EPOLL_TFD, fd, slot.as_ptr()) {
        Ok(0) => Member::This,
        Ok(_) | Err(Errno::ENOENT) => Member::Other,
        Err(_) => Member::NoSet,
    }
}
