//! Running a walk in this process, with a line of log for each step.
//!
//! Descriptors are logged by their numbers: the kernel and glasspoll must give the same ones out.

use std::fmt::Write as _;
use std::ptr;

use super::step::{Kind, Step};
use libc::{c_int, c_void, epoll_event};

/// The descriptors made so far; -1 where making failed.
struct Runner {
    fds: Vec<c_int>,
    log: String,
}

/// Runs a walk; returns its log, one line for each step.
pub fn run(steps: &[Step]) -> String {
    let mut runner = Runner { fds: Vec::new(), log: String::new() };
    for (number, step) in steps.iter().enumerate() {
        let _ = write!(runner.log, "{number} {step}:");
        runner.step(*step);
        runner.log.push('\n');
    }
    runner.log
}

fn errno() -> c_int {
    std::io::Error::last_os_error().raw_os_error().unwrap_or(0)
}

fn nonblocking(fd: c_int) {
    // SAFETY: a number.
    unsafe { libc::fcntl(fd, libc::F_SETFL, libc::fcntl(fd, libc::F_GETFL) | libc::O_NONBLOCK) };
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
        // SAFETY: every call gets live buffers of the length it is told; descriptors may be anything.
        unsafe {
            match step {
                Step::Make(kind) => self.make(kind),
                Step::Ctl { ep, op, f, events, data } => {
                    let mut event = epoll_event { events, u64: data };
                    let result = libc::epoll_ctl(self.fd(ep), op, self.fd(f), &mut event);
                    self.say(result);
                }
                Step::Wait { ep, max } => self.wait(self.fd(ep), max),
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
                    let mut total = 0;
                    while let got @ 1.. = put(self.fd(f), 4096) {
                        total += got;
                        if total > 8 << 20 {
                            break;
                        }
                    }
                    // How much fits depends on the memory at hand.
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
                Step::Dup2 { f, onto } => {
                    let (from, onto) = (self.fd(f), self.fd(onto));
                    let result = if from < 3 || onto < 3 { -2 } else { libc::dup2(from, onto) };
                    self.say(result);
                }
                Step::CloseRange { first, last } => self.close_range(first, last),
                Step::Fork { f } => self.fork(self.fd(f)),
            }
        }
    }

    unsafe fn close(&self, place: usize) -> c_int {
        let fd = self.fd(place);
        // Twice is a test of EBADF, but 0, 1 and 2 are ours.
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
        let mut pair = [-1; 2];
        // SAFETY: `pair` takes two numbers.
        let result = unsafe {
            match kind {
                Kind::Pipe => libc::pipe2(pair.as_mut_ptr(), libc::O_NONBLOCK),
                Kind::Unix => sockets(libc::SOCK_STREAM, &mut pair),
                Kind::Dgram => sockets(libc::SOCK_DGRAM, &mut pair),
                Kind::Tcp => inet(libc::SOCK_STREAM, &mut pair),
                Kind::Udp => inet(libc::SOCK_DGRAM, &mut pair),
                Kind::Pty => pty(&mut pair),
                Kind::Eventfd => libc::eventfd(0, libc::EFD_NONBLOCK),
                Kind::Epoll => libc::epoll_create1(0),
            }
        };
        if matches!(kind, Kind::Eventfd | Kind::Epoll) {
            self.fds.push(result);
        } else {
            self.fds.extend(pair);
        }
        let _ = write!(
            self.log,
            " {:?}",
            if matches!(kind, Kind::Eventfd | Kind::Epoll) { [result, -1] } else { pair }
        );
    }

    unsafe fn wait(&mut self, epfd: c_int, max: c_int) {
        let mut events = [epoll_event { events: 0, u64: 0 }; 16];
        let limit = if max > 16 && max != c_int::MAX { 16 } else { max };
        // SAFETY: a `max` beyond the buffer is one that is refused.
        let result = unsafe { libc::epoll_wait(epfd, events.as_mut_ptr(), limit, 0) };
        self.say(result);
        for event in events.iter().take(usize::try_from(result).unwrap_or(0)) {
            let (events, data) = (event.events, event.u64);
            let _ = write!(self.log, " {events:#x}/{data}");
        }
    }

    unsafe fn select(&mut self, fd: c_int) {
        if !(0..1024).contains(&fd) {
            return self.say(-2);
        }
        // SAFETY: the sets are zeroed and hold numbers up to 1023.
        unsafe {
            let mut read: libc::fd_set = std::mem::zeroed();
            libc::FD_SET(fd, &mut read);
            let mut none = libc::timeval { tv_sec: 0, tv_usec: 0 };
            let result = libc::select(fd + 1, &mut read, ptr::null_mut(), ptr::null_mut(), &mut none);
            self.say(result);
        }
    }

    unsafe fn fork(&mut self, fd: c_int) {
        // SAFETY: this process has one thread.
        let status = unsafe {
            match libc::fork() {
                0 => {
                    let put = put(fd, 3);
                    for fd in &self.fds {
                        if *fd > 2 {
                            libc::close(*fd);
                        }
                    }
                    libc::_exit(c_int::from(put > 0));
                }
                child => {
                    let mut status = 0;
                    libc::waitpid(child, &mut status, 0);
                    status
                }
            }
        };
        self.say(status);
    }
}

