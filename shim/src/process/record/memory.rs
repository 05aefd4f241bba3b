//! The memory of the record: a memfd that nobody but this process can write to, nor make longer or shorter.

use std::ptr;

use glasspoll_reactor::sys::{self, Errno};
use syscalls::Sysno;

/// Linux 5.1: `F_SEAL_FUTURE_WRITE`: who maps it from now on cannot write.
const F_SEAL_FUTURE_WRITE: i32 = 0x10;

pub struct Made {
    pub fd: i32,
    pub at: *mut u8,
}

fn call(nr: Sysno, args: [usize; 6]) -> Result<usize, Errno> {
    // SAFETY: the callers below give numbers, and pointers to what lives.
    unsafe { sys::syscall(nr as usize, args) }
}

/// The parent's id.
pub fn parent() -> i32 {
    call(Sysno::getppid, [0; 6]).unwrap_or(0) as i32
}

/// Whether the system promises no more memory than it has: then a page that is written to for the first time may be
/// refused, by SIGBUS. Linux: `Documentation/mm/overcommit-accounting.rst`, mode 2.
pub fn is_promised() -> bool {
    let mut mode = [0];
    let read = sys::open(c"/proc/sys/vm/overcommit_memory", libc::O_RDONLY, 0).and_then(|fd| {
        let read = sys::read(fd, &mut mode);
        let _ = sys::close(fd);
        read
    });
    read.is_ok() && mode == *b"2"
}

/// A memfd of so many bytes, mapped, and `over` memory of that size if some is given. What is never written to takes
/// no memory, unless all of it is to be there from the start (`whole`).
pub fn make(size: usize, over: Option<*mut u8>, whole: bool) -> Result<Made, Errno> {
    let mut limit = [0u64; 2];
    call(Sysno::prlimit64, [0, libc::RLIMIT_FSIZE as usize, 0, limit.as_mut_ptr() as usize, 0, 0])?;
    if limit[0] < size as u64 {
        // To make it that long would be a SIGXFSZ.
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
            let fixed = libc::F_SEAL_SHRINK | libc::F_SEAL_GROW;
            let sealed = |seals: i32| sys::fcntl(fd, libc::F_ADD_SEALS, seals as usize);
            let _ = sealed(fixed | F_SEAL_FUTURE_WRITE).or_else(|_| sealed(fixed));
            let _ = sealed(libc::F_SEAL_SEAL);
            Ok(Made { fd, at: ptr::with_exposed_provenance_mut(at) })
        }
        Err(errno) => {
            let _ = sys::close(fd);
            Err(errno)
        }
    }
}
