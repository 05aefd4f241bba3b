//! The gate: how a thread goes inside and outside. Its first time inside puts it on the list, and its end takes it off.

use std::sync::atomic::{compiler_fence, AtomicBool, AtomicPtr, AtomicU32, Ordering};
use std::sync::Arc;

use glasspoll_reactor::sync::abandoned;
use glasspoll_reactor::sys;
use libc::c_int;
use once_cell::sync::OnceCell;

use super::cover::{cover, covered, uncover};
use super::threads::THREADS;
use crate::errno;
use crate::memory::lock::RawLock;
use crate::thread::fork_page;
use crate::thread::state::{goes_on_inside, Thread, INSIDE, OUTSIDE};
use crate::thread::tls::with_thread;

/// `enter` goes straight in.
const QUIET: u32 = 0;
/// A fork waits for all threads to be outside.
pub(super) const FORKING: u32 = 1;
/// This is an early child: `adopt_on_entry` must run before a thread uses what was inherited.
const UNADOPTED: u32 = 2;
/// A thread is adopting.
const ADOPTING: u32 = 4;
/// All threads are outside, and the fork holds the list's lock.
pub(super) const HELD: u32 = 8;
/// No thread goes inside any more: locks may stay locked for ever.
const ABANDONED: u32 = 16;

#[link_section = "glasspoll_fork"]
pub(super) static GATE: AtomicU32 = AtomicU32::new(QUIET);
#[link_section = "glasspoll_fork"]
static ADOPT: AtomicPtr<()> = AtomicPtr::new(std::ptr::null_mut());

/// The thread is inside until the drop, which also restores `errno`.
pub struct Guard {
    errno: i32,
}

impl Drop for Guard {
    fn drop(&mut self) {
        with_thread(go_outside);
        errno::set_errno(sys::Errno::new(self.errno));
    }
}

/// What a thread needs of what this process, a forked child, inherited.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Wants {
    /// Sets and files that are this process's own.
    Adopted,
    /// Nothing: the process stays an early child.
    AsIs,
}

/// Goes inside. None: this thread is already inside, and the call is our own; or the gate is closed, and the call passes
/// by.
pub fn enter() -> Option<Guard> {
    enter_for(Wants::Adopted)
}

/// `enter` for a call that only changes fds. An early child stays one.
pub fn enter_as_is() -> Option<Guard> {
    enter_for(Wants::AsIs)
}

/// `enter` for a call that reports something about a file. None also in an early child: it polls all files when it
/// adopts, so it need not know.
pub fn enter_unless_early() -> Option<Guard> {
    if is_early_child() {
        return None;
    }
    enter()
}

/// Whether frames of ours lie on the calling thread's stack: it is inside or covered.
pub fn is_on_the_stack() -> bool {
    with_thread(|thread| goes_on_inside(thread) || thread.covered.load(Ordering::Relaxed) != 0)
}

fn enter_for(wants: Wants) -> Option<Guard> {
    with_thread(|thread| {
        if goes_on_inside(thread) {
            return None;
        }
        let errno = errno::errno();
        go_inside(thread, wants).then_some(Guard { errno })
    })
}

/// Whether the calling thread may record something without going inside: it is outside, and no fork, and no inheritance
/// of one, needs care.
#[inline]
pub fn may_stay_outside() -> bool {
    GATE.load(Ordering::Relaxed) == QUIET
        && !fork_page::was_forked()
        && with_thread(|thread| thread.registered.get() && !goes_on_inside(thread))
}

/// Whether a thread that finds the gate closed passes by, instead of waiting.
static PASSES_BY: AtomicBool = AtomicBool::new(false);

/// While a thread forks, calls of the other threads pass us by from now on. They must not wait where handlers of
/// pthread_atfork run while the gate is closed: such a handler may wait for a lock that the caller holds.
pub fn pass_by_when_closed() {
    PASSES_BY.store(true, Ordering::SeqCst);
}

fn passes_by() -> bool {
    PASSES_BY.load(Ordering::Relaxed) && GATE.load(Ordering::SeqCst) & FORKING != 0
}

fn is_held() -> bool {
    GATE.load(Ordering::SeqCst) & HELD != 0
}

