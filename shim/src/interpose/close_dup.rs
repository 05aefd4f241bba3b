//! Closing, duplicating and steering descriptors: close, dup, fcntl, ioctl and the stdio functions
//! that close.
//!
//! A number leaves the table before libc closes it: after that, another thread may have got the same
//! number anew.

use glasspoll_reactor::sys;
use glasspoll_reactor::watch::KernelFile;
use libc::{c_char, c_int, c_uint, c_ulong, FILE};
use syscalls::Errno;

use crate::fdtable::{self, Closing, EPOLL, INHERITED, OURS, SEEN, TRACKED};
use crate::interpose::{answer, busy_poll, guarded, set_errno};
use crate::memory::user_memory;
use crate::process::{self, record, reserved_fds};
use crate::thread::context;

extern "C-unwind" {
    fn pthread_testcancel();
}

/// Takes a number out of the table. False: the program must be told that it is not open.
fn let_go(fd: c_int) -> bool {
    fdtable::flags(fd) == 0 || guarded(Closing::Yes, || fdtable::closing(fd)) == Closing::Yes
}

crate::interpose! {
    /// close(2).
    fn close(fd: c_int) -> c_int |real| {
        if fdtable::flags(fd) == 0 {
            // SAFETY: libc's own function; no destructor in this frame.
            return record::closed(fd, unsafe { real()(fd) });
        }
        // SAFETY: no destructor in this frame.
        unsafe { pthread_testcancel() };
        if let Some(closed) = fdtable::close_untracked(fd) {
            return record::closed(fd, answer(closed.map(|()| 0)));
        }
        record::closed(fd, answer(guarded(Err(Errno::EIO), || fdtable::close(fd).map(|()| 0))))
    }
}

crate::interpose! {
    /// mq_close(3): close(2) by another name.
    fn mq_close(queue: c_int) -> c_int |real| {
        if fdtable::flags(queue) == 0 {
            // SAFETY: as above.
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
            // SAFETY: as above.
            return unsafe { real()(first, last, flags) };
        }
        let_range_go(first, last);
        let mut from = first;
        // One after another: the program's stack may have no room for all of them.
        while let Some(ours) = guarded(None, || fdtable::first_of_ours(from, last)) {
            // SAFETY: as above.
            if ours > from && unsafe { real()(from, ours - 1, flags) } < 0 {
                return -1;
            }
            if ours == last {
                return 0;
            }
            from = ours + 1;
        }
        // SAFETY: as above.
        unsafe { real()(from, last, flags) }
    }
}

crate::interpose! {
    /// closefrom(3).
    fn closefrom(first: c_int) |_real| {
        // SAFETY: as above.
        unsafe { close_range(first.max(0) as c_uint, c_uint::MAX, 0) };
    }
}

fn let_stream_go(stream: *mut FILE) {
    extern "C" {
        fn fileno(stream: *mut FILE) -> c_int;
    }
    if !stream.is_null() {
        // SAFETY: the program's promise that the stream is open.
        let_go(unsafe { fileno(stream) });
    }
}

crate::interpose! {
    /// fclose(3).
    fn fclose(stream: *mut FILE) -> c_int |real| {
        let_stream_go(stream);
        // SAFETY: as above.
        unsafe { real()(stream) }
    }
}

crate::interpose! {
    /// pclose(3).
    fn pclose(stream: *mut FILE) -> c_int |real| {
        let_stream_go(stream);
        // SAFETY: as above.
        unsafe { real()(stream) }
    }
}

crate::interpose! {
    /// freopen(3).
    fn freopen(path: *const c_char, mode: *const c_char, stream: *mut FILE) -> *mut FILE |real| {
        let_stream_go(stream);
        // SAFETY: as above.
        unsafe { real()(path, mode, stream) }
    }
}

crate::interpose! {
    /// freopen(3) with large files.
    fn freopen64(path: *const c_char, mode: *const c_char, stream: *mut FILE) -> *mut FILE |real| {
        let_stream_go(stream);
        // SAFETY: as above.
        unsafe { real()(path, mode, stream) }
    }
}

crate::interpose! {
    /// daemon(3): puts /dev/null over 0, 1 and 2.
    fn daemon(nochdir: c_int, noclose: c_int) -> c_int |real| {
        if noclose == 0 {
            let_range_go(0, 2);
        }
        // SAFETY: as above.
        unsafe { real()(nochdir, noclose) }
    }
}

