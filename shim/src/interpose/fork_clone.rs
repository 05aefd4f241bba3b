//! fork, vfork and clone: which children get this process's files and memory.
//!
//! What fork itself does is in `process::fork`.

use glasspoll_record::event::Event;
use libc::{c_int, pid_t};

use crate::arch::vfork_trampoline;
use crate::fdtable::{self, Inheritor};
use crate::interpose::{guarded, Real};
use crate::process::{self, record};
use crate::thread::context;

#[used]
#[link_section = "glasspoll_real"]
static VFORK: Real = Real::new("vfork\0");

/// Runs when the program calls vfork(2), and returns libc's vfork. Nothing tells us when the child exists: a file
/// that another thread makes until then does not count as the child's.
pub(crate) unsafe extern "C" fn before_vfork() -> *const u8 {
    share(fdtable::share_counters);
    process::shares_memory();
    VFORK.get()
}

vfork_trampoline!(before_vfork);

crate::interpose! {
    /// clone(2). Variadic in C; arguments that the caller did not pass are not read.
    fn clone(run: usize, stack: usize, flags: c_int, arg: usize, parent: usize, tls: usize, child: usize) -> c_int |real| {
        clone_begins(flags as usize);
        // SAFETY: libc's own function; no destructor in this frame.
        let made = unsafe { real()(run, stack, flags, arg, parent, tls, child) };
        clone_made(flags as usize, made < 0);
        made
    }
}

/// Marks eventfds as shared with another process.
pub(super) fn share(which: fn()) {
    // Also before the first set exists: a later set may watch an eventfd that a child has by then.
    if process::is_vfork_child() {
        return;
    }
    guarded((), || {
        let Some(_guard) = context::enter_as_is() else { return };
        which();
    });
}

/// Whether a child made with these flags gets this process's files, and uses them unseen.
fn is_inheritor(flags: usize) -> bool {
    flags & (libc::CLONE_FILES | libc::CLONE_THREAD) as usize
        != (libc::CLONE_FILES | libc::CLONE_THREAD) as usize
}

/// Called before a child is made with these flags.
pub fn clone_begins(flags: usize) {
    if is_inheritor(flags) {
        fdtable::inheritor_begins(Inheritor::Child);
    }
    note_clone(flags);
    if shares_the_table_alone(flags) {
        process::shares_table(true);
    }
}

/// Whether a child made with these flags shares this process's descriptor table, but not its memory.
fn shares_the_table_alone(flags: usize) -> bool {
    let both = (libc::CLONE_FILES | libc::CLONE_VM) as usize;
    flags & both == libc::CLONE_FILES as usize
}

/// `clone_begins` for calls whose end we do not see.
pub fn note_clone(flags: usize) {
    if is_inheritor(flags) {
        share(fdtable::share_counters);
    }
    if flags & (libc::CLONE_VM | libc::CLONE_THREAD) as usize == libc::CLONE_VM as usize {
        process::shares_memory();
    }
}

/// The child exists, or the call failed. With CLONE_VFORK the child has already ended or exec'd.
pub fn clone_made(flags: usize, failed: bool) {
    // A child that shares the descriptor table also gets all later eventfds: it stays under way for ever.
    let goes_on = flags & (libc::CLONE_FILES | libc::CLONE_VFORK) as usize == libc::CLONE_FILES as usize;
    if is_inheritor(flags) && (failed || !goes_on) {
        fdtable::inheritor_made(Inheritor::Child);
    }
    if shares_the_table_alone(flags) {
        process::shares_table(false);
    }
}

crate::interpose! {
    /// _Fork(3): a fork that runs no atfork handlers.
    fn _Fork() -> pid_t |real| {
        clone_begins(0);
        // SAFETY: libc's own function; no destructor in this frame.
        let child = unsafe { real()() };
        clone_made(0, child < 0);
        child
    }
}

crate::interpose! {
    /// fork(2): notes the child's pid in the record. The atfork handlers run too early to know it.
    fn fork() -> pid_t |real| {
        // SAFETY: libc's own function; no destructor in this frame.
        let child = unsafe { real()() };
        if child > 0 {
            record::note(Event::Fork { child });
        }
        child
    }
}
