//! longjmp(3) and siglongjmp(3): a handler of the program may leave frames of ours by them.
//!
//! The emulation holds handlers back while its frames are on the stack, so there is nothing to do. An observer has no hold
//! on handlers: it ends the record, so that no thread waits for a lock that is never released.

use std::ffi::c_void;

use libc::c_int;

use crate::process::{self, options::Engine};
use crate::thread::context;

/// The thread is about to jump.
fn leaves() {
    if process::engine() == Engine::Observe && context::is_on_the_stack() && context::abandon() {
        process::give_up();
    }
}

macro_rules! jumps {
    ($($(#[$doc:meta])* $name:ident;)*) => {
        $(
            $crate::interpose! {
                $(#[$doc])*
                fn $name(to: *mut c_void, value: c_int) |real| {
                    leaves();
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
