//! Every raw system call of the reactor and the shim, with a typed `Errno`.
//!
//! The calls go to the kernel directly and not through libc: the shim interposes libc's names, and
//! our own calls must never come back to it. All go through `enter`, where a model has a kernel of its own.

use std::ptr;
pub use syscalls::Errno;
use syscalls::Sysno;

use crate::sync::global::AtomicU32;

/// Sets the signal of a file's wakeups. Linux: `<asm-generic/fcntl.h>`.
pub const F_SETSIG: i32 = 10;
/// Asks for it.
pub const F_GETSIG: i32 = 11;
/// Sets who gets it, as (kind, id).
pub const F_SETOWN_EX: i32 = 15;
/// Asks for that.
pub const F_GETOWN_EX: i32 = 16;
const F_OWNER_PID: i32 = 1;

/// Nanoseconds in a second.
pub const NSEC_PER_SEC: u64 = 1_000_000_000;

/// A system call of up to six arguments, as the kernel takes them.
///
/// # Safety
/// The arguments must be right for that call.
#[inline]
pub unsafe fn syscall(nr: usize, args: [usize; 6]) -> Result<usize, Errno> {
    // SAFETY: the caller's promise.
    unsafe { enter::syscall(nr, args) }
}

macro_rules! call {
    ($nr:ident $(, $arg:expr)*) => {{
        let args = args_of(&[$( $arg as usize ),*]);
        // SAFETY: each wrapper below hands over live references or plain numbers only.
        unsafe { syscall(Sysno::$nr as usize, args) }
    }};
}

fn args_of(given: &[usize]) -> [usize; 6] {
    let mut args = [0; 6];
    args[..given.len()].copy_from_slice(given);
    args
}

#[cfg(not(any(loom, miri)))]
mod enter;
#[cfg(miri)]
#[path = "interpreted.rs"]
mod enter;
mod fd_numbers;
#[cfg(not(loom))]
mod futex;
pub mod magic;
mod over_limit;
pub mod unread;
mod valgrind;

#[cfg(loom)]
use crate::model::kernel as enter;
#[cfg(loom)]
pub use crate::model::kernel::futex::{futex_wait, futex_wake, relax};
#[cfg(not(loom))]
pub use futex::{futex_wait, futex_wake, relax};

pub(crate) use fd_numbers::alias;
pub use fd_numbers::{
    descriptor_limits, duplicate_high, move_high, stay_above, with_raised_limit, GAP, LIMIT,
};
pub use valgrind::on_valgrind;

/// Closes a descriptor of ours.
pub fn close(fd: i32) -> Result<(), Errno> {
    call!(close, fd).map(drop)
}

/// Linux: `eventfd2(2)`; `flags` as there.
pub fn eventfd(flags: i32) -> Result<i32, Errno> {
    call!(eventfd2, 0, flags).map(|fd| fd as i32)
}

/// A descriptor that is never ready unless it is told to be, where eventfds are refused. Linux: `timerfd_create(2)`.
pub fn idle_timer(flags: i32) -> Result<i32, Errno> {
    call!(timerfd_create, libc::CLOCK_MONOTONIC, flags).map(|fd| fd as i32)
}

/// Makes a signalfd, or gives an existing one another mask.
pub fn signalfd(fd: i32, mask: u64, flags: i32) -> Result<i32, Errno> {
    call!(signalfd4, fd, ptr::from_ref(&mask), 8, flags).map(|fd| fd as i32)
}

/// `fcntl(2)` with a number as argument.
pub fn fcntl(fd: i32, cmd: i32, arg: usize) -> Result<i32, Errno> {
    call!(fcntl, fd, cmd, arg).map(|value| value as i32)
}

/// Sets or clears O_ASYNC alone. Linux: `fs/ioctl.c:ioctl_fioasync`.
pub fn set_async(fd: i32, on: bool) -> Result<(), Errno> {
    let on = i32::from(on);
    call!(ioctl, fd, libc::FIOASYNC, ptr::from_ref(&on)).map(drop)
}

/// Sends the file's signals to a whole process.
pub fn set_owner(fd: i32, pid: i32) -> Result<(), Errno> {
    let owner = [F_OWNER_PID, pid];
    call!(fcntl, fd, F_SETOWN_EX, owner.as_ptr()).map(drop)
}