/// Returns whether the thread is inside; if not, its call passes by.
pub(super) fn go_inside(thread: &Thread, wants: Wants) -> bool {
    if fork_page::was_forked() {
        thread.inside.store(INSIDE, Ordering::SeqCst);
        fork_page::mend();
        thread.inside.store(OUTSIDE, Ordering::SeqCst);
    }
    if !thread.registered.get() && !register(thread) {
        return false;
    }
    loop {
        thread.inside.store(INSIDE, Ordering::SeqCst);
        let gate = GATE.load(Ordering::SeqCst);
        if gate == QUIET || std::ptr::eq(ALONE_IS.load(Ordering::Relaxed), thread) {
            return true;
        }
        if gate == UNADOPTED && wants == Wants::AsIs {
            return true;
        }
        if gate == UNADOPTED {
            if GATE.compare_exchange(gate, ADOPTING, Ordering::SeqCst, Ordering::SeqCst).is_ok() {
                let adopt = ADOPT.load(Ordering::SeqCst);
                if !adopt.is_null() {
                    // SAFETY: only `adopt_on_entry` stores here, and it stores a `fn()`.
                    unsafe { std::mem::transmute::<*mut (), fn()>(adopt)() };
                }
                GATE.fetch_and(!ADOPTING, Ordering::SeqCst);
                sys::futex_wake(&GATE, i32::MAX);
                return true;
            }
            continue;
        }
        go_outside(thread);
        if passes_by() || gate & ABANDONED != 0 {
            return false;
        }
        let _ = sys::futex_wait(&GATE, gate, Some(1_000_000));
    }
}

/// Ends the thread past our frames, which cannot be unwound. Returns if there are none.
pub fn escape(value: *mut libc::c_void) {
    with_thread(|thread| thread.place.escape(value));
}

/// The thread jumps past our frames.
pub fn jumps() {
    with_thread(|thread| thread.place.forget());
}

/// Called when a handler of the program is about to leave this thread's frames by force, while we observe. If frames of
/// ours are among them, the locks that they hold stay locked: from now on every call passes by. Returns whether it is so.
pub fn abandon() -> bool {
    let is_so = is_on_the_stack();
    if is_so {
        GATE.fetch_or(ABANDONED, Ordering::SeqCst);
        abandoned::abandon();
        with_thread(|thread| {
            thread.covered.store(0, Ordering::Relaxed);
            go_outside(thread);
        });
    }
    is_so
}

pub(super) fn go_outside(thread: &Thread) {
    thread.inside.store(OUTSIDE, Ordering::Release);
    compiler_fence(Ordering::SeqCst);
}

/// Makes the next thread that goes inside run `adopt` there. May be called anywhere.
pub fn adopt_on_entry(adopt: fn()) {
    ADOPT.store(adopt as *mut (), Ordering::SeqCst);
    GATE.fetch_or(UNADOPTED, Ordering::SeqCst);
}

/// Whether this is an early child: forked, and no call has used the sets that it inherited.
pub fn is_early_child() -> bool {
    fork_page::was_forked() || GATE.load(Ordering::SeqCst) & UNADOPTED != 0
}

/// Returns when no thread is adopting.
pub fn wait_for_adoption() {
    loop {
        let gate = GATE.load(Ordering::SeqCst);
        if gate & ADOPTING == 0 {
            return;
        }
        let _ = sys::futex_wait(&GATE, gate, Some(1_000_000));
    }
}

/// One thread at a time forks or execs. Taken outside, before the gate closes.
#[link_section = "glasspoll_fork"]
pub(super) static ALONE: RawLock = RawLock::new();
/// That thread. The gate is open for it.
#[link_section = "glasspoll_fork"]
pub(super) static ALONE_IS: AtomicPtr<Thread> = AtomicPtr::new(std::ptr::null_mut());

/// Runs `unregister` when a thread ends. A pthread key, not a Rust destructor: Rust's destructors run before those of
/// keys, and in a key's destructor the program may call us for the first time.
static EXIT: OnceCell<libc::pthread_key_t> = OnceCell::new();

/// After how many rounds of key destructors the thread leaves the list.
/// Linux: glibc runs `PTHREAD_DESTRUCTOR_ITERATIONS` (4) of them.
const ROUNDS: usize = 3;

