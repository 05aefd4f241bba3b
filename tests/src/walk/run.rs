//! Runs a walk in this process, with a line of log for each step.
//!
//! The log shows each fd: the kernel and glasspoll must give out the same ones.

use std::fmt::Write as _;
use std::ptr;
use std::time::Duration;

use super::files::{connect, pass, Files};
use super::step::{Kind, Step, Work};
use super::terms::WIDE;
use libc::{c_int, c_void, epoll_event};

/// The descriptors made so far; -1 if making one failed.
struct Runner {
    fds: Vec<c_int>,
    log: String,
    files: Files,
}

/// Runs a walk; returns its log, one line for each step.
///
/// Closes every descriptor above 2 first, because the fds that a walk gets are part of it.
pub fn run(steps: &[Step]) -> String {
    // SAFETY: this process runs a walk alone, so no other code uses them.
    unsafe { libc::close_range(3, c_int::MAX as u32, 0) };
    let mut runner = Runner { fds: Vec::new(), log: String::new(), files: Files::new() };
    // A terminal hangs up without a signal, and new room in a full file causes a signal only at times.
    let unsignalled = |step: &Step| matches!(step, Step::Make(Kind::Pty) | Step::Fill { .. });
    let look = steps.iter().any(unsignalled);
    for (number, step) in steps.iter().enumerate() {
        let _ = write!(runner.log, "{number} {step}:");
        runner.step(*step);
        if look {
            runner.look();
        }
        runner.log.push('\n');
    }
    runner.log
}

fn errno() -> c_int {
    std::io::Error::last_os_error().raw_os_error().unwrap_or(0)
}

impl Runner {
    fn fd(&self, place: usize) -> c_int {
        self.fds.get(place).copied().unwrap_or(-1)
    }

    fn say(&mut self, result: impl Into<i64>) {
        let result = result.into();
        let _ = match result {
            -1 => write!(self.log, " -1 errno {}", errno()),
            _ => write!(self.log, " {result}"),
        };
    }

    fn step(&mut self, step: Step) {
        // SAFETY: every call gets live buffers and their lengths; descriptors may be any number.
        unsafe {
            match step {
                Step::Make(kind) => self.make(kind),
                Step::Ctl { ep, op, f, events, data } => {
                    let mut event = epoll_event { events, u64: data };
                    let result = libc::epoll_ctl(self.fd(ep), op, self.fd(f), &mut event);
                    self.say(result);
                }
                Step::CtlNull { ep, op, f } => {
                    let result = libc::epoll_ctl(self.fd(ep), op, self.fd(f), ptr::null_mut());
                    self.say(result);
                }
                Step::Wait { ep, max } => _ = self.wait(self.fd(ep), max, 0),
                Step::Sleep { ep, max } => _ = self.wait(self.fd(ep), max, 1),
                Step::Rounds { ep, max, waits } => self.rounds(self.fd(ep), max, waits),
                Step::WaitNull { ep } => {
                    let result = libc::epoll_wait(self.fd(ep), ptr::null_mut(), 4, 0);
                    self.say(result);
                }
                Step::Poll { f, events } => {
                    let mut pollfd = libc::pollfd { fd: self.fd(f), events, revents: 0 };
                    let result = libc::poll(&mut pollfd, 1, 0);
                    self.say(result);
                    let _ = write!(self.log, " {:#x}", pollfd.revents);
                }
                Step::Select { f } => self.select(self.fd(f)),
                Step::Write { f, bytes } => {
                    let result = put(self.fd(f), bytes);
                    self.say(result);
                }
                Step::Read { f, bytes } => {
                    let result = take(self.fd(f), bytes);
                    self.say(result);
                }
                Step::Fill { f } => {
                    fill(self.fd(f));
                    // How much fits depends on the available memory.
                    let _ = write!(self.log, " errno {}", errno());
                }
                Step::Drain { f } => {
                    let mut result;
                    loop {
                        result = take(self.fd(f), 65536);
                        if result <= 0 {
                            break;
                        }
                    }
                    self.say(result);
                }
                Step::Oob { f } => {
                    let result = libc::send(self.fd(f), c"!".as_ptr().cast(), 1, libc::MSG_OOB);
                    self.say(result as i64);
                }
                Step::Expire { f } => {
                    let result = expire(self.fd(f));
                    self.say(result);
                    self.look();
                }
                Step::Touch {} => self.files.touch(),
                Step::Connect { f } => {
                    let made = connect(self.fd(f));
                    self.fds.push(made);
                    self.say(made);
                }
                Step::Accept { f } => {
                    let made =
                        libc::accept4(self.fd(f), ptr::null_mut(), ptr::null_mut(), libc::SOCK_NONBLOCK);
                    self.fds.push(made);
                    self.say(made);
                }
                Step::Shutdown { f, how } => {
                    let result = libc::shutdown(self.fd(f), how);
                    self.say(result);
                }
                Step::Close { f } => {
                    let result = self.close(f);
                    self.say(result);
                }
                Step::Dup { f } => {
                    let result = libc::dup(self.fd(f));
                    self.fds.push(result);
                    self.say(result);
                }
                Step::DupFrom { f, from } => {
                    let result = libc::fcntl(self.fd(f), libc::F_DUPFD, from);
                    self.fds.push(result);
                    self.say(result);
                }
                Step::Pass { over, to, what } => {
                    let result = pass(self.fd(over), self.fd(to), self.fd(what));
                    self.fds.push(result);
                    self.say(result);
                }
                Step::Flags { f } => self.flags(self.fd(f)),
                Step::Dup2 { f, onto } => {
                    let (from, onto) = (self.fd(f), self.fd(onto));
                    let result = if from < 3 || onto < 3 { -2 } else { libc::dup2(from, onto) };
                    self.say(result);
                }
                Step::CloseRange { first, last } => self.close_range(first, last),
                Step::Fork { f, work } => self.fork(self.fd(f), work),
            }
        }
    }

