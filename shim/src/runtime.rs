//! Start-up, the process's one watch, and fork.
//!
//! At start-up: options, logs, our signal blocked, the fork handlers, a look at what is open. The
//! watch itself (descriptors, signal handlers) is made with the first epoll instance, so a program
//! that never makes one keeps its descriptors, threads and signal handlers as they were.

use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::sync::Arc;

use glasspoll_reactor::chaos;
use glasspoll_reactor::file::File;
use glasspoll_reactor::hot;
use glasspoll_reactor::looked;
use glasspoll_reactor::spin;
use glasspoll_reactor::sys::{self, Errno};
pub use glasspoll_reactor::watch::WATCH;
use glasspoll_reactor::watch::{KernelFile, Watch};
use once_cell::sync::OnceCell;

use crate::context::{self, ProgramHost, SLEEPERS};
use crate::options::{complain, Options};
use crate::{fork_page, handlers, kicks, logs, real, requeue, ring, signals, table};

static SIGNAL: AtomicI32 = AtomicI32::new(64);
/// valgrind keeps 64 for itself.
const SIGNAL_ON_VALGRIND: i32 = 63;

static OPTIONS: OnceCell<Options> = OnceCell::new();
#[link_section = "glasspoll_fork"]
static PID: AtomicI32 = AtomicI32::new(0);
/// We do nothing in this process: every call goes to libc.
static INERT: AtomicBool = AtomicBool::new(false);

static HOST: ProgramHost = ProgramHost;

#[ctor::ctor(unsafe)]
fn start_up() {
    start();
    context::let_signals_in();
}

/// Does what start-up does, once; hooks that run before our constructor call it too.
pub fn start() {
    if OPTIONS.get().is_some() || INERT.load(Ordering::Relaxed) {
        return;
    }
    // SAFETY: getauxval has no preconditions.
    if unsafe { libc::getauxval(libc::AT_SECURE) } != 0 {
        INERT.store(true, Ordering::Relaxed);
        return;
    }
    let Some(_guard) = context::enter() else { return };
    OPTIONS.get_or_init(|| {
        PID.store(sys::getpid(), Ordering::SeqCst);
        if sys::on_valgrind() {
            SIGNAL.store(SIGNAL_ON_VALGRIND, Ordering::Relaxed);
        }
        real::be_brief();
        fork_page::watch_for_forks(mend_fork);
        let options = Options::read();
        table::mark_inherited();
        signals::block(options.signals);
        if options.spin_ns != Some(0) {
            spin::configure(options.spin_ns);
        }
        if options.exact {
            // An item that only its waiting thread asks is not watched while that is busy.
            hot::configure(0, true);
        } else if let Some(bound) = options.hot {
            hot::configure(bound, true);
        }
        if let Some(spec) = &options.chaos {
            chaos::start(spec.clone());
        }
        logs::start(&options);
        // SAFETY: the handlers are functions of this library, which is never unloaded.
        unsafe { libc::pthread_atfork(Some(before_fork), Some(after_fork_parent), Some(after_fork_child)) };
        options
    });
}

/// The watch, made if need be. None: not to be had, and the kernel's epoll answers instead.
pub fn watch() -> Option<&'static Watch> {
    if INERT.load(Ordering::Relaxed) {
        return None;
    }
    table::find_inherited();
    let made = WATCH.get_or_try_init(|| {
        let signal = if uses_signals() { signal() } else { 0 };
        let watch = Watch::new(&HOST, &SLEEPERS, signal);
        match watch.complete() {
            // For good, and nobody depends on us yet.
            Err(errno) if !watch.can_rouse() && !is_passing(errno) => {
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
                table::protect(fd);
            }
            handlers::prepare();
            STARTED.get_or_init(|| {
                let exact = begin_to_look(watch);
                begin_record(exact, false);
            });
            Some(watch)
        }
        Err(errno) => {
            INERT.store(true, Ordering::Relaxed);
            complain(&format!("cannot start ({errno}); this process goes on with the kernel's epoll"));
            None
        }
    }
}

/// Whether what was refused may be had later.
fn is_passing(errno: Errno) -> bool {
    matches!(errno, Errno::EMFILE | Errno::ENFILE | Errno::ENOMEM | Errno::ENODEV)
}

