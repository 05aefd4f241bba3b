//! poll(2), ppoll(2), pselect(2).

use std::ptr;

use super::{args_of, over_limit, syscall, timespec, Errno, Sysno};

/// `ppoll(2)`. Without `timeout_ns` the call has no time-out; `sigmask` is in force during the call.
///
/// Changes only `revents` in `fds`.
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

/// As `ppoll` with a time-out of 0, by the cheapest call. A signal does not end it.
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

/// poll(2) with a time-out of 0; ppoll(2) if the architecture has no poll, or the kernel refuses it.
pub(crate) fn ask_now(fds: &mut [libc::pollfd]) -> Result<usize, Errno> {
    #[cfg(target_arch = "x86_64")]
    if let done @ (Ok(_) | Err(Errno::EINVAL | Errno::ENOMEM)) = call!(poll, fds.as_mut_ptr(), fds.len(), 0) {
        return done;
    }
    let no_time = timespec(0);
    call!(ppoll, fds.as_mut_ptr(), fds.len(), ptr::from_ref(&no_time), 0, 8)
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
