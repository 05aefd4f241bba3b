//! The program's signal handlers run behind a trampoline, so that none runs on top of our frames and
//! each ends the wait it interrupts.
//!
//! If the interrupted thread is inside or covered (`context`), the signal is queued to it anew with all
//! it carried, and the thread is left with all signals blocked until it is covered no longer.
//!
//! Two handlers are ours: the one behind our real-time signal, which runs only if somebody unblocks it
//! past us, and the one for SIGIO, which the kernel sends when the queue of real-time signals is full.

use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use glasspoll_reactor::sys;
use libc::{c_int, c_void, sigaction as Action, siginfo_t, sigset_t, ucontext_t};
use once_cell::sync::OnceCell;

use crate::interpose::{sigmask, Real};
use crate::process;
use crate::thread::context::{self, ALL_SIGNALS};
use crate::thread::signal::{held, requeue};

const SIGNALS: usize = 65;

/// What the program set for a signal. Counts as long as the kernel has our trampoline or handler for it
/// (`reported`): a child may be made without its parent's handlers. Readable in a signal handler.
struct SignalEntry {
    handler: AtomicUsize,
    flags: AtomicUsize,
    mask: AtomicU64,
}

static ENTRIES: [SignalEntry; SIGNALS] = [const {
    SignalEntry {
        handler: AtomicUsize::new(libc::SIG_DFL),
        flags: AtomicUsize::new(0),
        mask: AtomicU64::new(0),
    }
}; SIGNALS];

#[used]
#[link_section = "glasspoll_real"]
static REAL: Real = Real::new("sigaction\0");

type Handler = extern "C-unwind" fn(c_int, *mut siginfo_t, *mut c_void);

/// libc's sigaction(2).
unsafe fn real_sigaction(signal: c_int, new: *const Action, old: *mut Action) -> c_int {
    type Function = unsafe extern "C" fn(c_int, *const Action, *mut Action) -> c_int;
    // SAFETY: the symbol of that name has this type; the caller's promise on the pointers.
    unsafe { std::mem::transmute::<*const u8, Function>(REAL.get())(signal, new, old) }
}

pub fn zeroed() -> Action {
    // SAFETY: all-zero bytes are a valid action: SIG_DFL.
    unsafe { MaybeUninit::zeroed().assume_init() }
}

/// Installs our own two handlers. With the first epoll instance.
pub fn prepare() {
    static ONCE: OnceCell<()> = OnceCell::new();
    ONCE.get_or_init(install);
}

/// Installs those that the kernel lacks: in a forked child that was made with CLONE_CLEAR_SIGHAND, and after an exec
/// that failed.
pub fn install() {
    if process::uses_signals() {
        install_ours(process::signal());
        cover_sigio();
    }
}

fn install_ours(signal: c_int) {
    let mut ours = zeroed();
    ours.sa_sigaction = on_ours as *const () as usize;
    ours.sa_flags = libc::SA_SIGINFO | libc::SA_RESTART;
    // SAFETY: valid actions.
    unsafe { real_sigaction(signal, &ours, std::ptr::null_mut()) };
}

/// Whether SIGIO is to come to us also where the program does not handle it.
fn covers_sigio() -> bool {
    process::uses_signals() && process::WATCH.get().is_some()
}

/// Has a full signal queue told to us unless the program handles SIGIO itself.
fn cover_sigio() {
    let mut now = zeroed();
    // SAFETY: valid actions.
    unsafe { real_sigaction(libc::SIGIO, std::ptr::null(), &mut now) };
    let entry = &ENTRIES[libc::SIGIO as usize];
    if is_trampoline(&now) {
        // The program's handler is there, and the trampoline tells us as well.
        take_sigio(false);
    } else if !is_ours(&now) {
        if is_handler(entry.handler.load(Ordering::SeqCst)) {
            // This child was made without it.
            take_sigio(true);
        }
        entry.set(&now);
        install_ours(libc::SIGIO);
    }
}

