//! Inside or outside: the one place that decides how our critical sections coexist with the program's
//! signal handlers and with fork.
//!
//! A thread is *inside* from `enter` until the guard is dropped, and *outside* while it sleeps. It is
//! *covered* as long as its stack has frames of ours that must not be unwound by force
//! (`interpose::guarded`), so also while it sleeps in a wait.
//!
//! - **Signal handlers** of the program run behind a trampoline (`signal::trampoline`). If it finds the interrupted
//!   thread inside or covered, it queues the signal to the thread again, blocks all signals on return, and ends the
//!   wait that the thread may be in. The thread unblocks the signals when it is no longer covered. So a handler never
//!   runs on top of us: it may make any call, run for long, and leave by siglongjmp or pthread_exit. As in the kernel,
//!   it runs after the wait.
//! - **fork** waits until no other thread is inside, so in the child no lock of ours is held.
//! - **Our own calls** that come back through an interposed name find the thread inside and go straight
//!   to libc (`enter` returns None).
//!
//! Costs two stores and two loads. The store on the way in is a full fence.

mod forking;
mod waiting;

pub use forking::{
    fork_begins, fork_done, go_outside_after_fork, leave_child_as_is, mend_fork, step_in, step_out,
};
pub use waiting::{
    cancel, is_cancelled, is_waiting, outer_waiter, take_cancelled, waiter, Part, ProgramHost, Waiting,
};

use std::cell::{Cell, UnsafeCell};
use std::sync::atomic::{
    compiler_fence, AtomicBool, AtomicI32, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering,
};
use std::sync::Arc;

use glasspoll_reactor::eventpoll::wait_queue::{Sleepers, Waiter};
use glasspoll_reactor::file::File;
use glasspoll_reactor::sys;

use libc::c_int;
use once_cell::sync::OnceCell;

use crate::interpose::{self, sigmask};
use crate::memory::lock::RawLock;
use crate::thread::own_stack::OwnStack;
use crate::thread::signal::held;
use crate::thread::{fork_page, tls};
use crate::{fdtable, process};

/// A thread's `inside`.
const OUTSIDE: u32 = 0;
const INSIDE: u32 = 1;
/// Inside, and alone there. A forked child finds this of the thread that forked, and it means nothing until the child is in
/// order: a fork leaves the child without a write.
const FORKS: u32 = 2;

/// Our state of a thread. It lives in static thread-local storage: no allocation, no destructor.
pub struct Thread {
    inside: AtomicU32,
    registered: Cell<bool>,
    /// The waiter, while the thread sleeps or is about to.
    waiting: AtomicPtr<Waiter>,
    /// How many frames must not be unwound by force.
    covered: AtomicU32,
    /// The signal that is held back until the thread is no longer covered, and the thread's mask at that time.
    held_back: AtomicI32,
    outer_mask: AtomicU64,
    /// The mask of the thread's wait, and that of a wait that a signal has ended.
    wait_mask: Cell<Option<u64>>,
    ended_mask: Cell<Option<u64>>,
    /// The thread's own mask, while the wait's mask replaces it.
    own_mask: Cell<Option<u64>>,
    /// Whether our signal ran its handler in this thread.
    our_signal: AtomicBool,
    waiter: AtomicPtr<Waiter>,
    pthread: Cell<u64>,
    /// Whether pthread_cancel was called for the thread while it waited.
    cancelled: AtomicBool,
    /// Whether the program believes that our signal is blocked in this thread.
    pub blocks_ours: Cell<bool>,
    /// The epoll instance that the thread used last, with a count of its `Arc`.
    pub set: Cell<*const File>,
    /// What we know of the thread's stack.
    pub stack: Cell<OwnStack>,
}

