//! Reads and writes of the program, where they change what a set must report.
//!
//! - An epoll descriptor can be neither read nor written: EINVAL, although an eventfd is beneath it.
//! - A file that we poll for an edge-triggered item: if a read or write uses up what there was, the next readiness is
//!   a new edge. Reads and writes of an eventfd are wakeups.
//! - A read that sleeps on a watched socket: the kernel does not signal what ends the sleep.
//! - A refused write on an edge-triggered TCP socket: there is no room, even if the kernel forgets that.
//!
//! Any other descriptor costs one load.

use glasspoll_reactor::file::File;
use glasspoll_reactor::sys;
use glasspoll_reactor::uapi::READ_SIDE;
use glasspoll_reactor::watch::KernelFile;
use glasspoll_record::event::{Call, Op};
use libc::{c_int, c_void, iovec, off_t, size_t, sockaddr, socklen_t, ssize_t};
use syscalls::Errno;

use crate::fdtable::{
    self, drain_hints, FdRef, BLOCKING, BORN, EPOLL, EVENTFD, HINT, IO, MANY, NONBLOCK, ROOM, TRACKED,
};
pub use crate::interpose::left::Way;
use crate::interpose::left::{self, Transfer};
use crate::interpose::{errno, guarded, set_errno, socket_pipe};
use crate::memory::user_memory;
use crate::process::{self, record};
use crate::thread::context;

/// Wakes the file without its device. Drains first, so that earlier wakeups come first.
fn wake(file: &File, pollflags: u32) {
    if let Some(watch) = process::WATCH.get() {
        watch.drain_signals();
    }
    file.wake(pollflags);
}

/// Drains earlier wakeups before a call that is itself a wakeup.
#[cold]
fn drain_wakeups() {
    guarded((), || {
        if process::is_vfork_child() {
            return;
        }
        let Some(_guard) = context::enter_unless_early() else { return };
        if let Some(watch) = process::WATCH.get() {
            watch.drain_signals();
        }
    });
}

/// The program read or wrote a descriptor of interest. `how`: the flags of recv(2). `wanted`: how much it wanted
/// to write; called only if the call succeeded.
#[cold]
pub fn note(fd: c_int, way: Way, got: ssize_t, how: c_int, wanted: impl FnOnce() -> size_t) {
    let wanted = if got < 0 { 0 } else { wanted() };
    let call = Transfer { way, got, errno: errno(), how, wanted, pending: None };
    with_file(fd, |fd, file| left::note(fd, file, &call));
}

extern "C" {
    pub fn pthread_setcancelstate(state: c_int, old: *mut c_int) -> c_int;
}

extern "C-unwind" {
    pub fn pthread_testcancel();
}

pub const PTHREAD_CANCEL_DISABLE: c_int = 1;

/// Runs a read or write that will not sleep, on a descriptor of interest. The call and its note are one step: a poll
/// between the two would take old readiness for new, or report it twice. None: the call might sleep, and was not made.
/// `is_small`: it adds at most 1 to an eventfd.
#[cold]
pub fn at_once(
    fd: c_int,
    way: Way,
    how: c_int,
    wanted: impl FnOnce(ssize_t) -> size_t,
    is_small: impl FnOnce() -> bool,
    call: impl FnOnce() -> ssize_t,
) -> Option<ssize_t> {
    if process::is_vfork_child() {
        return None;
    }
    let mut before = 0;
    let done = guarded(None, || {
        let _guard = context::enter_unless_early()?;
        let watch = process::WATCH.get()?;
        let fd = FdRef::of(fd);
        let file = fd.get()?;
        // Another process can change the mode of what it shares.
        let never_sleeps = fdtable::flags(fd.fd()) & (NONBLOCK | MANY) == NONBLOCK
            && file.device_as::<KernelFile>().is_some_and(KernelFile::is_own_counter);
        if how & libc::MSG_DONTWAIT == 0
            && !never_sleeps
            && sys::fcntl(fd.fd(), libc::F_GETFL, 0).ok()? & libc::O_NONBLOCK == 0
            && !(left::has_room(fd, way) && is_small())
        {
            return None;
        }
        // SAFETY: plain values; no forced unwind may leave this frame.
        unsafe { pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &mut before) };
        let done = watch.while_nobody_asks(|| {
            let pending = left::pending_before(&file);
            let got = call();
            let errno = errno();
            // The kernel has accepted the program's pointers.
            let wanted = if got < 0 { 0 } else { wanted(got) };
            left::note(fd, &file, &Transfer { way, got, errno, how, wanted, pending });
            (got, errno)
        });
        // SAFETY: as above.
        unsafe { pthread_setcancelstate(before, std::ptr::null_mut()) };
        Some(done)
    });
    done.map(|(got, errno)| {
        if got < 0 {
            set_errno(Errno::new(errno));
        }
        got
    })
}