unsafe extern "C-unwind" fn on_exit(round: *mut libc::c_void) {
    // Covered, because a thread that is cancelled asynchronously while it holds the list's lock would keep it for ever.
    // `uncover` may unwind by force: this frame has no destructors.
    let before = cover();
    match (round as usize, EXIT.get()) {
        (round @ 1..ROUNDS, Some(key)) => {
            // SAFETY: our own key.
            unsafe { libc::pthread_setspecific(*key, std::ptr::without_provenance(round + 1)) };
        }
        _ => unregister(),
    }
    uncover(before);
}

extern "C-unwind" {
    // The libc crate's destructor may not be unwound.
    fn pthread_key_create(
        key: *mut libc::pthread_key_t,
        destructor: unsafe extern "C-unwind" fn(*mut libc::c_void),
    ) -> c_int;
}

/// Puts the thread on the list. Returns false if its call passes by: the list is locked while a thread forks.
fn register(thread: &Thread) -> bool {
    covered(thread, 1);
    if !THREADS.acquire_unless(passes_by) {
        covered(thread, -1);
        return false;
    }
    thread.registered.set(true);
    thread.inside.store(INSIDE, Ordering::SeqCst);
    // SAFETY: pthread_self has no preconditions.
    thread.pthread.set(unsafe { libc::pthread_self() } as u64);
    // SAFETY: we hold the lock.
    unsafe { &mut *THREADS.list.get() }.push(thread);
    THREADS.lock.release();
    // Outside: pthread_setspecific may need malloc, and a fork that waits for threads to be outside may hold malloc's
    // locks.
    thread.inside.store(OUTSIDE, Ordering::SeqCst);
    let key = EXIT.get_or_init(|| {
        let mut key = 0;
        // SAFETY: `on_exit` is never unloaded.
        unsafe { pthread_key_create(&mut key, on_exit) };
        key
    });
    // SAFETY: our own key.
    unsafe { libc::pthread_setspecific(*key, std::ptr::without_provenance(1)) };
    covered(thread, -1);
    true
}

/// What else a thread does at its end. It runs inside, with the thread's state and the number of threads that are left.
pub type AtEnd = fn(&Thread, usize);
static AT_END: AtomicPtr<()> = AtomicPtr::new(std::ptr::null_mut());

/// Makes every thread call `end` when it ends.
pub fn call_at_thread_end(end: AtEnd) {
    AT_END.store(end as *mut (), Ordering::SeqCst);
}

fn unregister() {
    let guard = loop {
        if let Some(guard) = enter_as_is() {
            break Some(guard);
        }
        if with_thread(goes_on_inside) {
            break None;
        }
        // The gate is closed. A thread may wait for this one's end, while a handler of pthread_atfork waits for that
        // thread. What this one would give back, a waiter, is lost.
        if with_thread(|thread| THREADS.depart(thread, is_held)) {
            return;
        }
        sys::yield_now();
    };
    with_thread(|thread| {
        let (left, waiter) = THREADS.with(|list| {
            let leaving = THREADS.leaving.load(Ordering::Relaxed) + 1;
            THREADS.leaving.store(leaving, Ordering::Relaxed);
            (list.len().saturating_sub(leaving), thread.waiter.swap(std::ptr::null_mut(), Ordering::SeqCst))
        });
        let end = AT_END.load(Ordering::SeqCst);
        if !end.is_null() {
            // SAFETY: only `call_at_thread_end` stores here, and it stores an `AtEnd`.
            unsafe { std::mem::transmute::<*mut (), AtEnd>(end)(thread, left) };
        }
        if !waiter.is_null() {
            // SAFETY: `waiter` stores what `Arc::into_raw` gave.
            drop(unsafe { Arc::from_raw(waiter) });
        }
        // Last, because everything above takes locks, and a fork waits only for threads on the list.
        THREADS.with(|list| {
            list.retain(|other| !std::ptr::eq(*other, thread));
            THREADS.leaving.store(THREADS.leaving.load(Ordering::Relaxed) - 1, Ordering::Relaxed);
        });
    });
    drop(guard);
}

/// Puts the thread on the list, where fork and pthread_cancel find it.
///
/// May unwind by force when the thread is on the list: neither this frame nor its callers' frames have destructors.
pub fn be_known() {
    if with_thread(|thread| !thread.registered.get()) {
        // Covered because of the list's lock, as in `on_exit`.
        let before = cover();
        drop(enter_as_is());
        uncover(before);
    }
}
