//! Eventfds that end the sleep of threads in poll(2) on an epoll descriptor. Kept from call to call, so
//! that such a poll takes no number from the program.
//!
//! Locks: `KICKS`, for a look-up only.

use std::sync::atomic::{AtomicI32, Ordering};

use glasspoll_reactor::sync::Mutex;
use glasspoll_reactor::sys;

use crate::fdtable;

/// Where the number of an eventfd stands; negative: there is none yet.
pub type Kick = &'static AtomicI32;

#[derive(Default)]
struct Kicks {
    all: Vec<Kick>,
    idle: Vec<Kick>,
}

/// How many are made: as many as can be kept from the program's closes, beside our other descriptors.
const MOST: usize = fdtable::MOST_OURS - 16;

static KICKS: Mutex<Kicks> = Mutex::new(Kicks { all: Vec::new(), idle: Vec::new() });

/// One for the calling thread. Where no number is free it stays negative, and kicks nobody.
pub fn take() -> Kick {
    let (kick, count) = {
        let mut kicks = KICKS.lock();
        let kick = kicks.idle.pop().unwrap_or_else(|| {
            let new: Kick = Box::leak(Box::new(AtomicI32::new(-1)));
            kicks.all.push(new);
            new
        });
        (kick, kicks.all.len())
    };
    if kick.load(Ordering::SeqCst) < 0 && count <= MOST {
        let made = sys::with_raised_limit(|| {
            sys::eventfd(libc::EFD_NONBLOCK | libc::EFD_CLOEXEC).map(sys::move_high)
        });
        if let Ok(fd) = made {
            fdtable::protect(fd);
            kick.store(fd, Ordering::SeqCst);
        }
    }
    kick
}

/// The thread needs it no more.
pub fn give_back(kick: Kick) {
    KICKS.lock().idle.push(kick);
}

/// The numbers of all of them.
pub fn descriptors() -> Vec<i32> {
    let numbers = |kick: &Kick| kick.load(Ordering::SeqCst);
    KICKS.lock().all.iter().map(numbers).filter(|fd| *fd >= 0).collect()
}

/// One of them got another number.
pub fn moved(from: i32, to: i32) {
    for kick in &KICKS.lock().all {
        let _ = kick.compare_exchange(from, to, Ordering::SeqCst, Ordering::SeqCst);
    }
}

/// In a forked child: they are the parent's, and nobody here uses one.
pub fn forked() {
    let mut kicks = KICKS.lock();
    for kick in &kicks.all {
        let fd = kick.swap(-1, Ordering::SeqCst);
        if fd >= 0 {
            fdtable::unprotect(fd);
            let _ = sys::close(fd);
        }
    }
    kicks.idle = kicks.all.clone();
}
