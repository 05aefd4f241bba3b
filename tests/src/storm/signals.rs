//! The storm's own signals: each slot has one, which is blocked in every thread and read by a signalfd.

use std::ptr;

use libc::{c_int, sigset_t};

use super::calls::errno;
use super::world::SLOTS;

fn number(slot: usize) -> c_int {
    libc::SIGRTMIN() + slot as c_int
}

/// The signals of all slots.
pub fn all() -> sigset_t {
    // SAFETY: all-zero bytes are a valid set, and numbers.
    unsafe {
        let mut set: sigset_t = std::mem::zeroed();
        (0..SLOTS).for_each(|slot| {
            libc::sigaddset(&mut set, number(slot));
        });
        set
    }
}

/// Blocks them in this thread and in those that it starts.
pub fn block() {
    // SAFETY: the set lives.
    unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &all(), ptr::null_mut()) };
}

/// A signalfd of a slot's signal, with nothing to read.
pub fn signalfd(slot: usize) -> c_int {
    // SAFETY: the set lives, and so does the buffer for the signals that an earlier file of the slot has left.
    unsafe {
        let mut set: sigset_t = std::mem::zeroed();
        libc::sigaddset(&mut set, number(slot));
        let fd = libc::signalfd(-1, &set, libc::SFD_NONBLOCK | libc::SFD_CLOEXEC);
        let mut buf = [0u8; 1024];
        while libc::read(fd, buf.as_mut_ptr().cast(), buf.len()) > 0 {}
        fd
    }
}

/// Sends the slot's signal to the process. Returns 1 or a negative errno.
pub fn send(slot: usize, tag: u8) -> isize {
    let value = libc::sigval { sival_ptr: usize::from(tag) as *mut libc::c_void };
    // SAFETY: numbers; the signal is blocked everywhere.
    match unsafe { libc::sigqueue(libc::getpid(), number(slot), value) } {
        0 => 1,
        _ => -errno() as isize,
    }
}

/// How many signals were read, and whether each belongs to this file.
pub fn are_of(infos: &[u8], tag: u8) -> (u64, bool) {
    let size = size_of::<libc::signalfd_siginfo>();
    let at = std::mem::offset_of!(libc::signalfd_siginfo, ssi_int);
    let all = infos.chunks_exact(size);
    let count = all.len() as u64;
    let mut values = all.map(|info| i32::from_ne_bytes(info[at..at + 4].try_into().expect("4 bytes")));
    (count, values.all(|value| value == i32::from(tag)))
}
