//! ppoll(2) where the kernel refuses it: for more descriptors than RLIMIT_NOFILE, though they are open; for want of
//! memory; in a sandbox.
//!
//! select(2) has no such limit, so it is what sleeps; then the files are asked, as many at a time as
//! the limit lets, and as the kernel has room for without an allocation. A limit of 0 is raised for that; where the
//! hard one is 0 too, or neither poll nor ppoll is to be had, nothing can be asked, and what select says must do: no
//! hang-ups. Where there is no select, sleeps are short.

use libc::pollfd;

use crate::sys::{self, Errno};

const KINDS: [i16; 3] =
    [libc::POLLIN | libc::POLLRDNORM | libc::POLLRDHUP, libc::POLLOUT | libc::POLLWRNORM, libc::POLLPRI];
/// What a member of each set is said to be ready for.
const FOUND: [i16; 3] = [libc::POLLIN | libc::POLLRDNORM, libc::POLLOUT | libc::POLLWRNORM, libc::POLLPRI];
/// How long is slept at a time on what select has no set for.
const LOOK_AGAIN_NS: u64 = 10_000_000;
/// How long is slept where nothing can be slept on.
const NAP_NS: u64 = 2_000_000;
/// How many the kernel keeps on its stack. Linux: `fs/select.c:N_STACK_PPS`.
const FEW: u64 = 24;

/// Linux: `fs/select.c:do_sys_poll`, without its limit.
pub(crate) fn ppoll(
    fds: &mut [pollfd],
    timeout_ns: Option<u64>,
    sigmask: Option<u64>,
) -> Result<usize, Errno> {
    let limits = sys::descriptor_limits().unwrap_or([FEW; 2]);
    let deadline = timeout_ns.map(|ns| sys::now().saturating_add(ns));
    loop {
        let ready = match limits {
            [0, 0] => select(fds, Some(0), None)?,
            [0, _] => sys::with_raised_limit(|| ask(fds, 64))?,
            [soft, _] => ask(fds, soft)?,
        };
        let left = deadline.map(|deadline| deadline.saturating_sub(sys::now()));
        if ready > 0 || left == Some(0) {
            return Ok(ready);
        }
        let silent =
            |pollfd: &pollfd| pollfd.fd >= 0 && pollfd.events & (KINDS[0] | KINDS[1] | KINDS[2]) == 0;
        let most = fds.iter().any(silent).then_some(LOOK_AGAIN_NS);
        let nap = [left, most].into_iter().flatten().min();
        match select(fds, nap, sigmask) {
            Ok(_) => {}
            Err(Errno::EINTR) => return Err(Errno::EINTR),
            Err(_) => sys::nap(nap.map_or(NAP_NS, |ns| ns.min(NAP_NS))),
        }
    }
}

fn ask(fds: &mut [pollfd], limit: u64) -> Result<usize, Errno> {
    let mut ready = 0;
    for some in fds.chunks_mut(limit.max(1) as usize) {
        ready += match sys::ask_now(some) {
            Ok(ready) => ready,
            Err(Errno::EINTR) => return Err(Errno::EINTR),
            Err(Errno::ENOMEM) if some.len() > FEW as usize => ask(some, FEW)?,
            Err(_) => select(some, Some(0), None)?,
        };
    }
    Ok(ready)
}

/// Sleeps until one of them is ready; fills in `revents` as far as select can tell.
fn select(fds: &mut [pollfd], timeout_ns: Option<u64>, sigmask: Option<u64>) -> Result<usize, Errno> {
    let highest = fds.iter().map(|pollfd| pollfd.fd).max().unwrap_or(-1);
    let words = (highest + 1) as usize / 64 + 1;
    let mut sets = [(); 3].map(|()| vec![0u64; words]);
    for pollfd in fds.iter().filter(|pollfd| pollfd.fd >= 0) {
        for (set, kind) in sets.iter_mut().zip(KINDS) {
            if pollfd.events & kind != 0 {
                set[pollfd.fd as usize / 64] |= 1 << (pollfd.fd % 64);
            }
        }
    }
    sys::pselect(&mut sets, words, timeout_ns, sigmask)?;
    let mut ready = 0;
    for pollfd in fds.iter_mut() {
        let is_member =
            |set: &Vec<u64>| pollfd.fd >= 0 && set[pollfd.fd as usize / 64] >> (pollfd.fd % 64) & 1 != 0;
        let found =
            sets.iter().zip(FOUND).filter(|(set, _)| is_member(set)).fold(0, |bits, (_, found)| bits | found);
        pollfd.revents = found & pollfd.events;
        ready += usize::from(pollfd.revents != 0);
    }
    Ok(ready)
}
