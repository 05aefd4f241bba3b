//! Descriptors that came to the process, and that the program has not touched yet. Their first read, write, close, dup,
//! ADD or the like ends that; until then the record has them as untouched (`glasspoll_record::facts`).

use glasspoll_reactor::sys;
use glasspoll_record::facts::{self, Born};
use glasspoll_record::writer;

use super::flags::{change, flags, unset, BORN, EPOLL, KERNEL_SET, OURS, TRACKED};
use crate::process;
use crate::thread::fork_page;

fn is_off() -> bool {
    !writer::is_on() || fork_page::was_forked() || process::is_vfork_child()
}

/// A connection was accepted.
#[inline]
pub fn accepted(listener: i32, fd: i32) {
    // Of other listeners the record has no accepts.
    if flags(listener) & TRACKED != 0 {
        came(fd, Born::Accepted);
    }
}

/// It came with a message. Memory that was received is used by mmap(2), which touches no descriptor.
pub(super) fn received(fd: i32) {
    let kind = sys::fstat(fd).map_or(0, |stat| stat.st_mode & libc::S_IFMT);
    if kind == libc::S_IFSOCK || kind == libc::S_IFIFO {
        came(fd, Born::Received);
    }
}

fn came(fd: i32, how: Born) {
    if is_off() {
        return;
    }
    let is_new = |now: u32| now & (TRACKED | EPOLL | KERNEL_SET | OURS) == 0;
    if change(fd, |now| is_new(now).then_some(now | BORN)) {
        facts::born(fd, how);
    }
}

/// The program has touched an fd that has `BORN`.
#[cold]
pub fn touched(fd: i32) {
    if !is_off() {
        unset(fd, BORN);
        facts::touched(fd);
    }
}

/// The program polls these fds.
pub fn polled(fds: impl Iterator<Item = i32>) {
    fds.filter(|fd| flags(*fd) & BORN != 0).for_each(touched);
}

/// Whether there is such an fd.
#[inline]
pub fn are_there() -> bool {
    facts::has_untouched()
}