/// `ioctl(2)` as it is.
pub fn ioctl(fd: i32, request: u64, arg: usize) -> Result<i32, Errno> {
    call!(ioctl, fd, request, arg).map(|value| value as i32)
}

/// `isatty(3)`.
pub fn is_terminal(fd: i32) -> bool {
    // SAFETY: all-zero bytes are a valid `termios`, which is larger than the kernel's.
    let mut mode: libc::termios = unsafe { std::mem::zeroed() };
    call!(ioctl, fd, libc::TCGETS, ptr::from_mut(&mut mode)).is_ok()
}

/// How many CPUs the calling thread may run on; 1 if the kernel does not say.
pub fn cpus() -> u32 {
    let mut set = [0u64; 128];
    match call!(sched_getaffinity, 0, size_of_val(&set), set.as_mut_ptr()) {
        Ok(_) => set.iter().map(|word| word.count_ones()).sum(),
        Err(_) => 1,
    }
}

/// Whether the effective user is root.
pub fn is_root() -> bool {
    call!(geteuid) == Ok(0)
}

/// What `fstat(2)` says of a descriptor, as far as we need it.
pub fn fstat(fd: i32) -> Result<libc::stat, Errno> {
    // SAFETY: all-zero bytes are a valid `stat`.
    let mut stat: libc::stat = unsafe { std::mem::zeroed() };
    call!(fstat, fd, ptr::from_mut(&mut stat)).map(|_| stat)
}

/// The magic number of the file's filesystem.
pub fn filesystem(fd: i32) -> Result<i64, Errno> {
    // SAFETY: all-zero bytes are a valid `statfs`.
    let mut stat: libc::statfs = unsafe { std::mem::zeroed() };
    call!(fstatfs, fd, ptr::from_mut(&mut stat)).map(|_| stat.f_type as i64)
}

/// The mount that a descriptor's file was opened by, and the file's inode number. None: the kernel does not say.
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

/// The type of a file, as the kernel remembers it: a server is not asked.
pub fn known_type(fd: i32) -> Option<u32> {
    statx(fd, c"", libc::AT_EMPTY_PATH, libc::STATX_TYPE).map(|stat| u32::from(stat.stx_mode) & libc::S_IFMT)
}

/// None: the kernel does not say all that is wanted.
fn statx(dir: i32, path: &std::ffi::CStr, flags: i32, wanted: u32) -> Option<libc::statx> {
    // SAFETY: all-zero bytes are a valid `statx`.
    let mut stat: libc::statx = unsafe { std::mem::zeroed() };
    let flags = flags | libc::AT_STATX_DONT_SYNC;
    call!(statx, dir, path.as_ptr(), flags, wanted, ptr::from_mut(&mut stat)).ok()?;
    (stat.stx_mask & wanted == wanted).then_some(stat)
}

/// A socket option that is an int.
pub fn getsockopt(fd: i32, level: i32, name: i32) -> Result<i32, Errno> {
    let mut value = 0i32;
    let mut len = 4u32;
    call!(getsockopt, fd, level, name, ptr::from_mut(&mut value), ptr::from_mut(&mut len)).map(|_| value)
}

/// `read(2)`.
pub fn read(fd: i32, buf: &mut [u8]) -> Result<usize, Errno> {
    call!(read, fd, buf.as_mut_ptr(), buf.len())
}

/// `lseek(2)`.
pub fn seek(fd: i32, offset: i64, whence: i32) -> Result<usize, Errno> {
    call!(lseek, fd, offset, whence)
}

/// `write(2)`.
pub fn write(fd: i32, buf: &[u8]) -> Result<usize, Errno> {
    call!(write, fd, buf.as_ptr(), buf.len())
}

/// `write(2)` to where nobody may read any more, or nothing more may be written: no signal comes of it.
pub fn write_unsignalled(fd: i32, buf: &[u8]) -> Result<usize, Errno> {
    const DEADLY: u64 = 1 << (libc::SIGPIPE - 1) | 1 << (libc::SIGXFSZ - 1);
    let mask = sigprocmask(libc::SIG_BLOCK, DEADLY);
    // Only what the thread blocked before can have been waiting before.
    let before = if mask & DEADLY != 0 { pending_signals() } else { 0 };
    let written = write(fd, buf);
    if matches!(written, Err(Errno::EPIPE | Errno::EFBIG)) {
        let (ours, no_time) = (DEADLY & !before, timespec(0));
        let _ = call!(rt_sigtimedwait, ptr::from_ref(&ours), 0, ptr::from_ref(&no_time), 8);
    }
    if mask & DEADLY != DEADLY {
        sigprocmask(libc::SIG_SETMASK, mask);
    }
    written
}

