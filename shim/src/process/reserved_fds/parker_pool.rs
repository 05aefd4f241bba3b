//! The parker pool: eventfds that wake threads in poll(2) on an epoll descriptor. They are kept from call to call, so
//! that such a poll takes no fd from the program.
//!
//! Locks: `POOL`, only for look-ups.

use std::sync::atomic::{AtomicI32, Ordering};

use glasspoll_reactor::sync::Mutex;
use glasspoll_reactor::sys;

use crate::fdtable;

/// A word that holds the fd of an eventfd; negative: none yet.
pub type ParkerFd = &'static AtomicI32;

#[derive(Default)]
struct ParkerPool {
    all: Vec<ParkerFd>,
    idle: Vec<ParkerFd>,
}

/// The maximum of eventfds: as many as we can protect from the program's closes, beside our other descriptors.
const MOST: usize = fdtable::MOST_OURS - 16;

static POOL: Mutex<ParkerPool> = Mutex::new(ParkerPool { all: Vec::new(), idle: Vec::new() });

/// Takes one for the calling thread. If no fd is free, it stays negative and wakes no thread.
pub fn take() -> ParkerFd {
    let (parker, count) = {
        let mut pool = POOL.lock();
        let parker = pool.idle.pop().unwrap_or_else(|| {
            let new: ParkerFd = Box::leak(Box::new(AtomicI32::new(-1)));
            pool.all.push(new);
            new
        });
        (parker, pool.all.len())
    };
    if parker.load(Ordering::SeqCst) < 0 && count <= MOST {
        let made = sys::with_raised_limit(|| {
            sys::eventfd(libc::EFD_NONBLOCK | libc::EFD_CLOEXEC).map(sys::move_high)
        });
        if let Ok(fd) = made {
            fdtable::protect(fd);
            parker.store(fd, Ordering::SeqCst);
        }
    }
    parker
}

/// Returns one to the pool.
pub fn give_back(parker: ParkerFd) {
    POOL.lock().idle.push(parker);
}

/// The fds of all of them.
pub fn descriptors() -> Vec<i32> {
    let fd = |parker: &ParkerFd| parker.load(Ordering::SeqCst);
    POOL.lock().all.iter().map(fd).filter(|fd| *fd >= 0).collect()
}

/// Another fd is one of theirs now.
pub fn moved(from: i32, to: i32) {
    for parker in &POOL.lock().all {
        let _ = parker.compare_exchange(from, to, Ordering::SeqCst, Ordering::SeqCst);
    }
}

/// In a forked child: the eventfds are the parent's, and no thread here uses one.
pub fn forked() {
    let mut pool = POOL.lock();
    for parker in &pool.all {
        let fd = parker.swap(-1, Ordering::SeqCst);
        if fd >= 0 {
            fdtable::unprotect(fd);
            let _ = sys::close(fd);
        }
    }
    pool.idle = pool.all.clone();
}
