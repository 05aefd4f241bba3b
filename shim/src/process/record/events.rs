//! The program's calls as events of the record.

use glasspoll_record::event::{Event, Op};
use glasspoll_record::{facts, writer};
use libc::{c_int, ssize_t};

use crate::errno::errno;
use crate::fdtable::{self, FdRef, BORN, EPOLL, KERNEL_SET, OURS, TRACKED};
use crate::process;
use crate::thread::fork_page;

/// Called after a read, write or the like on an fd with these `flags`. `asked` returns how many bytes the program
/// wanted to transfer.
#[inline]
pub fn io(fd: c_int, flags: u32, op: Op, result: ssize_t, asked: impl FnOnce() -> usize) {
    if !writer::is_on() {
        return;
    }
    if flags & BORN != 0 {
        fdtable::untouched::touched(fd);
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

/// A wait on an fd that is no set has failed.
pub fn wait_failed(epfd: c_int, errno: c_int) {
    if writer::is_on() && !fork_page::was_forked() && !process::is_vfork_child() {
        writer::record(Event::Io { fd: epfd, op: Op::Wait, result: -1, asked: 0, errno: errno as u16 });
    }
}

/// A close that the table does not record: of an fd that is in no set.
#[derive(Clone, Copy)]
pub struct UnwatchedClose {
    /// Before the close: after it another thread may get the fd.
    at: u64,
    maker: u32,
}

/// Called before a close. None: nobody records it, or the table does.
#[inline]
pub fn closing(fd: FdRef) -> Option<UnwatchedClose> {
    if !writer::is_on() || fd.is(TRACKED | EPOLL | KERNEL_SET | OURS) {
        return None;
    }
    if !fork_page::was_forked() && !process::is_vfork_child() {
        facts::closing(fd.fd());
    }
    Some(UnwatchedClose { at: writer::ticks(), maker: fdtable::maker(fd) })
}

/// Called after a close.
#[inline]
pub fn closed(fd: c_int, unwatched: Option<UnwatchedClose>, result: c_int) -> c_int {
    if result < 0 {
        close_failed(fd);
    } else if let Some(UnwatchedClose { at, maker }) = unwatched {
        if !fork_page::was_forked() && !process::is_vfork_child() {
            writer::record_at(at, Event::CloseUnwatched { fd, maker });
        }
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