/// `ppoll(2)`: `timeout_ns` None is forever; `sigmask` is in force during the call.
///
/// `pollfd` of `fds` may be changed in `revents` alone.
pub fn ppoll(
    fds: &mut [libc::pollfd],
    timeout_ns: Option<u64>,
    sigmask: Option<u64>,
) -> Result<usize, Errno> {
    let mut ts = timeout_ns.map(timespec);
    let ts = ts.as_mut().map_or(ptr::null_mut(), ptr::from_mut);
    let mask = sigmask.as_ref().map_or(ptr::null(), ptr::from_ref);
    let (first, count) = (fds.as_mut_ptr(), fds.len());
    let ask = || call!(ppoll, first, count, ts, mask, 8);
    match ask() {
        Err(errno) if !matches!(errno, Errno::EINTR | Errno::EFAULT) => {
            over_limit::ppoll(fds, timeout_ns, sigmask)
        }
        other => other,
    }
}

/// As `ppoll` with a time-out of 0, in the cheapest way there is. A signal does not end it.
pub fn poll_now(fds: &mut [libc::pollfd]) -> Result<usize, Errno> {
    loop {
        match ask_now(fds) {
            Ok(ready) => return Ok(ready),
            Err(Errno::EINTR) => {}
            Err(_) => match over_limit::ppoll(fds, Some(0), None) {
                Err(Errno::EINTR) => {}
                done => return done,
            },
        }
    }
}

/// poll(2) with a time-out of 0, or ppoll(2) where there is none, or it is refused.
pub(crate) fn ask_now(fds: &mut [libc::pollfd]) -> Result<usize, Errno> {
    #[cfg(target_arch = "x86_64")]
    if let done @ (Ok(_) | Err(Errno::EINVAL | Errno::ENOMEM)) = call!(poll, fds.as_mut_ptr(), fds.len(), 0) {
        return done;
    }
    let no_time = timespec(0);
    call!(ppoll, fds.as_mut_ptr(), fds.len(), ptr::from_ref(&no_time), 0, 8)
}

fn timespec(ns: u64) -> libc::timespec {
    let sec = (ns / NSEC_PER_SEC).min(i64::MAX as u64);
    libc::timespec { tv_sec: sec as _, tv_nsec: (ns % NSEC_PER_SEC) as _ }
}

/// Changes this thread's signal mask and returns the old one. `how` as in `sigprocmask(2)`.
pub fn sigprocmask(how: i32, set: u64) -> u64 {
    let mut old = 0u64;
    let _ = call!(rt_sigprocmask, how, ptr::from_ref(&set), ptr::from_mut(&mut old), 8);
    old
}

/// This thread's signal mask.
pub fn sigmask() -> u64 {
    let mut old = 0u64;
    let _ = call!(rt_sigprocmask, 0, 0, ptr::from_mut(&mut old), 8);
    old
}

/// The signals that wait for this thread or for the process. Of those that the thread blocks. All, where the kernel
/// does not say.
pub fn pending_signals() -> u64 {
    let mut pending = 0u64;
    match call!(rt_sigpending, ptr::from_mut(&mut pending), 8) {
        Ok(_) => pending,
        Err(_) => u64::MAX,
    }
}

/// Queues a signal to this thread with what it carried before.
///
/// # Errors
/// EAGAIN if the queue is full, which other processes of the user fill as well.
///
/// # Safety
/// `info` points to a `siginfo_t`.
pub unsafe fn queue_to_self(signal: i32, info: *const u8) -> Result<(), Errno> {
    call!(rt_tgsigqueueinfo, getpid(), gettid(), signal, info).map(drop)
}

/// Sends a signal to this thread.
pub fn signal_self(signal: i32) -> Result<(), Errno> {
    call!(tgkill, getpid(), gettid(), signal).map(drop)
}

