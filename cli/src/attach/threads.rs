//! Which thread is asked: one that sleeps in a system call around which libc holds no lock, so that it may load a
//! library then and there.

use std::fs;
use std::os::unix::fs::FileTypeExt;

use crate::procfs::names;

/// `FUTEX_WAIT_BITSET`: conditions, semaphores and parked threads wait so. libc's own locks wait by `FUTEX_WAIT`.
const FUTEX_WAIT_BITSET: u64 = 9;
/// The operation's flags: private, and which clock.
const FUTEX_FLAGS: u64 = 128 | 256;

/// A thread that may be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Candidate {
    /// Lower is better; None: it runs, or sleeps elsewhere.
    rank: Option<u8>,
    is_asleep: bool,
    pub tid: u32,
}

impl Candidate {
    /// Whether it sleeps in a safe call.
    pub fn is_safe(&self) -> bool {
        self.rank.is_some()
    }

    /// Whether it sleeps in an epoll_wait with a timeout.
    pub fn is_timed(&self) -> bool {
        self.rank == Some(TIMED)
    }

    /// Whether it may come to a safe call soon: it runs, or the kernel does not tell.
    pub fn is_awake(&self) -> bool {
        !self.is_asleep
    }
}

/// The threads of a process, the best first.
pub fn candidates(pid: u32) -> Vec<Candidate> {
    let threads = names::threads(pid).into_iter();
    let mut all: Vec<Candidate> = threads.filter_map(|(tid, _)| look(pid, tid)).collect();
    all.sort_by_key(|one| (one.rank.is_none(), one.rank, one.is_asleep, one.tid != pid, one.tid));
    all
}

fn look(pid: u32, tid: u32) -> Option<Candidate> {
    let stat = names::read(format!("/proc/{pid}/task/{tid}/stat"))?;
    let state = stat.rsplit(')').next()?.split_whitespace().next()?.to_owned();
    if matches!(state.as_str(), "Z" | "X" | "T" | "t") {
        return None;
    }
    let is_asleep = state == "S";
    let call = names::read(format!("/proc/{pid}/task/{tid}/syscall")).filter(|_| is_asleep);
    let rank =
        call.and_then(|text| parse(&text)).and_then(|(number, arguments)| rank(pid, number, &arguments));
    Some(Candidate { rank, is_asleep, tid })
}

/// `232 0x5 0x7ffd… …`
pub fn parse(text: &str) -> Option<(u64, [u64; 6])> {
    let mut words = text.split_ascii_whitespace();
    let number = words.next()?.parse().ok()?;
    let mut arguments = [0; 6];
    for argument in &mut arguments {
        *argument = u64::from_str_radix(words.next()?.strip_prefix("0x")?, 16).ok()?;
    }
    Some((number, arguments))
}

/// The rank of an epoll_wait with a timeout in milliseconds.
const TIMED: u8 = 4;
/// A shorter timeout may begin anew.
const SHORT: i32 = 100;

fn rank_of_wait(timeout: i32) -> u8 {
    match timeout {
        ..=0 => 0,
        1..=SHORT => 3,
        _ => TIMED,
    }
}

