//! Which reads and writes of the program are noted.

use glasspoll_reactor::file::{Device, File};
use glasspoll_reactor::sys;
use glasspoll_reactor::watch::KernelFile;

use super::fd_ref::get;
use super::files::fds_of;
use super::flags::{all_fds, flags, set, unset, BLOCKING, HINT, IO, MANY, ROOM};

/// Finds out whether reads on the fd can sleep.
pub fn note_blocking(fd: i32) {
    let Some(file) = get(fd).filter(|file| file.device_as::<KernelFile>().is_some()) else { return };
    if !sys::fstat(fd).is_ok_and(|stat| stat.st_mode & libc::S_IFMT == libc::S_IFSOCK) {
        return;
    }
    let nonblocking = sys::fcntl(fd, libc::F_GETFL, 0).is_ok_and(|flags| flags & libc::O_NONBLOCK != 0);
    for fd in fds_of(fd, &file) {
        if nonblocking {
            unset(fd, BLOCKING);
        } else {
            set(fd, BLOCKING);
        }
    }
}

/// Turns on the notes of reads and writes that the device wants, for all fds of its file.
pub fn note_io(device: &KernelFile) {
    let io = if device.wants_io() { IO } else { 0 };
    let room =
        if device.wants_refusals() { ROOM } else { 0 } | if device.wants_drain_hints() { HINT } else { 0 };
    let is_it = |file: &File| file.device_as::<KernelFile>().is_some_and(|other| std::ptr::eq(other, device));
    let own = device.pollfd().unwrap_or(-1);
    if get(own).is_some_and(|file| is_it(&file)) {
        set(own, io | room);
        // Read after the store: a concurrent dup either copies the new flags, or has set MANY.
        if flags(own) & MANY == 0 {
            return;
        }
    }
    // One after the other: a wait is no place to allocate for all files, and to end the program if there is no memory.
    for fd in all_fds().filter(|fd| get(*fd).is_some_and(|file| is_it(&file))) {
        set(fd, io | room);
    }
}