/// Lets another thread run.
pub fn yield_now() {
    let _ = call!(sched_yield);
}

/// The process id, as the kernel says it.
pub fn getpid() -> i32 {
    call!(getpid).unwrap_or(0) as i32
}

/// The thread id.
pub fn gettid() -> i32 {
    call!(gettid).unwrap_or(0) as i32
}

/// Sleeps for so long, or less if a signal comes.
pub fn pause(ns: u64) {
    let _ = ppoll(&mut Vec::new(), Some(ns), None);
}

/// Sleeps for so long or less, by the call that no program can do without.
pub(crate) fn nap(ns: u64) {
    let _ = futex_wait(&crate::sync::AtomicU32::new(0), 0, Some(ns));
}

/// CLOCK_MONOTONIC in nanoseconds.
pub fn now() -> u64 {
    #[cfg(loom)]
    return enter::now();
    #[cfg(not(loom))]
    clock(libc::CLOCK_MONOTONIC)
}

/// The same as of the last tick of the clock, some milliseconds ago at most, for a quarter of the price.
pub fn now_coarse() -> u64 {
    #[cfg(loom)]
    return enter::now();
    #[cfg(not(loom))]
    clock(libc::CLOCK_MONOTONIC_COARSE)
}

#[cfg(not(loom))]
#[inline]
fn clock(clock: libc::clockid_t) -> u64 {
    let mut ts = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `ts` lives; the vDSO answers without a system call.
    unsafe { libc::clock_gettime(clock, &mut ts) };
    ts.tv_sec as u64 * NSEC_PER_SEC + ts.tv_nsec as u64
}

/// Whether 8 bytes at `addr` can be read by this process, whatever `addr` is.
pub fn can_read_8(addr: usize) -> bool {
    if on_valgrind() {
        return can_copy_8(addr);
    }
    // An unknown `how` makes the kernel copy the set and then refuse it. NULL would mean no set.
    addr != 0 && call!(rt_sigprocmask, usize::MAX, addr, 0, 8) != Err(Errno::EFAULT)
}

/// The same, by a call that no tool takes for a use of the memory.
#[cold]
fn can_copy_8(addr: usize) -> bool {
    let mut copy = 0u64;
    let to = libc::iovec { iov_base: ptr::from_mut(&mut copy).cast(), iov_len: 8 };
    let from = libc::iovec { iov_base: ptr::without_provenance_mut(addr), iov_len: 8 };
    // By the thread's own number: under the process's there is no memory any more once the main thread has left.
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
            // A sandbox that lets nothing through that its programs do not need.
            Err(_) => {
                let [one, other] = ids.each_mut().map(ptr::from_mut);
                call!(getresuid, addr, one, other) != Err(Errno::EFAULT)
            }
        }
}

/// `pselect(2)` on sets of `words` words each; `sigmask` is in force during the call.
pub(crate) fn pselect(
    sets: &mut [Vec<u64>; 3],
    words: usize,
    timeout_ns: Option<u64>,
    sigmask: Option<u64>,
) -> Result<usize, Errno> {
    let mut ts = timeout_ns.map(timespec);
    let ts = ts.as_mut().map_or(ptr::null_mut(), ptr::from_mut);
    let mask = [sigmask.as_ref().map_or(0, |mask| ptr::from_ref(mask) as usize), 8];
    let [read, write, except] = sets;
    let [read, write, except] = [read, write, except].map(|set| set.as_mut_ptr());
    call!(pselect6, words * 64, read, write, except, ts, mask.as_ptr())
}

/// Whether it is a socket that connections come to.
pub fn is_listening(fd: i32) -> bool {
    getsockopt(fd, libc::SOL_SOCKET, libc::SO_ACCEPTCONN).is_ok_and(|listens| listens != 0)
}

/// Whether it is a timerfd that is not set.
pub fn is_stopped_timer(fd: i32) -> bool {
    // SAFETY: all-zero bytes are a valid `itimerspec`.
    let mut left: libc::itimerspec = unsafe { std::mem::zeroed() };
    call!(timerfd_gettime, fd, ptr::from_mut(&mut left)).is_ok()
        && (left.it_value.tv_sec, left.it_value.tv_nsec) == (0, 0)
}

