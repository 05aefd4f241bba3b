//! Closing and duplicating descriptors: close, dup and the stdio functions that close.
//!
//! The table forgets an fd before libc closes it: after the close, another thread may already have got the same fd
//! for a new file.

use glasspoll_reactor::sys;
use glasspoll_record::event::Call;
use libc::{c_char, c_int, c_uint, FILE};
use syscalls::Errno;

use crate::fdtable::{self, Closing, FdRef, Untracked, BORN, OURS};
use crate::interpose::{answer, guarded, set_errno};
use crate::process::{self, record, reserved_fds};
use crate::thread::context;

extern "C-unwind" {
    fn pthread_testcancel();
}

/// Takes an fd of the program out of the table.
fn let_go(fd: c_int) {
    if fdtable::flags(fd) != 0 {
        guarded(Closing::Yes, || fdtable::closing(fd));
    }
}

crate::interpose! {
    /// close(2).
    fn close(fd: c_int) -> c_int |real| {
        let found = FdRef::of(fd);
        let unwatched = record::closing(found);
        if found.flags() == 0 {
            // SAFETY: libc's own function; no destructor in this frame.
            return record::closed(fd, unwatched, unsafe { real()(fd) });
        }
        // SAFETY: no destructor in this frame.
        unsafe { pthread_testcancel() };
        let closed = guarded(None, || match fdtable::close_untracked(found) {
            Untracked::Closed(closed) => Some(closed),
            Untracked::KnownMore => Some(fdtable::close(fd)),
        });
        match closed {
            Some(closed) => record::closed(fd, unwatched, answer(closed.map(|()| 0))),
            // SAFETY: libc's own function; no destructor in this frame.
            None => unsafe { real()(fd) },
        }
    }
}

crate::interpose! {
    /// mq_close(3): close(2) by another name.
    fn mq_close(queue: c_int) -> c_int |real| {
        if fdtable::flags(queue) == 0 {
            // SAFETY: libc's own function; no destructor in this frame.
            return unsafe { real()(queue) };
        }
        answer(guarded(Err(Errno::EIO), || fdtable::close(queue).map(|()| 0)))
    }
}

fn let_range_go(first: u32, last: u32) {
    if process::is_vfork_child() {
        return;
    }
    guarded((), || {
        let Some(_guard) = context::enter_as_is() else { return };
        for fd in fdtable::known(first, last) {
            fdtable::forget(fd);
        }
    });
}

crate::interpose! {
    /// close_range(2). Our own descriptors stay.
    fn close_range(first: c_uint, last: c_uint, flags: c_int) -> c_int |real| {
        if flags & !(libc::CLOSE_RANGE_UNSHARE as c_int) != 0 || first > last {
            // SAFETY: libc's own function; no destructor in this frame.
            return unsafe { real()(first, last, flags) };
        }
        let_range_go(first, last);
        let mut from = first;
        // A loop, not a list: the program's stack may be too small for a list.
        while let Some(ours) = guarded(None, || reserved_fds::first_from(from, last)) {
            // SAFETY: libc's own function; no destructor in this frame.
            if ours > from && unsafe { real()(from, ours - 1, flags) } < 0 {
                return -1;
            }
            if ours == last {
                return 0;
            }
            from = ours + 1;
        }
        // SAFETY: libc's own function; no destructor in this frame.
        unsafe { real()(from, last, flags) }
    }
}

crate::interpose! {
    /// closefrom(3).
    fn closefrom(first: c_int) |_real| {
        // SAFETY: no destructor in this frame.
        unsafe { close_range(first.max(0) as c_uint, c_uint::MAX, 0) };
    }
}

fn descriptor(stream: *mut FILE) -> c_int {
    extern "C" {
        fn fileno(stream: *mut FILE) -> c_int;
    }
    if stream.is_null() {
        return -1;
    }
    // SAFETY: the program's promise that the stream is open.
    unsafe { fileno(stream) }
}

fn let_stream_go(stream: *mut FILE) {
    let_go(descriptor(stream));
}

crate::interpose! {
    /// fclose(3).
    fn fclose(stream: *mut FILE) -> c_int |real| {
        let fd = descriptor(stream);
        if fd < 0 {
            // SAFETY: libc's own function; no destructor in this frame.
            return unsafe { real()(stream) };
        }
        let unwatched = record::closing(FdRef::of(fd));
        let_go(fd);
        // SAFETY: libc's own function; no destructor in this frame.
        record::closed(fd, unwatched, unsafe { real()(stream) })
    }
}

