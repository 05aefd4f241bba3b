//! What is tried, each in a child of its own.

use std::mem::MaybeUninit;
use std::ptr;

use super::child::{errno, in_child, Tried};

const F_SETSIG: i32 = 10;
/// Linux 6.10.
const F_DUPFD_QUERY: i32 = 1027;
const KCMP_FILE: i32 = 0;
/// How long a signal of a file may be on its way.
const SIGNAL_MS: i32 = 200;

fn done(result: i64) -> Result<i64, i32> {
    if result < 0 {
        Err(errno())
    } else {
        Ok(result)
    }
}

fn pipe() -> Result<[i32; 2], i32> {
    let mut ends = [0; 2];
    // SAFETY: the pointer is to two numbers.
    done(unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC | libc::O_NONBLOCK) }.into())?;
    Ok(ends)
}

/// A signalfd of the library's signal, which is blocked.
fn signals() -> Result<i32, i32> {
    let mut set = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: the set is emptied first, and lives; the calls change this process, a child, alone.
    let fd = unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        libc::sigaddset(set.as_mut_ptr(), libc::SIGRTMAX());
        libc::sigprocmask(libc::SIG_BLOCK, set.as_ptr(), ptr::null_mut());
        libc::signalfd(-1, set.as_ptr(), libc::SFD_CLOEXEC | libc::SFD_NONBLOCK)
    };
    done(fd.into()).map(|fd| fd as i32)
}

/// The kernel's epoll.
pub fn epoll() -> Tried {
    in_child(|| {
        let [reads, _] = pipe()?;
        // SAFETY: numbers, and a pointer to a local.
        unsafe {
            let set = done(libc::syscall(libc::SYS_epoll_create1, libc::EPOLL_CLOEXEC))?;
            let mut event = libc::epoll_event { events: libc::EPOLLIN as u32, u64: 0 };
            done(libc::syscall(libc::SYS_epoll_ctl, set, libc::EPOLL_CTL_ADD, reads, &mut event))?;
            done(libc::syscall(libc::SYS_epoll_pwait, set, &mut event, 1, 0, 0usize, 8)).map(drop)
        }
    })
}

pub fn signalfd() -> Tried {
    in_child(|| signals().map(drop))
}

/// Whether a file tells of a wakeup by a signal that is read from a signalfd.
pub fn signals_of_files() -> Tried {
    in_child(|| {
        let ([reads, writes], signalfd) = (pipe()?, signals()?);
        // SAFETY: numbers, and pointers to locals.
        unsafe {
            done(libc::fcntl(reads, F_SETSIG, libc::SIGRTMAX()).into())?;
            done(libc::fcntl(reads, libc::F_SETOWN, libc::getpid()).into())?;
            let on = 1i32;
            done(libc::ioctl(reads, libc::FIOASYNC, &on).into())?;
            done(libc::write(writes, b"!".as_ptr().cast(), 1) as i64)?;
            let mut polled = libc::pollfd { fd: signalfd, events: libc::POLLIN, revents: 0 };
            match done(libc::poll(&mut polled, 1, SIGNAL_MS).into())? {
                0 => Err(libc::ETIME),
                _ => Ok(()),
            }
        }
    })
}

pub fn eventfd() -> Tried {
    // SAFETY: two numbers.
    in_child(|| done(unsafe { libc::eventfd(0, libc::EFD_CLOEXEC) }.into()).map(drop))
}

/// Whether two descriptors can be told to be one file.
pub fn same_file() -> [Tried; 2] {
    let kcmp = in_child(|| {
        let [one, other] = pipe()?;
        // SAFETY: numbers alone.
        let order = unsafe {
            let me = libc::getpid();
            libc::syscall(libc::SYS_kcmp, me, me, KCMP_FILE, one, other)
        };
        done(order).map(drop)
    });
    let query = in_child(|| {
        let [one, other] = pipe()?;
        // SAFETY: numbers alone.
        done(unsafe { libc::fcntl(one, F_DUPFD_QUERY, other) }.into()).map(drop)
    });
    [kcmp, query]
}

/// A memory file of fixed size, sealed.
pub fn seals() -> Tried {
    in_child(|| {
        // SAFETY: a string, numbers.
        unsafe {
            let fd =
                libc::memfd_create(c"glasspoll-probe".as_ptr(), libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING);
            done(fd.into())?;
            done(libc::ftruncate(fd, 4096).into())?;
            done(libc::fcntl(fd, libc::F_ADD_SEALS, libc::F_SEAL_SHRINK | libc::F_SEAL_GROW).into()).map(drop)
        }
    })
}

pub fn threads() -> Tried {
    in_child(|| {
        let begun = std::thread::Builder::new().spawn(|| {});
        let thread = begun.map_err(|error| error.raw_os_error().unwrap_or(libc::EAGAIN))?;
        thread.join().map_err(|_| libc::EIO)
    })
}

/// A descriptor of another process, which is a child here.
pub fn files_of_others() -> Tried {
    in_child(|| {
        let [reads, _] = pipe()?;
        let child = sleeper()?;
        // SAFETY: numbers alone.
        let copied = unsafe {
            let pidfd = libc::syscall(libc::SYS_pidfd_open, child, 0);
            done(pidfd).and_then(|pidfd| done(libc::syscall(libc::SYS_pidfd_getfd, pidfd, reads, 0)))
        };
        end(child);
        copied.map(drop)
    })
}

/// Tracing a child. Whether Yama lets others be traced its setting tells.
pub fn tracing() -> Tried {
    in_child(|| {
        let child = sleeper()?;
        // SAFETY: numbers alone; the child ends below.
        let seized = done(unsafe { libc::ptrace(libc::PTRACE_SEIZE, child, 0usize, 0usize) });
        end(child);
        seized.map(drop)
    })
}

/// A child that sleeps.
fn sleeper() -> Result<i32, i32> {
    // SAFETY: this process has one thread.
    match unsafe { libc::fork() } {
        // SAFETY: it sleeps until it is killed; a minute at most, should that fail.
        0 => unsafe {
            libc::alarm(60);
            libc::pause();
            libc::_exit(0)
        },
        child => done(child.into()).map(|child| child as i32),
    }
}

fn end(child: i32) {
    // SAFETY: our own child, which nothing has waited for.
    unsafe {
        libc::kill(child, libc::SIGKILL);
        libc::waitpid(child, ptr::null_mut(), 0);
    }
}
