//! The interposed names of poll(2) and select(2), and their system calls.
//!
//! If no epoll descriptor of ours is in the list, the call goes to libc. A mask that it carries has our signal
//! blocked.

use glasspoll_reactor::sys::{self, Errno, NSEC_PER_SEC};
use glasspoll_record::event::Call;
use libc::{c_int, fd_set, nfds_t, pollfd, sigset_t, timespec, timeval};

use crate::engine::{emulate, Outcome};
use crate::fdtable::{self, EPOLL, KERNEL_SET};
use crate::interpose::sigmask::Masked;
use crate::interpose::{answer, epoll, errno, guarded, polling};
use crate::memory::user_memory;
use crate::process::record::{self, Timed};
use crate::thread::signal::ours;

/// The program's list. A pointer, not a reference: another thread may change the memory.
#[derive(Clone, Copy)]
struct List {
    fds: *mut pollfd,
    count: usize,
}

/// The program's list, if it is readable and contains an epoll descriptor of ours.
fn concerned(fds: *mut pollfd, count: nfds_t) -> Option<List> {
    let count = usize::try_from(count).ok().filter(|count| *count <= 1 << 20)?;
    let came = fdtable::untouched::are_there();
    if fds.is_null() || count == 0 || !(came || fdtable::any_epoll()) {
        return None;
    }
    let bytes = count * size_of::<pollfd>();
    for page in (fds as usize..fds as usize + bytes).step_by(4096) {
        user_memory::read_u64(page as *const u64).ok()?;
    }
    // SAFETY: poll(2)'s contract, and every page was found readable.
    let list = unsafe { std::slice::from_raw_parts(fds, count) };
    if came {
        fdtable::untouched::polled(list.iter().map(|pollfd| pollfd.fd));
    }
    let concerns = fdtable::any_epoll() && polling::concerns_us(list);
    concerns.then_some(List { fds, count })
}

/// Waits on a copy of the program's list, and stores the result there. As in the kernel, an unwritable list fails
/// only at that point. Linux: `fs/select.c:do_sys_poll`.
fn poll_list(list: List, ns: Option<u64>, mask: Option<u64>) -> Result<c_int, Errno> {
    // The heap is used only inside: the copy is dropped before the guard.
    let _guard = crate::thread::context::enter();
    // SAFETY: every page was found readable.
    let mut copy: Vec<pollfd> =
        (0..list.count).map(|n| unsafe { list.fds.add(n).read_unaligned() }).collect();
    let ready = polling::poll(&mut copy, ns, mask)?;
    let mut writable = None;
    for (n, found) in copy.iter().enumerate() {
        let both = u32::from(found.events as u16) | u32::from(found.revents as u16) << 16;
        let at = list.fds.wrapping_add(n) as usize + std::mem::offset_of!(pollfd, events);
        if writable == Some(at >> 12) {
            // SAFETY: in a page that was written to in this call.
            unsafe { (at as *mut u32).write_unaligned(both) };
        } else {
            user_memory::write_u32(at, both)?;
            writable = Some(at >> 12);
        }
    }
    Ok(ready)
}

fn mask_of(sigmask: *const sigset_t) -> Result<Option<u64>, Errno> {
    if sigmask.is_null() {
        return Ok(None);
    }
    user_memory::read_u64(sigmask.cast()).map(|mask| Some(ours::with_ours(mask)))
}

/// A call to libc's poll(2) was long. A thread that polls an epoll descriptor waits on its loop.
#[cold]
fn polled(timed: Timed, list: List, found: c_int) {
    // The kernel has not read the list.
    if found < 0 && errno() != libc::EINTR {
        return;
    }
    // SAFETY: the kernel has just read the program's list.
    let fds = (0..list.count).map(|n| unsafe { (*list.fds.add(n)).fd });
    if fds.clone().any(|fd| fdtable::flags(fd) & (EPOLL | KERNEL_SET) != 0) {
        return;
    }
    let call = if list.count == 0 { Call::Sleep } else { Call::Poll };
    timed.end(call, fds.clone().next().unwrap_or(-1), found.into());
}

/// The same of select(2). Its sets are the kernel's answer by now, so any epoll descriptor below `count` may have been
/// in them.
#[cold]
fn selected(timed: Timed, count: c_int, sets: Sets, found: c_int) {
    let is_sleep = sets.iter().all(|set| set.is_null());
    if is_sleep || !fdtable::known_below(count).any(|fd| fdtable::flags(fd) & (EPOLL | KERNEL_SET) != 0) {
        timed.end(if is_sleep { Call::Sleep } else { Call::Poll }, -1, found.into());
    }
}