unsafe fn put(fd: c_int, bytes: usize) -> i64 {
    // Nothing of the walk is to be written to the log's own descriptors.
    if fd < 3 {
        return -2;
    }
    let buf = [1u8; 4096];
    // SAFETY: at most the length of `buf`.
    unsafe { libc::write(fd, buf.as_ptr().cast(), bytes.clamp(8, 4096)) as i64 }
}

unsafe fn take(fd: c_int, bytes: usize) -> i64 {
    if fd < 3 {
        return -2;
    }
    let mut buf = [0u8; 65536];
    // SAFETY: at most the length of `buf`.
    unsafe { libc::read(fd, buf.as_mut_ptr().cast::<c_void>(), bytes.clamp(8, 65536)) as i64 }
}

unsafe fn sockets(kind: c_int, pair: &mut [c_int; 2]) -> c_int {
    // SAFETY: `pair` takes two numbers.
    unsafe { libc::socketpair(libc::AF_UNIX, kind | libc::SOCK_NONBLOCK, 0, pair.as_mut_ptr()) }
}

/// Two sockets connected over loopback.
unsafe fn inet(kind: c_int, pair: &mut [c_int; 2]) -> c_int {
    // SAFETY: addresses of the length that is told.
    unsafe {
        let mut addr: libc::sockaddr_in = std::mem::zeroed();
        addr.sin_family = libc::AF_INET as u16;
        addr.sin_addr.s_addr = u32::from_ne_bytes([127, 0, 0, 1]);
        let mut len = size_of::<libc::sockaddr_in>() as u32;
        let at = |addr: &mut libc::sockaddr_in| ptr::from_mut(addr).cast::<libc::sockaddr>();
        let a = libc::socket(libc::AF_INET, kind, 0);
        libc::bind(a, at(&mut addr), len);
        libc::getsockname(a, at(&mut addr), &mut len);
        let b = libc::socket(libc::AF_INET, kind, 0);
        if kind == libc::SOCK_STREAM {
            libc::listen(a, 1);
            libc::connect(b, at(&mut addr), len);
            let accepted = libc::accept(a, ptr::null_mut(), ptr::null_mut());
            libc::close(a);
            let one = 1;
            for fd in [accepted, b] {
                let one = ptr::from_ref(&one).cast();
                libc::setsockopt(fd, libc::IPPROTO_TCP, libc::TCP_NODELAY, one, 4);
            }
            *pair = [accepted, b];
        } else {
            libc::connect(b, at(&mut addr), len);
            libc::getsockname(b, at(&mut addr), &mut len);
            libc::connect(a, at(&mut addr), len);
            *pair = [a, b];
        }
        nonblocking(pair[0]);
        nonblocking(pair[1]);
    }
    0
}

unsafe fn pty(pair: &mut [c_int; 2]) -> c_int {
    // SAFETY: null asks for defaults; `pair` takes two numbers.
    unsafe {
        let mut raw: libc::termios = std::mem::zeroed();
        libc::cfmakeraw(&mut raw);
        let (master, slave) = pair.split_at_mut(1);
        let result = libc::openpty(&mut master[0], &mut slave[0], ptr::null_mut(), &raw, ptr::null());
        nonblocking(pair[0]);
        nonblocking(pair[1]);
        result
    }
}
