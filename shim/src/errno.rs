//! The calling thread's errno, and results in libc's form.

use libc::c_long;
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

/// Makes a system call of the program's.
pub fn to_kernel(nr: c_long, args: [usize; 6]) -> c_long {
    // SAFETY: the program's own call.
    match unsafe { glasspoll_reactor::sys::syscall(nr as usize, args) } {
        Ok(value) => value as c_long,
        Err(errno) => {
            set_errno(errno);
            -1
        }
    }
}
