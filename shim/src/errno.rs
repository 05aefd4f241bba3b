//! The calling thread's errno, and results in libc's form.

use syscalls::Errno;

pub fn set_errno(errno: Errno) {
    // SAFETY: the location is the calling thread's own.
    unsafe { *libc::__errno_location() = errno.into_raw() };
}

pub fn errno() -> i32 {
    // SAFETY: as above.
    unsafe { *libc::__errno_location() }
}

/// A result in libc's form: -1 and errno on failure.
pub fn answer(result: Result<i32, Errno>) -> i32 {
    result.unwrap_or_else(|errno| {
        set_errno(errno);
        -1
    })
}
