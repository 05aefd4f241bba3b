//! Into the kernel. The instruction sequences for each architecture are those of the `syscalls` crate.

use syscalls::{raw, Errno};

/// # Safety
/// The arguments must be right for that call.
#[inline]
pub(super) unsafe fn syscall(nr: usize, args: [usize; 6]) -> Result<usize, Errno> {
    let [a, b, c, d, e, f] = args;
    // SAFETY: the caller's promise.
    Errno::from_ret(unsafe { raw::syscall6(nr, a, b, c, d, e, f) })
}