crate::interpose! {
    /// fdopen(3). What the program does with the stream from then on is not seen.
    fn fdopen(fd: c_int, mode: *const c_char) -> *mut FILE |real| {
        if fdtable::flags(fd) & BORN != 0 {
            fdtable::untouched::touched(fd);
        }
        // SAFETY: libc's own function; no destructor in this frame.
        unsafe { real()(fd, mode) }
    }
}

crate::interpose! {
    /// pclose(3).
    fn pclose(stream: *mut FILE) -> c_int |real| {
        let_stream_go(stream);
        let timed = record::time();
        // SAFETY: libc's own function; no destructor in this frame.
        let status = unsafe { real()(stream) };
        timed.end(Call::Command, -1, status.into());
        status
    }
}

crate::interpose! {
    /// freopen(3).
    fn freopen(path: *const c_char, mode: *const c_char, stream: *mut FILE) -> *mut FILE |real| {
        let_stream_go(stream);
        // SAFETY: libc's own function; no destructor in this frame.
        unsafe { real()(path, mode, stream) }
    }
}

crate::interpose! {
    /// freopen(3) with large files.
    fn freopen64(path: *const c_char, mode: *const c_char, stream: *mut FILE) -> *mut FILE |real| {
        let_stream_go(stream);
        // SAFETY: libc's own function; no destructor in this frame.
        unsafe { real()(path, mode, stream) }
    }
}

crate::interpose! {
    /// daemon(3): puts /dev/null over 0, 1 and 2.
    fn daemon(nochdir: c_int, noclose: c_int) -> c_int |real| {
        if noclose == 0 {
            let_range_go(0, 2);
        }
        // It forks within libc.
        let is_ours = !process::is_vfork_child();
        if is_ours {
            guarded((), process::fork_is_near);
        }
        // SAFETY: libc's own function; no destructor in this frame.
        let done = unsafe { real()(nochdir, noclose) };
        if is_ours {
            process::fork_is_over();
        }
        done
    }
}

/// From now on `new` is an fd of `old`'s file.
pub(super) fn note_duplicate(old: c_int, new: c_int) {
    if new < 0 || process::is_inert() || process::is_vfork_child() {
        return;
    }
    let errno = crate::interpose::errno();
    guarded((), || {
        let Some(_guard) = context::enter_as_is() else { return };
        fdtable::duplicated(old, new);
    });
    reserved_fds::keep_clear_of(new);
    set_errno(Errno::new(errno));
}

/// Called before a duplicate replaces `new`: the file there loses an fd. Err: the call fails with this errno.
fn make_room(old: c_int, new: c_int) -> Result<(), Errno> {
    if fdtable::flags(old) & OURS != 0 || sys::fcntl(old, libc::F_GETFD, 0) == Err(Errno::EBADF) {
        return Err(Errno::EBADF);
    }
    if fdtable::flags(new) & OURS != 0 && !process::is_vfork_child() {
        if sys::descriptor_limits().is_some_and(|[soft, _]| new as u64 >= soft) {
            // libc's dup2 would refuse it too, and our descriptor would stay there, although nothing keeps track of it.
            return Err(Errno::EBADF);
        }
        reserved_fds::make_way(new);
    }
    let_go(new);
    Ok(())
}

crate::hook! {
    unsafe fn dup(old: c_int) -> c_int => hooked_dup {
        if fdtable::flags(old) & OURS != 0 {
            set_errno(Errno::EBADF);
            return -1;
        }
        let new = crate::real_call!(dup(old));
        note_duplicate(old, new);
        new
    }
}

crate::hook! {
    unsafe fn dup2(old: c_int, new: c_int) -> c_int => hooked_dup2 {
        if old == new {
            return crate::real_call!(dup2(old, new));
        }
        fdtable::replacing(new, || {
            if let Err(errno) = make_room(old, new) {
                set_errno(errno);
                return -1;
            }
            let new = crate::real_call!(dup2(old, new));
            note_duplicate(old, new);
            new
        })
    }
}

crate::hook! {
    unsafe fn dup3(old: c_int, new: c_int, flags: c_int) -> c_int => hooked_dup3 {
        if old == new || flags & !libc::O_CLOEXEC != 0 {
            return crate::real_call!(dup3(old, new, flags));
        }
        fdtable::replacing(new, || {
            if let Err(errno) = make_room(old, new) {
                set_errno(errno);
                return -1;
            }
            let new = crate::real_call!(dup3(old, new, flags));
            note_duplicate(old, new);
            new
        })
    }
}