thread_local! {
    pub(crate) static THREAD: Thread = const {
        Thread {
            inside: AtomicU32::new(OUTSIDE),
            registered: Cell::new(false),
            waiting: AtomicPtr::new(std::ptr::null_mut()),
            covered: AtomicU32::new(0),
            held_back: AtomicI32::new(0),
            outer_mask: AtomicU64::new(0),
            wait_mask: Cell::new(None),
            ended_mask: Cell::new(None),
            own_mask: Cell::new(None),
            our_signal: AtomicBool::new(false),
            waiter: AtomicPtr::new(std::ptr::null_mut()),
            pthread: Cell::new(0),
            cancelled: AtomicBool::new(false),
            blocks_ours: Cell::new(false),
            set: Cell::new(std::ptr::null()),
            stack: Cell::new(OwnStack::UNKNOWN),
        }
    };
}

/// Runs `unregister` when a thread ends. A pthread key, not a Rust destructor: Rust's run before those of keys, and in
/// the latter the program may call us for the first time.
static EXIT: OnceCell<libc::pthread_key_t> = OnceCell::new();

/// After how many rounds of key destructors the thread leaves the list.
/// Linux: glibc runs `PTHREAD_DESTRUCTOR_ITERATIONS` (4) of them.
const ROUNDS: usize = 3;

unsafe extern "C" fn on_exit(round: *mut libc::c_void) {
    match (round as usize, EXIT.get()) {
        (round @ 1..ROUNDS, Some(key)) => {
            // SAFETY: our own key.
            unsafe { libc::pthread_setspecific(*key, std::ptr::without_provenance(round + 1)) };
        }
        _ => unregister(),
    }
}

/// All threads that have ever been inside, and have not ended.
struct Threads {
    lock: RawLock,
    list: UnsafeCell<Vec<*const Thread>>,
    /// How many of them are in `unregister`. Changed with `lock` held.
    leaving: AtomicUsize,
}

// SAFETY: only the holder of `lock` touches the list. Other threads use a `Thread` only through atomics, and it
// lives until its thread has left the list.
unsafe impl Sync for Threads {}

#[link_section = "glasspoll_fork"]
static THREADS: Threads =
    Threads { lock: RawLock::new(), list: UnsafeCell::new(Vec::new()), leaving: AtomicUsize::new(0) };

impl Threads {
    fn with<T>(&self, work: impl FnOnce(&mut Vec<*const Thread>) -> T) -> T {
        self.lock.acquire();
        // SAFETY: we hold the lock, and `work` does not come back here.
        let result = work(unsafe { &mut *self.list.get() });
        self.lock.release();
        result
    }
}

/// All signals except the two that glibc needs to reach every thread.
pub const ALL_SIGNALS: u64 = !(0b11 << 31);

/// `enter` goes straight in.
const QUIET: u32 = 0;
/// A fork waits for all threads to be outside.
const FORKING: u32 = 1;
/// This is an early child: `adopt_on_entry` must run before a thread uses what was inherited.
const UNADOPTED: u32 = 2;
/// A thread is adopting.
const ADOPTING: u32 = 4;

#[link_section = "glasspoll_fork"]
static GATE: AtomicU32 = AtomicU32::new(QUIET);
#[link_section = "glasspoll_fork"]
static ADOPT: AtomicPtr<()> = AtomicPtr::new(std::ptr::null_mut());

/// Threads that sleep on a futex.
pub static SLEEPERS: Sleepers = Sleepers::new();

/// Whether the calling thread is inside.
pub fn is_inside() -> bool {
    with_thread(goes_on_inside)
}

/// Whether the thread, which is the calling one, is inside.
#[inline]
fn goes_on_inside(thread: &Thread) -> bool {
    match thread.inside.load(Ordering::SeqCst) {
        OUTSIDE => false,
        FORKS => !fork_page::was_forked(),
        _ => true,
    }
}

/// Runs `work` with the calling thread's state.
pub fn with_thread<T>(work: impl FnOnce(&Thread) -> T) -> T {
    // SAFETY: it lives as long as the thread.
    work(unsafe { &*tls::this() })
}

/// The thread is inside until the drop, which also restores `errno`.
pub struct Guard {
    errno: i32,
}

