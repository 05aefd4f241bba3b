//! The program's calls as events of the record.

use glasspoll_record::event::{Event, Op};
use glasspoll_record::writer;
use libc::{c_int, ssize_t};

use crate::errno::errno;
use crate::fdtable::TRACKED;
use crate::process;
use crate::thread::fork_page;

/// Called after a read, write or the like on an fd with these `flags`. `asked` returns how many bytes the program
/// wanted to transfer.
#[inline]
pub fn io(fd: c_int, flags: u32, op: Op, result: ssize_t, asked: impl FnOnce() -> usize) {
    if !writer::is_on() {
        return;
    }
    if result < 0 {
        failed(fd, flags, op);
    } else if flags & TRACKED != 0 && !fork_page::was_forked() {
        writer::record(Event::Io { fd, op, result: result as i64, asked: asked() as u64, errno: 0 });
    }
}

#[cold]
fn failed(fd: c_int, flags: u32, op: Op) {
    let errno = errno();
    // A vfork child shares this memory, but its fds are its own.
    let is_ours = || errno != libc::EBADF || !process::is_vfork_child();
    if (flags & TRACKED != 0 || errno == libc::EBADF) && !fork_page::was_forked() && is_ours() {
        writer::record(Event::Io { fd, op, result: -1, asked: 0, errno: errno as u16 });
    }
}

/// Called after a close. For tracked fds, the table has already recorded it.
#[inline]
pub fn closed(fd: c_int, result: c_int) -> c_int {
    if result < 0 {
        close_failed(fd);
    }
    result
}

#[cold]
fn close_failed(fd: c_int) {
    let errno = errno();
    if errno == libc::EBADF && !fork_page::was_forked() && !process::is_vfork_child() {
        writer::record(Event::Close { fd, lives_as: -1, errno: errno as u16 });
    }
}

/// Records another event of the program, such as a fork or an exec.
pub fn note(event: Event) {
    if !fork_page::was_forked() {
        writer::record(event);
    }
}