fn take_sigio(take: bool) {
    if let Some(watch) = process::WATCH.get() {
        watch.take_sigio(take);
    }
}

/// The program has changed whether it handles SIGIO itself.
fn change_sigio(take: bool) {
    let Some(watch) = process::WATCH.get() else { return };
    if context::is_early_child() {
        // The signalfd is the parent's. This child's own will be made so.
        watch.will_take_sigio(take);
        if context::is_early_child() {
            return;
        }
    }
    context::wait_for_adoption();
    watch.take_sigio(take);
}

/// In a child that was just made with CLONE_CLEAR_SIGHAND, and has a memory of its own: what was ignored stays so,
/// except a SIGIO that the program ignores: for the kernel it had a handler, ours.
/// Linux: `kernel/signal.c:flush_signal_handlers`.
pub fn cleared() {
    if covers_sigio() && ENTRIES[libc::SIGIO as usize].handler.load(Ordering::SeqCst) == libc::SIG_IGN {
        let mut ignore = zeroed();
        ignore.sa_sigaction = libc::SIG_IGN;
        // SAFETY: a valid action.
        unsafe { real_sigaction(libc::SIGIO, &ignore, std::ptr::null_mut()) };
    }
}

/// The process is about to become another program, which is to find ignored what this one ignores. Should the exec
/// fail, `install` takes it back.
pub fn before_exec() {
    let mut now = zeroed();
    // SAFETY: a valid action.
    unsafe { real_sigaction(libc::SIGIO, std::ptr::null(), &mut now) };
    if is_ours(&now) {
        cleared();
    }
}

/// A wakeup was told by a signal handler: which one is not worth knowing, all files are asked.
extern "C" fn on_ours(_signal: c_int, _info: *mut siginfo_t, _context: *mut c_void) {
    context::our_signal();
    if let Some(watch) = process::WATCH.get() {
        watch.overflowed();
    }
}

/// The trampoline.
extern "C-unwind" fn on_program(signal: c_int, info: *mut siginfo_t, context: *mut c_void) {
    if signal == libc::SIGIO {
        if let Some(watch) = process::WATCH.get() {
            watch.overflowed();
        }
    }
    // SAFETY: the kernel hands a handler with SA_SIGINFO valid pointers.
    unsafe { requeue::give_back(signal, info) };
    // SAFETY: as above.
    let (code, mask) = unsafe { ((*info).si_code, (*context.cast::<ucontext_t>()).uc_sigmask.word()) };
    let fault = code > 0
        && matches!(
            signal,
            libc::SIGSEGV | libc::SIGBUS | libc::SIGFPE | libc::SIGILL | libc::SIGTRAP | libc::SIGSYS
        );
    if !fault && context::holds_back(signal, mask) {
        // SAFETY: as above.
        if sys::on_valgrind() && unsafe { held::keep(signal, info.cast()) } {
            return;
        }
        // Blocked first, or a handler with SA_NODEFER would come back here at once.
        sys::sigprocmask(libc::SIG_SETMASK, ALL_SIGNALS);
        // SAFETY: as above; the mask is what the thread has once we return.
        unsafe {
            requeue::queue(signal, info);
            (*context.cast::<ucontext_t>()).uc_sigmask.set_word(ALL_SIGNALS);
        }
        return;
    }
    let entry = &ENTRIES[signal as usize];
    let handler = entry.handler.load(Ordering::SeqCst);
    if entry.flags.load(Ordering::SeqCst) & libc::SA_RESETHAND as usize != 0 {
        let default = zeroed();
        if signal == libc::SIGIO && covers_sigio() {
            entry.set(&default);
            install_ours(signal);
            take_sigio(true);
        } else {
            // SAFETY: a valid action.
            unsafe { real_sigaction(signal, &default, std::ptr::null_mut()) };
        }
    }
    if is_handler(handler) {
        // SAFETY: the program gave a handler; one that takes the number alone ignores the rest.
        unsafe { std::mem::transmute::<usize, Handler>(handler)(signal, info, context) };
    }
}

