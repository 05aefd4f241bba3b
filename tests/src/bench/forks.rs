//! What a child costs, in a program with one thread that has sockets in a set.

use super::net::check;
use super::system::allow_descriptors;
use libc::{c_char, c_int, pid_t};
use std::mem;
use std::ptr;
use std::time::{Duration, Instant};

/// What children do, by name.
pub const KINDS: [(&str, Kind); 6] = [
    ("exit", Kind::Exit),
    ("exec", Kind::Exec),
    ("redirect", Kind::Redirect),
    ("vfork", Kind::Vfork),
    ("spawn", Kind::Spawn),
    ("use", Kind::Use),
];

/// How a child is made, and what it does.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// fork; `_exit`.
    Exit,
    /// fork; execve.
    Exec,
    /// fork; open, dup2 over 0, 1 and 2, close, signal, sigprocmask, execve.
    Redirect,
    /// vfork; execve.
    Vfork,
    /// `posix_spawn`.
    Spawn,
    /// fork; `epoll_wait` on the inherited set; `_exit`.
    Use,
}

const WARM_UP: usize = 20;
const TIME: Duration = Duration::from_millis(500);

/// Makes children of `kind` for a while, or `limit` of them, with `descriptors` sockets in a set. Returns the CPU time
/// of parent and child for each, in microseconds.
pub fn measure(kind: Kind, descriptors: usize, limit: Option<usize>) -> f64 {
    allow_descriptors(descriptors as u64 + 100);
    let parent = Parent::new(kind, descriptors);
    if limit.is_none() {
        (0..WARM_UP).for_each(|_| parent.make_child());
    }
    let (start, before, mut made) = (Instant::now(), cpu_time(), 0);
    while limit.map_or_else(|| start.elapsed() < TIME, |limit| made < limit) {
        parent.make_child();
        made += 1;
    }
    (cpu_time() - before) / made as f64
}

/// A program that makes children.
struct Parent {
    kind: Kind,
    set: c_int,
    /// A socket in the set.
    socket: c_int,
}

impl Parent {
    fn new(kind: Kind, descriptors: usize) -> Self {
        // SAFETY: epoll_create1 takes a number.
        let set = check(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) }).expect("an epoll set");
        let mut socket = -1;
        for _ in 0..descriptors {
            // SAFETY: socket and epoll_ctl take numbers; the event is a local.
            unsafe {
                socket = check(libc::socket(libc::AF_UNIX, libc::SOCK_DGRAM, 0)).expect("a socket");
                let mut event = libc::epoll_event { events: libc::EPOLLIN as u32, u64: 0 };
                check(libc::epoll_ctl(set, libc::EPOLL_CTL_ADD, socket, &mut event)).expect("added");
            }
        }
        Self { kind, set, socket }
    }

    /// Makes a child, waits for its end, and looks at the set.
    fn make_child(&self) {
        let child = check(self.start()).expect("a child");
        let mut status = 0;
        // SAFETY: the status is a local.
        check(unsafe { libc::waitpid(child, &mut status, 0) }).expect("its end");
        assert_eq!(status, 0, "the child's status");
        assert_eq!(wait(self.set), 0, "nothing is ready");
    }

    fn start(&self) -> pid_t {
        match self.kind {
            Kind::Vfork => return vfork_true(),
            Kind::Spawn => return spawn_true(),
            Kind::Exit | Kind::Exec | Kind::Redirect | Kind::Use => {}
        }
        // SAFETY: the process has one thread.
        let child = unsafe { libc::fork() };
        if child == 0 {
            let status = match self.kind {
                Kind::Exec => exec_true(),
                Kind::Redirect => self.redirect(),
                Kind::Use => wait(self.set),
                Kind::Exit | Kind::Vfork | Kind::Spawn => 0,
            };
            // SAFETY: ends the child.
            unsafe { libc::_exit(status) };
        }
        child
    }

    /// What a child does to get other standard streams.
    fn redirect(&self) -> c_int {
        // SAFETY: the child's own fds and signals; the mask is a local.
        unsafe {
            let null = libc::open(c"/dev/null".as_ptr(), libc::O_RDWR);
            (0..3).for_each(|stream| assert_eq!(libc::dup2(null, stream), stream));
            libc::close(null);
            libc::close(self.socket);
            libc::signal(libc::SIGPIPE, libc::SIG_DFL);
            let mut mask = mem::zeroed();
            libc::sigemptyset(&mut mask);
            libc::sigprocmask(libc::SIG_SETMASK, &mask, ptr::null_mut());
        }
        exec_true()
    }
}

/// The number of events, or -1.
fn wait(set: c_int) -> c_int {
    let mut events = [libc::epoll_event { events: 0, u64: 0 }; 8];
    // SAFETY: the array has room for the events that the call may store.
    unsafe { libc::epoll_wait(set, events.as_mut_ptr(), 8, 0) }
}

/// A program that does nothing. It gets no environment, so nothing is preloaded into it.
const TRUE: *const c_char = c"/bin/true".as_ptr();
const NO_STRINGS: [*const c_char; 1] = [ptr::null()];

/// Returns only if it fails.
fn exec_true() -> c_int {
    let arguments = [TRUE, ptr::null()];
    // SAFETY: both lists end with a null.
    unsafe { libc::execve(TRUE, arguments.as_ptr(), NO_STRINGS.as_ptr()) };
    127
}

/// Has a frame of its own, because the child uses the parent's stack, and writes nothing above its own calls.
#[inline(never)]
fn vfork_true() -> pid_t {
    let (arguments, environment) = ([TRUE, ptr::null()], NO_STRINGS);
    // SAFETY: the child makes two calls with values that are ready before vfork, and never returns from here.
    unsafe {
        #[expect(deprecated, reason = "a program in C may call it")]
        let child = libc::vfork();
        if child == 0 {
            libc::execve(TRUE, arguments.as_ptr(), environment.as_ptr());
            libc::_exit(127);
        }
        child
    }
}

fn spawn_true() -> pid_t {
    let (arguments, environment) = ([TRUE.cast_mut(), ptr::null_mut()], [ptr::null_mut()]);
    let mut child = -1;
    // SAFETY: both lists end with a null; the number is a local.
    unsafe {
        libc::posix_spawn(
            &mut child,
            TRUE,
            ptr::null(),
            ptr::null(),
            arguments.as_ptr(),
            environment.as_ptr(),
        )
    };
    child
}

/// Microseconds that this process and its ended children have used.
fn cpu_time() -> f64 {
    let time = |who| {
        // SAFETY: an all-zero rusage is one, and a local.
        let usage: libc::rusage = unsafe {
            let mut usage = mem::zeroed();
            libc::getrusage(who, &mut usage);
            usage
        };
        let microseconds = |time: libc::timeval| time.tv_sec as f64 * 1e6 + time.tv_usec as f64;
        microseconds(usage.ru_utime) + microseconds(usage.ru_stime)
    };
    time(libc::RUSAGE_SELF) + time(libc::RUSAGE_CHILDREN)
}
