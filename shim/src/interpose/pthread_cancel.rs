//! pthread_cancel(3) ends a wait in a set of ours (`engine::emulate`).

use libc::{c_int, pthread_t};

use crate::interpose::guarded;
use crate::thread::context;

crate::interpose! {
    /// pthread_cancel(3). May cancel the calling thread.
    fn pthread_cancel(thread: pthread_t) -> c_int |real| {
        // SAFETY: libc's own function; no destructor in this frame.
        let result = unsafe { real()(thread) };
        if result == 0 {
            guarded((), || {
                let _guard = context::enter();
                context::cancel(thread as u64);
            });
        }
        result
    }
}
