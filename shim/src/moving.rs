//! Our own descriptors step aside when the program puts one of its own on their number.

use glasspoll_reactor::sys;

use crate::{context, kicks, logs, ring, runtime, table};

/// Gives the descriptor of ours at `fd` another number.
pub fn make_way(fd: i32) {
    let Some(_guard) = context::enter() else { return };
    let Ok(other) = sys::fcntl(fd, libc::F_DUPFD_CLOEXEC, 64) else { return };
    table::protect(other);
    table::unprotect(fd);
    if let Some(watch) = runtime::WATCH.get() {
        watch.moved(fd, other);
    }
    kicks::moved(fd, other);
    logs::moved(fd, other);
    ring::moved(fd, other);
}