/// Whether a write adds at most 1 to an eventfd.
fn adds_one(buf: *const c_void, count: size_t) -> bool {
    count >= 8 && user_memory::read_u64(buf.cast()).is_ok_and(|value| value <= 1)
}

/// Whether a read would sleep now.
#[cold]
pub fn would_block(fd: c_int, way: Way) -> bool {
    let Way::In = way else { return false };
    let mut now = [libc::pollfd { fd, events: libc::POLLIN, revents: 0 }];
    sys::ppoll(&mut now, Some(0), None) == Ok(0)
}

/// A read slept: the kernel woke only this thread and sent no signal, so we wake the file.
#[cold]
pub fn note_blocked(fd: c_int) {
    with_file(fd, |_, file| wake(file, READ_SIDE));
}

/// Whether a write took less than it was given, for lack of room.
#[inline]
pub fn was_refused(put: ssize_t, wanted: impl FnOnce() -> size_t) -> bool {
    if put < 0 {
        errno() == libc::EAGAIN
    } else {
        (put as size_t) < wanted()
    }
}

/// How many bytes a sendfile of `count` that returned `put` wanted to write: at most the rest of the file.
///
/// # Safety
/// `offset` is the program's own pointer, and the kernel has just written to it.
unsafe fn to_the_end(file: c_int, offset: *const off_t, count: size_t, put: ssize_t) -> size_t {
    if put as size_t == count {
        return count;
    }
    let Ok(stat) = sys::fstat(file) else { return count };
    if stat.st_mode & libc::S_IFMT != libc::S_IFREG {
        return count;
    }
    // SAFETY: the caller's promise; lseek takes numbers.
    let at = unsafe { offset.as_ref().copied().unwrap_or_else(|| libc::lseek(file, 0, libc::SEEK_CUR)) };
    if at >= stat.st_size {
        put as size_t
    } else {
        count
    }
}

/// The number of bytes in a vector.
///
/// # Safety
/// The program's own vector, which the kernel has just read.
pub unsafe fn length(iov: *const iovec, count: c_int) -> size_t {
    let count = usize::try_from(count).unwrap_or(0);
    // SAFETY: the caller's promise.
    (0..count).map(|n| unsafe { (*iov.add(n)).iov_len }).sum()
}

/// A write was refused: the next room is an edge. The kernel may forget to signal it, if another write comes
/// first.
#[cold]
pub fn note_refused(fd: c_int) {
    let errno = errno();
    with_file(fd, |_, file| {
        if let Some(device) = file.device_as::<KernelFile>() {
            device.refused(file);
        }
    });
    set_errno(Errno::new(errno));
}

/// Runs `work`, inside, with the file behind a tracked fd.
pub fn with_file(fd: c_int, work: impl FnOnce(FdRef, &File)) {
    guarded((), || {
        if process::is_vfork_child() {
            return;
        }
        let Some(_guard) = context::enter_unless_early() else { return };
        let fd = FdRef::of(fd);
        if let Some(file) = fd.get() {
            work(fd, &file);
        }
    });
}

/// Whether a call reads from a file. The file may be on a slow disk, and no other thread should wait for it.
fn reads_a_file(name: &str) -> bool {
    name.starts_with("sendfile")
}

macro_rules! write_calls {
    ($(fn $name:ident($fd:ident $(, $arg:ident: $type:ty)*) $epoll:tt, $small:expr, |$put:ident| $wanted:expr;)*) => {
        $(
            $crate::interpose! {
                /// Calls libc, and notes the transfer on a descriptor of interest.
                fn $name($fd: c_int $(, $arg: $type)*) -> ssize_t |real| {
                    let flags = fdtable::flags($fd);
                    if flags & EPOLL != 0 && $epoll {
                        set_errno(Errno::EINVAL);
                        return -1;
                    }
                    if flags & IO != 0 && !reads_a_file(stringify!($name)) {
                        // SAFETY: no destructor in this frame.
                        unsafe { pthread_testcancel() };
                        // Looked up before we go inside: a thread in the loader may hold its lock and wait for
                        // one of ours.
                        let real = real();
                        // SAFETY: libc's own function, with what the program called us with.
                        let call = || unsafe { real($fd $(, $arg)*) };
                        if let Some($put) = at_once($fd, Way::Out, 0, |$put| $wanted, || $small, call) {
                            record::io($fd, flags, Op::Write, $put, || $wanted);
                            if flags & HINT != 0 && was_refused($put, || $wanted) {
                                note_refused($fd);
                            }
                            return $put;
                        }
                    }
                    let timed = record::time_if(flags & NONBLOCK == 0);
                    // SAFETY: libc's own function; no destructor in this frame.
                    let $put = unsafe { real()($fd $(, $arg)*) };
                    timed.end(Call::Write, $fd, $put as i64);
                    record::io($fd, flags, Op::Write, $put, || if reads_a_file(stringify!($name)) { 0 } else { $wanted });
                    if flags & IO != 0 {
                        note($fd, Way::Out, $put, 0, || $wanted);
                    }
                    if flags & (ROOM | HINT) != 0 && was_refused($put, || $wanted) {
                        note_refused($fd);
                    }
                    $put
                }
            }
        )*
    };
}

