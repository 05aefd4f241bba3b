//! The system calls.

use libc::{c_int, pollfd, signalfd_siginfo};
use syscalls::Sysno;

use super::{lock, sleep, Held, Open, Sleep, Sort};
use crate::sys::{Errno, F_SETOWN_EX, F_SETSIG};
use crate::uapi::*;

const SIGNAL: u32 = 64;

/// # Safety
/// As for the system call.
pub(crate) unsafe fn syscall(nr: usize, args: [usize; 6]) -> Result<usize, Errno> {
    let [a, b, c, d, ..] = args;
    let fd = a as i32;
    match Sysno::new(nr) {
        // SAFETY (all below): the caller's pointers, as the call has them.
        Some(Sysno::read) => unsafe { read(fd, b as *mut u8, c) },
        Some(Sysno::write) => write(fd),
        Some(Sysno::ppoll) => {
            // SAFETY: as above.
            let timeout = unsafe { (c as *const libc::timespec).as_ref() };
            let timeout = timeout.map(|time| time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64);
            // SAFETY: as above.
            ppoll(unsafe { std::slice::from_raw_parts_mut(a as *mut pollfd, b) }, timeout)
        }
        // SAFETY: as above.
        Some(Sysno::poll) => ppoll(unsafe { std::slice::from_raw_parts_mut(a as *mut pollfd, b) }, Some(0)),
        Some(Sysno::eventfd2) => Ok(make(Open::Event(0))),
        Some(Sysno::signalfd4) if fd < 0 => Ok(make(Open::Signals)),
        Some(Sysno::signalfd4) => Ok(a),
        // SAFETY: as above.
        Some(Sysno::fcntl) => unsafe { fcntl(fd, b as c_int, c) },
        // SAFETY: as above.
        Some(Sysno::ioctl) => unsafe { ioctl(fd, b as u64, c) },
        // SAFETY: as above.
        Some(Sysno::fstat) => unsafe { fstat(fd, b as *mut libc::stat) },
        // SAFETY: as above.
        Some(Sysno::getsockopt) => unsafe { getsockopt(fd, c as c_int, d as *mut u8, args[4] as *mut u32) },
        Some(Sysno::close) => lock().numbers.remove(&fd).map(|_| 0).ok_or(Errno::EBADF),
        Some(Sysno::prlimit64) => {
            if d != 0 {
                // SAFETY: as above.
                unsafe { (d as *mut [u64; 2]).write([64, 128]) };
            }
            Ok(0)
        }
        Some(Sysno::rt_sigpending) => {
            let state = lock();
            let some = u64::from(!state.signals.is_empty() || state.sigio);
            // SAFETY: as above.
            unsafe { (a as *mut u64).write(some << (SIGNAL - 1)) };
            Ok(0)
        }
        Some(Sysno::rt_sigprocmask | Sysno::sched_yield) => Ok(0),
        Some(Sysno::sched_getaffinity) => Ok(0),
        Some(Sysno::getpid) => Ok(1),
        Some(Sysno::openat | Sysno::readlinkat) => Err(Errno::ENOENT),
        Some(Sysno::kcmp) => Err(Errno::EPERM),
        other => panic!("the kernel of the models has no {other:?}"),
    }
}

/// The lowest free fd from `floor` on.
fn number(state: &mut Held, floor: i32, at: usize) -> usize {
    let free = (floor..).find(|fd| !state.numbers.contains_key(fd)).unwrap_or(0);
    state.numbers.insert(free, at);
    free as usize
}

fn make(open: Open) -> usize {
    let mut state = lock();
    state.open.push(open);
    let at = state.open.len() - 1;
    number(&mut state, 100, at)
}

unsafe fn read(fd: i32, buf: *mut u8, len: usize) -> Result<usize, Errno> {
    const INFO: usize = size_of::<signalfd_siginfo>();
    let mut state = lock();
    let at = *state.numbers.get(&fd).ok_or(Errno::EBADF)?;
    match &mut state.open[at] {
        Open::Event(0) => Err(Errno::EAGAIN),
        Open::Event(count) => {
            *count = 0;
            Ok(8)
        }
        Open::Signals => {
            let mut read = 0;
            while read + INFO <= len {
                // SAFETY: all-zero bytes are a valid record.
                let mut info: signalfd_siginfo = unsafe { std::mem::zeroed() };
                if let Some((fd, band)) = state.signals.pop_front() {
                    (info.ssi_signo, info.ssi_fd, info.ssi_band) = (SIGNAL, fd, band);
                } else if std::mem::take(&mut state.sigio) {
                    info.ssi_signo = libc::SIGIO as u32;
                } else {
                    break;
                }
                // SAFETY: there is room for it.
                unsafe { buf.add(read).cast::<signalfd_siginfo>().write_unaligned(info) };
                read += INFO;
            }
            if read == 0 {
                Err(Errno::EAGAIN)
            } else {
                Ok(read)
            }
        }
        Open::Watched(_) => Err(Errno::EAGAIN),
    }
}