crate::interpose! {
    /// poll(2).
    fn poll(fds: *mut pollfd, count: nfds_t, timeout: c_int) -> c_int |real| {
        match guarded(None, || concerned(fds, count)) {
            None => {
                let timed = record::time_if(timeout != 0);
                // SAFETY: libc's own function; no destructor in this frame.
                let found = unsafe { real()(fds, count, timeout) };
                if timed.was_long() {
                    polled(timed, List { fds, count: count as usize }, found);
                }
                found
            }
            Some(fds) => {
                let ns = u64::try_from(timeout).ok().map(|ms| ms * 1_000_000);
                // SAFETY: no destructor in this frame.
                answer(unsafe { waits(ns, &mut |left| poll_list(fds, left, None)) })
            }
        }
    }
}

crate::interpose! {
    /// poll(2), fortified.
    fn __poll_chk(fds: *mut pollfd, count: nfds_t, timeout: c_int, _size: usize) -> c_int |_real| {
        // SAFETY: no destructor in this frame.
        unsafe { poll(fds, count, timeout) }
    }
}

crate::interpose! {
    /// ppoll(2).
    fn ppoll(fds: *mut pollfd, count: nfds_t, timeout: *const timespec, sigmask: *const sigset_t) -> c_int |real| {
        match guarded(None, || concerned(fds, count)) {
            None => {
                let mask = Masked::new(sigmask);
                let timed = record::time();
                // SAFETY: libc's own function; no destructor in this frame.
                let found = unsafe { real()(fds, count, timeout, mask.as_ptr()) };
                if timed.was_long() {
                    polled(timed, List { fds, count: count as usize }, found);
                }
                found
            }
            Some(fds) => match guarded(Err(Errno::ENOMEM), || Ok((epoll::nanoseconds(timeout)?, mask_of(sigmask)?))) {
                Err(errno) => answer(Err(errno)),
                // SAFETY: no destructor in this frame.
                Ok((ns, mask)) => answer(unsafe { waits(ns, &mut |left| poll_list(fds, left, mask)) }),
            },
        }
    }
}

crate::interpose! {
    /// ppoll(2), fortified.
    fn __ppoll_chk(fds: *mut pollfd, count: nfds_t, timeout: *const timespec, sigmask: *const sigset_t, _size: usize) -> c_int |_real| {
        // SAFETY: no destructor in this frame.
        unsafe { ppoll(fds, count, timeout, sigmask) }
    }
}

/// What the three sets of select(2) mean to poll(2). Linux: `fs/select.c:POLLIN_SET` and so on.
const READ: i16 = libc::POLLIN | libc::POLLRDNORM | libc::POLLRDBAND | libc::POLLHUP | libc::POLLERR;
const WRITE: i16 = libc::POLLOUT | libc::POLLWRNORM | libc::POLLWRBAND | libc::POLLERR;
const EXCEPT: i16 = libc::POLLPRI;
const KINDS: [i16; 3] = [READ, WRITE, EXCEPT];

type Sets = [*mut fd_set; 3];

fn is_member(set: *mut fd_set, fd: c_int) -> bool {
    // SAFETY: select(2)'s contract: a set that is given reaches up to its count of descriptors.
    !set.is_null() && unsafe { (*set.cast::<u64>().add(fd as usize / 64)) >> (fd % 64) & 1 != 0 }
}

fn put_member(set: *mut fd_set, fd: c_int, member: bool) {
    if set.is_null() {
        return;
    }
    // SAFETY: as above.
    unsafe {
        let word = set.cast::<u64>().add(fd as usize / 64);
        *word = *word & !(1 << (fd % 64)) | u64::from(member) << (fd % 64);
    }
}

/// The number of words in a set of `count` bits.
fn words(count: c_int) -> usize {
    (count as usize).div_ceil(64)
}

