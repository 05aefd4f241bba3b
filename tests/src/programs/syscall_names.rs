//! The names of the system calls that tests count.

macro_rules! names {
    ($($name:ident),* $(,)?) => { &[$((libc::$name, stringify!($name).split_at(4).1)),*] };
}

/// The name of the call with this number, if a test has met it.
pub fn name(number: i64) -> Option<&'static str> {
    NAMES.iter().chain(OLD_NAMES).find(|(known, _)| *known == number).map(|(_, name)| *name)
}

const NAMES: &[(i64, &str)] = names![
    SYS_accept4,
    SYS_brk,
    SYS_clock_nanosleep,
    SYS_clone3,
    SYS_close,
    SYS_connect,
    SYS_epoll_create1,
    SYS_epoll_ctl,
    SYS_epoll_pwait,
    SYS_epoll_pwait2,
    SYS_eventfd2,
    SYS_exit,
    SYS_exit_group,
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
    SYS_newfstatat,
    SYS_openat,
    SYS_ppoll,
    SYS_pread64,
    SYS_prlimit64,
    SYS_pselect6,
    SYS_read,
    SYS_readlinkat,
    SYS_recvfrom,
    SYS_recvmsg,
    SYS_restart_syscall,
    SYS_rt_sigaction,
    SYS_rt_sigpending,
    SYS_rt_sigprocmask,
    SYS_rt_sigsuspend,
    SYS_rt_sigtimedwait,
    SYS_rt_tgsigqueueinfo,
    SYS_sched_getaffinity,
    SYS_sched_yield,
    SYS_sendfile,
    SYS_sendmsg,
    SYS_sendto,
    SYS_setsockopt,
    SYS_shutdown,
    SYS_signalfd4,
    SYS_socket,
    SYS_statx,
    SYS_tgkill,
    SYS_timerfd_create,
    SYS_write,
    SYS_writev,
];

/// Calls that new architectures do not have.
#[cfg(target_arch = "x86_64")]
const OLD_NAMES: &[(i64, &str)] = names![SYS_epoll_wait, SYS_open, SYS_poll, SYS_stat];
#[cfg(not(target_arch = "x86_64"))]
const OLD_NAMES: &[(i64, &str)] = &[];
