//! Memory: mapping, and probing whether it can be read or written.

use std::ptr;

use super::{args_of, gettid, on_valgrind, syscall, Errno, Sysno};
use crate::sync::global::AtomicU32;

/// Whether 8 bytes at `addr` can be read by this process, whatever `addr` is.
pub fn can_read_8(addr: usize) -> bool {
    if on_valgrind() {
        return can_copy_8(addr);
    }
    // With an unknown `how` the kernel copies the set, then refuses the call. NULL would mean no set.
    addr != 0 && call!(rt_sigprocmask, usize::MAX, addr, 0, 8) != Err(Errno::EFAULT)
}

/// The same, by a call that no tool mistakes for an access to the memory.
#[cold]
fn can_copy_8(addr: usize) -> bool {
    let mut copy = 0u64;
    let to = libc::iovec { iov_base: ptr::from_mut(&mut copy).cast(), iov_len: 8 };
    let from = libc::iovec { iov_base: ptr::without_provenance_mut(addr), iov_len: 8 };
    // By the thread id: once the main thread has exited, the process id no longer leads to the memory.
    call!(process_vm_readv, gettid(), ptr::from_ref(&to), 1, ptr::from_ref(&from), 1, 0) == Ok(8)
}

/// Whether 4 bytes at `addr` can be written, whatever `addr` is. Overwrites them.
///
/// # Safety
/// The 4 bytes must be the caller's to overwrite.
pub unsafe fn can_write_4(addr: usize) -> bool {
    let mut ids = [0u32; 2];
    addr != 0
        && match call!(getcpu, addr, 0, 0) {
            Ok(_) => true,
            Err(Errno::EFAULT) => false,
            // A sandbox may permit only the calls that its programs need.
            Err(_) => {
                let [one, other] = ids.each_mut().map(ptr::from_mut);
                call!(getresuid, addr, one, other) != Err(Errno::EFAULT)
            }
        }
}

/// A page of our own that the kernel fills with zeros in a forked child. None: the kernel cannot.
pub fn page_wiped_on_fork() -> Option<&'static AtomicU32> {
    const MADV_WIPEONFORK: usize = 18;
    let page = map(4096).ok()?;
    call!(madvise, page, 4096, MADV_WIPEONFORK).ok()?;
    // SAFETY: a fresh mapping, aligned, never unmapped.
    Some(unsafe { AtomicU32::from_ptr(page as *mut u32) })
}

/// Leaves memory that was mapped out of forked children. False: they get it.
pub fn keep_from_children(start: usize, bytes: usize) -> bool {
    const MADV_DONTFORK: usize = 10;
    call!(madvise, start, bytes, MADV_DONTFORK).is_ok()
}

/// Maps memory, in whole pages.
pub fn map(bytes: usize) -> Result<usize, Errno> {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    call!(mmap, 0, bytes, libc::PROT_READ | libc::PROT_WRITE, flags, usize::MAX, 0)
}

/// `mremap(2)` of memory that `map` gave.
pub fn remap(start: usize, old: usize, new: usize, can_move: bool) -> Result<usize, Errno> {
    call!(mremap, start, old, new, if can_move { libc::MREMAP_MAYMOVE } else { 0 })
}

/// Unmaps memory that `map` gave. Returns whether the kernel did it.
pub fn unmap(start: usize, bytes: usize) -> bool {
    call!(munmap, start, bytes).is_ok()
}

/// Changes what may be done with whole pages: `mprotect(2)`.
///
/// # Safety
/// No other code relies on the pages' present protection while it lasts.
pub unsafe fn protect(start: usize, bytes: usize, protection: i32) -> Result<(), Errno> {
    call!(mprotect, start, bytes, protection).map(drop)
}
