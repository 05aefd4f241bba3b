//! Whether the program runs on valgrind, which stands between us and the kernel and differs from it.
//!
//! | valgrind | so on valgrind |
//! |---|---|
//! | keeps signal 64 for itself: if it arrives during a system call, the result of the call is lost | the shim uses another signal (`thread::signal::ours`) |
//! | restores the mask from before a handler, whatever mask the handler left in its context | signals are held back in memory (`signal::held`) |
//! | complains about memory that a system call only probes | memory is probed by another call (`can_read_8`) |
//!
//! The question is one of valgrind's "client requests": a sequence of instructions that does nothing on a processor.
//! valgrind: `include/valgrind.h`, `RUNNING_ON_VALGRIND`.

use std::arch::asm;

const RUNNING_ON_VALGRIND: usize = 0x1001;

/// Whether the program runs on valgrind.
#[cfg(target_arch = "x86_64")]
pub fn on_valgrind() -> bool {
    let request = [RUNNING_ON_VALGRIND, 0, 0, 0, 0, 0];
    let mut answer = 0usize;
    // SAFETY: rotates a register by 128 bits in all and exchanges one with itself.
    unsafe {
        asm!(
            "rol rdi, 3",
            "rol rdi, 13",
            "rol rdi, 61",
            "rol rdi, 51",
            "xchg rbx, rbx",
            inout("rdx") answer,
            in("rax") request.as_ptr(),
            out("rdi") _,
        );
    }
    answer != 0
}

/// Whether the program runs on valgrind.
#[cfg(target_arch = "aarch64")]
pub fn on_valgrind() -> bool {
    let request = [RUNNING_ON_VALGRIND, 0, 0, 0, 0, 0];
    let mut answer = 0usize;
    // SAFETY: rotates a register by 128 bits in all and combines one with itself.
    unsafe {
        asm!(
            "ror x12, x12, 3",
            "ror x12, x12, 13",
            "ror x12, x12, 51",
            "ror x12, x12, 61",
            "orr x10, x10, x10",
            inout("x3") answer,
            in("x4") request.as_ptr(),
            out("x12") _,
        );
    }
    answer != 0
}

#[cfg(test)]
mod tests {
    #[test]
    #[cfg_attr(miri, ignore = "Miri has no instructions")]
    fn the_question_says_no_on_a_processor() {
        // The unit tests run on valgrind too (scripts/sanitize), and are told so.
        assert_eq!(super::on_valgrind(), std::env::var_os("GLASSPOLL_TEST_ON_VALGRIND").is_some());
    }
}