/// Whether it is a socket that is connected.
pub fn has_peer(fd: i32) -> bool {
    let (mut address, mut len) = ([0u8; 128], 128u32);
    call!(getpeername, fd, address.as_mut_ptr(), ptr::from_mut(&mut len)).is_ok()
}

/// How many bytes a TCP connection has received in its life; None for a listening socket. Linux 4.1: `tcp_info.tcpi_bytes_received`.
pub fn bytes_received(fd: i32) -> Option<u64> {
    const AT: usize = 128;
    const TCP_LISTEN: u8 = 10;
    let mut info = [0u8; AT + 8];
    let mut len = info.len() as u32;
    let asked =
        call!(getsockopt, fd, libc::IPPROTO_TCP, libc::TCP_INFO, info.as_mut_ptr(), ptr::from_mut(&mut len));
    let bytes = info
        .last_chunk::<8>()
        .filter(|_| asked.is_ok() && len as usize == AT + 8 && info[0] != TCP_LISTEN)?;
    Some(u64::from_ne_bytes(*bytes))
}

/// `openat(2)` below the working directory.
pub fn open(path: &std::ffi::CStr, flags: i32, mode: u32) -> Result<i32, Errno> {
    call!(openat, libc::AT_FDCWD, path.as_ptr(), flags | libc::O_CLOEXEC, mode).map(|fd| fd as i32)
}

/// A page of our own that the kernel empties in a forked child. None: the kernel cannot.
pub fn page_wiped_on_fork() -> Option<&'static AtomicU32> {
    const MADV_WIPEONFORK: usize = 18;
    let page = map(4096).ok()?;
    call!(madvise, page, 4096, MADV_WIPEONFORK).ok()?;
    // SAFETY: a fresh mapping, aligned, never unmapped.
    Some(unsafe { AtomicU32::from_ptr(page as *mut u32) })
}

/// Memory of our own, a whole number of pages.
pub fn map(bytes: usize) -> Result<usize, Errno> {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    call!(mmap, 0, bytes, libc::PROT_READ | libc::PROT_WRITE, flags, usize::MAX, 0)
}

/// `mremap(2)` of memory that `map` gave.
pub fn remap(start: usize, old: usize, new: usize, can_move: bool) -> Result<usize, Errno> {
    call!(mremap, start, old, new, if can_move { libc::MREMAP_MAYMOVE } else { 0 })
}

/// Gives memory back that `map` gave. False: it stays.
pub fn unmap(start: usize, bytes: usize) -> bool {
    call!(munmap, start, bytes).is_ok()
}

/// What a symbolic link says that was opened with O_PATH and O_NOFOLLOW.
pub fn readlink_of(fd: i32, buf: &mut [u8]) -> Result<usize, Errno> {
    call!(readlinkat, fd, c"".as_ptr(), buf.as_mut_ptr(), buf.len())
}

/// `readlink(2)`; `path` ends with a NUL.
pub fn readlink(path: &[u8], buf: &mut [u8]) -> Result<usize, Errno> {
    debug_assert_eq!(path.last(), Some(&0));
    call!(readlinkat, libc::AT_FDCWD, path.as_ptr(), buf.as_mut_ptr(), buf.len())
}

/// The path of a descriptor's file, as /proc tells it.
pub fn path_of(fd: i32) -> Option<Vec<u8>> {
    let mut path = vec![0; libc::PATH_MAX as usize];
    let read = readlink(format!("/proc/self/fd/{fd}\0").as_bytes(), &mut path).ok()?;
    path.truncate(read);
    Some(path)
}

/// `getdents64(2)`.
pub fn getdents(fd: i32, buf: &mut [u8]) -> Result<usize, Errno> {
    call!(getdents64, fd, buf.as_mut_ptr(), buf.len())
}

/// Whether two descriptors of this process stand for one open file description. False where the kernel
/// does not say.
pub fn is_same_file(a: i32, b: i32) -> bool {
    /// Linux 6.10. Sandboxes often refuse kcmp.
    const F_DUPFD_QUERY: i32 = 1027;
    const KCMP_FILE: i32 = 0;
    let pid = getpid();
    match call!(kcmp, pid, pid, KCMP_FILE, a, b) {
        Ok(order) => order == 0,
        Err(_) => fcntl(a, F_DUPFD_QUERY, b as usize) == Ok(1),
    }
}
