//! Eventfds that end the sleep of threads in poll(2) on an epoll descriptor. Kept from call to call, so
//! that such a poll takes no number from the program.
//!
//! Locks: `POOL`, for a look-up only.

use std::sync::atomic::{AtomicI32, Ordering};

use glasspoll_reactor::sync::Mutex;
use glasspoll_reactor::sys;

use crate::fdtable;

/// Where the number of an eventfd stands; negative: there is none yet.
pub type ParkerFd = &'static AtomicI32;

#[derive(Default)]
struct ParkerPool {
    all: Vec<ParkerFd>,
    idle: Vec<ParkerFd>,
}

/// How many are made: as many as can be kept from the program's closes, beside our other descriptors.
const MOST: usize = fdtable::MOST_OURS - 16;

static POOL: Mutex<ParkerPool> = Mutex::new(ParkerPool { all: Vec::new(), idle: Vec::new() });

/// One for the calling thread. Where no number is free it stays negative, and wakes no thread.
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

/// The thread needs it no more.
pub fn give_back(parker: ParkerFd) {
    POOL.lock().idle.push(parker);
}

/// The numbers of all of them.
pub fn descriptors() -> Vec<i32> {
    let fd = |parker: &ParkerFd| parker.load(Ordering::SeqCst);
    POOL.lock().all.iter().map(fd).filter(|fd| *fd >= 0).collect()
}

/// One of them got another number.
pub fn moved(from: i32, to: i32) {
    for parker in &POOL.lock().all {
        let _ = parker.compare_exchange(from, to, Ordering::SeqCst, Ordering::SeqCst);
    }
}

/// In a forked child: they are the parent's, and nobody here uses one.
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
