//! Start-up.
//!
//! Start-up reads the options, starts the log, blocks our signal, installs the fork handlers, and notes which fds are
//! open. The first epoll instance makes the watch itself (descriptors, signal handlers). So a program that never makes
//! one keeps its descriptors, threads and signal handlers unchanged.

use std::sync::atomic::Ordering;

use glasspoll_reactor::shared::Shared;
use glasspoll_reactor::sys::{self, Errno};

use crate::attach;
use crate::fdtable;
use crate::interpose::real;
use crate::process::fork::watch_forks;
use crate::process::logs;
use crate::process::options::{Engine, Options};
use crate::process::stacks;
use crate::process::state::{is_secure, observe, INERT, OPTIONS, PID, SHARED};
use crate::process::watch::thread_ends;
use crate::thread::context;
use crate::thread::guarded::be_brief;
use crate::thread::signal::ours;

#[ctor::ctor(unsafe)]
fn start_up() {
    start();
    if !attach::is_late() {
        context::let_signals_in();
    }
}

/// Starts up, once. Hooks that run before our constructor call it too.
pub fn start() {
    if OPTIONS.get().is_some() || INERT.load(Ordering::Relaxed) {
        return;
    }
    if is_secure() || attach::is_late() {
        INERT.store(true, Ordering::Relaxed);
        return;
    }
    let Some(_guard) = context::enter() else { return };
    OPTIONS.get_or_init(|| begin(Options::read()));
}

/// Starts up a library that came late, or wakes it. The caller is inside.
pub fn start_late(options: Options) -> Result<(), Errno> {
    if is_secure() {
        return Err(Errno::EPERM);
    }
    // Our fork handlers come after the program's own. The others' handlers may wait for threads that wait for us.
    context::pass_by_when_closed();
    PID.store(sys::getpid(), Ordering::SeqCst);
    let is_first = OPTIONS.get().is_none();
    OPTIONS.get_or_init(|| begin(options));
    INERT.store(false, Ordering::SeqCst);
    if !is_first {
        fdtable::mark_inherited();
    }
    Ok(())
}

/// A library that came late goes to sleep.
pub fn sleep_again() {
    INERT.store(true, Ordering::SeqCst);
}

fn begin(options: Options) -> Options {
    PID.store(sys::getpid(), Ordering::SeqCst);
    be_brief();
    watch_forks();
    real::look_up_for_children();
    real::look_up_for_malloc();
    if options.stacks {
        stacks::look_up_function();
    }
    context::call_at_thread_end(thread_ends);
    fdtable::mark_inherited();
    match options.engine {
        Engine::Emulate => ours::begin(options.signals),
        Engine::Observe => observe(),
    }
    SHARED.get_or_init(|| Shared::new(options.config()));
    logs::start(&options);
    options
}
