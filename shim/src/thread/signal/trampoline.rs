//! The program's signal handlers run behind a trampoline, so that no handler runs on top of our frames, and each
//! handler ends the wait that it interrupts.
//!
//! If the interrupted thread is inside or covered (`context`), we queue the signal to it again with everything that it
//! carried, and leave the thread with all signals blocked until it is no longer covered.
//!
//! Two handlers are our own. One is for our real-time signal, and runs only if the program unblocks the signal
//! past us. The other is for SIGIO, which the kernel sends when the queue of real-time signals is full.

use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use glasspoll_reactor::sys;
use glasspoll_reactor::watch::WATCH;
use libc::{c_int, c_void, sigaction as Action, siginfo_t, sigset_t, ucontext_t};
use once_cell::sync::OnceCell;

use crate::errno::set_errno;
use crate::interpose::real::Real;
use crate::process::{self, options::Engine};
use crate::thread::context::{self, Meeting, ALL_SIGNALS};
use crate::thread::signal::held::{self, Kept};
use crate::thread::signal::{ours, requeue};

const SIGNALS: usize = 65;

/// What the program has set for a signal. Valid as long as the kernel has our trampoline or handler for it
/// (`reported`), because a child may be made without its parent's handlers. Can be read in a signal handler.
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

/// Installs our own two handlers, with the first epoll instance.
pub fn prepare() {
    static ONCE: OnceCell<()> = OnceCell::new();
    ONCE.get_or_init(install);
}

/// Installs those of our handlers that the kernel lacks: in a forked child that was made with CLONE_CLEAR_SIGHAND, and
/// after a failed exec.
pub fn install() {
    if ours::is_used() {
        install_ours(ours::signal());
        cover_sigio();
    }
}

fn install_ours(signal: c_int) {
    let mut action = zeroed();
    action.sa_sigaction = on_ours as *const () as usize;
    action.sa_flags = libc::SA_SIGINFO | libc::SA_RESTART;
    // SAFETY: valid actions.
    unsafe { real_sigaction(signal, &action, std::ptr::null_mut()) };
}

/// Whether SIGIO must come to us even if the program does not handle it.
fn covers_sigio() -> bool {
    ours::is_used() && WATCH.get().is_some()
}

/// Makes a full signal queue reach us, also if the program does not handle SIGIO.
fn cover_sigio() {
    let mut now = zeroed();
    // SAFETY: valid actions.
    unsafe { real_sigaction(libc::SIGIO, std::ptr::null(), &mut now) };
    let entry = &ENTRIES[libc::SIGIO as usize];
    if is_trampoline(&now) {
        // The program has a handler, and its trampoline reports to us.
        take_sigio(false);
    } else if !is_ours(&now) {
        if is_handler(entry.handler.load(Ordering::SeqCst)) {
            // This child was made without that handler.
            take_sigio(true);
        }
        entry.set(&now);
        install_ours(libc::SIGIO);
    }
}

fn take_sigio(take: bool) {
    if let Some(watch) = WATCH.get() {
        watch.take_sigio(take);
    }
}

/// The program now handles SIGIO itself, or no longer does.
fn change_sigio(take: bool) {
    let Some(watch) = WATCH.get() else { return };
    if context::is_early_child() {
        // The signalfd is the parent's. The child's own will be made this way.
        watch.will_take_sigio(take);
        if context::is_early_child() {
            return;
        }
    }
    context::wait_for_adoption();
    watch.take_sigio(take);
}

/// In a child with its own memory that was just made with CLONE_CLEAR_SIGHAND. Ignored signals stay ignored, except a
/// SIGIO that the program ignores, because the kernel has our handler for it. Sets it to ignored.
/// Linux: `kernel/signal.c:flush_signal_handlers`.
pub fn cleared() {
    if covers_sigio() && ENTRIES[libc::SIGIO as usize].handler.load(Ordering::SeqCst) == libc::SIG_IGN {
        let mut ignore = zeroed();
        ignore.sa_sigaction = libc::SIG_IGN;
        // SAFETY: a valid action.
        unsafe { real_sigaction(libc::SIGIO, &ignore, std::ptr::null_mut()) };
    }
}