/// Whether the sets contain an epoll descriptor of ours, and all of them can be read.
fn concerns_select(count: c_int, sets: Sets) -> bool {
    if !fdtable::any_epoll() || count <= 0 {
        return false;
    }
    let readable = |set: &*mut fd_set| {
        let (first, end) = (*set as usize, *set as usize + words(count) * 8);
        let mut looked_at = (first..end).step_by(4096).chain([end - 8]);
        set.is_null() || looked_at.all(|at| user_memory::read_u64(at as *const u64).is_ok())
    };
    if !sets.iter().all(readable) {
        return false;
    }
    let member = |fd: c_int| sets.iter().any(|set| is_member(*set, fd));
    fdtable::known_below(count).any(|fd| fdtable::may_be_epoll(fd) && member(fd))
}

/// The sets as a list for poll(2).
fn as_list(count: c_int, sets: Sets) -> Vec<pollfd> {
    let entry = |fd: c_int| {
        let asked = sets.iter().zip(KINDS).filter(|(set, _)| is_member(**set, fd));
        let events = asked.fold(0, |events, (_, kind)| events | kind);
        pollfd { fd, events, revents: 0 }
    };
    (0..count).filter(|fd| sets.iter().any(|set| is_member(*set, *fd))).map(entry).collect()
}

/// select(2) through our poll(2).
fn select_by_poll(count: c_int, sets: Sets, ns: Option<u64>, mask: Option<u64>) -> Result<c_int, Errno> {
    // The heap is used only inside: the list is dropped before the guard.
    let _guard = crate::thread::context::enter();
    let mut list = as_list(count, sets);
    polling::poll(&mut list, ns, mask)?;
    if list.iter().any(|pollfd| pollfd.revents & libc::POLLNVAL != 0) {
        return Err(Errno::EBADF);
    }
    let mut bits = 0;
    for (set, kind) in sets.into_iter().zip(KINDS) {
        for fd in (0..count).filter(|fd| is_member(set, *fd)) {
            let found = list.iter().any(|pollfd| pollfd.fd == fd && pollfd.revents & kind != 0);
            put_member(set, fd, found);
            bits += c_int::from(found);
        }
    }
    Ok(bits)
}

fn nanoseconds(time: &timeval) -> Result<u64, Errno> {
    let sec = u64::try_from(time.tv_sec).map_err(|_| Errno::EINVAL)?;
    let usec = u64::try_from(time.tv_usec).map_err(|_| Errno::EINVAL)?;
    Ok(sec.saturating_mul(NSEC_PER_SEC).saturating_add(usec.saturating_mul(1000)))
}

/// The time that is left of a timeout that began at `start`. Linux: `fs/select.c:poll_select_finish`.
fn time_left(ns: u64, start: u64) -> [u64; 2] {
    let left = ns.saturating_sub(sys::now() - start);
    [left / NSEC_PER_SEC, left % NSEC_PER_SEC]
}

fn time_given(timeout: *mut timeval) -> Result<Option<u64>, Errno> {
    if timeout.is_null() {
        return Ok(None);
    }
    let [sec, usec] = read_pair(timeout as usize)?;
    nanoseconds(&timeval { tv_sec: sec as _, tv_usec: usec as _ }).map(Some)
}

fn give_back_time(timeout: *mut timeval, ns: u64, start: u64) {
    let [sec, nsec] = time_left(ns, start);
    write_pair(timeout.cast(), [sec, nsec / 1000]);
}

crate::interpose! {
    /// select(2).
    fn select(count: c_int, read: *mut fd_set, write: *mut fd_set, except: *mut fd_set, timeout: *mut timeval) -> c_int |real| {
        let sets = [read, write, except];
        if !guarded(false, || concerns_select(count, sets)) {
            let timed = record::time();
            // SAFETY: libc's own function; no destructor in this frame.
            let found = unsafe { real()(count, read, write, except, timeout) };
            if timed.was_long() {
                selected(timed, count, sets, found);
            }
            return found;
        }
        let ns = match guarded(Err(Errno::EFAULT), || time_given(timeout)) {
            Ok(ns) => ns,
            Err(errno) => return answer(Err(errno)),
        };
        let start = sys::now();
        // SAFETY: no destructor in this frame.
        let result = unsafe { waits(ns, &mut |left| select_by_poll(count, sets, left, None)) };
        if let Some(ns) = ns {
            guarded((), || give_back_time(timeout, ns, start));
        }
        answer(result)
    }
}

