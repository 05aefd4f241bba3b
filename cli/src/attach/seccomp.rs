//! A seccomp filter, read from the kernel and asked what it does with the calls that loading and observing need. A call
//! that a filter forbids may kill the process, so it is not tried.
//!
//! A filter is classic BPF over a `seccomp_data`. Linux: `kernel/seccomp.c:seccomp_check_filter` has the instructions.

use libc::sock_filter;

#[cfg(target_arch = "x86_64")]
use super::{refusal::Seccomp, tracer::Tracee};

/// A private anonymous mapping; of a library's code; a library is opened without more.
const CALLS: [(&str, i64, [u64; 6]); 25] = [
    ("rt_sigprocmask", libc::SYS_rt_sigprocmask, [0, 0, 0, 8, 0, 0]),
    ("mmap", libc::SYS_mmap, [0, 1 << 19, 3, 0x24022, u64::MAX, 0]),
    ("mmap of code", libc::SYS_mmap, [0, 1 << 20, 5, 0x802, 3, 0]),
    ("munmap", libc::SYS_munmap, [0x7000_0000_0000, 1 << 19, 0, 0, 0, 0]),
    ("mprotect", libc::SYS_mprotect, [0x7000_0000_0000, 4096, 3, 0, 0, 0]),
    ("openat", libc::SYS_openat, [0xffff_ff9c, 0x7000_0000_0000, 0x8_0000, 0, 0, 0]),
    ("read", libc::SYS_read, [3, 0x7000_0000_0000, 832, 0, 0, 0]),
    ("newfstatat", libc::SYS_newfstatat, [3, 0x7000_0000_0000, 0x7000_0000_0000, 0x1000, 0, 0]),
    ("fstat", libc::SYS_fstat, [3, 0x7000_0000_0000, 0, 0, 0, 0]),
    ("close", libc::SYS_close, [3, 0, 0, 0, 0, 0]),
    ("futex", libc::SYS_futex, [0x7000_0000_0000, 129, 1, 0, 0, 0]),
    ("memfd_create", libc::SYS_memfd_create, [0x7000_0000_0000, 3, 0, 0, 0, 0]),
    ("ftruncate", libc::SYS_ftruncate, [3, 1 << 20, 0, 0, 0, 0]),
    ("fcntl", libc::SYS_fcntl, [3, 1033, 7, 0, 0, 0]),
    ("getdents64", libc::SYS_getdents64, [3, 0x7000_0000_0000, 32768, 0, 0, 0]),
    ("readlinkat", libc::SYS_readlinkat, [0xffff_ff9c, 0x7000_0000_0000, 0x7000_0000_0000, 4096, 0, 0]),
    ("gettid", libc::SYS_gettid, [0; 6]),
    ("brk", libc::SYS_brk, [0; 6]),
    ("getpid", libc::SYS_getpid, [0; 6]),
    ("getppid", libc::SYS_getppid, [0; 6]),
    ("madvise", libc::SYS_madvise, [0x7000_0000_0000, 4096, 18, 0, 0, 0]),
    ("prlimit64", libc::SYS_prlimit64, [0, 7, 0, 0x7000_0000_0000, 0, 0]),
    ("getrandom", libc::SYS_getrandom, [0x7000_0000_0000, 16, 1, 0, 0, 0]),
    ("kcmp", libc::SYS_kcmp, [1, 1, 0, 3, 4, 0]),
    ("clock_gettime", libc::SYS_clock_gettime, [1, 0x7000_0000_0000, 0, 0, 0, 0]),
];

#[cfg(target_arch = "x86_64")]
const ARCH: u32 = 0xc000_003e;
#[cfg(not(target_arch = "x86_64"))]
const ARCH: u32 = 0xc000_00b7;
const DATA: usize = 64;
/// The words of memory that a filter has.
const SCRATCH: usize = 16;
const ALLOW: u32 = libc::SECCOMP_RET_ALLOW;
const LOG: u32 = libc::SECCOMP_RET_LOG;

/// Asks the filters of a stopped thread.
#[cfg(target_arch = "x86_64")]
pub fn check(tracee: &Tracee) -> Result<(), Seccomp> {
    let mut forbidden = Vec::new();
    for number in 0.. {
        match tracee.filter(number) {
            Ok(Some(filter)) => forbidden.extend(forbids(&filter)),
            Ok(None) => break,
            Err(()) => return Err(Seccomp::Unread),
        }
    }
    forbidden.dedup();
    forbidden.is_empty().then_some(()).ok_or(Seccomp::Forbids(forbidden))
}

/// The calls that a filter does not simply let through.
pub fn forbids(filter: &[sock_filter]) -> Vec<&'static str> {
    let is_let_through = |number: i64, arguments: &[u64; 6]| {
        let action = run(filter, &data(number as u32, arguments));
        action.is_some_and(|action| [ALLOW, LOG].contains(&(action & libc::SECCOMP_RET_ACTION_FULL)))
    };
    let all = CALLS.iter().filter(|(_, number, arguments)| !is_let_through(*number, arguments));
    all.map(|(name, ..)| *name).collect()
}

