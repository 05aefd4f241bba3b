//! Locks whose holder will never release them: a handler of the program left the holder's frames by siglongjmp(3).
//!
//! The emulation holds such handlers back. An observer has no hold on handlers. It gives up instead: no thread takes a
//! lock any more, and those that wait for one leave by a panic, which stops at the border to the program.

use crate::sync::global::AtomicBool;
use crate::sync::Ordering;

/// How often a thread that waits for a lock looks, in nanoseconds. In a model no holder is lost.
pub const LOOK_NS: Option<u64> = if cfg!(loom) { None } else { Some(50_000_000) };

static ABANDONED: AtomicBool = AtomicBool::new(false);

/// From now on locks may stay locked for ever.
pub fn abandon() {
    ABANDONED.store(true, Ordering::SeqCst);
}

/// Whether locks may stay locked for ever.
pub fn is_so() -> bool {
    ABANDONED.load(Ordering::Relaxed)
}

/// Called by a thread that waits for a lock. Does not return if locks may stay locked for ever.
pub fn leave_if_so() {
    if is_so() {
        // No message: nothing is wrong with us.
        std::panic::resume_unwind(Box::new("a lock was abandoned"));
    }
}
