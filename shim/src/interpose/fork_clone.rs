//! fork, vfork and clone: which children get this process's files and memory.
//!
//! What fork itself does is in `process::fork`.

use std::ptr;

use glasspoll_reactor::sys::Errno;
use glasspoll_record::event::Event;
use libc::{c_int, c_long, c_void, pid_t};

use crate::arch::vfork_trampoline;
use crate::fdtable::{self, Inheritor};
use crate::interpose::{errno, guarded, set_errno, Real};
use crate::process::{self, record, Handler};
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
        let entry = Entry { run, arg };
        let made = if run != 0 && is_plain_copy(flags as usize) {
            let (run, arg) = (begin_child as *const () as usize, ptr::from_ref(&entry).expose_provenance());
            // SAFETY: libc's own function; no destructor in this frame.
            forking(|| c_long::from(unsafe { real()(run, stack, flags, arg, parent, tls, child) })) as c_int
        } else {
            // SAFETY: as above.
            unsafe { real()(run, stack, flags, arg, parent, tls, child) }
        };
        clone_made(flags as usize, made < 0);
        made
    }
}

/// What a child of clone(2) is to run. It finds this at the same address in its copy of the parent's stack.
struct Entry {
    run: usize,
    arg: usize,
}

unsafe extern "C-unwind" fn begin_child(entry: *const Entry) -> c_int {
    // SAFETY: the frame of `clone` is copied with the parent's memory.
    let Entry { run, arg } = unsafe { entry.read() };
    fork_is_made(0);
    // SAFETY: the program's own function and argument.
    unsafe { std::mem::transmute::<usize, unsafe extern "C-unwind" fn(usize) -> c_int>(run)(arg) }
}

/// Runs `which`, which marks eventfds as shared with another process.
pub(super) fn share(which: fn()) {
    // Done even before the first set exists: a later set may watch an eventfd that a child already has.
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

/// Whether a child made with these flags is a copy of this process that runs beside it. Any other child uses memory of
/// this process, or makes the caller wait for it while it may need the other threads.
pub fn is_plain_copy(flags: usize) -> bool {
    flags & (libc::CLONE_VM | libc::CLONE_VFORK | libc::CLONE_SETTLS) as usize == 0
}

/// Runs `make`, which makes a plain copy of this process, as libc's fork does: no other thread is inside meanwhile.
/// Returns in both processes if `make` does.
pub(super) fn forking(make: impl FnOnce() -> c_long) -> c_long {
    // A handler that was installed past us may run on top of our frames: then the gate cannot be closed.
    if !process::watches_forks() || process::is_vfork_child() || context::is_on_the_stack() {
        return make();
    }
    guarded((), || {
        context::be_known();
        // SAFETY: the thread is outside.
        unsafe { process::before_fork() };
    });
    let made = make();
    fork_is_made(made);
    made
}

/// Called after `process::before_fork`, in both processes, with what the fork returned there.
fn fork_is_made(made: c_long) {
    let errno = errno();
    guarded((), || {
        // SAFETY: the caller's promise.
        unsafe {
            match made {
                0 => process::after_fork_child(),
                _ => process::after_fork_parent(),
            }
        }
    });
    set_errno(Errno::new(errno));
}

crate::interpose! {
    /// _Fork(3): a fork that runs no atfork handlers.
    fn _Fork() -> pid_t |real| {
        clone_begins(0);
        // SAFETY: libc's own function; no destructor in this frame.
        let child = forking(|| c_long::from(unsafe { real()() })) as pid_t;
        clone_made(0, child < 0);
        child
    }
}

crate::interpose! {
    /// fork(2): notes the child's pid in the record. The atfork handlers run too early to know it.
    #[link_section = "glasspoll_text"]
    fn fork() -> pid_t |real| {
        let is_ours = !process::is_vfork_child();
        if is_ours {
            guarded((), process::fork_is_near);
        }
        // SAFETY: libc's own function; no destructor in this frame.
        let child = unsafe { real()() };
        if is_ours && child != 0 {
            process::fork_is_over();
        }
        if child > 0 {
            record::note(Event::Fork { child });
        }
        child
    }
}

crate::interpose! {
    /// What pthread_atfork(3) calls. A library may call it before our constructor runs.
    fn __register_atfork(
        before: Option<Handler>,
        parent: Option<Handler>,
        child: Option<Handler>,
        library: *mut c_void
    ) -> c_int |real| {
        guarded((), process::watch_forks);
        // SAFETY: libc's own function; no destructor in this frame.
        unsafe { real()(before, parent, child, library) }
    }
}
