//! ppoll(2) when the kernel refuses it: for more descriptors than RLIMIT_NOFILE, even though they are open;
//! without memory; in a sandbox.
//!
//! select(2) has no such limit, so we sleep in select. Then we ask the files by poll, in groups as large as the
//! limit and the kernel's stack permit. If the limit is 0 it is raised for that. If the hard limit is 0 too, or
//! the kernel refuses poll and ppoll, we have only the result of select, which has no hang-ups. If the kernel
//! refuses select, sleeps are short.

use libc::pollfd;

use crate::sys::{self, Errno};

const KINDS: [i16; 3] =
    [libc::POLLIN | libc::POLLRDNORM | libc::POLLRDHUP, libc::POLLOUT | libc::POLLWRNORM, libc::POLLPRI];
/// The events of a member of each set of select.
const FOUND: [i16; 3] = [libc::POLLIN | libc::POLLRDNORM, libc::POLLOUT | libc::POLLWRNORM, libc::POLLPRI];
/// The length of a sleep if select has no set for some of the events.
const LOOK_AGAIN_NS: u64 = 10_000_000;
/// The length of a sleep if the kernel refuses select.
const NAP_NS: u64 = 2_000_000;
/// How many descriptors the kernel keeps on its stack. Linux: `fs/select.c:N_STACK_PPS`.
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

/// Sleeps until one of the files is ready. Fills in `revents` as far as select can tell.
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
