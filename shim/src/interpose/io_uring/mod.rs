//! epoll_ctl(2) by io_uring: IORING_OP_EPOLL_CTL, as libuv batches it.
//!
//! The kernel would apply the operation to the eventfd beneath our epoll descriptor, and fail. So before
//! io_uring_enter(2) submits, we perform the operations on our own epolls. Their entries become no-ops that report
//! the result, or on kernels before 6.10 operations that fail with the same errno (`refusal`). We see only rings that
//! the program makes and enters through libc's syscall(2), and no rings that a kernel thread reads by itself (SQPOLL).
//!
//! Linux: `io_uring/epoll.c:io_epoll_ctl`, `io_uring/nop.c`, `include/uapi/linux/io_uring.h`.

mod refusal;

use std::ptr;
use std::sync::atomic::{AtomicU32, Ordering};

use dashmap::DashMap;
use glasspoll_reactor::hash::Hash;
use glasspoll_reactor::sys::Errno;
use libc::{c_int, c_long, epoll_event};
use once_cell::sync::Lazy;

use crate::engine::{emulate, Outcome};
use crate::interpose::guarded;
use crate::thread::context;
use crate::{fdtable, process};

const IORING_OP_NOP: u8 = 0;
const IORING_OP_EPOLL_CTL: u8 = 29;
const IORING_OFF_SQ_RING: i64 = 0;
const IORING_OFF_SQES: i64 = 0x1000_0000;
const IORING_ENTER_REGISTERED_RING: usize = 1 << 4;
const IORING_NOP_INJECT_RESULT: u32 = 1;
const IOSQE_IO_LINK: u8 = 1 << 2;
const IOSQE_IO_HARDLINK: u8 = 1 << 3;
const IORING_SETUP_SQE128: u32 = 1 << 10;
const IORING_SETUP_NO_SQARRAY: u32 = 1 << 16;
/// Setup flags that change where the entries are or what reads them: SQPOLL, NO_MMAP, REGISTERED_FD_ONLY, and every
/// flag after NO_SQARRAY except HYBRID_IOPOLL.
const STRANGE: u32 = 1 << 1 | 1 << 14 | 1 << 15 | !((1 << 18) - 1);

/// Linux: `struct io_uring_params`, up to the offsets of the submission ring.
#[repr(C)]
#[derive(Clone, Copy)]
struct Params {
    sq_entries: u32,
    cq_entries: u32,
    flags: u32,
    unused: [u32; 7],
    head: u32,
    tail: u32,
    ring_mask: u32,
    ring_entries: u32,
    ring_flags: u32,
    dropped: u32,
    array: u32,
}

/// Linux: `struct io_uring_sqe`.
#[repr(C)]
#[derive(Clone, Copy)]
struct Sqe {
    opcode: u8,
    flags: u8,
    ioprio: u16,
    fd: i32,
    off: u64,
    addr: u64,
    len: u32,
    op_flags: u32,
    user_data: u64,
    rest: [u64; 3],
}

/// The parameters of each ring, by its fd.
static RINGS: Lazy<DashMap<c_int, Params, Hash>> =
    Lazy::new(|| DashMap::with_hasher_and_shard_amount(Hash::default(), 2));

/// Whether a no-op can report a given result (6.10). Otherwise it reports 0.
static CAN_INJECT: Lazy<bool> = Lazy::new(|| {
    // SAFETY: uname(2) fills in the structure.
    let release = unsafe {
        let mut name: libc::utsname = std::mem::zeroed();
        libc::uname(&mut name);
        name.release.map(|byte| byte as u8)
    };
    let text = String::from_utf8_lossy(&release);
    let mut parts = text.split(|c: char| !c.is_ascii_digit()).map(|part| part.parse().unwrap_or(0));
    (parts.next().unwrap_or(0), parts.next().unwrap_or(0)) >= (6, 10)
});

/// Called after io_uring_setup(2).
///
/// # Safety
/// On success `params` points to the structure that the kernel has filled in.
pub unsafe fn made(ring: c_long, params: usize) {
    let Ok(ring) = c_int::try_from(ring) else { return };
    if ring < 0 || process::is_vfork_child() {
        return;
    }
    guarded((), || {
        let Some(_guard) = context::enter() else { return };
        // SAFETY: the caller's promise.
        let params = unsafe { ptr::read_unaligned(params as *const Params) };
        if params.flags & STRANGE == 0 {
            RINGS.insert(ring, params);
        } else {
            RINGS.remove(&ring);
        }
    });
}

