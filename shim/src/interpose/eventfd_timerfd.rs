//! eventfd(2) and timerfd(2): the calls that make them, set them, or read and write them past read(2) and write(2).

use glasspoll_reactor::uapi::READ_SIDE;
use glasspoll_reactor::watch::KernelFile;
use libc::c_int;
use syscalls::Errno;

use crate::fdtable::{self, FdKind, IO};
use crate::interpose::read_write::{read, write};
use crate::interpose::{errno, guarded, set_errno, socket_pipe};
use crate::process;
use crate::thread::context;

/// Notes a new eventfd or timerfd. A child or program that was being made at that time may have it, too.
fn made(fd: c_int, kind: FdKind, flags: c_int, inheritors: [u32; 2]) {
    if fd < 0 {
        return;
    }
    socket_pipe::made(fd, kind, flags & libc::O_NONBLOCK != 0);
    if fdtable::has_inheritor_since(inheritors, flags) && !process::is_vfork_child() {
        guarded((), || {
            let Some(_guard) = context::enter_as_is() else { return };
            fdtable::share_counter(fd);
        });
    }
}

// Linux: EFD_NONBLOCK and TFD_NONBLOCK are O_NONBLOCK, EFD_CLOEXEC and TFD_CLOEXEC are O_CLOEXEC.
crate::interpose! {
    /// eventfd(2).
    fn eventfd(count: libc::c_uint, flags: c_int) -> c_int |real| {
        let inheritors = fdtable::inheritors();
        // SAFETY: libc's own function; no destructor in this frame.
        let fd = unsafe { real()(count, flags) };
        made(fd, FdKind::Eventfd, flags, inheritors);
        fd
    }
}

crate::interpose! {
    /// timerfd_create(2).
    fn timerfd_create(clock: c_int, flags: c_int) -> c_int |real| {
        let inheritors = fdtable::inheritors();
        // SAFETY: libc's own function; no destructor in this frame.
        let fd = unsafe { real()(clock, flags) };
        made(fd, FdKind::Timerfd, flags, inheritors);
        fd
    }
}

/// Sets a timer that a set watches. Earlier expiries no longer count: the next expiry is an edge. The call and its note
/// are one step: otherwise, an expiry that is delivered between the two would be dropped from the state and delivered
/// twice. None: `set` was not called, and needs no note.
fn set_watched(fd: c_int, set: impl FnOnce() -> c_int) -> Option<c_int> {
    if process::is_vfork_child() {
        return None;
    }
    let (done, errno) = guarded(None, || {
        let _guard = context::enter_unless_early()?;
        let watch = process::WATCH.get()?;
        let file = fdtable::get(fd)?;
        watch.while_nobody_asks(|| {
            let done = set();
            let errno = errno();
            if let Some(device) = file.device_as::<KernelFile>().filter(|_| done == 0) {
                device.drained(READ_SIDE);
            }
            Some((done, errno))
        })
    })?;
    if done < 0 {
        set_errno(Errno::new(errno));
    }
    Some(done)
}

crate::hook! {
    unsafe fn timerfd_settime(fd: c_int, flags: c_int, new: *const libc::itimerspec, old: *mut libc::itimerspec) -> c_int => hooked_settime {
        let set = || crate::real_call!(timerfd_settime(fd, flags, new, old));
        let done = if fdtable::flags(fd) & IO == 0 { None } else { set_watched(fd, set) };
        done.unwrap_or_else(set)
    }
}

crate::interpose! {
    /// eventfd_read(3). libc's own does not go through our `read`.
    fn eventfd_read(fd: c_int, value: *mut libc::eventfd_t) -> c_int |_real| {
        // SAFETY: `value` takes 8 bytes by its type.
        let got = unsafe { read(fd, value.cast(), 8) };
        if got == 8 { 0 } else { -1 }
    }
}

crate::interpose! {
    /// eventfd_write(3). libc's own does not go through our `write`.
    fn eventfd_write(fd: c_int, value: libc::eventfd_t) -> c_int |_real| {
        // SAFETY: `value` is 8 bytes by its type.
        let put = unsafe { write(fd, std::ptr::from_ref(&value).cast(), 8) };
        if put == 8 { 0 } else { -1 }
    }
}
