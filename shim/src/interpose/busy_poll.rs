//! ioctl(2) on an epoll descriptor: stores and checks the busy-poll parameters. They have no effect.
//!
//! Linux: `fs/eventpoll.c:ep_eventpoll_bp_ioctl` (6.9).

use std::sync::atomic::Ordering;

use glasspoll_reactor::sys::{self, Errno};
use libc::{c_int, c_ulong};

use crate::fdtable;
use crate::memory::user_memory;
use crate::thread::context;

const EPIOCSPARAMS: c_ulong = 0x4008_8a01;
const EPIOCGPARAMS: c_ulong = 0x8008_8a02;
const NAPI_POLL_WEIGHT: u64 = 64;

/// Linux: `struct epoll_params`: usecs (32 bits), budget (16), prefer (8), padding (8).
pub fn ioctl(fd: c_int, request: c_ulong, arg: usize) -> Result<c_int, Errno> {
    let _guard = context::enter();
    let file = fdtable::get(fd).ok_or(Errno::EBADF)?;
    let set = file.eventpoll().ok_or(Errno::EBADF)?;
    match request {
        EPIOCSPARAMS => {
            let params = user_memory::read_u64(arg as *const u64)?;
            let (usecs, budget, prefer, pad) =
                (params & 0xffff_ffff, params >> 32 & 0xffff, params >> 48 & 0xff, params >> 56);
            if pad != 0 || prefer > 1 || usecs > i32::MAX as u64 {
                return Err(Errno::EINVAL);
            }
            if budget > NAPI_POLL_WEIGHT && !sys::is_root() {
                return Err(Errno::EPERM);
            }
            set.busy_poll.store(params, Ordering::Relaxed);
            Ok(0)
        }
        EPIOCGPARAMS => {
            let params = set.busy_poll.load(Ordering::Relaxed);
            user_memory::write_u64(arg as *mut u64, params)?;
            Ok(0)
        }
        libc::FIONBIO | libc::FIOASYNC | libc::FIOCLEX | libc::FIONCLEX => sys::ioctl(fd, request, arg),
        _ => Err(Errno::EINVAL),
    }
}