    unsafe fn close(&self, place: usize) -> c_int {
        let fd = self.fd(place);
        // A second close is a test of EBADF, but fds 0, 1 and 2 are ours.
        if fd < 3 {
            -2
        } else {
            // SAFETY: a number.
            unsafe { libc::close(fd) }
        }
    }

    unsafe fn close_range(&mut self, first: usize, last: usize) {
        let (first, last) = (self.fd(first), self.fd(last));
        let result = match (3..=last).contains(&first) {
            // SAFETY: numbers.
            true => unsafe { libc::close_range(first as u32, last as u32, 0) },
            false => -2,
        };
        self.say(result);
    }

    unsafe fn make(&mut self, kind: Kind) {
        // SAFETY: plain calls that make descriptors.
        let made = unsafe { self.files.make(kind) };
        let made = &made[..kind.places()];
        self.fds.extend(made);
        let _ = write!(self.log, " {made:?}");
    }

    unsafe fn rounds(&mut self, epfd: c_int, max: c_int, waits: usize) {
        for _ in 0..waits {
            self.log.push_str(" |");
            // SAFETY: the call's own conditions are this function's.
            if unsafe { self.wait(epfd, max, 0) } <= 0 {
                break;
            }
        }
    }

    unsafe fn wait(&mut self, epfd: c_int, max: c_int, timeout: c_int) -> c_int {
        let mut events = [epoll_event { events: 0, u64: 0 }; WIDE as usize];
        let limit = if max > WIDE && max != c_int::MAX { WIDE } else { max };
        // SAFETY: the kernel refuses a `max` beyond the buffer.
        let result = unsafe { libc::epoll_wait(epfd, events.as_mut_ptr(), limit, timeout) };
        self.say(result);
        for event in events.iter().take(usize::try_from(result).unwrap_or(0)) {
            let (events, data) = (event.events, event.u64);
            let _ = write!(self.log, " {events:#x}/{data}");
        }
        result
    }

    unsafe fn select(&mut self, fd: c_int) {
        if !(0..1024).contains(&fd) {
            return self.say(-2);
        }
        // SAFETY: the sets are zeroed and hold fds up to 1023.
        unsafe {
            let mut read: libc::fd_set = std::mem::zeroed();
            libc::FD_SET(fd, &mut read);
            let mut none = libc::timeval { tv_sec: 0, tv_usec: 0 };
            let result = libc::select(fd + 1, &mut read, ptr::null_mut(), ptr::null_mut(), &mut none);
            self.say(result);
        }
    }