crate::interpose! {
    /// pselect(2).
    fn pselect(count: c_int, read: *mut fd_set, write: *mut fd_set, except: *mut fd_set, timeout: *const timespec, sigmask: *const sigset_t) -> c_int |real| {
        let sets = [read, write, except];
        if !guarded(false, || concerns_select(count, sets)) {
            let mask = Masked::new(sigmask);
            let timed = record::time();
            // SAFETY: libc's own function; no destructor in this frame.
            let found = unsafe { real()(count, read, write, except, timeout, mask.as_ptr()) };
            if timed.was_long() {
                selected(timed, count, sets, found);
            }
            return found;
        }
        match guarded(Err(Errno::ENOMEM), || Ok((epoll::nanoseconds(timeout)?, mask_of(sigmask)?))) {
            Err(errno) => answer(Err(errno)),
            // SAFETY: no destructor in this frame.
            Ok((ns, mask)) => answer(unsafe {
                waits(ns, &mut |left| select_by_poll(count, sets, left, mask))
            }),
        }
    }
}

/// Waits as a cancellation point.
///
/// # Safety
/// May unwind by force: this frame and its callers' have no destructors.
unsafe fn waits(
    ns: Option<u64>,
    wait: &mut dyn FnMut(Option<u64>) -> Result<c_int, Errno>,
) -> Result<c_int, Errno> {
    // SAFETY: the caller's promise.
    match unsafe { emulate::point(ns, &mut |timeout| Outcome::Done(wait(timeout.left()))) } {
        Outcome::Done(result) => result,
        Outcome::Kernel => Err(Errno::ENOMEM),
    }
}

/// poll(2) as a system call.
pub fn raw_poll(fds: *mut pollfd, count: nfds_t, timeout: c_int) -> Outcome {
    let Some(fds) = concerned(fds, count) else { return Outcome::Kernel };
    let ns = u64::try_from(timeout).ok().map(|ms| ms * 1_000_000);
    Outcome::Done(poll_list(fds, ns, None))
}

/// ppoll(2) as a system call.
pub fn raw_ppoll(fds: *mut pollfd, count: nfds_t, timeout: *mut timespec, mask: [usize; 2]) -> Outcome {
    let Some(fds) = concerned(fds, count) else { return Outcome::Kernel };
    Outcome::Done(raw_wait(timeout, mask, |ns, mask| poll_list(fds, ns, mask)))
}

/// select(2) as a system call.
pub fn raw_select(count: c_int, sets: Sets, timeout: *mut timeval) -> Outcome {
    if !concerns_select(count, sets) {
        return Outcome::Kernel;
    }
    Outcome::Done(time_given(timeout).and_then(|ns| {
        let start = sys::now();
        let result = select_by_poll(count, sets, ns, None);
        if let Some(ns) = ns {
            give_back_time(timeout, ns, start);
        }
        result
    }))
}

/// pselect6(2). `mask` is the address of the mask's address and its size.
pub fn raw_pselect(count: c_int, sets: Sets, timeout: *mut timespec, mask: usize) -> Outcome {
    if !concerns_select(count, sets) {
        return Outcome::Kernel;
    }
    let wait = |ns, mask| select_by_poll(count, sets, ns, mask);
    let mask = if mask == 0 { Ok([0, 0]) } else { read_pair(mask) };
    Outcome::Done(mask.and_then(|mask| raw_wait(timeout, mask, wait)))
}

fn read_pair(at: usize) -> Result<[usize; 2], Errno> {
    let at = at as *const u64;
    Ok([user_memory::read_u64(at)? as usize, user_memory::read_u64(at.wrapping_add(1))? as usize])
}

fn write_pair(at: *mut u64, pair: [u64; 2]) {
    // If the time cannot be written, the kernel ignores that, too.
    if user_memory::write_u64(at, pair[0]).is_ok() {
        let _ = user_memory::write_u64(at.wrapping_add(1), pair[1]);
    }
}

/// A wait with a timespec and a mask of a given size. The time that is left is stored in the timespec.
fn raw_wait(
    timeout: *mut timespec,
    [mask, size]: [usize; 2],
    wait: impl FnOnce(Option<u64>, Option<u64>) -> Result<c_int, Errno>,
) -> Result<c_int, Errno> {
    let ns = epoll::nanoseconds(timeout)?;
    if mask != 0 && size != size_of::<u64>() {
        return Err(Errno::EINVAL);
    }
    let mask = mask_of(mask as *const sigset_t)?;
    let start = sys::now();
    let result = wait(ns, mask);
    if let Some(ns) = ns {
        write_pair(timeout.cast(), time_left(ns, start));
    }
    result
}