trait Word {
    fn word(&self) -> u64;
    fn set_word(&mut self, word: u64);
}

impl Word for sigset_t {
    fn word(&self) -> u64 {
        // SAFETY: the first word of a set holds signals 1 to 64.
        unsafe { *std::ptr::from_ref(self).cast() }
    }

    fn set_word(&mut self, word: u64) {
        // SAFETY: as above.
        unsafe { *std::ptr::from_mut(self).cast() = word }
    }
}

fn is_handler(handler: usize) -> bool {
    handler != libc::SIG_DFL && handler != libc::SIG_IGN
}

fn is_trampoline(action: &Action) -> bool {
    action.sa_sigaction == on_program as *const () as usize
}

fn is_ours(action: &Action) -> bool {
    action.sa_sigaction == on_ours as *const () as usize
}

impl SignalEntry {
    fn get(&self) -> Action {
        let mut action = zeroed();
        action.sa_sigaction = self.handler.load(Ordering::SeqCst);
        action.sa_flags = self.flags.load(Ordering::SeqCst) as c_int;
        action.sa_mask.set_word(self.mask.load(Ordering::SeqCst));
        action
    }

    fn set(&self, action: &Action) {
        self.handler.store(action.sa_sigaction, Ordering::SeqCst);
        self.flags.store(action.sa_flags as usize, Ordering::SeqCst);
        self.mask.store(action.sa_mask.word(), Ordering::SeqCst);
    }
}

/// What the program is told of a signal for which the kernel has `real`, and `entry` what the program set.
fn reported(real: Action, entry: Action) -> Action {
    if is_trampoline(&real) || is_ours(&real) {
        entry
    } else {
        real
    }
}

/// sigaction(2) for the program.
pub unsafe fn set_action(signal: c_int, new: *const Action, old: *mut Action) -> c_int {
    if sigmask::is_ours(signal) {
        return -1;
    }
    let known = usize::try_from(signal).ok().filter(|signal| (1..SIGNALS).contains(signal));
    let Some(entry) = known.map(|signal| &ENTRIES[signal]) else {
        // SAFETY: the caller's promise on the pointers, here and below.
        return unsafe { real_sigaction(signal, new, old) };
    };
    // The entries may be the parent's; the kernel's table is not.
    let is_own = !process::is_inert() && !process::shares_the_parents_memory();
    let kept = entry.get();
    let mut was = zeroed();
    // SAFETY: as above.
    let result = match unsafe { new.as_ref() } {
        Some(asked) if is_own => set_behind(entry, &kept, signal, *asked, &mut was),
        // SAFETY: as above.
        _ => unsafe { real_sigaction(signal, new, &mut was) },
    };
    if result == 0 && !old.is_null() {
        // SAFETY: as above.
        unsafe { *old = reported(was, kept) };
    }
    result
}

/// Sets what the program asks for, behind the trampoline if it is a handler.
fn set_behind(entry: &SignalEntry, kept: &Action, signal: c_int, asked: Action, was: &mut Action) -> c_int {
    let mut given = asked;
    let handles = is_handler(asked.sa_sigaction);
    if handles || signal == libc::SIGIO && covers_sigio() {
        // In this order a handler that runs meanwhile finds either the old or the new one.
        entry.set(&asked);
        given.sa_sigaction =
            if handles { on_program as *const () as usize } else { on_ours as *const () as usize };
        given.sa_flags = (asked.sa_flags | libc::SA_SIGINFO) & !libc::SA_RESETHAND;
        given.sa_mask.set_word(sigmask::with_ours(asked.sa_mask.word()));
    }
    // SAFETY: valid actions.
    let result = unsafe { real_sigaction(signal, &given, was) };
    if result != 0 {
        entry.set(kept);
    } else if signal == libc::SIGIO {
        change_sigio(!handles);
    }
    result
}