/// A `seccomp_data`.
fn data(number: u32, arguments: &[u64; 6]) -> [u8; DATA] {
    let mut data = [0; DATA];
    data[..4].copy_from_slice(&number.to_ne_bytes());
    data[4..8].copy_from_slice(&ARCH.to_ne_bytes());
    for (to, argument) in data[16..].chunks_exact_mut(8).zip(arguments) {
        to.copy_from_slice(&argument.to_ne_bytes());
    }
    data
}

/// What a filter says; None: it makes no sense.
fn run(filter: &[sock_filter], data: &[u8; DATA]) -> Option<u32> {
    let (mut a, mut x, mut at) = (0u32, 0u32, 0usize);
    let mut memory = [0u32; SCRATCH];
    loop {
        // A filter only jumps forward, so this ends.
        let step = filter.get(at)?;
        at += 1;
        let (code, k) = (u32::from(step.code), step.k);
        let operand = if code & libc::BPF_X != 0 { x } else { k };
        match code & 7 {
            libc::BPF_LD | libc::BPF_LDX => {
                let value = match code & 0xe0 {
                    libc::BPF_ABS => u32::from_ne_bytes(*data.get(k as usize..)?.first_chunk()?),
                    libc::BPF_IMM => k,
                    libc::BPF_MEM => *memory.get(k as usize)?,
                    libc::BPF_LEN => DATA as u32,
                    _ => return None,
                };
                *(if code & 7 == libc::BPF_LD { &mut a } else { &mut x }) = value;
            }
            libc::BPF_ST => *memory.get_mut(k as usize)? = a,
            libc::BPF_STX => *memory.get_mut(k as usize)? = x,
            libc::BPF_ALU => {
                a = match code & 0xf0 {
                    libc::BPF_ADD => a.wrapping_add(operand),
                    libc::BPF_SUB => a.wrapping_sub(operand),
                    libc::BPF_MUL => a.wrapping_mul(operand),
                    libc::BPF_DIV => a.checked_div(operand)?,
                    libc::BPF_OR => a | operand,
                    libc::BPF_AND => a & operand,
                    libc::BPF_LSH => a.checked_shl(operand)?,
                    libc::BPF_RSH => a.checked_shr(operand)?,
                    libc::BPF_NEG => a.wrapping_neg(),
                    libc::BPF_XOR => a ^ operand,
                    _ => return None,
                }
            }
            libc::BPF_JMP => {
                let holds = match code & 0xf0 {
                    libc::BPF_JA => {
                        at = at.checked_add(k as usize)?;
                        continue;
                    }
                    libc::BPF_JEQ => a == operand,
                    libc::BPF_JGT => a > operand,
                    libc::BPF_JGE => a >= operand,
                    libc::BPF_JSET => a & operand != 0,
                    _ => return None,
                };
                at += usize::from(if holds { step.jt } else { step.jf });
            }
            libc::BPF_RET => return Some(if code & 0x18 == 0x10 { a } else { k }),
            _ if code & 0xf8 == 0x80 => a = x,
            _ => x = a,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(code: u32, k: u32, jt: u8, jf: u8) -> sock_filter {
        sock_filter { code: code as u16, jt, jf, k }
    }

    fn load(at: u32) -> sock_filter {
        step(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, at, 0, 0)
    }

    const EQUAL: u32 = libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K;
    const RETURN: u32 = libc::BPF_RET | libc::BPF_K;

    #[test]
    fn a_filter_says_which_calls_it_forbids() {
        let kill = step(RETURN, libc::SECCOMP_RET_KILL_PROCESS, 0, 0);
        let allow = step(RETURN, ALLOW, 0, 0);
        assert_eq!(forbids(&[allow]), Vec::<&str>::new());
        assert_eq!(forbids(&[kill]).len(), CALLS.len());
        let no_openat = [load(0), step(EQUAL, libc::SYS_openat as u32, 0, 1), kill, allow];
        assert_eq!(forbids(&no_openat), ["openat"]);
        // No mapping may be run: the third argument.
        let no_code = [
            load(0),
            step(EQUAL, libc::SYS_mmap as u32, 0, 3),
            load(32),
            step(libc::BPF_JMP | libc::BPF_JSET | libc::BPF_K, 4, 0, 1),
            kill,
            allow,
        ];
        assert_eq!(forbids(&no_code), ["mmap of code"]);
        let other_machine = [load(4), step(EQUAL, ARCH, 1, 0), kill, allow];
        assert_eq!(forbids(&other_machine), Vec::<&str>::new());
    }

    #[test]
    fn a_filter_that_makes_no_sense_forbids_all() {
        for filter in [&[][..], &[load(61)], &[load(0)], &[step(EQUAL, 0, 200, 200)], &[step(7, 0, 0, 0)]] {
            assert_eq!(forbids(filter).len(), CALLS.len());
        }
    }
}
