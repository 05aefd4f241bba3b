//! The program's signal handlers run behind a trampoline, so that none runs on top of our frames and
//! each ends the wait it interrupts.
//!
//! If the interrupted thread is inside or covered (`context`), the signal is queued to it anew with all
//! it carried, and the thread is left with all signals blocked until it is covered no longer.
//!
//! Two handlers are ours: the one behind our real-time signal, which runs only if somebody unblocks it
//! past us, and the one for SIGIO, which the kernel sends when the queue of real-time signals is full.

pub mod held;

use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use glasspoll_reactor::sys;
use libc::{c_int, c_void, sigaction as Action, siginfo_t, sigset_t, ucontext_t};
use once_cell::sync::OnceCell;

use crate::context::{self, ALL_SIGNALS};
use crate::real::Real;
use crate::runtime;
use crate::{requeue, signals};

const SIGNALS: usize = 65;

/// What the program set for a signal. Readable in a signal handler.
struct Slot {
    handler: AtomicUsize,
    flags: AtomicUsize,
    mask: AtomicU64,
    /// Whether the kernel has our trampoline or handler for it, and not what stands here.
    behind: AtomicBool,
}

static SLOTS: [Slot; SIGNALS] = [const {
    Slot {
        handler: AtomicUsize::new(libc::SIG_DFL),
        flags: AtomicUsize::new(0),
        mask: AtomicU64::new(0),
        behind: AtomicBool::new(false),
    }
}; SIGNALS];

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
    if !runtime::uses_signals() {
        return;
    }
    ONCE.get_or_init(|| {
        let mut ours = zeroed();
        ours.sa_sigaction = on_ours as *const () as usize;
        ours.sa_flags = libc::SA_SIGINFO | libc::SA_RESTART;
        // SAFETY: valid actions.
        unsafe { real_sigaction(runtime::signal(), &ours, std::ptr::null_mut()) };
        cover_sigio();
    });
}

/// Has a full signal queue told to us unless the program handles SIGIO itself.
fn cover_sigio() {
    let mut now = zeroed();
    // SAFETY: valid actions.
    unsafe { real_sigaction(libc::SIGIO, std::ptr::null(), &mut now) };
    let slot = &SLOTS[libc::SIGIO as usize];
    if slot.behind.load(Ordering::SeqCst) {
        // The program's handler is there, and the trampoline tells us as well.
        if let Some(watch) = runtime::WATCH.get() {
            watch.take_sigio(false);
        }
        return;
    }
    slot.handler.store(now.sa_sigaction, Ordering::SeqCst);
    slot.flags.store(now.sa_flags as usize, Ordering::SeqCst);
    slot.behind.store(true, Ordering::SeqCst);
    let mut ours = zeroed();
    ours.sa_sigaction = on_ours as *const () as usize;
    ours.sa_flags = libc::SA_SIGINFO | libc::SA_RESTART;
    // SAFETY: as above.
    unsafe { real_sigaction(libc::SIGIO, &ours, std::ptr::null_mut()) };
}

/// A wakeup was told by a signal handler: which one is not worth knowing, all files are asked.
extern "C" fn on_ours(_signal: c_int, _info: *mut siginfo_t, _context: *mut c_void) {
    context::our_signal();
    if let Some(watch) = runtime::WATCH.get() {
        watch.overflowed();
    }
}

/// The trampoline.
extern "C-unwind" fn on_program(signal: c_int, info: *mut siginfo_t, context: *mut c_void) {
    if signal == libc::SIGIO {
        if let Some(watch) = runtime::WATCH.get() {
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
    let slot = &SLOTS[signal as usize];
    let handler = slot.handler.load(Ordering::SeqCst);
    if slot.flags.load(Ordering::SeqCst) & libc::SA_RESETHAND as usize != 0 {
        let default = zeroed();
        slot.behind.store(false, Ordering::SeqCst);
        // SAFETY: a valid action.
        unsafe { real_sigaction(signal, &default, std::ptr::null_mut()) };
    }
    if handler != libc::SIG_DFL && handler != libc::SIG_IGN {
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

fn seen_by_program(slot: &Slot) -> Action {
    let mut action = zeroed();
    action.sa_sigaction = slot.handler.load(Ordering::SeqCst);
    action.sa_flags = slot.flags.load(Ordering::SeqCst) as c_int;
    action.sa_mask.set_word(slot.mask.load(Ordering::SeqCst));
    action
}

/// sigaction(2) for the program.
pub unsafe fn set_action(signal: c_int, new: *const Action, old: *mut Action) -> c_int {
    let known = usize::try_from(signal).ok().filter(|signal| (1..SIGNALS).contains(signal));
    if signals::is_ours(signal) {
        return -1;
    }
    // SAFETY: the caller's promise on the pointers, here and below.
    unsafe {
        let Some(slot) =
            known.map(|signal| &SLOTS[signal]).filter(|_| !runtime::is_inert() && !runtime::is_vfork_child())
        else {
            return real_sigaction(signal, new, old);
        };
        let before = slot.behind.load(Ordering::SeqCst).then(|| seen_by_program(slot));
        let Some(asked) = new.as_ref().copied() else {
            let result = real_sigaction(signal, new, old);
            if let (0, Some(before), false) = (result, before, old.is_null()) {
                *old = before;
            }
            return result;
        };
        let mut given = asked;
        let handles = asked.sa_sigaction != libc::SIG_DFL && asked.sa_sigaction != libc::SIG_IGN;
        let covered = signal == libc::SIGIO && runtime::uses_signals() && runtime::WATCH.get().is_some();
        // In this order a handler that runs meanwhile finds either the old or the new one.
        let kept = (
            slot.handler.load(Ordering::SeqCst),
            slot.flags.load(Ordering::SeqCst),
            slot.mask.load(Ordering::SeqCst),
        );
        if handles || covered {
            slot.handler.store(asked.sa_sigaction, Ordering::SeqCst);
            slot.flags.store(asked.sa_flags as usize, Ordering::SeqCst);
            slot.mask.store(asked.sa_mask.word(), Ordering::SeqCst);
            given.sa_sigaction =
                if handles { on_program as *const () as usize } else { on_ours as *const () as usize };
            given.sa_flags = (asked.sa_flags | libc::SA_SIGINFO) & !libc::SA_RESETHAND;
            given.sa_mask.set_word(signals::with_ours(asked.sa_mask.word()));
        }
        let mut was = zeroed();
        let result = real_sigaction(signal, &given, &mut was);
        if result != 0 {
            slot.handler.store(kept.0, Ordering::SeqCst);
            slot.flags.store(kept.1, Ordering::SeqCst);
            slot.mask.store(kept.2, Ordering::SeqCst);
            return result;
        }
        slot.behind.store(handles || covered, Ordering::SeqCst);
        if signal == libc::SIGIO {
            if let Some(watch) = runtime::WATCH.get() {
                watch.take_sigio(!handles);
            }
        }
        if !old.is_null() {
            *old = before.unwrap_or(was);
        }
        result
    }
}
