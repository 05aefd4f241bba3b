//! The interposed names of poll(2) and select(2).
//!
//! With no epoll descriptor of ours among the descriptors they go to libc, with our signal kept
//! blocked if a mask is given.

use glasspoll_reactor::sys::{self, Errno, NSEC_PER_SEC};
use libc::{c_int, fd_set, nfds_t, pollfd, sigset_t, timespec, timeval};

use crate::real::{answer, guarded};
use crate::signals::Masked;
use crate::{epoll, polling, signals, table, user_memory};

/// The program's list, if it is sane enough to be looked at and concerns us.
fn concerned<'a>(fds: *mut pollfd, count: nfds_t) -> Option<&'a mut [pollfd]> {
    let count = usize::try_from(count).ok().filter(|count| *count <= 1 << 20)?;
    if fds.is_null() || count == 0 || !table::any_epoll() {
        return None;
    }
    let bytes = count * size_of::<pollfd>();
    for page in (fds as usize..fds as usize + bytes).step_by(4096) {
        user_memory::read_u64(page as *const u64).ok()?;
    }
    // SAFETY: poll(2)'s contract, and every page was found readable.
    let fds = unsafe { std::slice::from_raw_parts_mut(fds, count) };
    polling::concerns_us(fds).then_some(fds)
}

fn mask_of(sigmask: *const sigset_t) -> Result<Option<u64>, Errno> {
    if sigmask.is_null() {
        return Ok(None);
    }
    user_memory::read_u64(sigmask.cast()).map(|mask| Some(signals::with_ours(mask)))
}

crate::interpose! {
    /// poll(2).
    fn poll(fds: *mut pollfd, count: nfds_t, timeout: c_int) -> c_int |real| {
        match guarded(None, || concerned(fds, count)) {
            // SAFETY: libc's own function; no destructor in this frame.
            None => unsafe { real()(fds, count, timeout) },
            Some(fds) => {
                let ns = u64::try_from(timeout).ok().map(|ms| ms * 1_000_000);
                answer(guarded(Err(Errno::ENOMEM), || polling::poll(fds, ns, None)))
            }
        }
    }
}

crate::interpose! {
    /// poll(2), fortified.
    fn __poll_chk(fds: *mut pollfd, count: nfds_t, timeout: c_int, _size: usize) -> c_int |_real| {
        // SAFETY: as above.
        unsafe { poll(fds, count, timeout) }
    }
}

crate::interpose! {
    /// ppoll(2).
    fn ppoll(fds: *mut pollfd, count: nfds_t, timeout: *const timespec, sigmask: *const sigset_t) -> c_int |real| {
        match guarded(None, || concerned(fds, count)) {
            None => {
                let mask = Masked::new(sigmask);
                // SAFETY: as above.
                unsafe { real()(fds, count, timeout, mask.as_ptr()) }
            }
            Some(fds) => answer(guarded(Err(Errno::ENOMEM), || {
                polling::poll(fds, epoll::nanoseconds(timeout)?, mask_of(sigmask)?)
            })),
        }
    }
}

crate::interpose! {
    /// ppoll(2), fortified.
    fn __ppoll_chk(fds: *mut pollfd, count: nfds_t, timeout: *const timespec, sigmask: *const sigset_t, _size: usize) -> c_int |_real| {
        // SAFETY: as above.
        unsafe { ppoll(fds, count, timeout, sigmask) }
    }
}

/// What select(2)'s three sets mean to poll(2). Linux: `fs/select.c:POLLIN_SET` and so on.
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

/// The sets as a list for poll(2), if an epoll descriptor of ours is among them.
fn as_list(count: c_int, sets: Sets) -> Option<Vec<pollfd>> {
    if !table::any_epoll() {
        return None;
    }
    let _guard = crate::context::enter();
    let member = |fd: c_int| sets.iter().any(|set| is_member(*set, fd));
    if !(0..count).any(|fd| table::flags(fd) & table::EPOLL != 0 && member(fd)) {
        return None;
    }
    let entry = |fd: c_int| {
        let asked = sets.iter().zip(KINDS).filter(|(set, _)| is_member(**set, fd));
        let events = asked.fold(0, |events, (_, kind)| events | kind);
        pollfd { fd, events, revents: 0 }
    };
    Some((0..count).filter(|fd| member(*fd)).map(entry).collect())
}

/// select(2) through our poll(2).
fn select_by_poll(
    count: c_int,
    sets: Sets,
    list: Vec<pollfd>,
    ns: Option<u64>,
    mask: Option<u64>,
) -> Result<c_int, Errno> {
    // The heap is only used inside: the list goes before the guard does.
    let _guard = crate::context::enter();
    let mut list = list;
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

fn nanoseconds(time: &timeval) -> u64 {
    (time.tv_sec as u64).saturating_mul(NSEC_PER_SEC).saturating_add(time.tv_usec as u64 * 1000)
}

crate::interpose! {
    /// select(2).
    fn select(count: c_int, read: *mut fd_set, write: *mut fd_set, except: *mut fd_set, timeout: *mut timeval) -> c_int |real| {
        let sets = [read, write, except];
        match guarded(None, || as_list(count, sets)) {
            // SAFETY: libc's own function; no destructor in this frame.
            None => unsafe { real()(count, read, write, except, timeout) },
            Some(list) => answer(guarded(Err(Errno::ENOMEM), move || {
                // SAFETY: select(2)'s contract.
                let timeout = unsafe { timeout.as_mut() };
                let Some(timeout) = timeout else { return select_by_poll(count, sets, list, None, None) };
                let negative = timeout.tv_sec < 0 || timeout.tv_usec < 0;
                let ns = if negative { Err(Errno::EINVAL) } else { Ok(nanoseconds(timeout)) };
                let start = sys::now();
                let result = ns.and_then(|ns| select_by_poll(count, sets, list, Some(ns), None));
                // Linux: `fs/select.c:poll_select_finish`: what is left of the time.
                if let Ok(ns) = ns {
                    let left = ns.saturating_sub(sys::now() - start);
                    timeout.tv_sec = (left / NSEC_PER_SEC) as _;
                    timeout.tv_usec = (left % NSEC_PER_SEC / 1000) as _;
                }
                result
            })),
        }
    }
}

crate::interpose! {
    /// pselect(2).
    fn pselect(count: c_int, read: *mut fd_set, write: *mut fd_set, except: *mut fd_set, timeout: *const timespec, sigmask: *const sigset_t) -> c_int |real| {
        let sets = [read, write, except];
        match guarded(None, || as_list(count, sets)) {
            None => {
                let mask = Masked::new(sigmask);
                // SAFETY: as above.
                unsafe { real()(count, read, write, except, timeout, mask.as_ptr()) }
            }
            Some(list) => answer(guarded(Err(Errno::ENOMEM), move || {
                select_by_poll(count, sets, list, epoll::nanoseconds(timeout)?, mask_of(sigmask)?)
            })),
        }
    }
}
