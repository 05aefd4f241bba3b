//! What a file is, and where it is.

use std::ptr;

use super::{args_of, syscall, Errno, Sysno};

/// `fstat(2)`.
pub fn fstat(fd: i32) -> Result<libc::stat, Errno> {
    // SAFETY: all-zero bytes are a valid `stat`.
    let mut stat: libc::stat = unsafe { std::mem::zeroed() };
    call!(fstat, fd, ptr::from_mut(&mut stat)).map(|_| stat)
}

/// The magic number of the file's filesystem (`magic`).
pub fn filesystem(fd: i32) -> Result<i64, Errno> {
    // SAFETY: all-zero bytes are a valid `statfs`.
    let mut stat: libc::statfs = unsafe { std::mem::zeroed() };
    call!(fstatfs, fd, ptr::from_mut(&mut stat)).map(|_| stat.f_type as i64)
}

/// The mount through which a descriptor's file was opened, and the file's inode number. None: the kernel does
/// not say.
pub fn mount_of(fd: i32) -> Option<(u64, u64)> {
    mount(fd, c"", libc::AT_EMPTY_PATH)
}

/// The same of a path.
pub fn mount_at(path: &std::ffi::CStr) -> Option<(u64, u64)> {
    mount(libc::AT_FDCWD, path, libc::AT_NO_AUTOMOUNT)
}

fn mount(dir: i32, path: &std::ffi::CStr, flags: i32) -> Option<(u64, u64)> {
    let stat = statx(dir, path, flags, libc::STATX_MNT_ID | libc::STATX_INO)?;
    Some((stat.stx_mnt_id, stat.stx_ino))
}

/// The type of a file as the kernel has it cached, without asking a file server.
pub fn known_type(fd: i32) -> Option<u32> {
    statx(fd, c"", libc::AT_EMPTY_PATH, libc::STATX_TYPE).map(|stat| u32::from(stat.stx_mode) & libc::S_IFMT)
}

/// `statx(2)`. None: the kernel does not give all that is wanted.
fn statx(dir: i32, path: &std::ffi::CStr, flags: i32, wanted: u32) -> Option<libc::statx> {
    // SAFETY: all-zero bytes are a valid `statx`.
    let mut stat: libc::statx = unsafe { std::mem::zeroed() };
    let flags = flags | libc::AT_STATX_DONT_SYNC;
    call!(statx, dir, path.as_ptr(), flags, wanted, ptr::from_mut(&mut stat)).ok()?;
    (stat.stx_mask & wanted == wanted).then_some(stat)
}