impl Drop for Guard {
    fn drop(&mut self) {
        with_thread(go_outside);
        interpose::set_errno(sys::Errno::new(self.errno));
    }
}

/// What a thread needs of what this process, a forked child, inherited.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wants {
    /// Sets and files that are this process's own.
    Adopted,
    /// Nothing: the process stays an early child.
    AsIs,
}

/// Goes inside. None: this thread is already inside, and the call is our own.
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

fn enter_for(wants: Wants) -> Option<Guard> {
    with_thread(|thread| {
        if goes_on_inside(thread) {
            return None;
        }
        let errno = interpose::errno();
        go_inside(thread, wants);
        Some(Guard { errno })
    })
}

fn go_inside(thread: &Thread, wants: Wants) {
    if fork_page::was_forked() {
        thread.inside.store(INSIDE, Ordering::SeqCst);
        fork_page::mend();
        thread.inside.store(OUTSIDE, Ordering::SeqCst);
    }
    if !thread.registered.get() {
        register(thread);
    }
    loop {
        thread.inside.store(INSIDE, Ordering::SeqCst);
        let gate = GATE.load(Ordering::SeqCst);
        if gate == QUIET || std::ptr::eq(ALONE_IS.load(Ordering::Relaxed), thread) {
            return;
        }
        if gate == UNADOPTED && wants == Wants::AsIs {
            return;
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
                return;
            }
            continue;
        }
        go_outside(thread);
        let _ = sys::futex_wait(&GATE, gate, Some(1_000_000));
    }
}

fn go_outside(thread: &Thread) {
    thread.inside.store(OUTSIDE, Ordering::Release);
    compiler_fence(Ordering::SeqCst);
}

extern "C-unwind" {
    fn pthread_setcanceltype(new: c_int, old: *mut c_int) -> c_int;
}

const PTHREAD_CANCEL_DEFERRED: c_int = 0;

/// From here to `uncover`, nothing may unwind the thread's stack by force: no handler runs, and
/// cancellation waits. Returns the argument for `uncover`.
pub fn cover() -> c_int {
    let mut before = PTHREAD_CANCEL_DEFERRED;
    // SAFETY: a valid pointer.
    unsafe { pthread_setcanceltype(PTHREAD_CANCEL_DEFERRED, &mut before) };
    with_thread(|thread| covered(thread, 1));
    before
}

/// Ends a `cover`. The handlers that were held back run here, and may unwind by force.
pub fn uncover(before: c_int) {
    let held_back =
        with_thread(|thread| covered(thread, -1) == 0 && thread.held_back.load(Ordering::SeqCst) != 0);
    if held_back {
        // Called through a pointer that the compiler cannot see through. Otherwise it would find that no call in here
        // unwinds, and would treat this call as one that needs no catch.
        std::hint::black_box(let_signals_in as fn())();
    }
    if before != PTHREAD_CANCEL_DEFERRED {
        // SAFETY: null is allowed. If the thread is to be cancelled, this call cancels it.
        unsafe { pthread_setcanceltype(before, std::ptr::null_mut()) };
    }
}

/// Runs the handlers that were held back, unless this thread is still inside or covered.
#[cold]
pub fn let_signals_in() {
    let masks = with_thread(|thread| {
        if goes_on_inside(thread)
            || thread.covered.load(Ordering::SeqCst) != 0
            || thread.held_back.swap(0, Ordering::SeqCst) == 0
        {
            return None;
        }
        Some((thread.ended_mask.take(), thread.outer_mask.load(Ordering::SeqCst)))
    });
    let Some((ended, outer)) = masks else { return };
    if sys::on_valgrind() {
        sys::sigprocmask(libc::SIG_SETMASK, ALL_SIGNALS);
        held::give_back();
    }
    if let Some(mask) = ended {
        // The signal that ended a wait with its own mask is handled under that mask.
        sys::sigprocmask(libc::SIG_SETMASK, mask);
    }
    sys::sigprocmask(libc::SIG_SETMASK, sigmask::with_ours(outer));
}

