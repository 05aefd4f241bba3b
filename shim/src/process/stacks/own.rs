//! A stack of the library's own: unwinding takes 15 KB of stack, and a coroutine may have 8 KB in all.

use std::arch::global_asm;
use std::cell::UnsafeCell;
use std::ffi::c_void;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::ptr;

use glasspoll_reactor::sys;

use crate::process::{self, options::Engine};
use crate::thread::context::ALL_SIGNALS;

/// More than four times as much as was seen to be used.
const SIZE: usize = 1 << 16;

/// Memory that is never touched costs nothing.
#[repr(align(64))]
pub struct Own(UnsafeCell<[u8; SIZE]>);

// SAFETY: the caller of `run` is alone.
unsafe impl Sync for Own {}

impl Own {
    pub const fn new() -> Self {
        Self(UnsafeCell::new([0; SIZE]))
    }

    /// Runs `work` on it. None: it panicked.
    ///
    /// # Safety
    /// No other thread runs anything on it, and `work` does not come back here.
    pub unsafe fn run<T>(&self, work: impl FnOnce() -> T) -> Option<T> {
        // The program's handlers wait while we are inside. Above an observer they run, and might need more stack, or
        // jump away.
        let mask =
            (process::engine() == Engine::Observe).then(|| sys::sigprocmask(libc::SIG_SETMASK, ALL_SIGNALS));
        let (mut work, mut done) = (Some(work), None);
        let mut both = || {
            done = work.take().and_then(|work| catch_unwind(AssertUnwindSafe(work)).ok());
        };
        let mut both: &mut dyn FnMut() = &mut both;
        let top = self.0.get().cast::<u8>().wrapping_add(SIZE);
        // SAFETY: the stack is free, by the caller's promise, and aligned; `call` gets the work, which outlives the call.
        unsafe { glasspoll_on_stack(call, ptr::from_mut(&mut both).cast(), top) };
        if let Some(mask) = mask {
            sys::sigprocmask(libc::SIG_SETMASK, mask);
        }
        done
    }
}

extern "C" fn call(data: *mut c_void) {
    // SAFETY: what `run` passes.
    unsafe { (*data.cast::<&mut dyn FnMut()>())() };
}

extern "C" {
    /// Calls `work` on the stack that ends at `top`.
    fn glasspoll_on_stack(work: extern "C" fn(*mut c_void), data: *mut c_void, top: *mut u8);
}

#[cfg(target_arch = "x86_64")]
global_asm!(
    ".pushsection .text.glasspoll_on_stack,\"ax\",@progbits",
    ".hidden glasspoll_on_stack",
    ".globl glasspoll_on_stack",
    ".type glasspoll_on_stack, @function",
    "glasspoll_on_stack:",
    ".cfi_startproc",
    "push rbp",
    ".cfi_adjust_cfa_offset 8",
    ".cfi_rel_offset rbp, 0",
    "mov rbp, rsp",
    ".cfi_def_cfa_register rbp",
    "mov rax, rdi",
    "mov rdi, rsi",
    "mov rsp, rdx",
    "call rax",
    "mov rsp, rbp",
    "pop rbp",
    ".cfi_def_cfa rsp, 8",
    "ret",
    ".cfi_endproc",
    ".size glasspoll_on_stack, . - glasspoll_on_stack",
    ".popsection",
);

#[cfg(target_arch = "aarch64")]
global_asm!(
    ".pushsection .text.glasspoll_on_stack,\"ax\",%progbits",
    ".hidden glasspoll_on_stack",
    ".globl glasspoll_on_stack",
    ".type glasspoll_on_stack, %function",
    "glasspoll_on_stack:",
    ".cfi_startproc",
    "stp x29, x30, [sp, #-16]!",
    ".cfi_adjust_cfa_offset 16",
    ".cfi_rel_offset x29, 0",
    ".cfi_rel_offset x30, 8",
    "mov x29, sp",
    ".cfi_def_cfa_register x29",
    "mov x9, x0",
    "mov x0, x1",
    "mov sp, x2",
    "blr x9",
    "mov sp, x29",
    "ldp x29, x30, [sp], #16",
    ".cfi_def_cfa sp, 0",
    ".cfi_restore x29",
    ".cfi_restore x30",
    "ret",
    ".cfi_endproc",
    ".size glasspoll_on_stack, . - glasspoll_on_stack",
    ".popsection",
);
