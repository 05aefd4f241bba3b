//! How a thread that is to end leaves our frames, where they cannot be unwound.
//!
//! A handler of the program that interrupts an observer may end its thread (pthread_exit(3)). That unwinds by force, and
//! our frames can be unwound neither at any instruction nor past a catch. So `run` notes where it was called, and `escape`
//! goes back there, as longjmp(3) would, past the frames in between: what they hold stays held.

use std::arch::global_asm;
use std::cell::{Cell, UnsafeCell};
use std::ffi::c_void;
use std::ptr;

/// The registers that a function keeps for its caller: x86_64 has 6 and the stack's, aarch64 12, 8 and the stack's.
const REGISTERS: usize = if cfg!(target_arch = "x86_64") { 7 } else { 21 };
type Registers = [usize; REGISTERS];

/// Where a call of `run` returns to. The registers lie in its frame: thread-local storage is scarce.
pub struct Place {
    /// Null while no work runs.
    registers: Cell<*mut Registers>,
    /// What pthread_exit(3) was given.
    value: Cell<*mut c_void>,
}

impl Place {
    pub const fn nowhere() -> Self {
        Self { registers: Cell::new(ptr::null_mut()), value: Cell::new(ptr::null_mut()) }
    }

    /// Runs `work`, unless it runs already beneath such a call. Does not return if `work` was left by `escape`: the
    /// thread ends here.
    pub fn run(&self, work: &mut dyn FnMut()) {
        if !self.registers.get().is_null() {
            return work();
        }
        let registers = UnsafeCell::new([0; REGISTERS]);
        let mut work = work;
        let data = ptr::from_mut(&mut work).cast();
        // It sets `self.registers` itself when it has noted them all: a handler may come at any instruction.
        // SAFETY: `call` gets the work, which outlives the call.
        let is_left = unsafe { glasspoll_run(call, data, registers.get(), self.registers.as_ptr()) };
        self.registers.set(ptr::null_mut());
        if is_left {
            // SAFETY: the thread is to end. From here to the program no frame has a catch.
            unsafe { pthread_exit(self.value.get()) };
        }
    }

    /// The work that `run` runs was left by a jump.
    pub fn forget(&self) {
        self.registers.set(ptr::null_mut());
    }

    /// Leaves the work that `run` runs, and ends the thread with this value. Returns if no work runs.
    pub fn escape(&self, value: *mut c_void) {
        let registers = self.registers.get();
        if !registers.is_null() {
            self.value.set(value);
            // SAFETY: the call of `run` that set it has not returned.
            unsafe { glasspoll_escape(registers) };
        }
    }
}

unsafe extern "C-unwind" fn call(data: *mut c_void) {
    // SAFETY: what `run` passes.
    unsafe { (*data.cast::<&mut dyn FnMut()>())() };
}

extern "C-unwind" {
    /// Calls `work`, with the address of the `registers` in `place`. Returns false when it returns, and true by
    /// `glasspoll_escape`.
    fn glasspoll_run(
        work: unsafe extern "C-unwind" fn(*mut c_void),
        data: *mut c_void,
        registers: *mut Registers,
        place: *mut *mut Registers,
    ) -> bool;
    fn pthread_exit(value: *mut c_void) -> !;
}

extern "C" {
    fn glasspoll_escape(registers: *mut Registers) -> !;
}

#[cfg(target_arch = "x86_64")]
global_asm!(
    ".pushsection .text.glasspoll_run,\"ax\",@progbits",
    ".hidden glasspoll_run",
    ".globl glasspoll_run",
    ".type glasspoll_run, @function",
    "glasspoll_run:",
    ".cfi_startproc",
    "mov [rdx], rbx",
    "mov [rdx + 8], rbp",
    "mov [rdx + 16], r12",
    "mov [rdx + 24], r13",
    "mov [rdx + 32], r14",
    "mov [rdx + 40], r15",
    "mov [rdx + 48], rsp",
    "mov [rcx], rdx",
    "mov rax, rdi",
    "mov rdi, rsi",
    "sub rsp, 8",
    ".cfi_adjust_cfa_offset 8",
    "call rax",
    "add rsp, 8",
    ".cfi_adjust_cfa_offset -8",
    "xor eax, eax",
    "ret",
    ".cfi_endproc",
    ".size glasspoll_run, . - glasspoll_run",
    ".hidden glasspoll_escape",
    ".globl glasspoll_escape",
    ".type glasspoll_escape, @function",
    "glasspoll_escape:",
    "mov rbx, [rdi]",
    "mov rbp, [rdi + 8]",
    "mov r12, [rdi + 16]",
    "mov r13, [rdi + 24]",
    "mov r14, [rdi + 32]",
    "mov r15, [rdi + 40]",
    "mov rsp, [rdi + 48]",
    "mov eax, 1",
    "ret",
    ".size glasspoll_escape, . - glasspoll_escape",
    ".popsection",
);

#[cfg(target_arch = "aarch64")]
global_asm!(
    ".pushsection .text.glasspoll_run,\"ax\",%progbits",
    ".hidden glasspoll_run",
    ".globl glasspoll_run",
    ".type glasspoll_run, %function",
    "glasspoll_run:",
    ".cfi_startproc",
    "stp x19, x20, [x2]",
    "stp x21, x22, [x2, #16]",
    "stp x23, x24, [x2, #32]",
    "stp x25, x26, [x2, #48]",
    "stp x27, x28, [x2, #64]",
    "stp x29, x30, [x2, #80]",
    "stp d8, d9, [x2, #96]",
    "stp d10, d11, [x2, #112]",
    "stp d12, d13, [x2, #128]",
    "stp d14, d15, [x2, #144]",
    "mov x9, sp",
    "str x9, [x2, #160]",
    "str x2, [x3]",
    "stp x29, x30, [sp, #-16]!",
    ".cfi_adjust_cfa_offset 16",
    ".cfi_rel_offset x29, 0",
    ".cfi_rel_offset x30, 8",
    "mov x9, x0",
    "mov x0, x1",
    "blr x9",
    "ldp x29, x30, [sp], #16",
    ".cfi_adjust_cfa_offset -16",
    ".cfi_restore x29",
    ".cfi_restore x30",
    "mov w0, #0",
    "ret",
    ".cfi_endproc",
    ".size glasspoll_run, . - glasspoll_run",
    ".hidden glasspoll_escape",
    ".globl glasspoll_escape",
    ".type glasspoll_escape, %function",
    "glasspoll_escape:",
    "ldp x19, x20, [x0]",
    "ldp x21, x22, [x0, #16]",
    "ldp x23, x24, [x0, #32]",
    "ldp x25, x26, [x0, #48]",
    "ldp x27, x28, [x0, #64]",
    "ldp x29, x30, [x0, #80]",
    "ldp d8, d9, [x0, #96]",
    "ldp d10, d11, [x0, #112]",
    "ldp d12, d13, [x0, #128]",
    "ldp d14, d15, [x0, #144]",
    "ldr x9, [x0, #160]",
    "mov sp, x9",
    "mov w0, #1",
    "ret",
    ".size glasspoll_escape, . - glasspoll_escape",
    ".popsection",
);