fn write(fd: i32) -> Result<usize, Errno> {
    let mut state = lock();
    let at = *state.numbers.get(&fd).ok_or(Errno::EBADF)?;
    if let Open::Event(count) = &mut state.open[at] {
        *count += 1;
        state.ring(at, EPOLLIN);
    }
    Ok(8)
}

fn ppoll(fds: &mut [pollfd], timeout: Option<u64>) -> Result<usize, Errno> {
    let mut state = lock();
    loop {
        let mut count = 0;
        let mut files = Vec::new();
        for pollfd in fds.iter_mut() {
            pollfd.revents = 0;
            if pollfd.fd < 0 {
                continue;
            }
            let events = pollfd.events as u16 as u32 | EPOLLERR | EPOLLHUP | EPOLLNVAL;
            let (file, ready) = state.ready(pollfd.fd);
            pollfd.revents = (ready & events) as i16;
            count += usize::from(pollfd.revents != 0);
            files.extend(file.map(|file| (file, events)));
        }
        if count != 0 || timeout == Some(0) {
            return Ok(count);
        }
        let woken;
        (state, woken) = sleep(state, Sleep::Poll(files), timeout);
        if !woken {
            return Ok(0);
        }
    }
}

unsafe fn fcntl(fd: i32, cmd: c_int, arg: usize) -> Result<usize, Errno> {
    let mut state = lock();
    let at = *state.numbers.get(&fd).ok_or(Errno::EBADF)?;
    if cmd == libc::F_DUPFD_CLOEXEC {
        return Ok(number(&mut state, arg as i32, at));
    }
    let Some(file) = state.watched(at) else { return Err(Errno::EINVAL) };
    match cmd {
        libc::F_GETFL => Ok(if file.fasync.is_some() { libc::O_ASYNC as usize } else { 0 }),
        F_SETSIG => Ok(0),
        F_SETOWN_EX => {
            // SAFETY: the caller's promise.
            file.owner = unsafe { (arg as *const [i32; 2]).read() }[1];
            Ok(0)
        }
        other => panic!("the kernel of the models has no fcntl {other}"),
    }
}

unsafe fn ioctl(fd: i32, request: u64, arg: usize) -> Result<usize, Errno> {
    let mut state = lock();
    let at = *state.numbers.get(&fd).ok_or(Errno::EBADF)?;
    let Some(file) = state.watched(at) else { return Err(Errno::ENOTTY) };
    match request {
        libc::FIOASYNC => {
            // SAFETY: the caller's promise.
            let on = unsafe { (arg as *const c_int).read() } != 0;
            file.fasync = on.then_some(fd);
            Ok(0)
        }
        libc::FIONREAD => {
            // SAFETY: the caller's promise.
            unsafe { (arg as *mut c_int).write(file.received as c_int) };
            Ok(0)
        }
        _ => Err(Errno::ENOTTY),
    }
}

unsafe fn fstat(fd: i32, stat: *mut libc::stat) -> Result<usize, Errno> {
    let mut state = lock();
    let at = *state.numbers.get(&fd).ok_or(Errno::EBADF)?;
    let mode = match state.watched(at).map(|file| file.sort) {
        Some(Sort::Pipe) => libc::S_IFIFO,
        Some(Sort::Tcp) => libc::S_IFSOCK,
        None => 0,
    };
    // SAFETY: the caller's promise.
    unsafe { (*stat).st_mode = mode };
    Ok(0)
}

unsafe fn getsockopt(fd: i32, name: c_int, value: *mut u8, len: *mut u32) -> Result<usize, Errno> {
    let mut state = lock();
    let at = *state.numbers.get(&fd).ok_or(Errno::EBADF)?;
    let file = state.watched(at).filter(|file| file.sort == Sort::Tcp).ok_or(Errno::ENOTSOCK)?;
    let answer = match name {
        libc::SO_TYPE => libc::SOCK_STREAM,
        libc::SO_DOMAIN => libc::AF_INET,
        libc::SO_ACCEPTCONN => 0,
        libc::TCP_INFO => {
            // SAFETY: the caller's promise; `tcpi_bytes_received` is its last eight bytes.
            unsafe {
                value.write(1);
                value.add(*len as usize - 8).cast::<u64>().write_unaligned(file.received);
            }
            return Ok(0);
        }
        other => panic!("the kernel of the models has no getsockopt {other}"),
    };
    // SAFETY: the caller's promise.
    unsafe { value.cast::<c_int>().write_unaligned(answer) };
    Ok(0)
}
