//! What depends on the architecture: jumping on to a function of libc with all arguments in place.
//!
//! The functions of the exec family that take a list are variadic, which Rust cannot define. Each is a
//! trampoline: keep the argument registers, call `process::before_exec`, jump to libc's function.

/// Defines `$name` as such a trampoline; `$which` is its place in `process::NAMES`.
#[cfg(target_arch = "x86_64")]
macro_rules! exec_trampoline {
    ($name:ident, $which:literal) => {
        /// As libc's function of that name.
        ///
        /// # Safety
        /// As libc's function of that name.
        #[no_mangle]
        #[unsafe(naked)]
        pub unsafe extern "C" fn $name() {
            std::arch::naked_asm!(
                "push rdi", "push rsi", "push rdx", "push rcx", "push r8", "push r9", "push rax",
                "mov edi, {which}",
                "call {before}",
                "mov r11, rax",
                "pop rax", "pop r9", "pop r8", "pop rcx", "pop rdx", "pop rsi", "pop rdi",
                "jmp r11",
                which = const $which,
                before = sym $crate::process::before_exec,
            )
        }
    };
}

#[cfg(target_arch = "aarch64")]
macro_rules! exec_trampoline {
    ($name:ident, $which:literal) => {
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
                "mov x0, {which}",
                "bl {before}",
                "mov x16, x0",
                "ldp x0, x1, [sp, #16]", "ldp x2, x3, [sp, #32]",
                "ldp x4, x5, [sp, #48]", "ldp x6, x7, [sp, #64]",
                "ldp x29, x30, [sp], #80",
                "br x16",
                which = const $which,
                before = sym $crate::process::before_exec,
            )
        }
    };
}

pub(crate) use exec_trampoline;
