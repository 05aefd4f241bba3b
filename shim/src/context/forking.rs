//! fork and exec: one thread goes on, and all others are kept outside.

use std::sync::atomic::Ordering;

use glasspoll_reactor::sys;

use super::{
    go_inside, go_outside, let_signals_in, with_thread, Thread, ALONE, ALONE_IS, FORKING, GATE, THREADS,
};
use crate::fork_page;

/// Keeps the other threads outside until `fork_done`; returns once they are, with this thread inside.
///
/// Preconditions: the thread is outside.
pub fn fork_begins() {
    ALONE.acquire();
    with_thread(|thread| {
        go_inside(thread);
        ALONE_IS.store(std::ptr::from_ref(thread).cast_mut(), Ordering::Relaxed);
    });
    GATE.fetch_or(FORKING, Ordering::SeqCst);
    loop {
        // Held over the fork, so that no thread comes or goes meanwhile; let go between two looks, for
        // a thread that is inside may need it.
        THREADS.lock.acquire();
        // SAFETY: we hold the lock.
        let list = unsafe { &*THREADS.list.get() };
        // SAFETY: a thread on the list is alive: to leave it needs the lock that we hold.
        let inside = |other: &&*const Thread| unsafe { &***other }.inside.load(Ordering::SeqCst) != 0;
        let busy =
            with_thread(|me| list.iter().filter(|other| !std::ptr::eq(**other, me)).any(|o| inside(&o)));
        if !busy {
            return;
        }
        THREADS.lock.release();
        let _ = sys::futex_wait(&GATE, FORKING, Some(50_000));
    }
}

/// In a forked child: this thread is the only one.
pub fn only_thread() {
    with_thread(|me| {
        THREADS.with(|list| {
            list.retain(|other| std::ptr::eq(*other, me));
            THREADS.leaving.store(0, Ordering::Relaxed);
        });
    });
}

/// In the parent, and in the child, where this thread is the only one left.
pub fn fork_done(child: bool) {
    if child {
        // SAFETY: we hold the lock.
        let list = unsafe { &mut *THREADS.list.get() };
        with_thread(|me| list.retain(|other| std::ptr::eq(*other, me)));
    }
    fork_page::renew();
    ALONE_IS.store(std::ptr::null_mut(), Ordering::Relaxed);
    THREADS.lock.release();
    GATE.fetch_and(!FORKING, Ordering::SeqCst);
    sys::futex_wake(&GATE, i32::MAX);
    ALONE.release();
}

/// Goes outside for the exec itself, with all other threads kept outside: a signal that is held back is
/// let in before it, and one that comes now runs its handler.
pub fn step_out() {
    with_thread(go_outside);
}

/// The exec has failed.
pub fn step_in() {
    with_thread(go_inside);
}

/// Ends what `enter` began in the fork handler before.
pub fn go_outside_after_fork() {
    with_thread(go_outside);
    let_signals_in();
}