/// `new` is a number for the file of `old` from now on.
fn note_duplicate(old: c_int, new: c_int) {
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

/// Before a duplicate is put over `new`: the file there loses a number. Errno: refuse.
fn make_room(old: c_int, new: c_int) -> Result<(), Errno> {
    if fdtable::flags(old) & OURS != 0 || sys::fcntl(old, libc::F_GETFD, 0) == Err(Errno::EBADF) {
        return Err(Errno::EBADF);
    }
    if fdtable::flags(new) & OURS != 0 && !process::is_vfork_child() {
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

/// What fcntl(2) on a tracked descriptor is to do.
enum Steer {
    /// As asked.
    Pass,
    /// As asked, with another argument.
    With(usize),
    /// Nothing, and this is the answer.
    Answer(c_int),
    /// As asked, and O_ASYNC hidden in the answer.
    HideAsync,
}

/// Keeps what arming changed in a file's state out of the program's sight. If the program sets up
/// signals on the file itself, the file is left to it and polled.
fn steer(fd: c_int, cmd: c_int, arg: usize) -> Steer {
    let Some(_guard) = context::enter_as_is() else { return Steer::Pass };
    if fdtable::flags(fd) & INHERITED != 0 {
        return steer_inherited(fd, cmd, arg);
    }
    let Some(file) = fdtable::get(fd) else { return Steer::Pass };
    let Some(device) = file.device_as::<KernelFile>() else { return Steer::Pass };
    let asynchronous = libc::O_ASYNC as usize;
    let for_the_program = match cmd {
        libc::F_SETFL => arg & asynchronous != 0,
        libc::F_SETOWN | sys::F_SETSIG | sys::F_SETOWN_EX => true,
        _ => false,
    };
    if !device.is_armed() {
        if for_the_program {
            device.share(&file);
        }
        return steer_inherited(fd, cmd, arg);
    }
    match cmd {
        libc::F_GETFL => Steer::HideAsync,
        libc::F_SETFL if arg & asynchronous == 0 => Steer::With(arg | asynchronous),
        libc::F_GETOWN | sys::F_GETSIG => Steer::Answer(0),
        libc::F_SETFL | libc::F_SETOWN | sys::F_SETSIG | sys::F_SETOWN_EX | sys::F_GETOWN_EX => {
            device.share(&file);
            Steer::Pass
        }
        _ => Steer::Pass,
    }
}

/// After F_SETFL on a tracked descriptor: reads on it may sleep now, or no longer.
fn note_mode(fd: c_int, cmd: c_int, result: c_int) -> c_int {
    if cmd == libc::F_SETFL && result == 0 {
        guarded((), || {
            let Some(_guard) = context::enter_as_is() else { return };
            fdtable::note_blocking(fd);
        });
    }
    result
}

/// After a call that steers a number whose life is seen.
fn note_seen(fd: c_int, cmd: c_int, arg: usize) {
    let asynchronous = libc::O_ASYNC as usize;
    match cmd {
        libc::F_SETFL if arg & asynchronous == 0 => {
            fdtable::note_mode(fd, arg & libc::O_NONBLOCK as usize != 0)
        }
        // The program takes signals from it.
        libc::F_SETFL | libc::F_SETOWN | sys::F_SETSIG | sys::F_SETOWN_EX => fdtable::lost_sight(fd),
        _ => {}
    }
}

/// An inherited file may be armed by the process it comes from: its O_ASYNC is not ours to clear, and
/// not the program's to see.
fn steer_inherited(fd: c_int, cmd: c_int, arg: usize) -> Steer {
    let asynchronous = libc::O_ASYNC as usize;
    match cmd {
        libc::F_GETFL if fdtable::is_armed_elsewhere(fd) => Steer::HideAsync,
        libc::F_GETOWN | sys::F_GETSIG if fdtable::is_armed_elsewhere(fd) => Steer::Answer(0),
        libc::F_SETFL if arg & asynchronous == 0 && fdtable::is_armed_elsewhere(fd) => {
            Steer::With(arg | asynchronous)
        }
        _ => Steer::Pass,
    }
}

macro_rules! fcntl {
    ($name:ident) => {
        $crate::interpose! {
            /// fcntl(2). Variadic in C; the third argument is passed in the same register.
            fn $name(fd: c_int, cmd: c_int, arg: usize) -> c_int |real| {
                let flags = fdtable::flags(fd);
                if flags & OURS != 0 {
                    set_errno(Errno::EBADF);
                    return -1;
                }
                if cmd == libc::F_DUPFD || cmd == libc::F_DUPFD_CLOEXEC {
                    reserved_fds::keep_clear_from(arg);
                    // SAFETY: libc's own function; no destructor in this frame.
                    let new = unsafe { real()(fd, cmd, arg) };
                    note_duplicate(fd, new);
                    return new;
                }
                if flags & EPOLL != 0 && cmd == sys::F_GETSIG {
                    return 0;
                }
                if flags & (TRACKED | INHERITED) == 0 || flags & EPOLL != 0 {
                    // SAFETY: as above.
                    let result = unsafe { real()(fd, cmd, arg) };
                    if flags & SEEN != 0 && result == 0 {
                        note_seen(fd, cmd, arg);
                    }
                    return result;
                }
                match guarded(Steer::Pass, || steer(fd, cmd, arg)) {
                    Steer::Answer(answer) => answer,
                    // SAFETY: as above.
                    Steer::Pass => note_mode(fd, cmd, unsafe { real()(fd, cmd, arg) }),
                    // SAFETY: as above.
                    Steer::With(arg) => note_mode(fd, cmd, unsafe { real()(fd, cmd, arg) }),
                    Steer::HideAsync => {
                        // SAFETY: as above.
                        let flags = unsafe { real()(fd, cmd, arg) };
                        if flags < 0 { flags } else { flags & !libc::O_ASYNC }
                    }
                }
            }
        }
    };
}

fcntl!(fcntl);
fcntl!(fcntl64);

/// The owner of a file's signals by ioctl. Linux: `<asm-generic/sockios.h>`.
const FIOSETOWN: c_ulong = 0x8901;
const SIOCSPGRP: c_ulong = 0x8902;
const FIOGETOWN: c_ulong = 0x8903;
const SIOCGPGRP: c_ulong = 0x8904;

crate::interpose! {
    /// ioctl(2). Variadic in C; the third argument is passed in the same register.
    fn ioctl(fd: c_int, request: c_ulong, arg: usize) -> c_int |real| {
        let flags = fdtable::flags(fd);
        if flags & EPOLL != 0 {
            return match guarded(Err(Errno::ENOTTY), || busy_poll::ioctl(fd, request, arg)) {
                Ok(answer) => answer,
                Err(errno) => {
                    set_errno(errno);
                    -1
                }
            };
        }
        let is_off = flags & (TRACKED | SEEN | INHERITED) != 0
            && request == libc::FIOASYNC
            && user_memory::read_u32(arg) == Ok(0);
        if is_off && matches!(guarded(Steer::Pass, || steer(fd, libc::F_SETFL, 0)), Steer::With(_)) {
            // For the program they are off already.
            return 0;
        }
        if flags & TRACKED != 0 && !is_off && matches!(request, libc::FIOASYNC | FIOSETOWN | SIOCSPGRP) {
            // The program wants the signals itself.
            guarded(Steer::Pass, || steer(fd, libc::F_SETOWN, 0));
        }
        if flags & TRACKED != 0 && matches!(request, FIOGETOWN | SIOCGPGRP) {
            if let Steer::Answer(owner) = guarded(Steer::Pass, || steer(fd, libc::F_GETOWN, 0)) {
                return answer(guarded(Err(Errno::EFAULT), || user_memory::write_u32(arg, owner as u32).map(|()| 0)));
            }
        }
        // SAFETY: as above.
        let result = unsafe { real()(fd, request, arg) };
        if flags & TRACKED != 0 && request == libc::FIONBIO {
            return note_mode(fd, libc::F_SETFL, result);
        }
        if flags & SEEN != 0 && result == 0 {
            match request {
                // SAFETY: the kernel has just read it.
                libc::FIONBIO => fdtable::note_mode(fd, unsafe { (arg as *const c_int).read_unaligned() } != 0),
                libc::FIOASYNC | FIOSETOWN | SIOCSPGRP if !is_off => fdtable::lost_sight(fd),
                _ => {}
            }
        }
        result
    }
}
