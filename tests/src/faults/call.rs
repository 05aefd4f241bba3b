//! A system call of the library's, as far as faults distinguish it: its number, and what it is asked to do.

use crate::syscall_names;
use std::fmt;

/// A system call of the library's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Call {
    number: i64,
    /// What distinguishes calls of one number: fcntl's command, futex's operation, and so on; 0 if nothing does.
    what: u64,
}

/// None of the other values.
const OTHER: u64 = u64::MAX;

impl Call {
    /// From the number and the arguments.
    pub fn new(number: i64, args: [u64; 6]) -> Self {
        let what = match number {
            libc::SYS_fcntl | libc::SYS_ioctl => args[1] & 0xffff_ffff,
            libc::SYS_futex => args[1] & 0x7f,
            // Set or get.
            libc::SYS_prlimit64 => u64::from(args[2] != 0) | (args[1] << 8),
            // Changes the mask, or only tests whether memory can be read.
            libc::SYS_rt_sigprocmask => u64::from(args[0] > 2),
            // Makes one, or changes its mask.
            libc::SYS_signalfd4 => u64::from(args[0] as i32 >= 0),
            libc::SYS_kcmp | libc::SYS_getsockopt => args[2],
            // A read or write of 8 bytes is one of an eventfd.
            libc::SYS_read | libc::SYS_write => u64::from(args[2] == 8),
            libc::SYS_mmap => u64::from(args[4] as i32 >= 0),
            _ => 0,
        };
        Self { number, what }
    }

    /// A call that libc made for the library.
    pub fn through_libc(number: i64) -> Self {
        Self { number, what: OTHER }
    }

    /// Every kind of call into which a fault can be injected.
    pub fn kinds() -> Vec<Self> {
        let both: &[u64] = &[0, 1];
        let mut kinds = Vec::new();
        for number in OF_THE_LIBRARY {
            let whats: Vec<u64> = match *number {
                libc::SYS_fcntl => FCNTL.iter().map(|(cmd, _)| *cmd as u64).collect(),
                libc::SYS_ioctl => vec![libc::FIOASYNC, libc::FIONREAD, libc::TCGETS],
                libc::SYS_prlimit64 => {
                    let [files, sizes] =
                        [libc::RLIMIT_NOFILE, libc::RLIMIT_FSIZE].map(|limit| u64::from(limit) << 8);
                    vec![files, files | 1, sizes]
                }
                libc::SYS_mmap => vec![0, 1, OTHER],
                libc::SYS_futex
                | libc::SYS_rt_sigprocmask
                | libc::SYS_signalfd4
                | libc::SYS_read
                | libc::SYS_write => both.to_vec(),
                _ => vec![0],
            };
            kinds.extend(whats.into_iter().map(|what| Self { number: *number, what }));
        }
        kinds.retain(|kind| !kind.errnos().is_empty() || !kind.refusals().is_empty());
        kinds
    }

