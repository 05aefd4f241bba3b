//! dlclose(3): what lies at an address may be another object's code afterwards.

use std::ffi::c_void;

use libc::c_int;

use crate::process;

crate::interpose! {
    /// dlclose(3).
    fn dlclose(object: *mut c_void) -> c_int |real| {
        // SAFETY: libc's own function; no destructor in this frame.
        let done = unsafe { real()(object) };
        process::stacks::unloaded();
        done
    }
}