/// Called before an exec: the new program must find the same signals ignored. If the exec fails, `install` undoes
/// this.
pub fn before_exec() {
    let mut now = zeroed();
    // SAFETY: a valid action.
    unsafe { real_sigaction(libc::SIGIO, std::ptr::null(), &mut now) };
    if is_ours(&now) {
        cleared();
    }
}

/// Our signal ran a handler instead of reaching the signalfd. We do not look which file it was for: all are polled.
extern "C" fn on_ours(_signal: c_int, _info: *mut siginfo_t, _context: *mut c_void) {
    context::our_signal();
    if let Some(watch) = WATCH.get() {
        watch.overflowed();
    }
}

/// The trampoline.
extern "C-unwind" fn on_program(signal: c_int, info: *mut siginfo_t, context: *mut c_void) {
    if signal == libc::SIGIO {
        if let Some(watch) = WATCH.get() {
            watch.overflowed();
        }
    }
    // SAFETY: the kernel gives a handler with SA_SIGINFO valid pointers.
    unsafe { requeue::give_back(signal, info) };
    // SAFETY: as above.
    let (code, mask) = unsafe { ((*info).si_code, (*context.cast::<ucontext_t>()).uc_sigmask.word()) };
    let fault = code > 0
        && matches!(
            signal,
            libc::SIGSEGV | libc::SIGBUS | libc::SIGFPE | libc::SIGILL | libc::SIGTRAP | libc::SIGSYS
        );
    if !fault && context::meets(signal, mask) == Meeting::HoldsBack {
        // SAFETY: as above.
        if sys::on_valgrind() && unsafe { held::keep(signal, info.cast()) } == Kept::Yes {
            return;
        }
        // Block first: otherwise a handler with SA_NODEFER would come back here at once.
        sys::sigprocmask(libc::SIG_SETMASK, ALL_SIGNALS);
        // SAFETY: as above; the kernel restores this mask when we return.
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
            change_sigio(true);
        } else {
            // SAFETY: a valid action.
            unsafe { real_sigaction(signal, &default, std::ptr::null_mut()) };
        }
    }
    if is_handler(handler) {
        // SAFETY: the program set this handler. If it takes only the signal's number, it ignores the rest.
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

/// What the program gets to see of a signal: `real` is what the kernel has, `entry` what the program set.
fn reported(real: Action, entry: Action) -> Action {
    if is_trampoline(&real) || is_ours(&real) {
        entry
    } else {
        real
    }
}

/// sigaction(2) for the program.
pub unsafe fn set_action(signal: c_int, new: *const Action, old: *mut Action) -> c_int {
    if ours::is_ours(signal) {
        set_errno(sys::Errno::EINVAL);
        return -1;
    }
    let known = usize::try_from(signal).ok().filter(|signal| (1..SIGNALS).contains(signal));
    let Some(entry) = known.map(|signal| &ENTRIES[signal]) else {
        // SAFETY: the caller's promise on the pointers, here and below.
        return unsafe { real_sigaction(signal, new, old) };
    };
    // In a vfork child the entries are the parent's, but the kernel's table is its own.
    // An observer wraps no handler.
    let is_emulated = process::engine() == Engine::Emulate && !process::is_inert();
    let is_own = is_emulated && !process::shares_the_parents_memory();
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

/// Sets what the program asks for. A handler goes behind the trampoline.
fn set_behind(entry: &SignalEntry, kept: &Action, signal: c_int, asked: Action, was: &mut Action) -> c_int {
    let mut given = asked;
    let handles = is_handler(asked.sa_sigaction);
    if handles || signal == libc::SIGIO && covers_sigio() {
        // In this order, a handler that runs meanwhile finds either the old or the new entry.
        entry.set(&asked);
        given.sa_sigaction =
            if handles { on_program as *const () as usize } else { on_ours as *const () as usize };
        given.sa_flags = (asked.sa_flags | libc::SA_SIGINFO) & !libc::SA_RESETHAND;
        given.sa_mask.set_word(ours::with_ours(asked.sa_mask.word()));
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
