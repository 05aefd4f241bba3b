//! The limits and the user of the process: RLIMIT_NOFILE, setuid(2) and its kin.
//!
//! We raise the limit for a moment to make our own descriptors. The program does not see the raised limit, and its own
//! change is not undone when we lower it again. Files armed under an earlier user would no longer signal.

use glasspoll_reactor::sys;
use libc::{c_int, c_uint, pid_t, rlimit, uid_t};

use crate::interpose::{guarded, set_errno};
use crate::process::{self, reserved_fds};
use crate::thread::context;

/// Calls libc while the limit is the program's own. `changes`: the call may change the limit.
fn undisturbed(changes: bool, call: impl FnOnce() -> c_int) -> c_int {
    if process::is_vfork_child() {
        return call();
    }
    let guard = context::enter_as_is();
    let limit = sys::LIMIT.lock();
    let result = call();
    // The guard restores the errno from before.
    let errno = crate::interpose::errno();
    drop(limit);
    if result == 0 && changes {
        reserved_fds::limit_changed();
    }
    drop(guard);
    set_errno(sys::Errno::new(errno));
    result
}

macro_rules! limit {
    ($(fn $name:ident($($arg:ident: $type:ty),*);)*) => {
        $(crate::interpose! {
            /// getrlimit(2), setrlimit(2) or prlimit(2).
            fn $name($($arg: $type),*) -> c_int |real| {
                let changes = !stringify!($name).starts_with("get");
                // SAFETY: libc's own function; it neither blocks nor is it a cancellation point.
                let call = || unsafe { real()($($arg),*) };
                guarded(-1, || undisturbed(changes, call))
            }
        })*
    };
}

limit! {
    fn getrlimit(resource: c_uint, limit: *mut rlimit);
    fn getrlimit64(resource: c_uint, limit: *mut rlimit);
    fn setrlimit(resource: c_uint, limit: *const rlimit);
    fn setrlimit64(resource: c_uint, limit: *const rlimit);
    fn prlimit(pid: pid_t, resource: c_uint, new: *const rlimit, old: *mut rlimit);
    fn prlimit64(pid: pid_t, resource: c_uint, new: *const rlimit, old: *mut rlimit);
}

/// Called after a change of user.
fn user_changed(result: c_int) {
    if result != 0 {
        return;
    }
    guarded((), || {
        if process::is_vfork_child() {
            return;
        }
        let Some(_guard) = context::enter_unless_early() else { return };
        if let Some(watch) = process::WATCH.get() {
            watch.own_anew();
        }
    });
}

macro_rules! user {
    ($(fn $name:ident($($arg:ident: $type:ty),*);)*) => {
        $(crate::interpose! {
            /// setuid(2) or one of its kin.
            fn $name($($arg: $type),*) -> c_int |real| {
                // SAFETY: libc's own function; no destructor in this frame.
                let result = unsafe { real()($($arg),*) };
                user_changed(result);
                result
            }
        })*
    };
}

user! {
    fn setuid(user: uid_t);
    fn seteuid(user: uid_t);
    fn setreuid(real_user: uid_t, user: uid_t);
    fn setresuid(real_user: uid_t, user: uid_t, saved: uid_t);
}
