//! Signals that come while the program waits: each runs its handler once.

use std::sync::atomic::{AtomicI32, Ordering};

use libc::{c_int, EPOLLET, EPOLLIN};

use super::os::{drain, give_up, must, pipe, write, Epoll, WRONG};

static HANDLED: AtomicI32 = AtomicI32::new(0);
static SUM: AtomicI32 = AtomicI32::new(0);

extern "C" fn handle(_: c_int, info: *mut libc::siginfo_t, _: *mut libc::c_void) {
    HANDLED.fetch_add(1, Ordering::SeqCst);
    // SAFETY: the kernel's record of a queued signal.
    SUM.fetch_add(unsafe { (*info).si_value() }.sival_ptr as i32, Ordering::SeqCst);
}

fn queue(value: i32) {
    let value = libc::sigval { sival_ptr: value as usize as *mut libc::c_void };
    // SAFETY: plain numbers.
    must("sigqueue", unsafe { libc::sigqueue(libc::getpid(), libc::SIGRTMIN() + 3, value) } as isize);
}

/// A child sends signals while the program waits and changes its set.
pub fn run() {
    // SAFETY: an all-zero sigaction is valid; the handler stores only to atomics.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = handle as *const () as usize;
        action.sa_flags = libc::SA_SIGINFO;
        must("sigaction", libc::sigaction(libc::SIGRTMIN() + 3, &action, std::ptr::null_mut()) as isize);
    }
    let ep = Epoll::new();
    let [read, end] = pipe();
    ep.add(&read, EPOLLIN | EPOLLET, 1);
    // SAFETY: getpid has no preconditions.
    let parent = unsafe { libc::getpid() };
    // SAFETY: the child makes system calls only.
    let child = must("fork", unsafe { libc::fork() } as isize) as i32;
    const SIGNALS: i32 = 20;
    if child == 0 {
        for value in 1..=SIGNALS {
            let value = libc::sigval { sival_ptr: value as usize as *mut libc::c_void };
            // SAFETY: plain numbers.
            unsafe {
                libc::usleep(300);
                libc::sigqueue(parent, libc::SIGRTMIN() + 3, value);
                if libc::write(end.0, b"x".as_ptr().cast(), 1) != 1 {
                    libc::_exit(1);
                }
            }
        }
        // SAFETY: ends the child.
        unsafe { libc::_exit(0) };
    }
    let mut bytes = 0;
    while bytes < SIGNALS as usize {
        for _ in ep.wait(3000) {
            bytes += drain(&read);
        }
    }
    queue(100);
    write(&end, 1);
    ep.expect("the last one", &[(1, EPOLLIN)]);
    // Waits until a handler has run, or for a moment.
    for _ in 0..100 {
        if HANDLED.load(Ordering::SeqCst) > SIGNALS {
            break;
        }
        // SAFETY: a number.
        unsafe { libc::usleep(1000) };
    }
    let got = (HANDLED.load(Ordering::SeqCst), SUM.load(Ordering::SeqCst));
    if got != (SIGNALS + 1, SIGNALS * (SIGNALS + 1) / 2 + 100) {
        give_up(WRONG, &format!("{got:?} signals and their sum"));
    }
    // SAFETY: null is allowed.
    unsafe { libc::waitpid(child, std::ptr::null_mut(), 0) };
}