// `true`: EINVAL on an epoll descriptor. A socket call gives ENOTSOCK, as on the eventfd beneath. Then: whether it adds
// at most 1 to an eventfd, and how many bytes it wants to write.
write_calls! {
    fn write(fd, buf: *const c_void, count: size_t) true, adds_one(buf, count), |_put| count;
    // SAFETY: the kernel has just read the vector.
    fn writev(fd, iov: *const iovec, count: c_int) true, false, |_put| unsafe { length(iov, count) };
    // SAFETY: as above.
    fn pwritev2(fd, iov: *const iovec, count: c_int, offset: off_t, flags: c_int) true, false, |_put| unsafe { length(iov, count) };
    // SAFETY: as above.
    fn pwritev64v2(fd, iov: *const iovec, count: c_int, offset: off_t, flags: c_int) true, false, |_put| unsafe { length(iov, count) };
    fn send(fd, buf: *const c_void, len: size_t, flags: c_int) false, false, |_put| len;
    fn sendto(fd, buf: *const c_void, len: size_t, flags: c_int, addr: *const sockaddr, addrlen: socklen_t) false, false, |_put| len;
    // SAFETY: the kernel has just written the offset.
    fn sendfile(out, file: c_int, offset: *mut off_t, count: size_t) true, false, |put| unsafe { to_the_end(file, offset, count, put) };
    // SAFETY: as above.
    fn sendfile64(out, file: c_int, offset: *mut off_t, count: size_t) true, false, |put| unsafe { to_the_end(file, offset, count, put) };
}

macro_rules! transfer {
    ($way:ident: $(fn $name:ident($fd:ident $(, $arg:ident: $type:ty)*) -> $ret:ty, $wanted:expr, $how:expr $(, |$got:ident| $then:expr)?;)*) => {
        $(
            $crate::interpose! {
                /// Calls libc, and notes the transfer on a descriptor of interest.
                fn $name($fd: c_int $(, $arg: $type)*) -> $ret |real| {
                    let flags = fdtable::flags($fd);
                    // SAFETY: libc's own function, with what the program called us with; no destructor in
                    // this frame.
                    let call = |real: Function| unsafe { real($fd $(, $arg)*) };
                    if flags & BORN != 0 {
                        // Before the call, which may sleep for long.
                        fdtable::untouched::touched($fd);
                    }
                    let timed = record::time_if(flags & NONBLOCK == 0 && $how & libc::MSG_DONTWAIT == 0);
                    let got = 'got: {
                        if flags & (EPOLL | IO | BLOCKING) == 0 {
                            break 'got call(real());
                        }
                        if flags & EPOLL != 0 && !is_socket_call(stringify!($name)) {
                            set_errno(Errno::EINVAL);
                            break 'got -1;
                        }
                        if flags & IO != 0 {
                            // SAFETY: no destructor in this frame.
                            unsafe { pthread_testcancel() };
                            // Looked up before we go inside: a thread in the loader may hold its lock and wait for
                            // one of ours.
                            let real = real();
                            if let Some(got) = at_once($fd, Way::$way, $how, |_| 0, || false, || call(real) as ssize_t) {
                                break 'got got as $ret;
                            }
                        }
                        if flags & (EVENTFD | IO) == EVENTFD | IO {
                            drain_wakeups();
                        }
                        let blocks = flags & BLOCKING != 0 && would_block($fd, Way::$way);
                        let got = call(real());
                        if blocks {
                            note_blocked($fd);
                        }
                        if flags & IO != 0 {
                            note($fd, Way::$way, got as ssize_t, $how, || 0);
                        }
                        got
                    };
                    timed.end(call_of(stringify!($name)), $fd, got as i64);
                    if $how & (libc::MSG_PEEK | libc::MSG_ERRQUEUE) == 0 {
                        record::io($fd, flags, op_of(stringify!($name)), got as ssize_t, || $wanted);
                    }
                    if flags & HINT != 0 {
                        drain_hints::read($fd, got as ssize_t, $wanted, $how);
                    }
                    $(
                        let $got = got;
                        $then;
                    )?
                    got
                }
            }
        )*
    };
}