/// Called before io_uring_enter(2).
pub fn before_enter(ring: c_int, to_submit: usize, flags: usize) {
    if to_submit == 0 || flags & IORING_ENTER_REGISTERED_RING != 0 || !fdtable::any_epoll() {
        return;
    }
    guarded((), || {
        if process::is_vfork_child() {
            return;
        }
        let Some(_guard) = context::enter() else { return };
        let Some(params) = RINGS.get(&ring).map(|params| *params) else { return };
        let queue = Mapped::new(ring, params.queue_bytes(), IORING_OFF_SQ_RING);
        let entries = Mapped::new(ring, params.sqes_bytes(), IORING_OFF_SQES);
        if let (Some(queue), Some(entries)) = (queue, entries) {
            do_epoll_ctls(&params, &queue, &entries, to_submit);
        }
    });
}

impl Params {
    fn queue_bytes(&self) -> usize {
        let array = self.array as usize + self.sq_entries as usize * 4;
        array.max(self.head as usize + 4).max(self.tail as usize + 4)
    }

    fn stride(&self) -> usize {
        size_of::<Sqe>() * if self.flags & IORING_SETUP_SQE128 != 0 { 2 } else { 1 }
    }

    fn sqes_bytes(&self) -> usize {
        self.stride() * self.sq_entries as usize
    }
}

/// A part of a ring, mapped for the time of one call: a mapping that stays would keep the ring alive.
struct Mapped {
    start: *mut u8,
    bytes: usize,
}

impl Mapped {
    fn new(ring: c_int, bytes: usize, offset: i64) -> Option<Self> {
        let access = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: a new mapping.
        let start = unsafe { libc::mmap(ptr::null_mut(), bytes, access, libc::MAP_SHARED, ring, offset) };
        (start != libc::MAP_FAILED).then_some(Self { start: start.cast(), bytes })
    }

    /// Preconditions: `offset` is that of a word within the queue.
    fn word(&self, offset: u32) -> &AtomicU32 {
        // SAFETY: the precondition; the kernel writes these words atomically as well.
        unsafe { &*self.start.add(offset as usize).cast() }
    }
}

impl Drop for Mapped {
    fn drop(&mut self) {
        // SAFETY: our own mapping.
        unsafe { libc::munmap(self.start.cast(), self.bytes) };
    }
}

fn do_epoll_ctls(params: &Params, queue: &Mapped, entries: &Mapped, to_submit: usize) {
    let head = queue.word(params.head).load(Ordering::Acquire);
    let tail = queue.word(params.tail).load(Ordering::Acquire);
    let count = tail.wrapping_sub(head).min(params.sq_entries).min(to_submit as u32);
    // An earlier entry of the chain has failed: the kernel will cancel the rest.
    let mut broken = false;
    for n in 0..count {
        let mut at = head.wrapping_add(n) & (params.sq_entries - 1);
        if params.flags & IORING_SETUP_NO_SQARRAY == 0 {
            at = queue.word(params.array + at * 4).load(Ordering::Relaxed);
        }
        if at < params.sq_entries {
            // SAFETY: an entry of the ring, which is the program's own until it is submitted.
            let sqe = unsafe { &mut *entries.start.add(at as usize * params.stride()).cast::<Sqe>() };
            let failed = !broken && do_epoll_ctl(sqe).is_err();
            let links = sqe.flags & (IOSQE_IO_LINK | IOSQE_IO_HARDLINK);
            broken = links != 0 && (broken || failed && links & IOSQE_IO_HARDLINK == 0);
        }
    }
}

/// Linux: `io_uring/epoll.c:io_epoll_ctl`.
fn do_epoll_ctl(sqe: &mut Sqe) -> Result<i32, Errno> {
    if sqe.opcode != IORING_OP_EPOLL_CTL || fdtable::flags(sqe.fd) & fdtable::EPOLL == 0 {
        return Ok(0);
    }
    let event = sqe.addr as *const epoll_event;
    let done = emulate::ctl_inside(sqe.fd, sqe.len as c_int, sqe.off as c_int, event);
    let Outcome::Done(done) = done else { return Ok(0) };
    if done == Err(Errno::EFAULT) {
        // The kernel finds the bad pointer itself, and then submits no later entry.
        return done;
    }
    *sqe = match done {
        Err(errno) if !*CAN_INJECT => refusal::entry(sqe, errno),
        _ => Sqe {
            opcode: IORING_OP_NOP,
            flags: sqe.flags,
            user_data: sqe.user_data,
            len: done.unwrap_or_else(|errno| -errno.into_raw()) as u32,
            op_flags: if *CAN_INJECT { IORING_NOP_INJECT_RESULT } else { 0 },
            ioprio: 0,
            fd: -1,
            off: 0,
            addr: 0,
            rest: [0; 3],
        },
    };
    done
}
