//! fcntl(2) and ioctl(2): calls that change a descriptor's mode or owner.
//!
//! The program does not see what arming changed in a file's state.

use glasspoll_reactor::sys;
use glasspoll_reactor::watch::KernelFile;
use glasspoll_record::event::Call;
use libc::{c_int, c_ulong};
use syscalls::Errno;

use crate::fdtable::{self, FdRef, EPOLL, INHERITED, OURS, SEEN, TRACKED};
use crate::interpose::close_dup::note_duplicate;
use crate::interpose::{answer, busy_poll, guarded, set_errno};
use crate::memory::user_memory;
use crate::process::{record, reserved_fds};
use crate::thread::context;

/// What becomes of an fcntl(2) on a tracked descriptor.
enum Steer {
    /// It goes to libc unchanged.
    Pass,
    /// It goes to libc with another argument.
    With(usize),
    /// It does not go to libc; this is the answer.
    Answer(c_int),
    /// It goes to libc unchanged, and the answer loses O_ASYNC.
    HideAsync,
}

/// Hides what arming changed in a file's state. If the program itself asks for signals from the file, we leave the
/// file to it, and poll it.
fn steer(fd: c_int, cmd: c_int, arg: usize) -> Steer {
    let Some(_guard) = context::enter_as_is() else { return Steer::Pass };
    let found = FdRef::of(fd);
    if found.is(INHERITED) {
        return steer_inherited(fd, cmd, arg);
    }
    let Some(file) = found.get() else { return Steer::Pass };
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

/// Called after F_SETFL on a tracked descriptor: O_NONBLOCK may have changed.
fn note_mode(fd: c_int, cmd: c_int, result: c_int) -> c_int {
    if cmd == libc::F_SETFL && result == 0 {
        guarded((), || {
            let Some(_guard) = context::enter_as_is() else { return };
            fdtable::mode_changed(fd);
            fdtable::note_blocking(fd);
        });
    }
    result
}

/// Called after a call that changes the mode or owner of an fd with known provenance.
fn note_seen(fd: c_int, cmd: c_int, arg: usize) {
    let asynchronous = libc::O_ASYNC as usize;
    match cmd {
        libc::F_SETFL if arg & asynchronous == 0 => {
            fdtable::note_mode(fd, arg & libc::O_NONBLOCK as usize != 0)
        }
        // The program wants signals from it.
        libc::F_SETFL | libc::F_SETOWN | sys::F_SETSIG | sys::F_SETOWN_EX => fdtable::lost_sight(fd),
        _ => {}
    }
}

/// The process that an inherited file comes from may have armed it. We do not clear its O_ASYNC, and the program does
/// not see it.
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
                if cmd == libc::F_SETLKW || cmd == libc::F_OFD_SETLKW {
                    let timed = record::time();
                    // SAFETY: libc's own function; no destructor in this frame.
                    let done = unsafe { real()(fd, cmd, arg) };
                    timed.end(Call::Lock, fd, done.into());
                    return done;
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
                    // SAFETY: libc's own function; no destructor in this frame.
                    let result = unsafe { real()(fd, cmd, arg) };
                    if flags & SEEN != 0 && result == 0 {
                        note_seen(fd, cmd, arg);
                    }
                    return result;
                }
                match guarded(Steer::Pass, || steer(fd, cmd, arg)) {
                    Steer::Answer(answer) => answer,
                    // SAFETY: libc's own function; no destructor in this frame.
                    Steer::Pass => note_mode(fd, cmd, unsafe { real()(fd, cmd, arg) }),
                    // SAFETY: libc's own function; no destructor in this frame.
                    Steer::With(arg) => note_mode(fd, cmd, unsafe { real()(fd, cmd, arg) }),
                    Steer::HideAsync => {
                        // SAFETY: libc's own function; no destructor in this frame.
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

/// ioctl's requests for the owner of a file's signals. Linux: `<asm-generic/sockios.h>`.
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
            // For the program the signals are off already.
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
        // SAFETY: libc's own function; no destructor in this frame.
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
