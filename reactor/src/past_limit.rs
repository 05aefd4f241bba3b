//! ppoll(2) for more descriptors than RLIMIT_NOFILE, which it refuses though they are open.
//!
//! select(2) has no such limit, so it is what sleeps; then the files are asked, as many at a time as
//! the limit lets. A limit of 0 is raised for that; where the hard one is 0 too, nothing can be asked,
//! and what select says must do: no hang-ups.

use libc::pollfd;

use crate::sys::{self, Errno};

const KINDS: [i16; 3] =
    [libc::POLLIN | libc::POLLRDNORM | libc::POLLRDHUP, libc::POLLOUT | libc::POLLWRNORM, libc::POLLPRI];
/// What a member of each set is said to be ready for.
const FOUND: [i16; 3] = [libc::POLLIN | libc::POLLRDNORM, libc::POLLOUT | libc::POLLWRNORM, libc::POLLPRI];
/// How long is slept at a time on what select has no set for.
const LOOK_AGAIN_NS: u64 = 10_000_000;

/// Linux: `fs/select.c:do_sys_poll`, without its limit.
pub(crate) fn ppoll(
    fds: &mut [pollfd],
    timeout_ns: Option<u64>,
    sigmask: Option<u64>,
) -> Result<usize, Errno> {
    let limits = sys::descriptor_limits();
    let deadline = timeout_ns.map(|ns| sys::now().saturating_add(ns));
    loop {
        let ready = match limits {
            [0, 0] => select(fds, Some(0), None)?,
            [0, _] => sys::with_raised_limit(|| ask(fds))?,
            _ => ask(fds)?,
        };
        let left = deadline.map(|deadline| deadline.saturating_sub(sys::now()));
        if ready > 0 || left == Some(0) {
            return Ok(ready);
        }
        let silent =
            |pollfd: &pollfd| pollfd.fd >= 0 && pollfd.events & (KINDS[0] | KINDS[1] | KINDS[2]) == 0;
        let most = fds.iter().any(silent).then_some(LOOK_AGAIN_NS);
        let nap = [left, most].into_iter().flatten().min();
        select(fds, nap, sigmask)?;
    }
}

fn ask(fds: &mut [pollfd]) -> Result<usize, Errno> {
    let at_a_time = sys::descriptor_limits()[0].max(1) as usize;
    let mut ready = 0;
    for some in fds.chunks_mut(at_a_time) {
        ready += sys::poll_now(some)?;
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