/// How well a thread suits that is in this call; None: it may not be asked. First come the calls that keep their
/// deadline when they are interrupted and made once more, or have none.
pub fn rank(pid: u32, number: u64, arguments: &[u64; 6]) -> Option<u8> {
    match i64::try_from(number).ok()? {
        #[cfg(target_arch = "x86_64")]
        libc::SYS_epoll_wait => Some(rank_of_wait(arguments[3] as i32)),
        libc::SYS_epoll_pwait => Some(rank_of_wait(arguments[3] as i32)),
        libc::SYS_epoll_pwait2 => Some(if arguments[3] != 0 { 8 } else { 0 }),
        #[cfg(target_arch = "x86_64")]
        libc::SYS_poll | libc::SYS_select => Some(1),
        libc::SYS_ppoll | libc::SYS_pselect6 => Some(1),
        libc::SYS_futex => (arguments[1] & !FUTEX_FLAGS == FUTEX_WAIT_BITSET).then_some(2),
        // A sleep, a poll or a wait by futex that goes on up to its first deadline: no lock of libc's has one.
        libc::SYS_nanosleep | libc::SYS_clock_nanosleep | libc::SYS_restart_syscall => Some(3),
        // A read of a file may be the loader's own.
        libc::SYS_read => is_stream(pid, arguments[0]).then_some(5),
        libc::SYS_accept | libc::SYS_accept4 | libc::SYS_recvfrom | libc::SYS_recvmsg => Some(6),
        // A parent waits for its children, or for signals, as the master of nginx does.
        libc::SYS_wait4 | libc::SYS_waitid | libc::SYS_rt_sigsuspend | libc::SYS_rt_sigtimedwait => Some(7),
        #[cfg(target_arch = "x86_64")]
        libc::SYS_pause => Some(7),
        _ => None,
    }
}

/// A pipe, a socket, a terminal, an eventfd and the like.
fn is_stream(pid: u32, fd: u64) -> bool {
    let Ok(meta) = fs::metadata(format!("/proc/{pid}/fd/{}", fd as i32)) else { return false };
    let kind = meta.file_type();
    !kind.is_file() && !kind.is_dir() && !kind.is_block_device()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_safe_and_locks_and_files_are_not() {
        let me = std::process::id();
        let rank = |number: i64, arguments: &[u64; 6]| rank(me, number as u64, arguments);
        assert_eq!(rank(libc::SYS_epoll_pwait, &[5, 0, 1, 0, 0, 8]), Some(0));
        assert_eq!(rank(libc::SYS_epoll_pwait, &[5, 0, 1, u64::from(u32::MAX), 0, 8]), Some(0));
        assert_eq!(rank(libc::SYS_epoll_pwait, &[5, 0, 1, 1000, 0, 8]), Some(TIMED));
        assert_eq!(rank(libc::SYS_futex, &[0x7000, 393, 0, 0, 0, u64::from(u32::MAX)]), Some(2));
        assert_eq!(rank(libc::SYS_futex, &[0x7000, 128, 2, 0, 0, 0]), None);
        assert_eq!(rank(libc::SYS_openat, &[0; 6]), None);
        let (pipe, _writer) = std::io::pipe().unwrap();
        let file = std::fs::File::open("/proc/self/exe").unwrap();
        use std::os::fd::AsRawFd;
        assert_eq!(rank(libc::SYS_read, &[pipe.as_raw_fd() as u64, 0, 1, 0, 0, 0]), Some(5));
        assert_eq!(rank(libc::SYS_read, &[file.as_raw_fd() as u64, 0, 1, 0, 0, 0]), None);
        assert_eq!(rank(libc::SYS_read, &[9999, 0, 1, 0, 0, 0]), None);
    }

    #[test]
    fn the_call_of_a_thread_is_read() {
        let text = "232 0x5 0x7ffd00000000 0x1 0xffffffffffffffff 0x0 0x8 0x7ffd11111111 0x7f0000000000\n";
        assert_eq!(parse(text), Some((232, [5, 0x7ffd_0000_0000, 1, u64::MAX, 0, 8])));
        for text in ["running", "", "-1 0x7ffd 0x0", "7 0x1"] {
            assert_eq!(parse(text), None);
        }
    }

    #[test]
    fn our_own_sleeping_thread_is_a_candidate() {
        let (mut reader, writer) = std::io::pipe().unwrap();
        let thread = std::thread::spawn(move || {
            use std::io::Read;
            let _ = reader.read(&mut [0]);
        });
        let me = std::process::id();
        let can_ask = fs::read_to_string(format!("/proc/self/task/{me}/syscall")).is_ok();
        while can_ask && !candidates(me).iter().any(Candidate::is_safe) {
            std::thread::yield_now();
        }
        drop(writer);
        thread.join().unwrap();
    }
}
