//! Start-up and the process's one watch.
//!
//! Start-up reads the options, starts the log, blocks our signal, installs the fork handlers, and notes which fds are
//! open. The first epoll instance makes the watch itself (descriptors, signal handlers). So a program that never makes
//! one keeps its descriptors, threads and signal handlers unchanged.

use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};

use glasspoll_reactor::chaos;
use glasspoll_reactor::hot;
use glasspoll_reactor::hot::spin;
use glasspoll_reactor::sys::{self, Errno};
use glasspoll_reactor::trace::ready_time;
use glasspoll_reactor::watch::Watch;
pub use glasspoll_reactor::watch::WATCH;
use once_cell::sync::OnceCell;

use crate::fdtable;
use crate::interpose::{self, sigmask};
use crate::process::fork::watch_forks;
use crate::process::options::{complain, Options};
use crate::process::reserved_fds::parker_pool;
use crate::process::{logs, record};
use crate::thread::context::{self, ProgramHost, SLEEPERS};
use crate::thread::signal::trampoline;

static SIGNAL: AtomicI32 = AtomicI32::new(64);
/// valgrind uses 64 itself.
const SIGNAL_ON_VALGRIND: i32 = 63;

pub(super) static OPTIONS: OnceCell<Options> = OnceCell::new();
#[link_section = "glasspoll_fork"]
pub(super) static PID: AtomicI32 = AtomicI32::new(0);
/// Whether we do nothing in this process: every call goes to libc.
pub(super) static INERT: AtomicBool = AtomicBool::new(false);

static HOST: ProgramHost = ProgramHost;

#[ctor::ctor(unsafe)]
fn start_up() {
    start();
    context::let_signals_in();
}

/// Starts up, once. Hooks that run before our constructor call it too.
pub fn start() {
    if OPTIONS.get().is_some() || INERT.load(Ordering::Relaxed) {
        return;
    }
    if is_secure() {
        INERT.store(true, Ordering::Relaxed);
        return;
    }
    let Some(_guard) = context::enter() else { return };
    OPTIONS.get_or_init(|| {
        PID.store(sys::getpid(), Ordering::SeqCst);
        if sys::on_valgrind() {
            SIGNAL.store(SIGNAL_ON_VALGRIND, Ordering::Relaxed);
        }
        interpose::be_brief();
        watch_forks();
        interpose::look_up_for_children();
        let options = Options::read();
        fdtable::mark_inherited();
        sigmask::block(options.signals);
        if options.spin_ns != Some(0) {
            spin::configure(options.spin_ns);
        }
        if options.exact {
            // Nothing watches an item that only its waiting thread polls while that thread is busy.
            hot::configure(0, true);
        } else if let Some(bound) = options.hot {
            hot::configure(bound, true);
        }
        if let Some(spec) = &options.chaos {
            chaos::start(spec.clone());
        }
        logs::start(&options);
        options
    });
}

/// Whether the program has privileges that its user lacks.
pub(super) fn is_secure() -> bool {
    // SAFETY: getauxval has no preconditions.
    unsafe { libc::getauxval(libc::AT_SECURE) != 0 }
}

/// The watch, made at the first call. None: it cannot be made, and the kernel's epoll answers instead.
pub fn watch() -> Option<&'static Watch> {
    if INERT.load(Ordering::Relaxed) {
        return None;
    }
    fdtable::find_inherited();
    let made = WATCH.get_or_try_init(|| {
        let signal = if uses_signals() { signal() } else { 0 };
        let watch = Watch::new(&HOST, &SLEEPERS, signal);
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
            STARTED.get_or_init(|| {
                let exact = begin_exact_times(watch);
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

static STARTED: OnceCell<()> = OnceCell::new();

/// Whether the helper is its own guest. It must become that only once, although the program's threads may end and
/// begin several times.
static HELPER_IS_GUEST: AtomicBool = AtomicBool::new(false);

/// Starts the record that belongs to a watch.
pub(super) fn begin_record(exact: bool, forked: bool) {
    if let Some(options) = OPTIONS.get() {
        record::start(options, exact, forked);
    }
}

/// Makes a thread watch all the time, if the options ask for exact ready times. False: they do not, or there is no
/// thread to be had.
pub(super) fn begin_exact_times(watch: &'static Watch) -> bool {
    let asked = OPTIONS.get().is_some_and(|options| options.exact);
    if asked {
        watch.guest(true);
        HELPER_IS_GUEST.store(true, Ordering::SeqCst);
        watch.call_helper();
    }
    let exact = asked && !watch.lacks_helper();
    ready_time::all_the_time(exact);
    exact
}

/// All threads of the program have ended: the helper ends as soon as nobody needs it.
pub fn retire_helper(watch: &Watch) {
    if HELPER_IS_GUEST.swap(false, Ordering::SeqCst) {
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

/// Whether we do nothing in this process.
pub fn is_inert() -> bool {
    INERT.load(Ordering::Relaxed)
}

/// All descriptors of ours.
pub fn descriptors() -> Vec<i32> {
    let mut all = WATCH.get().map_or_else(Vec::new, |watch| watch.descriptors().to_vec());
    all.extend(record::descriptors());
    all.extend(parker_pool::descriptors());
    all
}