fn register(thread: &Thread) {
    // Covered and not inside: pthread_setspecific may need malloc, whose locks a fork may hold that waits for threads
    // to be outside.
    covered(thread, 1);
    thread.registered.set(true);
    // SAFETY: pthread_self has no preconditions.
    thread.pthread.set(unsafe { libc::pthread_self() } as u64);
    let key = EXIT.get_or_init(|| {
        let mut key = 0;
        // SAFETY: `on_exit` is never unloaded.
        unsafe { libc::pthread_key_create(&mut key, Some(on_exit)) };
        key
    });
    // SAFETY: our own key.
    unsafe { libc::pthread_setspecific(*key, std::ptr::without_provenance(1)) };
    thread.inside.store(INSIDE, Ordering::SeqCst);
    covered(thread, -1);
    THREADS.with(|list| list.push(thread));
}

/// Changes the number of frames that cover the thread. Returns the new one.
fn covered(thread: &Thread, by: i32) -> u32 {
    let depth = thread.covered.load(Ordering::Relaxed).wrapping_add_signed(by);
    thread.covered.store(depth, Ordering::Relaxed);
    // Only handlers in this thread read it.
    compiler_fence(Ordering::SeqCst);
    depth
}

fn unregister() {
    let guard = enter_as_is();
    with_thread(|thread| {
        let (left, waiter) = THREADS.with(|list| {
            let leaving = THREADS.leaving.load(Ordering::Relaxed) + 1;
            THREADS.leaving.store(leaving, Ordering::Relaxed);
            (list.len().saturating_sub(leaving), thread.waiter.swap(std::ptr::null_mut(), Ordering::SeqCst))
        });
        if let Some(watch) = process::WATCH.get().filter(|_| !is_early_child()) {
            // The thread that is left may be the helper.
            if left <= 1 {
                process::retire_helper(watch);
            } else {
                watch.thread_ends();
            }
        }
        fdtable::forget_set(thread);
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
    let_signals_in();
}

/// Puts the thread on the list, where fork and pthread_cancel find it.
pub fn be_known() {
    if with_thread(|thread| !thread.registered.get()) {
        drop(enter_as_is());
        let_signals_in();
    }
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
static ALONE: RawLock = RawLock::new();
/// That thread. The gate is open for it.
#[link_section = "glasspoll_fork"]
static ALONE_IS: AtomicPtr<Thread> = AtomicPtr::new(std::ptr::null_mut());

fn blocks(mask: Option<u64>, signal: i32) -> bool {
    mask.is_some_and(|mask| mask >> (signal - 1) & 1 != 0)
}

/// Called in a signal handler: a signal of the program interrupted this thread, which ran with `mask`.
/// True: hold the signal back, and return with all signals blocked.
pub fn holds_back(signal: i32, mask: u64) -> bool {
    with_thread(|thread| {
        if !goes_on_inside(thread) && thread.covered.load(Ordering::SeqCst) == 0 {
            return false;
        }
        // If several signals arrive at once, the kernel stacks their frames. The last one's trampoline runs first, with
        // the earlier ones blocked; only the first one's trampoline sees the thread's own mask.
        let again = thread.held_back.swap(signal, Ordering::SeqCst) != 0;
        if !again || mask != ALL_SIGNALS {
            thread.outer_mask.store(thread.own_mask.get().unwrap_or(mask), Ordering::SeqCst);
        }
        let waiter = thread.waiting.load(Ordering::SeqCst);
        if !waiter.is_null() && !blocks(thread.wait_mask.get(), signal) {
            // SAFETY: `Waiting` is alive, and keeps the waiter alive.
            unsafe { &*waiter }.interrupt();
        }
        true
    })
}

/// Our signal ran its handler in this thread: a system call that it interrupted goes on.
pub fn our_signal() {
    with_thread(|thread| thread.our_signal.store(true, Ordering::SeqCst));
}
