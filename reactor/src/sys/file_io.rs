//! Reading and writing files, and their paths.

use std::ptr;

use super::{args_of, pending_signals, sigprocmask, syscall, timespec, Errno, Sysno};

/// `read(2)`.
pub fn read(fd: i32, buf: &mut [u8]) -> Result<usize, Errno> {
    call!(read, fd, buf.as_mut_ptr(), buf.len())
}

/// `lseek(2)`.
pub fn seek(fd: i32, offset: i64, whence: i32) -> Result<usize, Errno> {
    call!(lseek, fd, offset, whence)
}

/// `write(2)`.
pub fn write(fd: i32, buf: &[u8]) -> Result<usize, Errno> {
    call!(write, fd, buf.as_ptr(), buf.len())
}

/// `write(2)` that never leads to SIGPIPE or SIGXFSZ.
pub fn write_unsignalled(fd: i32, buf: &[u8]) -> Result<usize, Errno> {
    const DEADLY: u64 = 1 << (libc::SIGPIPE - 1) | 1 << (libc::SIGXFSZ - 1);
    let mask = sigprocmask(libc::SIG_BLOCK, DEADLY);
    // A signal can only have been pending before if the thread blocked it before.
    let before = if mask & DEADLY != 0 { pending_signals() } else { 0 };
    let written = write(fd, buf);
    if matches!(written, Err(Errno::EPIPE | Errno::EFBIG)) {
        let (ours, no_time) = (DEADLY & !before, timespec(0));
        let _ = call!(rt_sigtimedwait, ptr::from_ref(&ours), 0, ptr::from_ref(&no_time), 8);
    }
    if mask & DEADLY != DEADLY {
        sigprocmask(libc::SIG_SETMASK, mask);
    }
    written
}

/// `openat(2)` below the working directory.
pub fn open(path: &std::ffi::CStr, flags: i32, mode: u32) -> Result<i32, Errno> {
    call!(openat, libc::AT_FDCWD, path.as_ptr(), flags | libc::O_CLOEXEC, mode).map(|fd| fd as i32)
}

/// The target of a symbolic link that was opened with O_PATH and O_NOFOLLOW.
pub fn readlink_of(fd: i32, buf: &mut [u8]) -> Result<usize, Errno> {
    call!(readlinkat, fd, c"".as_ptr(), buf.as_mut_ptr(), buf.len())
}

/// `readlink(2)`; `path` ends with a NUL.
pub fn readlink(path: &[u8], buf: &mut [u8]) -> Result<usize, Errno> {
    debug_assert_eq!(path.last(), Some(&0));
    call!(readlinkat, libc::AT_FDCWD, path.as_ptr(), buf.as_mut_ptr(), buf.len())
}

/// The path of a descriptor's file, from /proc.
pub fn path_of(fd: i32) -> Option<Vec<u8>> {
    let mut path = vec![0; libc::PATH_MAX as usize];
    let read = readlink(format!("/proc/self/fd/{fd}\0").as_bytes(), &mut path).ok()?;
    path.truncate(read);
    Some(path)
}

/// `getdents64(2)`.
pub fn getdents(fd: i32, buf: &mut [u8]) -> Result<usize, Errno> {
    call!(getdents64, fd, buf.as_mut_ptr(), buf.len())
}
