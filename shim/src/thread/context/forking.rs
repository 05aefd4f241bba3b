//! fork and exec: one thread goes on, and all others stay outside.
//!
//! A forked child writes nothing at first, because the kernel copies each page that it writes. Its first call that
//! concerns us finds out through `fork_page` that it is a child, and opens what the fork left closed (`mend_fork`).

use std::arch::global_asm;
use std::sync::atomic::Ordering;

use glasspoll_reactor::sys;

use super::{
    covered, enter_as_is, go_inside, go_outside, let_signals_in, with_thread, Thread, Wants, ALONE, ALONE_IS,
    FORKING, FORKS, GATE, HELD, OUTSIDE, THREADS,
};

use crate::thread::fork_page;

// What parent and child write at a fork lies in this section, on one page: the kernel copies each page that is written.
global_asm!(".pushsection glasspoll_fork,\"aw\",%progbits", ".balign 256", ".popsection");

/// Keeps the other threads outside until `fork_done`. Returns when they are outside and this thread is inside.
///
/// Preconditions: the thread is outside.
pub fn fork_begins() {
    be_in_order();
    with_thread(|thread| {
        // A handler of the program that forks or execs on top of us would wait for ever.
        covered(thread, 1);
        ALONE.acquire();
        go_inside(thread, Wants::AsIs);
        thread.inside.store(FORKS, Ordering::SeqCst);
        covered(thread, -1);
        ALONE_IS.store(std::ptr::from_ref(thread).cast_mut(), Ordering::Relaxed);
    });
    GATE.fetch_or(FORKING, Ordering::SeqCst);
    loop {
        // Held across the fork, so that no thread begins or ends meanwhile. Released between two looks, because a
        // thread that is inside may need it.
        THREADS.lock.acquire();
        // SAFETY: we hold the lock.
        let list = unsafe { &*THREADS.list.get() };
        // SAFETY: a thread on the list is alive: to leave the list it needs the lock that we hold.
        let inside = |other: &&*const Thread| unsafe { &***other }.inside.load(Ordering::SeqCst) != 0;
        let busy =
            with_thread(|me| list.iter().filter(|other| !std::ptr::eq(**other, me)).any(|o| inside(&o)));
        if !busy {
            GATE.fetch_or(HELD, Ordering::SeqCst);
            return;
        }
        THREADS.lock.release();
        let _ = sys::futex_wait(&GATE, FORKING, Some(50_000));
    }
}

/// Whether the calling thread has closed the gate.
pub fn is_forking() -> bool {
    with_thread(|thread| std::ptr::eq(ALONE_IS.load(Ordering::Relaxed), thread))
}

/// Puts a forked child in order before it takes a lock that the fork left held.
pub fn be_in_order() {
    if fork_page::was_forked() {
        drop(enter_as_is());
    }
}

/// Opens the gate for the other threads.
pub fn fork_done() {
    // SAFETY: we hold the lock.
    let is_only_thread = unsafe { &*THREADS.list.get() }.len() <= 1;
    GATE.fetch_and(!(FORKING | HELD), Ordering::SeqCst);
    THREADS.sweep();
    THREADS.lock.release();
    if !is_only_thread {
        sys::futex_wake(&GATE, i32::MAX);
    }
    ALONE_IS.store(std::ptr::null_mut(), Ordering::Relaxed);
    ALONE.release();
}

/// Called in a forked child, by the first thread that goes inside. Of the parent's threads, only the one that forked
/// exists here. It is the first thread of this process.
///
/// The thread that forked is the caller, or the thread that made the caller; then `ALONE_IS` names it. After a fork
/// past us, we know only the caller.
pub fn mend_fork() {
    let alone = ALONE_IS.load(Ordering::Relaxed).cast_const();
    let is_me = |thread: &*const Thread| with_thread(|me| std::ptr::eq(*thread, me));
    let was_made_here = || sys::gettid() != sys::getpid();
    let is_here = |thread: &*const Thread| is_me(thread) || std::ptr::eq(*thread, alone) && was_made_here();
    // SAFETY: a thread of the parent. Its memory exists here, whether or not the thread does.
    if let Some(forked) = unsafe { alone.as_ref() } {
        let _ = forked.inside.compare_exchange(FORKS, OUTSIDE, Ordering::SeqCst, Ordering::SeqCst);
    }
    let only_those_here = |list: &mut Vec<*const Thread>| {
        list.retain(is_here);
        THREADS.leaving.store(0, Ordering::Relaxed);
    };
    // SAFETY: if the lock is held, it has been held since the fork, by this process or by a thread that does not exist
    // here; no other thread of this process is inside.
    only_those_here(unsafe { &mut *THREADS.list.get() });
    // Another thread of the parent may have been at any step of a fork: nothing that it closed stays closed here.
    fork_done();
}

/// Goes outside for the exec itself, while all other threads stay outside. A signal that was held back is let in
/// before the exec, and one that comes now runs its handler.
pub fn step_out() {
    with_thread(go_outside);
}

/// The exec has failed.
pub fn step_in() {
    with_thread(|thread| go_inside(thread, Wants::AsIs));
}

/// Called in a forked child, by the thread that forked: `mend_fork` does the work later. Until then the thread counts
/// as inside. False: a signal was held back, and must be let in.
#[inline]
pub fn leave_child_as_is() -> bool {
    fork_page::is_there() && with_thread(|thread| thread.held_back.load(Ordering::Relaxed) == 0)
}

/// Undoes the `enter` of the fork handler that ran before the fork.
#[inline]
pub fn go_outside_after_fork() {
    let is_held_back = with_thread(|thread| {
        go_outside(thread);
        thread.held_back.load(Ordering::SeqCst) != 0
    });
    if is_held_back {
        let_signals_in();
    }
}
