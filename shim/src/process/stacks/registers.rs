//! The registers that unwinding begins with.

#[cfg(target_arch = "aarch64")]
pub use framehop::aarch64::{
    CacheAarch64 as Cache, UnwindRegsAarch64 as Registers, UnwinderAarch64 as Unwinder,
};
#[cfg(target_arch = "x86_64")]
pub use framehop::x86_64::{CacheX86_64 as Cache, UnwindRegsX86_64 as Registers, UnwinderX86_64 as Unwinder};

/// The frame pointer.
pub fn frame_pointer(registers: &Registers) -> u64 {
    #[cfg(target_arch = "x86_64")]
    return registers.bp();
    #[cfg(target_arch = "aarch64")]
    return registers.fp();
}

/// Where the calling function is, and its registers. They are right as long as it has not returned.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
pub fn here() -> (u64, Registers) {
    let (ip, sp, bp): (u64, u64, u64);
    // SAFETY: reads registers.
    unsafe {
        std::arch::asm!(
            "lea {ip}, [rip]",
            "mov {sp}, rsp",
            "mov {bp}, rbp",
            ip = out(reg) ip,
            sp = out(reg) sp,
            bp = out(reg) bp,
            options(nomem, nostack, preserves_flags),
        );
    }
    (ip, Registers::new(ip, sp, bp))
}

/// Where the calling function is, and its registers. They are right as long as it has not returned.
#[cfg(target_arch = "aarch64")]
#[inline(always)]
pub fn here() -> (u64, Registers) {
    let (ip, sp, fp, lr): (u64, u64, u64, u64);
    // SAFETY: reads registers.
    unsafe {
        std::arch::asm!(
            "adr {ip}, .",
            "mov {sp}, sp",
            "mov {fp}, x29",
            "mov {lr}, x30",
            ip = out(reg) ip,
            sp = out(reg) sp,
            fp = out(reg) fp,
            lr = out(reg) lr,
            options(nomem, nostack, preserves_flags),
        );
    }
    // The program's addresses have up to 48 bits; above them a return address may be signed.
    let mask = framehop::aarch64::PtrAuthMask::from_max_known_address((1 << 48) - 1);
    (ip, Registers::new_with_ptr_auth_mask(mask, lr, sp, fp))
}