    /// The errors that it may give once, after which everything works as before: from the manual pages and the kernel's
    /// source. Errors that it gives only for wrong arguments, or for what is not there, are left out: no kernel would
    /// give them here.
    #[allow(non_upper_case_globals)]
    pub fn errnos(self) -> &'static [i32] {
        use libc::*;
        match (self.number, self.what) {
            (SYS_signalfd4 | SYS_eventfd2, 0) => &[EMFILE, ENFILE, ENOMEM, ENODEV],
            (SYS_memfd_create, _) => &[EMFILE, ENFILE, ENOMEM, EACCES],
            (SYS_openat, _) => &[EMFILE, ENFILE, ENOMEM, EACCES, ENOENT, EINTR, EROFS, ENOSPC],
            (SYS_socket, _) => &[EMFILE, ENFILE, ENOBUFS, EAFNOSUPPORT],
            (SYS_fcntl, cmd) => match cmd as i32 {
                F_DUPFD_CLOEXEC => &[EMFILE, EINVAL],
                10 => &[EINVAL],
                15 => &[ESRCH, EPERM, EINVAL],
                1033 => &[EBUSY, EPERM, EINVAL],
                _ => &[],
            },
            (SYS_ioctl, libc::FIOASYNC) => &[ENOMEM, ENOTTY],
            (SYS_ioctl, TCGETS | FIONREAD) => &[ENOTTY, EIO],
            (SYS_fstat, _) => &[ENOMEM, EOVERFLOW],
            (SYS_fstatfs, _) => &[ENOMEM, EIO, ENOSYS, EINTR],
            (SYS_getsockopt, _) => &[ENOPROTOOPT, ENOBUFS, ENOTCONN],
            (SYS_poll | SYS_ppoll, _) => &[ENOMEM, EINTR],
            (SYS_pselect6, _) => &[ENOMEM, EINTR],
            (SYS_read, _) => &[EAGAIN, EINTR, EIO],
            // The errors that a write to a log file may give.
            (SYS_write, 0) => &[ENOSPC, EDQUOT, EIO, EFBIG, EPIPE, EAGAIN, EINTR],
            (SYS_futex, 0) => &[EAGAIN, EINTR],
            (SYS_rt_tgsigqueueinfo, _) => &[EAGAIN],
            (SYS_prlimit64, _) => &[EPERM, EINVAL],
            (SYS_getdents64, _) => &[ENOENT, ENOMEM, EIO],
            (SYS_readlinkat, _) => &[EACCES, ENOENT, ENOMEM],
            (SYS_mmap | SYS_mremap, _) => &[ENOMEM, EAGAIN, EPERM],
            (SYS_madvise, _) => &[EINVAL, ENOMEM, EAGAIN],
            (SYS_ftruncate, _) => &[EFBIG, EINTR, EIO, EPERM],
            (SYS_fallocate, _) => &[ENOSPC, EINTR, EIO],
            (SYS_kcmp, _) => &[EPERM, ENOSYS],
            (SYS_connect, _) => &[EAGAIN, ECONNREFUSED, ENOENT, EACCES, EPERM],
            (SYS_sendmsg, _) => &[EAGAIN, ENOBUFS, ENOMEM, EPIPE, ETOOMANYREFS],
            (SYS_clone3, _) => &[EAGAIN, ENOMEM, EPERM, ENOSYS],
            (SYS_sched_getaffinity, _) => &[EINVAL, EPERM],
            _ => &[],
        }
    }

    /// The errors that a sandbox gives when it refuses the call. Empty if no program could go on without the call, or
    /// if the refusal looks like a failure of the program's own call.
    #[allow(non_upper_case_globals)]
    pub fn refusals(self) -> &'static [i32] {
        use libc::*;
        match self.number {
            // Libc cannot do without these calls, so no sandbox that leaves a program running refuses them.
            SYS_read | SYS_write | SYS_futex => &[],
            SYS_rt_sigprocmask if self.what == 0 => &[],
            // These cannot fail.
            SYS_close | SYS_getpid | SYS_gettid | SYS_getppid | SYS_geteuid | SYS_sched_yield
            | SYS_munmap => &[],
            SYS_mmap | SYS_mremap => &[ENOMEM],
            SYS_clone3 => &[EAGAIN, EPERM],
            _ => &[EPERM, ENOSYS],
        }
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = syscall_names::name(self.number);
        let what = match (self.number, self.what) {
            (libc::SYS_fcntl, what) => {
                FCNTL.iter().find(|(cmd, _)| *cmd as u64 == what).map(|(_, name)| *name)
            }
            (libc::SYS_ioctl, libc::FIOASYNC) => Some("FIOASYNC"),
            (libc::SYS_ioctl, libc::FIONREAD) => Some("FIONREAD"),
            (libc::SYS_ioctl, libc::TCGETS) => Some("TCGETS"),
            (libc::SYS_futex, 0) => Some("WAIT"),
            (libc::SYS_futex, 1) => Some("WAKE"),
            (libc::SYS_prlimit64, what) if what >> 8 != libc::RLIMIT_NOFILE as u64 => Some("RLIMIT_FSIZE"),
            (libc::SYS_prlimit64, what) => Some(if what & 1 != 0 { "set" } else { "get" }),
            (libc::SYS_rt_sigprocmask, what) => Some(if what == 0 { "mask" } else { "probe" }),
            (libc::SYS_signalfd4, what) => Some(if what == 0 { "make" } else { "change" }),
            (libc::SYS_read, what) => Some(if what == 1 { "eventfd" } else { "signalfd" }),
            (libc::SYS_write, what) => Some(if what == 1 { "eventfd" } else { "log" }),
            (libc::SYS_mmap, OTHER) => Some("stack"),
            (libc::SYS_mmap, what) => Some(if what == 1 { "record" } else { "memory" }),
            _ => None,
        };
        match name {
            Some(name) => f.write_str(name)?,
            None => write!(f, "call {}", self.number)?,
        }
        match what {
            Some(what) => write!(f, "({what})"),
            None if self.what != 0 && self.what != OTHER => write!(f, "({})", self.what),
            None => Ok(()),
        }
    }
}

const FCNTL: &[(i32, &str)] = &[
    (libc::F_DUPFD_CLOEXEC, "F_DUPFD_CLOEXEC"),
    (libc::F_GETFL, "F_GETFL"),
    (10, "F_SETSIG"),
    (11, "F_GETSIG"),
    (15, "F_SETOWN_EX"),
    (1027, "F_DUPFD_QUERY"),
    (1033, "F_ADD_SEALS"),
];

/// The calls that the library makes.
#[allow(non_upper_case_globals)]
const OF_THE_LIBRARY: &[i64] = {
    use libc::*;
    &[
        SYS_clone3,
        SYS_close,
        SYS_connect,
        SYS_eventfd2,
        SYS_fallocate,
        SYS_fcntl,
        SYS_fstat,
        SYS_fstatfs,
        SYS_ftruncate,
        SYS_futex,
        SYS_getcpu,
        SYS_getdents64,
        SYS_geteuid,
        SYS_getpid,
        SYS_getppid,
        SYS_getresuid,
        SYS_getsockopt,
        SYS_gettid,
        SYS_ioctl,
        SYS_kcmp,
        SYS_madvise,
        SYS_memfd_create,
        SYS_mmap,
        SYS_mremap,
        SYS_munmap,
        SYS_openat,
        SYS_poll,
        SYS_ppoll,
        SYS_prlimit64,
        SYS_pselect6,
        SYS_read,
        SYS_readlinkat,
        SYS_rt_sigpending,
        SYS_rt_sigprocmask,
        SYS_rt_sigtimedwait,
        SYS_rt_tgsigqueueinfo,
        SYS_sched_getaffinity,
        SYS_sched_yield,
        SYS_sendmsg,
        SYS_signalfd4,
        SYS_socket,
        SYS_tgkill,
        SYS_timerfd_create,
        SYS_write,
    ]
};
