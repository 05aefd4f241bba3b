//! fork, vfork and clone: who comes to have what this process has.
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

/// The program is about to call vfork(2), which this is the address of. Its end is seen nowhere: what another thread
/// makes in the moment until the child is there is not taken for the child's.
pub(crate) unsafe extern "C" fn before_vfork() -> *const u8 {
    share(fdtable::share_counters);
    process::shares_memory();
    VFORK.get()
}

vfork_trampoline!();

crate::interpose! {
    /// clone(2). Variadic in C; what is not given is not looked at.
    fn clone(run: usize, stack: usize, flags: c_int, arg: usize, parent: usize, tls: usize, child: usize) -> c_int |real| {
        clone_begins(flags as usize);
        // SAFETY: libc's own function; no destructor in this frame.
        let made = unsafe { real()(run, stack, flags, arg, parent, tls, child) };
        clone_made(flags as usize, made < 0);
        made
    }
}

/// Has eventfds be watched as files are that another process has, too.
pub(super) fn share(which: fn()) {
    // Not only once there is a set: a later one may watch what a child has by now.
    if process::is_vfork_child() {
        return;
    }
    guarded((), || {
        let Some(_guard) = context::enter_as_is() else { return };
        which();
    });
}

/// Whether a child made with these flags reads and writes unseen what this process has.
fn is_inheritor(flags: usize) -> bool {
    flags & (libc::CLONE_FILES | libc::CLONE_THREAD) as usize
        != (libc::CLONE_FILES | libc::CLONE_THREAD) as usize
}

/// A child is about to be made with these flags.
pub fn clone_begins(flags: usize) {
    if is_inheritor(flags) {
        fdtable::inheritor_begins(Inheritor::Child);
    }
    note_clone(flags);
    if shares_the_table_alone(flags) {
        process::shares_table(true);
    }
}

/// Whether a child made with these flags has this process's descriptors, and a memory of its own.
fn shares_the_table_alone(flags: usize) -> bool {
    let both = (libc::CLONE_FILES | libc::CLONE_VM) as usize;
    flags & both == libc::CLONE_FILES as usize
}

/// The same, where its end is not told.
pub fn note_clone(flags: usize) {
    if is_inheritor(flags) {
        share(fdtable::share_counters);
    }
    if flags & (libc::CLONE_VM | libc::CLONE_THREAD) as usize == libc::CLONE_VM as usize {
        process::shares_memory();
    }
}

/// It is made, or has failed; with CLONE_VFORK it has ended, or become another program.
pub fn clone_made(flags: usize, failed: bool) {
    // Of a child with the same table of files all later eventfds are, too: its making never ends.
    let goes_on = flags & (libc::CLONE_FILES | libc::CLONE_VFORK) as usize == libc::CLONE_FILES as usize;
    if is_inheritor(flags) && (failed || !goes_on) {
        fdtable::inheritor_made(Inheritor::Child);
    }
    if shares_the_table_alone(flags) {
        process::shares_table(false);
    }
}

crate::interpose! {
    /// _Fork(3): fork without its handlers.
    fn _Fork() -> pid_t |real| {
        clone_begins(0);
        // SAFETY: libc's own function; no destructor in this frame.
        let child = unsafe { real()() };
        clone_made(0, child < 0);
        child
    }
}

crate::interpose! {
    /// fork(2): the record has the child's id, for which the handlers of fork are too early.
    fn fork() -> pid_t |real| {
        // SAFETY: libc's own function; no destructor in this frame.
        let child = unsafe { real()() };
        if child > 0 {
            record::note(Event::Fork { child });
        }
        child
    }
}
