//! Submission entries that fail with a given errno, for kernels whose no-op always reports 0.
//!
//! Each entry fails when it is carried out, not when it is submitted: from 5.12 on the kernel takes no further entries
//! after one that it refuses at submission. A kernel thread carries out the entries that open a file or ask for
//! memory, so their completions may come after later ones.

use std::mem::MaybeUninit;
use std::sync::atomic::AtomicU8;

use glasspoll_reactor::sys::{self, Errno};
use libc::c_int;

use super::Sqe;
use crate::process::record;

const IORING_OP_TIMEOUT_REMOVE: u8 = 12;
const IORING_OP_FALLOCATE: u8 = 17;
const IORING_OP_OPENAT: u8 = 18;
const IORING_OP_CLOSE: u8 = 19;
const IORING_OP_MADVISE: u8 = 25;
const IOSQE_FIXED_FILE: u8 = 1 << 0;
const IOSQE_BUFFER_SELECT: u8 = 1 << 5;
const NO_SUCH_ADVICE: u32 = 0x7fff_ffff;
/// An offset past the end of any record.
const FAR: u64 = 1 << 40;

/// Returns the entry that replaces `sqe`, whose operation failed with `errno`. ENOSPC, and every other errno that no
/// entry can produce, becomes EINVAL.
pub fn entry(sqe: &Sqe, errno: Errno) -> Sqe {
    let mut failing = Sqe {
        opcode: IORING_OP_MADVISE,
        flags: sqe.flags & !(IOSQE_FIXED_FILE | IOSQE_BUFFER_SELECT),
        ioprio: 0,
        fd: -1,
        off: 0,
        addr: 0,
        len: 0,
        op_flags: NO_SUCH_ADVICE,
        user_data: sqe.user_data,
        rest: [0; 3],
    };
    match errno {
        Errno::ENOENT => {
            // Linux: `io_uring/timeout.c:io_timeout_cancel`: no request of the program has this address as its name.
            static NOBODYS: AtomicU8 = AtomicU8::new(0);
            (failing.opcode, failing.op_flags) = (IORING_OP_TIMEOUT_REMOVE, 0);
            failing.addr = NOBODYS.as_ptr().addr() as u64;
        }
        // No descriptor is -1.
        Errno::EBADF => (failing.opcode, failing.op_flags) = (IORING_OP_CLOSE, 0),
        // Linux: `fs/namei.c:do_open`: the root exists.
        Errno::EEXIST => opens(&mut failing, c"/", libc::O_CREAT | libc::O_EXCL),
        // Linux: `fs/namei.c:may_open`: the path is a symbolic link.
        Errno::ELOOP if is_link(c"/proc/self") => opens(&mut failing, c"/proc/self", libc::O_NOFOLLOW),
        // Nothing is mapped at the address 0.
        Errno::ENOMEM => (failing.op_flags, failing.len) = (libc::MADV_NORMAL as u32, 4096),
        Errno::EPERM => {
            // Linux: `mm/shmem.c:shmem_fallocate`.
            if let Some(fd) = what_cannot_grow() {
                (failing.opcode, failing.op_flags) = (IORING_OP_FALLOCATE, 0);
                (failing.fd, failing.off, failing.addr) = (fd, FAR, 1);
            }
        }
        _ => {}
    }
    failing
}

fn opens(sqe: &mut Sqe, path: &'static std::ffi::CStr, flags: c_int) {
    (sqe.opcode, sqe.fd) = (IORING_OP_OPENAT, libc::AT_FDCWD);
    sqe.addr = path.as_ptr().addr() as u64;
    sqe.op_flags = flags as u32;
}

fn is_link(path: &std::ffi::CStr) -> bool {
    let opened = sys::open(path, libc::O_NOFOLLOW, 0).map(sys::close);
    opened.is_err_and(|errno| errno == Errno::ELOOP)
}

/// The fd of our record, which is sealed. None: there is no record, or a limit on file sizes applies, and the kernel
/// would send SIGXFSZ before it checks the seals. Linux: `fs/attr.c:inode_newsize_ok`.
fn what_cannot_grow() -> Option<c_int> {
    let record = record::own_descriptor()?;
    let mut limit = MaybeUninit::<libc::rlimit>::zeroed();
    // SAFETY: the structure is there to be filled in, and all zeros are a valid one.
    let limit = unsafe {
        libc::getrlimit(libc::RLIMIT_FSIZE, limit.as_mut_ptr());
        limit.assume_init()
    };
    let seals = sys::fcntl(record, libc::F_GET_SEALS, 0).unwrap_or(0);
    (limit.rlim_cur == libc::RLIM_INFINITY && seals & libc::F_SEAL_GROW != 0).then_some(record)
}
