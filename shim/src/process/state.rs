//! What this process is: its options, its pid, and whether we are inert in it.

use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU32, Ordering};

use glasspoll_reactor::shared::Shared;
use once_cell::sync::OnceCell;

use crate::fdtable;
use crate::process::options::{Engine, Options};

pub(super) static OPTIONS: OnceCell<Options> = OnceCell::new();
#[link_section = "glasspoll_fork"]
pub(super) static PID: AtomicI32 = AtomicI32::new(0);
/// What the reactor's sets share.
pub(super) static SHARED: OnceCell<Shared> = OnceCell::new();
/// Whether we do nothing in this process: every call goes to libc.
pub(super) static INERT: AtomicBool = AtomicBool::new(false);

/// What the reactor's sets share. `start` makes it, with the options.
pub fn shared() -> &'static Shared {
    SHARED.get_or_init(Shared::default)
}

/// How many threads are in libc's fork. There, other handlers of the program hold malloc's locks, and
/// `fork::before_fork` cannot wait for these.
#[link_section = "glasspoll_fork"]
pub(super) static FORKS: AtomicU32 = AtomicU32::new(0);

/// Whether a thread can be made inside: that needs malloc.
pub(super) fn may_make_a_thread() -> bool {
    FORKS.load(Ordering::SeqCst) == 0
}

/// Whether we do nothing in this process.
pub fn is_inert() -> bool {
    INERT.load(Ordering::Relaxed)
}

/// Whether the kernel's epoll answers the program's calls.
static OBSERVES: AtomicBool = AtomicBool::new(false);

/// Whose epoll answers the program's calls.
#[inline]
pub fn engine() -> Engine {
    if OBSERVES.load(Ordering::Relaxed) {
        Engine::Observe
    } else {
        Engine::Emulate
    }
}

/// From now on the kernel's epoll answers.
pub(super) fn observe() {
    fdtable::watch_nothing();
    OBSERVES.store(true, Ordering::Relaxed);
}

/// Whether the program has privileges that its user lacks.
pub(super) fn is_secure() -> bool {
    // SAFETY: getauxval has no preconditions.
    unsafe { libc::getauxval(libc::AT_SECURE) != 0 }
}
