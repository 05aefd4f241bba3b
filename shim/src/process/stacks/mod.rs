//! The call stacks by which the program adds descriptors to sets (`GLASSPOLL_STACKS=on`): `glasspoll doctor` shows by
//! them which code registered a descriptor. Layout and writing: `glasspoll_record::stacks`.
//!
//! `framehop` unwinds, by the tables of unwinding (`.eh_frame`), or by frame pointers where there is none. `objects`
//! finds the loaded object that an address lies in, `module` its tables, `memory` reads the stack, `memo` knows earlier walks, `walk` goes up, on a stack of
//! our `own`.
//!
//! Keeps true: nothing that lies on a stack can harm the program. A stack that makes no sense ends early. No lock is
//! waited for: if another thread holds ours, the item has no stack. In a vfork child we do nothing. A capture runs
//! inside, so no handler of the program interrupts it and no fork happens meanwhile.

mod memo;
mod memory;
mod module;
mod objects;
mod own;
mod registers;
mod walk;

use std::cell::UnsafeCell;
use std::hint;
use std::sync::atomic::{AtomicBool, Ordering};

use glasspoll_reactor::uapi::EPOLL_CTL_ADD;
use glasspoll_record::stacks::{self, Adding};
use libc::c_int;

use crate::memory::alloc;
use crate::memory::lock::RawLock;
use crate::process;
use memory::Stack;
pub use objects::look_up_function;
use own::Own;
use walk::Walker;

/// How often a thread looks again whether the lock is free: a capture takes about a microsecond.
const PATIENCE: u32 = 200;

struct Shared {
    lock: RawLock,
    walker: UnsafeCell<Option<Walker>>,
}

// SAFETY: `walker` is touched by the holder of `lock` alone.
unsafe impl Sync for Shared {}

/// Where the walk runs, by the holder of the lock.
static OWN: Own = Own::new();

/// Whether this process is a forked child.
static FORKED: AtomicBool = AtomicBool::new(false);

static SHARED: Shared = Shared { lock: RawLock::new(), walker: UnsafeCell::new(None) };

impl Shared {
    /// None: another thread holds the lock.
    fn with<T>(&self, work: impl FnOnce(&mut Option<Walker>) -> T) -> Option<T> {
        let mut patience = PATIENCE;
        while !self.lock.try_acquire() {
            patience = patience.checked_sub(1)?;
            hint::spin_loop();
        }
        // SAFETY: we hold the lock, and `work` does not come back here.
        let done = work(unsafe { &mut *self.walker.get() });
        self.lock.release();
        Some(done)
    }
}

/// The record keeps stacks from now on. The caller is inside, and starts the record.
pub fn begin() {
    // Paths are looked up now: a program that locks itself up later may not look them up.
    let was_forked = FORKED.load(Ordering::Relaxed);
    // SAFETY: we hold the lock, and none of this comes back here.
    SHARED.with(|walker| unsafe { OWN.run(|| *walker = Some(Walker::new(was_forked))) });
}

/// Whether objects were unloaded: another one may lie where one was.
static UNLOADED: AtomicBool = AtomicBool::new(false);

/// The program has unloaded objects.
pub fn unloaded() {
    if stacks::is_on() {
        UNLOADED.store(true, Ordering::Release);
    }
}

/// This process is a forked child.
pub fn forked() {
    FORKED.store(true, Ordering::Relaxed);
}

/// An epoll_ctl(2) of the program begins: until the drop, an item that the thread adds has the caller's stack. The caller
/// is inside.
#[inline]
pub fn of_ctl(op: c_int) -> Option<Adding> {
    (op == EPOLL_CTL_ADD && stacks::is_on()).then(|| Adding::of(capture()))
}

/// The number of the calling thread's stack; 0: it is not known.
#[cold]
#[inline(never)]
fn capture() -> u32 {
    if process::is_vfork_child() || !alloc::has_room() {
        return 0;
    }
    // This frame stays until the end of the walk, which goes on from here on another stack.
    let (ip, registers) = registers::here();
    let mut stack = Stack::from(registers.sp());
    let number = SHARED.with(|walker| {
        let walker = walker.as_mut()?;
        if UNLOADED.load(Ordering::Relaxed) && UNLOADED.swap(false, Ordering::Acquire) {
            // SAFETY: we hold the lock, and it does not come back here. The program's stack may be small.
            unsafe { OWN.run(|| walker.forget()) };
        }
        if let Some(number) = walker.known_number(&registers, &mut stack) {
            return Some(number);
        }
        // SAFETY: we hold the lock, and the walk does not come back here.
        unsafe { OWN.run(|| walker.number(ip, registers, &mut stack)) }
    });
    number.flatten().unwrap_or(0)
}