/// The operation that the record gives a call.
fn op_of(name: &str) -> Op {
    if name.starts_with("accept") {
        Op::Accept
    } else {
        Op::Read
    }
}

/// The same of a call that slept.
fn call_of(name: &str) -> Call {
    match op_of(name) {
        Op::Accept => Call::Accept,
        _ => Call::Read,
    }
}

/// Whether a call on an epoll descriptor gives ENOTSOCK, as on the eventfd beneath.
fn is_socket_call(name: &str) -> bool {
    !matches!(name, "read" | "readv" | "preadv2" | "preadv64v2")
}

// How many bytes the call asks for, and the flags of recv(2).
transfer! { In:
    fn read(fd, buf: *mut c_void, count: size_t) -> ssize_t, count, 0;
    // SAFETY: the kernel has just read the vector.
    fn readv(fd, iov: *const iovec, count: c_int) -> ssize_t, unsafe { length(iov, count) }, 0;
    // SAFETY: as above.
    fn preadv2(fd, iov: *const iovec, count: c_int, offset: off_t, flags: c_int) -> ssize_t, unsafe { length(iov, count) }, 0;
    // SAFETY: as above.
    fn preadv64v2(fd, iov: *const iovec, count: c_int, offset: off_t, flags: c_int) -> ssize_t, unsafe { length(iov, count) }, 0;
    fn recv(fd, buf: *mut c_void, len: size_t, flags: c_int) -> ssize_t, len, flags;
    fn recvfrom(fd, buf: *mut c_void, len: size_t, flags: c_int, addr: *mut sockaddr, addrlen: *mut socklen_t) -> ssize_t, len, flags;
    fn accept(fd, addr: *mut sockaddr, addrlen: *mut socklen_t) -> c_int, 0, 0, |new| socket_pipe::accepted(fd, 0, new);
    fn accept4(fd, addr: *mut sockaddr, addrlen: *mut socklen_t, flags: c_int) -> c_int, 0, 0, |new| socket_pipe::accepted(fd, flags, new);
    fn __read_chk(fd, buf: *mut c_void, count: size_t, buflen: size_t) -> ssize_t, count, 0;
    fn __recv_chk(fd, buf: *mut c_void, len: size_t, buflen: size_t, flags: c_int) -> ssize_t, len, flags;
    fn __recvfrom_chk(fd, buf: *mut c_void, len: size_t, buflen: size_t, flags: c_int, addr: *mut sockaddr, addrlen: *mut socklen_t) -> ssize_t, len, flags;
}

crate::interpose! {
    /// connect(2). Noted only for the record.
    fn connect(fd: c_int, addr: *const sockaddr, addrlen: socklen_t) -> c_int |real| {
        let timed = record::time();
        // SAFETY: libc's own function; no destructor in this frame.
        let done = unsafe { real()(fd, addr, addrlen) };
        timed.end(Call::Connect, fd, done.into());
        record::io(fd, fdtable::flags(fd), Op::Connect, done as ssize_t, || 0);
        done
    }
}

crate::interpose! {
    /// shutdown(2). It wakes the socket's own side, without a signal.
    fn shutdown(fd: c_int, how: c_int) -> c_int |real| {
        let flags = fdtable::flags(fd);
        let tracked = flags & TRACKED != 0;
        // A unix socket wakes its own side first; any other socket wakes its peer first.
        let first = tracked && sys::getsockopt(fd, libc::SOL_SOCKET, libc::SO_DOMAIN) == Ok(libc::AF_UNIX);
        if first {
            drain_wakeups();
        }
        // SAFETY: libc's own function; no destructor in this frame.
        let done = unsafe { real()(fd, how) };
        record::io(fd, flags, Op::Shutdown, done as ssize_t, || how as usize);
        // A socket that is not connected refuses the call, and is woken all the same.
        let woken = done == 0 || errno() == libc::ENOTCONN;
        if woken && tracked {
            with_file(fd, |_, file| if first { file.wake(0) } else { wake(file, 0) });
        }
        done
    }
}