/// Says once, and not again in children, what the watch has to do without.
fn complete(watch: &Watch, result: Result<(), Errno>) {
    static SAID: AtomicBool = AtomicBool::new(false);
    if let Err(errno) = result {
        if !SAID.swap(true, Ordering::Relaxed) {
            // With an eventfd it is the signalfd alone that is missing.
            let late = if watch.can_rouse() { "" } else { ", and wakeups come up to 5 ms late" };
            complain(&format!("no descriptors of its own are to be had ({errno}): files are polled{late}"));
        }
    }
}

static STARTED: OnceCell<()> = OnceCell::new();

/// Whether the helper is its own guest, which it is to be once: threads may end, and others begin, more than once.
static LOOKS_ALL_THE_TIME: AtomicBool = AtomicBool::new(false);

/// Begins the record that goes with a watch.
fn begin_record(exact: bool, forked: bool) {
    if let Some(options) = OPTIONS.get() {
        ring::start(options, exact, forked);
    }
}

/// Has somebody look all the time, if that is asked for. False: it is not, or there is no thread to be had.
fn begin_to_look(watch: &'static Watch) -> bool {
    let asked = OPTIONS.get().is_some_and(|options| options.exact);
    if asked {
        watch.guest(true);
        LOOKS_ALL_THE_TIME.store(true, Ordering::SeqCst);
        watch.call_helper();
    }
    let exact = asked && !watch.lacks_helper();
    looked::all_the_time(exact);
    exact
}

/// The program's threads have all ended: the helper is to go as soon as nobody needs it.
pub fn retire_helper(watch: &Watch) {
    if LOOKS_ALL_THE_TIME.swap(false, Ordering::SeqCst) {
        watch.guest(false);
    }
    watch.retire_helper();
}

/// The real-time signal that carries wakeups: the kernel's SIGRTMAX. The program's SIGRTMAX is one less.
pub fn signal() -> i32 {
    SIGNAL.load(Ordering::Relaxed)
}

/// Whether wakeups come by signal in this process.
pub fn uses_signals() -> bool {
    OPTIONS.get().is_some_and(|options| options.signals)
}

/// Whether this process runs without us.
pub fn is_inert() -> bool {
    INERT.load(Ordering::Relaxed)
}

/// The descriptors that are ours.
pub fn descriptors() -> Vec<i32> {
    let mut all = WATCH.get().map_or_else(Vec::new, |watch| watch.descriptors().to_vec());
    all.extend(ring::descriptors());
    all.extend(kicks::descriptors());
    all
}

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
fn mend_fork() {
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

unsafe extern "C" fn before_fork() {
    if WATCH.get().is_some() {
        real::look_up_for_children();
    }
    context::fork_begins();
    chaos::forks();
    if let Some(watch) = WATCH.get().filter(|_| !context::is_early_child()) {
        // A pending signal does not pass to the child: what it tells must be on the ready lists.
        watch.take_in();
    }
}

unsafe extern "C" fn after_fork_parent() {
    context::fork_done();
    table::share_counters();
    context::go_outside_after_fork();
}

unsafe extern "C" fn after_fork_child() {
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
    table::forked();
    chaos::forked();
    logs::forked();
    requeue::forked();
    ring::forked();
    if WATCH.get().is_some() {
        // Most children exec or exit: the rest waits until this one uses what it inherited.
        context::on_trouble(settle);
    }
}

/// The child has a copy of the parent's sets, and shares every file with it: all must be polled.
fn settle() {
    let Some(watch) = WATCH.get() else { return };
    table::find_inherited();
    for fd in watch.descriptors() {
        table::unprotect(fd);
    }
    kicks::forked();
    complete(watch, watch.forked());
    handlers::install();
    for fd in watch.descriptors() {
        table::protect(fd);
    }
    ring::leave_parents();
    let exact = begin_to_look(watch);
    begin_record(exact, true);
    let put_by = table::take_put_by();
    let mut files = table::files();
    files.extend(put_by.files());
    settle_files(&files);
    put_by.end();
}

/// Makes files that were inherited this child's own.
pub fn settle_files(files: &[(i32, Arc<File>)]) {
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
