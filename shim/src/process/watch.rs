//! The process's one watch, and what begins with it. The first epoll instance makes it.

use std::sync::atomic::{AtomicBool, Ordering};

use glasspoll_reactor::sys::{self, Errno};
use glasspoll_reactor::watch::Watch;
pub use glasspoll_reactor::watch::WATCH;

use crate::fdtable;
use crate::process::host::ProgramHost;
use crate::process::options::complain;
use crate::process::options::Engine;
use crate::process::recording::{begin, begin_record};
use crate::process::state::{engine, observe, shared, INERT, OPTIONS};
use crate::process::{logs, record};
use crate::thread::context::{self, SLEEPERS};
use crate::thread::signal::{ours, trampoline};
use crate::thread::Thread;

static HOST: ProgramHost = ProgramHost;

/// The watch, made at the first call. None: it cannot be made, and the kernel's epoll answers instead.
pub fn watch() -> Option<&'static Watch> {
    if INERT.load(Ordering::Relaxed) || engine() == Engine::Observe {
        return None;
    }
    fdtable::find_inherited();
    let made = WATCH.get_or_try_init(|| {
        let signal = if ours::is_used() { ours::signal() } else { 0 };
        let watch = Watch::new(&HOST, &SLEEPERS, shared(), signal);
        match watch.complete() {
            // The error is permanent, and nobody depends on us yet.
            Err(errno) if !watch.can_unpark() && !is_passing(errno) => {
                for fd in watch.descriptors() {
                    let _ = sys::close(fd);
                }
                Err(errno)
            }
            _ => Ok(watch),
        }
    });
    match made {
        Ok(watch) => {
            complete(watch, watch.complete());
            for fd in watch.descriptors() {
                fdtable::protect(fd);
            }
            trampoline::prepare();
            begin(|| {
                let exact = begin_exact_times(watch);
                begin_record(exact, false);
            });
            Some(watch)
        }
        Err(errno) => {
            observe();
            complain(&format!(
                "the emulation cannot start ({errno}): the kernel's epoll answers, and is observed"
            ));
            None
        }
    }
}

/// Whether a later try may succeed.
fn is_passing(errno: Errno) -> bool {
    matches!(errno, Errno::EMFILE | Errno::ENFILE | Errno::ENOMEM | Errno::ENODEV)
}

/// Prints once, and not again in children, what the watch has to do without.
pub(super) fn complete(watch: &Watch, result: Result<(), Errno>) {
    static SAID: AtomicBool = AtomicBool::new(false);
    if let Err(errno) = result {
        if !SAID.swap(true, Ordering::Relaxed) {
            // If it has an eventfd, only the signalfd is missing.
            let late = if watch.can_unpark() { "" } else { ", and wakeups come up to 5 ms late" };
            complain(&format!("no descriptors of its own are to be had ({errno}): files are polled{late}"));
        }
    }
}

/// Whether the helper is its own guest. It must become that only once, although the program's threads may end and
/// begin several times.
static HELPER_IS_GUEST: AtomicBool = AtomicBool::new(false);

/// Makes a thread watch all the time, if the options ask for exact ready times. Returns whether a thread does: perhaps
/// the options do not ask for it, or no thread can be made.
pub(super) fn begin_exact_times(watch: &'static Watch) -> bool {
    let asked = OPTIONS.get().is_some_and(|options| options.exact);
    if asked {
        watch.guest_comes();
        HELPER_IS_GUEST.store(true, Ordering::SeqCst);
        watch.call_helper();
    }
    let exact = asked && !watch.lacks_helper();
    shared().watches_all_the_time(exact);
    exact
}

/// A thread of the program ends; `left` threads go on.
pub(super) fn thread_ends(thread: &Thread, left: usize) {
    if let Some(watch) = WATCH.get().filter(|_| !context::is_early_child()) {
        // The thread that is left may be the helper.
        if left <= 1 {
            retire_helper(watch);
        } else {
            watch.thread_ends();
        }
    }
    fdtable::forget_set(thread);
}

/// All threads of the program have ended: the helper ends as soon as nobody needs it.
fn retire_helper(watch: &Watch) {
    if HELPER_IS_GUEST.swap(false, Ordering::SeqCst) {
        watch.guest_leaves();
    }
    watch.retire_helper();
}

/// All descriptors of ours.
pub fn descriptors() -> Vec<i32> {
    let mut all = WATCH.get().map_or_else(Vec::new, |watch| watch.descriptors().to_vec());
    all.extend(logs::own_descriptor());
    all.extend(record::own_descriptor());
    all
}
