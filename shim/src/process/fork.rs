//! Forked children, and children that share this process's memory or its table of descriptors.
//!
//! A forked child is *early* until it uses what it inherited; then `adopt` makes it a process like any other.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;

use glasspoll_reactor::file::File;
use glasspoll_reactor::watch::KernelFile;
use glasspoll_reactor::{chaos, sys};

use super::start::{begin_exact_times, begin_record, complete, INERT, PID, WATCH};
use crate::fdtable;
use crate::interpose;
use crate::process::reserved_fds::parker_pool;
use crate::process::{logs, record};
use crate::thread::signal::{requeue, trampoline};
use crate::thread::{context, fork_page};

/// There was, or may be, a child that shares this process's memory.
static SHARES_MEMORY: AtomicBool = AtomicBool::new(false);

/// The program is about to make such a child.
pub fn shares_memory() {
    SHARES_MEMORY.store(true, Ordering::SeqCst);
}

/// Whether we run in a child that shares the parent's memory, or its table of descriptors, where nothing may be believed.
#[inline]
pub fn is_vfork_child() -> bool {
    SHARES_MEMORY.load(Ordering::Relaxed) && shares_the_parents_memory()
}

/// The same, also where the child was made past libc. Costs a system call.
pub fn shares_the_parents_memory() -> bool {
    PID.load(Ordering::Relaxed) != sys::getpid() && !fork_page::was_forked()
}

/// A child is being made that has this process's very table of descriptors.
#[link_section = "glasspoll_fork"]
static SHARES_TABLE: AtomicBool = AtomicBool::new(false);

/// The program is about to make such a child, or has made it. The child itself is one for ever.
pub fn shares_table(now: bool) {
    if WATCH.get().is_some() && PID.load(Ordering::SeqCst) == sys::getpid() {
        SHARES_TABLE.store(now, Ordering::SeqCst);
    }
}

/// A forked child comes inside for the first time.
pub(super) fn mend_fork() {
    context::mend_fork();
    if SHARES_TABLE.load(Ordering::SeqCst) {
        // What it closed and made of our descriptors would be the parent's: it counts as `is_vfork_child`, and the sets
        // that it makes are the kernel's.
        SHARES_MEMORY.store(true, Ordering::SeqCst);
        INERT.store(true, Ordering::SeqCst);
        return;
    }
    begin_as_early_child();
}

pub(super) unsafe extern "C" fn before_fork() {
    if WATCH.get().is_some() {
        interpose::look_up_for_children();
    }
    context::fork_begins();
    chaos::forks();
    if let Some(watch) = WATCH.get().filter(|_| !context::is_early_child()) {
        // A pending signal does not pass to the child: what it tells must be on the ready lists.
        watch.take_in();
    }
}

pub(super) unsafe extern "C" fn after_fork_parent() {
    context::fork_done();
    fdtable::share_counters();
    context::go_outside_after_fork();
}

pub(super) unsafe extern "C" fn after_fork_child() {
    context::go_outside_after_fork();
    if !fork_page::is_there() {
        let outside = context::enter_as_is();
        fork_page::mend();
        drop(outside);
    }
}

fn begin_as_early_child() {
    PID.store(sys::getpid(), Ordering::SeqCst);
    // Of a child that another thread of the parent was making.
    SHARES_TABLE.store(false, Ordering::SeqCst);
    fdtable::forked();
    chaos::forked();
    logs::forked();
    requeue::forked();
    record::forked();
    if WATCH.get().is_some() {
        // Most children exec or exit: the rest waits until this one uses what it inherited.
        context::adopt_on_entry(adopt);
    }
}

/// The child has a copy of the parent's sets, and shares every file with it: all must be polled.
fn adopt() {
    let Some(watch) = WATCH.get() else { return };
    fdtable::find_inherited();
    for fd in watch.descriptors() {
        fdtable::unprotect(fd);
    }
    parker_pool::forked();
    complete(watch, watch.forked());
    trampoline::install();
    for fd in watch.descriptors() {
        fdtable::protect(fd);
    }
    record::leave_parents();
    let exact = begin_exact_times(watch);
    begin_record(exact, true);
    let put_by = fdtable::take_put_by();
    let mut files = fdtable::files();
    files.extend(put_by.files());
    adopt_files(&files);
    put_by.end();
}

/// Makes files that were inherited this child's own.
pub fn adopt_files(files: &[(i32, Arc<File>)]) {
    // All sets first, and each once: until then their items have places in the parent's record.
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
        }
    }
}
