//! The memory of the record: a memfd that only this process can write to, and whose size is fixed.

use std::ptr;

use glasspoll_reactor::sys::{self, Errno};
use syscalls::Sysno;

use crate::thread::fork_page;

/// Linux 5.1: `F_SEAL_FUTURE_WRITE`: later mappings are read-only.
const F_SEAL_FUTURE_WRITE: i32 = 0x10;

pub struct Made {
    pub fd: i32,
    pub at: *mut u8,
    /// Whether forked children get the memory. It costs each of them a mapping.
    pub is_inherited: bool,
}

fn call(nr: Sysno, args: [usize; 6]) -> Result<usize, Errno> {
    // SAFETY: the callers below pass numbers, and pointers to live memory.
    unsafe { sys::syscall(nr as usize, args) }
}

/// The parent's pid.
pub fn parent() -> i32 {
    call(Sysno::getppid, [0; 6]).unwrap_or(0) as i32
}

/// Whether the system overcommits no memory. Then the first write to a page may fail, with SIGBUS.
/// Linux: `Documentation/mm/overcommit-accounting.rst`, mode 2.
pub fn is_promised() -> bool {
    let mut mode = [0];
    let read = sys::open(c"/proc/sys/vm/overcommit_memory", libc::O_RDONLY, 0).and_then(|fd| {
        let read = sys::read(fd, &mut mode);
        let _ = sys::close(fd);
        read
    });
    read.is_ok() && mode == *b"2"
}

/// Makes a memfd of `size` bytes and maps it, at `over` if that is given. Pages that are never written take no
/// memory, except with `whole`: then all of them are allocated at the start.
pub fn make(size: usize, over: Option<*mut u8>, whole: bool) -> Result<Made, Errno> {
    let mut limit = [0u64; 2];
    call(Sysno::prlimit64, [0, libc::RLIMIT_FSIZE as usize, 0, limit.as_mut_ptr() as usize, 0, 0])?;
    if limit[0] < size as u64 {
        // ftruncate(2) to this size would raise SIGXFSZ.
        return Err(Errno::EFBIG);
    }
    let flags = (libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING) as usize;
    let name = c"glasspoll";
    let fd = call(Sysno::memfd_create, [name.as_ptr() as usize, flags, 0, 0, 0, 0])?;
    let mapped = call(Sysno::ftruncate, [fd, size, 0, 0, 0, 0]).and_then(|_| {
        if whole {
            call(Sysno::fallocate, [fd, 0, 0, size, 0, 0])?;
        }
        let protection = (libc::PROT_READ | libc::PROT_WRITE) as usize;
        let fixed = if over.is_some() { libc::MAP_FIXED } else { 0 };
        let at = over.map_or(0, |over| over.expose_provenance());
        call(Sysno::mmap, [at, size, protection, (libc::MAP_SHARED | fixed) as usize, fd, 0])
    });
    let fd = fd as i32;
    match mapped {
        Ok(at) => {
            let fixed = libc::F_SEAL_SHRINK | libc::F_SEAL_GROW | libc::F_SEAL_SEAL;
            let sealed = |seals: i32| sys::fcntl(fd, libc::F_ADD_SEALS, seals as usize);
            let _ = sealed(fixed | F_SEAL_FUTURE_WRITE).or_else(|_| sealed(fixed));
            let is_inherited = !fork_page::is_there() || !sys::keep_from_children(at, size);
            Ok(Made { fd, at: ptr::with_exposed_provenance_mut(at), is_inherited })
        }
        Err(errno) => {
            let _ = sys::close(fd);
            Err(errno)
        }
    }
}
