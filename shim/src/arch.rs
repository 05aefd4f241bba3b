//! What depends on the architecture: how to reach the arguments of a variadic function.
//!
//! The exec functions that take a list are variadic, and Rust cannot define variadic functions. Each is a trampoline:
//! it stores the argument registers in memory, and passes their address and that of the arguments on the stack to a
//! function that collects them. vfork returns twice, so its trampoline leaves no frame behind.

/// How many arguments are passed in registers.
#[cfg(target_arch = "x86_64")]
pub(crate) const ARGUMENT_REGISTERS: usize = 6;
#[cfg(target_arch = "aarch64")]
pub(crate) const ARGUMENT_REGISTERS: usize = 8;

/// Defines such a trampoline to `$list`. `$which` is the function's number there.
#[cfg(target_arch = "x86_64")]
macro_rules! exec_trampoline {
    ($name:ident, $list:path, $which:literal) => {
        /// As libc's function of that name.
        ///
        /// # Safety
        /// As libc's function of that name.
        #[no_mangle]
        #[unsafe(naked)]
        pub unsafe extern "C" fn $name() {
            std::arch::naked_asm!(
                "push r9", "push r8", "push rcx", "push rdx", "push rsi", "push rdi",
                "mov rsi, rsp",
                "lea rdx, [rsp + 56]",
                "mov edi, {which}",
                "sub rsp, 8",
                "call {list}",
                "add rsp, 56",
                "ret",
                which = const $which,
                list = sym $list,
            )
        }
    };
}

#[cfg(target_arch = "aarch64")]
macro_rules! exec_trampoline {
    ($name:ident, $list:path, $which:literal) => {
        /// As libc's function of that name.
        ///
        /// # Safety
        /// As libc's function of that name.
        #[no_mangle]
        #[unsafe(naked)]
        pub unsafe extern "C" fn $name() {
            std::arch::naked_asm!(
                "stp x29, x30, [sp, #-80]!",
                "stp x0, x1, [sp, #16]", "stp x2, x3, [sp, #32]",
                "stp x4, x5, [sp, #48]", "stp x6, x7, [sp, #64]",
                "add x1, sp, #16",
                "add x2, sp, #80",
                "mov x0, {which}",
                "bl {list}",
                "ldp x29, x30, [sp], #80",
                "ret",
                which = const $which,
                list = sym $list,
            )
        }
    };
}

/// Defines `vfork`, which calls `$before` and goes on to the address that this returns. It has no frame of its own,
/// because the child returns from it first.
#[cfg(target_arch = "x86_64")]
macro_rules! vfork_trampoline {
    ($before:path) => {
        /// vfork(2).
        ///
        /// # Safety
        /// As libc's function of that name.
        #[no_mangle]
        #[unsafe(naked)]
        pub unsafe extern "C" fn vfork() {
            std::arch::naked_asm!(
                "sub rsp, 8",
                "call {before}",
                "add rsp, 8",
                "jmp rax",
                before = sym $before,
            )
        }
    };
}

#[cfg(target_arch = "aarch64")]
macro_rules! vfork_trampoline {
    ($before:path) => {
        /// vfork(2).
        ///
        /// # Safety
        /// As libc's function of that name.
        #[no_mangle]
        #[unsafe(naked)]
        pub unsafe extern "C" fn vfork() {
            std::arch::naked_asm!(
                "stp x29, x30, [sp, #-16]!",
                "bl {before}",
                "mov x16, x0",
                "ldp x29, x30, [sp], #16",
                "br x16",
                before = sym $before,
            )
        }
    };
}

pub(crate) use exec_trampoline;
pub(crate) use vfork_trampoline;
