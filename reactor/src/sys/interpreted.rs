//! Into the kernel under Miri, which knows system calls only by name. Here are those with which threads wait
//! for each other.

use syscalls::{Errno, Sysno};

/// # Safety
/// The arguments must be right for that call.
pub(super) unsafe fn syscall(nr: usize, args: [usize; 6]) -> Result<usize, Errno> {
    let [a, b, c, d, ..] = args;
    // SAFETY: the caller's promise.
    let done = unsafe {
        match Sysno::new(nr) {
            Some(Sysno::futex) => {
                let at = std::ptr::with_exposed_provenance::<u32>(a);
                let time = std::ptr::with_exposed_provenance::<libc::timespec>(d);
                libc::syscall(libc::SYS_futex, at, b as i32, c as u32, time)
            }
            Some(Sysno::getpid) => libc::getpid().into(),
            Some(Sysno::gettid) => libc::syscall(libc::SYS_gettid),
            Some(Sysno::sched_yield) => libc::sched_yield().into(),
            _ => return Err(Errno::ENOSYS),
        }
    };
    if done < 0 {
        return Err(Errno::new(std::io::Error::last_os_error().raw_os_error().unwrap_or(0)));
    }
    Ok(done as usize)
}
