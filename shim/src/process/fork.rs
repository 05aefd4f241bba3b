//! Forked children, and children that share this process's memory or its descriptor table.
//!
//! A forked child is *early* until it uses what it inherited. Then `adopt` makes it a process like any other.

use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;

use glasspoll_reactor::eventpoll::observed::Unwatched;
use glasspoll_reactor::file::File;
use glasspoll_reactor::sys;
use glasspoll_reactor::watch::KernelFile;
use libc::{c_int, c_void};

use super::recording::{begin_record, has_started};
use super::state::{is_secure, FORKS, INERT, PID, SHARED};
use super::watch::{begin_exact_times, complete, WATCH};
use crate::fdtable;
use crate::interpose::real::Real;
use crate::process::{logs, record};
use crate::thread::signal::{requeue, trampoline};
use crate::thread::{context, fork_page};

/// Whether a child that shares this process's memory has been, or may have been, made.
static SHARES_MEMORY: AtomicBool = AtomicBool::new(false);

/// Called before the program makes such a child.
pub fn shares_memory() {
    SHARES_MEMORY.store(true, Ordering::SeqCst);
}

/// Whether this is a child that shares its parent's memory or descriptor table. It must not rely on our state.
#[inline]
pub fn is_vfork_child() -> bool {
    SHARES_MEMORY.load(Ordering::Relaxed) && shares_the_parents_memory()
}

/// The same, also for a child made past libc. Costs a system call.
pub fn shares_the_parents_memory() -> bool {
    PID.load(Ordering::Relaxed) != sys::getpid() && !fork_page::was_forked()
}

/// Whether a child is being made that shares this process's descriptor table.
#[link_section = "glasspoll_fork"]
static SHARES_TABLE: AtomicBool = AtomicBool::new(false);

/// Called before and after the program makes such a child. In the child itself it stays true.
pub fn shares_table(now: bool) {
    if WATCH.get().is_some() && PID.load(Ordering::SeqCst) == sys::getpid() {
        SHARES_TABLE.store(now, Ordering::SeqCst);
    }
}

/// Runs when a forked child comes inside for the first time.
pub(super) fn mend_fork() {
    context::mend_fork();
    if SHARES_TABLE.load(Ordering::SeqCst) {
        // If it closed or made our descriptors, it would do so in the parent, too. So it counts as a vfork child,
        // and the sets that it makes are the kernel's.
        SHARES_MEMORY.store(true, Ordering::SeqCst);
        INERT.store(true, Ordering::SeqCst);
        record::forked();
        return;
    }
    begin_as_early_child();
}

/// A fork handler.
pub type Handler = unsafe extern "C" fn();

#[used]
#[link_section = "glasspoll_real"]
static REGISTER_ATFORK: Real = Real::new("__register_atfork\0");

/// Hands libc fork handlers that stay for ever.
fn register(before: Handler, parent: Handler, child: Handler) {
    type Register =
        unsafe extern "C" fn(Option<Handler>, Option<Handler>, Option<Handler>, *mut c_void) -> c_int;
    // SAFETY: the symbol of that name has this type.
    let register = unsafe { std::mem::transmute::<*const u8, Register>(REGISTER_ATFORK.get()) };
    // SAFETY: the handlers are functions of this library, which is never unloaded. Handlers that belong to no library
    // (null) stay when libraries end, as at the program's exit.
    unsafe { register(Some(before), Some(parent), Some(child), ptr::null_mut()) };
}

/// Whether libc knows our fork handlers, or is about to.
static WATCHES: AtomicBool = AtomicBool::new(false);
/// Whether a forked child finds out that it is one.
static MENDS: AtomicBool = AtomicBool::new(false);

/// Hands libc our fork handlers. They must be the first that libc knows: then ours runs last before a fork, and first
/// after it. So all other handlers may use sets, and may wait for threads that do.
pub fn watch_forks() {
    if is_secure() || WATCHES.swap(true, Ordering::SeqCst) {
        return;
    }
    fork_page::watch_for_forks(mend_fork);
    register(before_fork, after_fork_parent, after_fork_child);
    MENDS.store(true, Ordering::SeqCst);
}

