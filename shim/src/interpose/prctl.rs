//! prctl(2): the calls after which a thread can no longer make records.

use libc::c_int;

use crate::process::{self, record};

/// Whether these arguments of prctl(2) forbid the thread to read the processor's counter. Every record needs it.
/// Linux: `kernel/seccomp.c:seccomp_set_mode_strict`, `arch/x86/kernel/process.c:set_tsc_mode`.
pub fn forbids_the_counter(option: usize, argument: usize) -> bool {
    const PR_SET_TSC: usize = 26;
    const PR_TSC_SIGSEGV: usize = 2;
    let strict = (libc::PR_SET_SECCOMP as usize, libc::SECCOMP_MODE_STRICT as usize);
    [strict, (PR_SET_TSC, PR_TSC_SIGSEGV)].contains(&(option, argument)) && !process::is_vfork_child()
}

crate::interpose! {
    /// prctl(2). Variadic in C; arguments that the caller did not pass are not read.
    fn prctl(option: c_int, a: usize, b: usize, c: usize, d: usize) -> c_int |real| {
        let forbids = forbids_the_counter(option as usize, a);
        // SAFETY: libc's own function; no destructor in this frame.
        let done = unsafe { real()(option, a, b, c, d) };
        if forbids && done == 0 {
            record::end();
        }
        done
    }
}
