//! Calls that put the calling thread to sleep. They go to libc unchanged; if a thread that serves an event loop sleeps
//! long in one, the record says so. Reads, writes, connect(2), poll(2), fcntl(2) and system(3)
//! are timed where they stand.

use std::ffi::c_void;

use glasspoll_record::event::Call;
use libc::{
    addrinfo, c_char, c_int, c_uint, clockid_t, hostent, id_t, idtype_t, off64_t, off_t, pid_t, pthread_t,
    rusage, sem_t, siginfo_t, sockaddr, socklen_t, timespec,
};

use crate::process::record;

macro_rules! sleeps {
    ($(fn $name:ident($($arg:ident: $type:ty),*) -> $ret:ty, $call:ident, $fd:expr, $may_sleep:expr, |$done:ident| $result:expr;)*) => {
        $(
            $crate::interpose! {
                /// Calls libc, and times the call in a thread that serves a loop.
                fn $name($($arg: $type),*) -> $ret |real| {
                    let timed = record::time_if($may_sleep);
                    // SAFETY: libc's own function, with what the program called us with; no destructor in this frame.
                    let $done = unsafe { real()($($arg),*) };
                    timed.end(Call::$call, $fd, $result);
                    $done
                }
            }
        )*
    };
}

// What the call is, its descriptor or -1, whether it may sleep, and its result as that of a system call.
sleeps! {
    fn nanosleep(wanted: *const timespec, left: *mut timespec) -> c_int, Sleep, -1, true, |done| done.into();
    // It returns an errno.
    fn clock_nanosleep(clock: clockid_t, flags: c_int, wanted: *const timespec, left: *mut timespec) -> c_int, Sleep, -1, true, |done| (-done).into();
    fn usleep(micros: c_uint) -> c_int, Sleep, -1, true, |done| done.into();
    // It returns the seconds that are left.
    fn sleep(seconds: c_uint) -> c_uint, Sleep, -1, true, |done| done.into();
    fn flock(fd: c_int, how: c_int) -> c_int, Lock, fd, how & libc::LOCK_NB == 0, |done| done.into();
    fn lockf(fd: c_int, cmd: c_int, len: off_t) -> c_int, Lock, fd, cmd == libc::F_LOCK, |done| done.into();
    fn lockf64(fd: c_int, cmd: c_int, len: off64_t) -> c_int, Lock, fd, cmd == libc::F_LOCK, |done| done.into();
    fn fsync(fd: c_int) -> c_int, Sync, fd, true, |done| done.into();
    fn fdatasync(fd: c_int) -> c_int, Sync, fd, true, |done| done.into();
    fn getaddrinfo(node: *const c_char, service: *const c_char, hints: *const addrinfo, list: *mut *mut addrinfo) -> c_int, Lookup, -1, !node.is_null(), |done| done.into();
    fn getnameinfo(addr: *const sockaddr, len: socklen_t, host: *mut c_char, host_len: socklen_t, service: *mut c_char, service_len: socklen_t, flags: c_int) -> c_int, Lookup, -1, true, |done| done.into();
    fn gethostbyname(name: *const c_char) -> *mut hostent, Lookup, -1, true, |done| i64::from(!done.is_null()) - 1;
    fn gethostbyname2(name: *const c_char, family: c_int) -> *mut hostent, Lookup, -1, true, |done| i64::from(!done.is_null()) - 1;
    fn gethostbyaddr(addr: *const c_void, len: socklen_t, family: c_int) -> *mut hostent, Lookup, -1, true, |done| i64::from(!done.is_null()) - 1;
    // These return an errno.
    fn gethostbyname_r(name: *const c_char, host: *mut hostent, buf: *mut c_char, len: usize, result: *mut *mut hostent, error: *mut c_int) -> c_int, Lookup, -1, true, |done| (-done).into();
    fn gethostbyname2_r(name: *const c_char, family: c_int, host: *mut hostent, buf: *mut c_char, len: usize, result: *mut *mut hostent, error: *mut c_int) -> c_int, Lookup, -1, true, |done| (-done).into();
    fn gethostbyaddr_r(addr: *const c_void, addr_len: socklen_t, family: c_int, host: *mut hostent, buf: *mut c_char, len: usize, result: *mut *mut hostent, error: *mut c_int) -> c_int, Lookup, -1, true, |done| (-done).into();
    fn wait(status: *mut c_int) -> pid_t, Wait, -1, true, |done| done.into();
    fn waitpid(pid: pid_t, status: *mut c_int, options: c_int) -> pid_t, Wait, -1, options & libc::WNOHANG == 0, |done| done.into();
    fn wait4(pid: pid_t, status: *mut c_int, options: c_int, usage: *mut rusage) -> pid_t, Wait, -1, options & libc::WNOHANG == 0, |done| done.into();
    fn waitid(kind: idtype_t, id: id_t, info: *mut siginfo_t, options: c_int) -> c_int, Wait, -1, options & libc::WNOHANG == 0, |done| done.into();
    fn sem_wait(semaphore: *mut sem_t) -> c_int, Semaphore, -1, true, |done| done.into();
    // It returns an errno.
    fn pthread_join(thread: pthread_t, value: *mut *mut c_void) -> c_int, Join, -1, true, |done| (-done).into();
}
