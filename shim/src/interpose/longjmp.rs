//! longjmp(3), siglongjmp(3) and pthread_exit(3): a handler of the program may leave frames of ours by them.
//!
//! The emulation holds handlers back while its frames are on the stack, so there is nothing to do. An observer has no hold
//! on handlers: it ends the record, so that no thread waits for a lock that is never released.

use std::ffi::c_void;

use libc::c_int;

use crate::process::{self, options::Engine};
use crate::thread::context;

/// The thread is about to leave its frames. Returns whether frames of ours are among them.
fn leaves() -> bool {
    let is_so = process::engine() == Engine::Observe && context::abandon();
    if is_so {
        process::give_up();
    }
    is_so
}

crate::interpose! {
    /// pthread_exit(3).
    fn pthread_exit(value: *mut c_void) |real| {
        if leaves() {
            context::escape(value);
        }
        // SAFETY: libc's own function; no destructor in this frame. It does not return.
        unsafe { real()(value) }
    }
}

macro_rules! jumps {
    ($($(#[$doc:meta])* $name:ident;)*) => {
        $(
            $crate::interpose! {
                $(#[$doc])*
                fn $name(to: *mut c_void, value: c_int) |real| {
                    if leaves() {
                        context::jumps();
                    }
                    // SAFETY: libc's own function; no destructor in this frame. It does not return.
                    unsafe { real()(to, value) }
                }
            }
        )*
    };
}

jumps! {
    /// longjmp(3).
    longjmp;
    /// longjmp(3) by its name in BSD.
    _longjmp;
    /// siglongjmp(3).
    siglongjmp;
    /// longjmp(3) where the program is compiled with _FORTIFY_SOURCE.
    __longjmp_chk;
}
