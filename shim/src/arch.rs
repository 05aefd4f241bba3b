//! What depends on the architecture: the numbers of system calls, the end of the program's memory, the thread's word,
//! and how to reach the arguments of a variadic function.
//!
//! The exec functions that take a list are variadic, and Rust cannot define variadic functions. Each is a trampoline:
//! it stores the argument registers in memory, and passes their address and that of the arguments on the stack to a
//! function that collects them. vfork returns twice, so its trampoline leaves no frame behind.

use std::arch::asm;

/// The numbers of system calls. What aarch64 lacks has a number there that no program uses.
#[allow(non_upper_case_globals)]
pub(crate) mod numbers {
    pub use libc::{
        SYS_accept, SYS_accept4, SYS_clone, SYS_clone3, SYS_close, SYS_close_range, SYS_connect, SYS_dup,
        SYS_dup3, SYS_epoll_create1, SYS_epoll_ctl, SYS_epoll_pwait, SYS_epoll_pwait2, SYS_fcntl, SYS_futex,
        SYS_io_uring_enter, SYS_io_uring_setup, SYS_ioctl, SYS_madvise, SYS_mmap, SYS_mprotect,
        SYS_mq_timedreceive, SYS_mq_timedsend, SYS_mremap, SYS_munmap, SYS_pkey_mprotect, SYS_ppoll,
        SYS_prctl, SYS_preadv2, SYS_pselect6, SYS_pwritev2, SYS_read, SYS_readv, SYS_recvfrom, SYS_recvmmsg,
        SYS_recvmsg, SYS_seccomp, SYS_sendfile, SYS_sendmmsg, SYS_sendmsg, SYS_sendto, SYS_setsockopt,
        SYS_shmat, SYS_shutdown, SYS_splice, SYS_tee, SYS_timerfd_settime, SYS_vmsplice, SYS_write,
        SYS_writev,
    };
    #[cfg(target_arch = "x86_64")]
    pub use libc::{SYS_dup2, SYS_epoll_create, SYS_epoll_wait, SYS_fork, SYS_poll, SYS_select, SYS_vfork};

    #[cfg(target_arch = "aarch64")]
    mod lacking {
        use libc::c_long;

        pub const SYS_dup2: c_long = c_long::MIN;
        pub const SYS_epoll_create: c_long = c_long::MIN + 1;
        pub const SYS_epoll_wait: c_long = c_long::MIN + 2;
        pub const SYS_fork: c_long = c_long::MIN + 3;
        pub const SYS_poll: c_long = c_long::MIN + 4;
        pub const SYS_select: c_long = c_long::MIN + 5;
        pub const SYS_vfork: c_long = c_long::MIN + 6;
    }
    #[cfg(target_arch = "aarch64")]
    pub use lacking::*;
}

/// The kernel's lowest address; the program's buffers end below it.
/// Linux: `TASK_SIZE_MAX` less a page.
#[cfg(target_arch = "x86_64")]
pub(crate) const TASK_SIZE: usize = (1 << 47) - 4096;
#[cfg(target_arch = "aarch64")]
pub(crate) const TASK_SIZE: usize = 1 << 52;

/// The thread pointer of the calling thread.
#[cfg(target_arch = "x86_64")]
#[inline]
pub(crate) fn thread_pointer() -> usize {
    let at: usize;
    // SAFETY: reads the thread pointer.
    unsafe { asm!("mov {at}, qword ptr fs:[0]", at = out(reg) at, options(nostack, pure, readonly)) };
    at
}

/// The thread pointer of the calling thread.
#[cfg(target_arch = "aarch64")]
#[inline]
pub(crate) fn thread_pointer() -> usize {
    let at: usize;
    // SAFETY: reads the thread pointer.
    unsafe { asm!("mrs {at}, tpidr_el0", at = out(reg) at, options(nomem, nostack, pure)) };
    at
}

/// How far the word that `glasspoll_thread` names (`thread::tls`) is from the calling thread's pointer, and the
/// loader's descriptor of it: a function that gives the distance, and the function's argument.
#[cfg(target_arch = "x86_64")]
pub(crate) fn thread_word() -> (usize, *const [usize; 2]) {
    let (distance, descriptor);
    // SAFETY: the loader's function needs a stack that is aligned for a call, and leaves all registers but rax alone;
    // the allocator that it may call does not.
    unsafe {
        asm!(
            "lea rax, [rip + glasspoll_thread@TLSDESC]",
            "mov rdx, rax",
            "call [rax + glasspoll_thread@TLSCALL]",
            out("rax") distance,
            out("rdx") descriptor,
            clobber_abi("C"),
        );
    }
    (distance, descriptor)
}

/// How far the word that `glasspoll_thread` names (`thread::tls`) is from the calling thread's pointer, and the
/// loader's descriptor of it: a function that gives the distance, and the function's argument.
#[cfg(target_arch = "aarch64")]
pub(crate) fn thread_word() -> (usize, *const [usize; 2]) {
    let (distance, descriptor);
    // SAFETY: the loader's function needs a stack that is aligned for a call, and leaves all registers but x0, x1 and
    // x30 alone; the allocator that it may call does not.
    unsafe {
        asm!(
            "adrp x0, :tlsdesc:glasspoll_thread",
            "ldr x1, [x0, :tlsdesc_lo12:glasspoll_thread]",
            "add x0, x0, :tlsdesc_lo12:glasspoll_thread",
            "mov x2, x0",
            ".tlsdesccall glasspoll_thread",
            "blr x1",
            out("x0") distance,
            out("x2") descriptor,
            clobber_abi("C"),
        );
    }
    (distance, descriptor)
}

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