/// Whether `before_fork` may run: what it closes is opened again in the child.
pub fn watches_forks() -> bool {
    MENDS.load(Ordering::SeqCst)
}

/// Called before libc's fork. From here to `fork_is_over`, nothing inside waits for malloc.
pub fn fork_is_near() {
    // If a forked child forks before anything else, its counts are its parent's until it is put in order.
    context::be_in_order();
    context::be_known();
    FORKS.fetch_add(1, Ordering::SeqCst);
    if let Some(watch) = WATCH.get().filter(|_| !context::is_early_child()) {
        watch.await_helper_start();
    }
}

/// In the parent. A child begins at 0.
pub fn fork_is_over() {
    let _ = FORKS.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |count| count.checked_sub(1));
}

pub(crate) unsafe extern "C" fn before_fork() {
    context::fork_begins();
    if let Some(shared) = SHARED.get() {
        shared.forks();
    }
    if let Some(watch) = WATCH.get().filter(|_| !context::is_early_child()) {
        // The child does not inherit pending signals: what they tell must be on the ready lists.
        watch.drain_wakeups();
    }
}

pub(crate) unsafe extern "C" fn after_fork_parent() {
    // A library that came late may have registered its handlers in the midst of this fork.
    if !context::is_forking() {
        return;
    }
    context::fork_done();
    fdtable::share_counters();
    context::go_outside_after_fork();
}

/// Writes nothing, and lies beside `fork`: a child pays for each page that it writes, and for each part of the
/// library's code that it runs.
#[link_section = "glasspoll_text"]
pub(crate) unsafe extern "C" fn after_fork_child() {
    if !context::leave_child_as_is() {
        end_fork_in_child();
    }
}

#[cold]
#[inline(never)]
fn end_fork_in_child() {
    context::go_outside_after_fork();
    if !fork_page::is_there() {
        let outside = context::enter_as_is();
        fork_page::mend();
        drop(outside);
    }
}

fn begin_as_early_child() {
    PID.store(sys::getpid(), Ordering::SeqCst);
    // Another thread of the parent may have been making such a child.
    SHARES_TABLE.store(false, Ordering::SeqCst);
    FORKS.store(0, Ordering::SeqCst);
    fdtable::forked();
    if let Some(shared) = SHARED.get() {
        shared.forked();
    }
    logs::forked();
    requeue::forked();
    record::forked();
    if has_started() {
        // Most children only exec or exit. The rest waits until this child uses what it inherited.
        context::adopt_on_entry(adopt);
    }
}

/// The child has a copy of the parent's sets, and shares every file with it, so it polls all of them. Sets of the
/// kernel's are the same in both processes.
fn adopt() {
    fdtable::find_inherited();
    if let Some(watch) = WATCH.get() {
        for fd in watch.descriptors() {
            fdtable::unprotect(fd);
        }
        complete(watch, watch.forked());
        trampoline::install();
        for fd in watch.descriptors() {
            fdtable::protect(fd);
        }
    }
    record::leave_parents();
    let exact = WATCH.get().is_some_and(begin_exact_times);
    begin_record(exact, true);
    let put_by = fdtable::take_put_by();
    let mut files = fdtable::files();
    files.extend(put_by.files());
    adopt_files(&files);
    put_by.end();
}

/// Makes inherited files this child's own.
pub fn adopt_files(files: &[(i32, Arc<File>)]) {
    // First all sets, each once: until then their items have places in the parent's record.
    let mut sets: Vec<_> = files.iter().filter_map(|(_, file)| file.eventpoll()).collect();
    sets.sort_unstable_by_key(|ep| Arc::as_ptr(ep).addr());
    sets.dedup_by(|one, other| Arc::ptr_eq(one, other));
    for ep in sets {
        ep.forked();
    }
    for (fd, file) in files {
        if let Some(device) = file.device_as::<KernelFile>() {
            if file.fd() == *fd {
                device.forked(file);
            }
        } else if let Some(device) = file.device_as::<Unwatched>() {
            device.share();
        }
    }
}