    /// Polls all descriptors for no event: a library that learns of timers by polling learns of one now, before the
    /// next step. Otherwise only the kernel would know in which order a timer and another event came.
    fn look(&self) {
        let errno = errno();
        for fd in &self.fds {
            let mut pollfd = libc::pollfd { fd: *fd, events: libc::POLLIN, revents: 0 };
            // SAFETY: one live entry.
            unsafe { libc::poll(&mut pollfd, 1, 0) };
        }
        // SAFETY: errno is this thread's own.
        unsafe { *libc::__errno_location() = errno };
    }

    unsafe fn flags(&mut self, fd: c_int) {
        let mut amount: c_int = 0;
        // SAFETY: FIONREAD stores a number.
        unsafe {
            for ask in [libc::F_GETFD, libc::F_GETFL, libc::F_GETOWN] {
                let answer = libc::fcntl(fd, ask);
                self.say(answer);
            }
            let answer = libc::ioctl(fd, libc::FIONREAD, &mut amount);
            self.say(answer);
        }
    }

    unsafe fn fork(&mut self, fd: c_int, work: Work) {
        // SAFETY: this process has one thread.
        let status = unsafe {
            match libc::fork() {
                0 => {
                    let result = match work {
                        Work::Write => i64::from(put(fd, 3) > 0),
                        Work::Watch => watch(fd),
                        Work::Close => 0,
                    };
                    for fd in &self.fds {
                        if *fd > 2 {
                            libc::close(*fd);
                        }
                    }
                    libc::_exit(result as c_int);
                }
                child => {
                    let mut status = 0;
                    libc::waitpid(child, &mut status, 0);
                    status
                }
            }
        };
        await_terminal(fd);
        self.say(status);
    }
}

/// What a new epoll reports for a file.
unsafe fn watch(fd: c_int) -> i64 {
    // SAFETY: live buffers; a number.
    unsafe {
        let epfd = libc::epoll_create1(0);
        let mut event = epoll_event { events: (libc::EPOLLIN | libc::EPOLLOUT) as u32, u64: 0 };
        if libc::epoll_ctl(epfd, libc::EPOLL_CTL_ADD, fd, &mut event) != 0 {
            return i64::from(errno());
        }
        let ready = libc::epoll_wait(epfd, &mut event, 1, 0);
        i64::from(ready) << 6 | i64::from(event.events & 0x1f)
    }
}

unsafe fn put(fd: c_int, bytes: usize) -> i64 {
    // The walk must not write to the descriptors of the log.
    if fd < 3 {
        return -2;
    }
    let buf = [1u8; 4096];
    // SAFETY: the length is at most that of `buf`.
    let put = unsafe { libc::write(fd, buf.as_ptr().cast(), bytes.clamp(8, 4096)) as i64 };
    await_terminal(fd);
    put
}

unsafe fn fill(fd: c_int) {
    let mut total = 0;
    // SAFETY: as for `put`.
    while let got @ 1.. = unsafe { put(fd, 4096) } {
        total += got;
        if total > 8 << 20 {
            break;
        }
    }
}

/// Waits, because a kernel thread carries what is written to a terminal.
fn await_terminal(fd: c_int) {
    let errno = errno();
    // SAFETY: a number.
    if unsafe { libc::isatty(fd) } == 1 {
        std::thread::sleep(Duration::from_micros(500));
    }
    // SAFETY: errno is this thread's own.
    unsafe { *libc::__errno_location() = errno };
}

/// Lets a timer expire.
unsafe fn expire(fd: c_int) -> c_int {
    let none = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    let soon = libc::timespec { tv_sec: 0, tv_nsec: 1 };
    let timer = libc::itimerspec { it_interval: none, it_value: soon };
    // SAFETY: live structures.
    unsafe {
        let set = libc::timerfd_settime(fd, 0, &timer, ptr::null_mut());
        if set == 0 {
            let mut pollfd = libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
            libc::poll(&mut pollfd, 1, 1000);
        }
        set
    }
}

unsafe fn take(fd: c_int, bytes: usize) -> i64 {
    if fd < 3 {
        return -2;
    }
    let mut buf = [0u8; 65536];
    // SAFETY: the length is at most that of `buf`.
    unsafe { libc::read(fd, buf.as_mut_ptr().cast::<c_void>(), bytes.clamp(8, 65536)) as i64 }
}
