//! Another process. It makes files, hands them over, keeps them, and writes to some as soon as they are empty.

use std::sync::{Mutex, OnceLock};
use std::time::Duration;

use libc::{c_int, c_void};

use super::account::accounts;
use super::calls;
use super::files::Traits;
use super::kind::{Kind, KINDS};
use super::passing;
use super::world::lock;
use crate::random::Random;

/// A request to it, as the message has it.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
struct Request {
    file: u32,
    /// An index of [`KINDS`]; any other number: the file must be closed.
    kind: u16,
    pulse: u16,
}

const CLOSE: u16 = u16::MAX;

/// The socket to it.
#[derive(Debug)]
pub struct Broker(Mutex<c_int>);

/// A file that it keeps.
struct Held {
    file: u32,
    kind: Kind,
    pulse: bool,
    ends: [c_int; 2],
}

/// The broker. The first call must come while the process has one thread.
pub fn broker() -> &'static Broker {
    static ONE: OnceLock<Broker> = OnceLock::new();
    ONE.get_or_init(|| {
        accounts();
        let mut pair = [-1; 2];
        let kind = libc::SOCK_SEQPACKET | libc::SOCK_CLOEXEC;
        // SAFETY: room for two numbers; there is one thread, and the child is a copy of it.
        unsafe {
            let made = libc::socketpair(libc::AF_UNIX, kind, 0, pair.as_mut_ptr());
            let parent = libc::getpid();
            match libc::fork() {
                0 => {
                    libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
                    if libc::getppid() != parent {
                        libc::_exit(0);
                    }
                    // The pipe of the storm's output must not stay open in the broker: its reader would wait for the
                    // broker to end.
                    let null = libc::open(c"/dev/null".as_ptr(), libc::O_RDWR);
                    (0..3).for_each(|fd| {
                        calls::dup2(null, fd);
                    });
                    libc::close(pair[1]);
                    serve(pair[0])
                }
                pid => assert!(made == 0 && pid > 0, "no other process"),
            }
        }
        calls::close(pair[0]);
        Broker(Mutex::new(pair[1]))
    })
}

impl Broker {
    fn ask(&self, request: Request) -> Option<Vec<c_int>> {
        let socket = lock(&self.0);
        // SAFETY: the request lives.
        let sent = unsafe { libc::send(*socket, (&raw const request).cast(), size_of::<Request>(), 0) };
        if sent < 0 {
            return None;
        }
        passing::receive(*socket)
    }

    /// A new file that the broker has too: the end to read and the end to write. None: the system has no more.
    pub fn make(&self, file: usize, traits: Traits) -> Option<[c_int; 2]> {
        let kind = KINDS.iter().position(|kind| *kind == traits.kind)? as u16;
        let pulse = traits.pulse && !traits.kind.is_timer();
        match self.ask(Request { file: file as u32, kind, pulse: pulse.into() })?[..] {
            [both] => Some([both; 2]),
            [reader, writer] => Some([reader, writer]),
            _ => None,
        }
    }

    /// When this returns, the broker has closed its copies.
    pub fn close(&self, file: usize) {
        self.ask(Request { file: file as u32, kind: CLOSE, pulse: 0 });
    }
}

fn serve(socket: c_int) -> ! {
    let mut held: Vec<Held> = Vec::new();
    let mut random = Random(1);
    loop {
        let has_pulse = held.iter().any(|held| held.pulse);
        let mut asked = [libc::pollfd { fd: socket, events: libc::POLLIN, revents: 0 }];
        if calls::poll(&mut asked, if has_pulse { 0 } else { -1 }) > 0 {
            let mut request = Request { file: 0, kind: 0, pulse: 0 };
            let at: *mut c_void = (&raw mut request).cast();
            // SAFETY: any bytes are a request.
            if unsafe { libc::recv(socket, at, size_of::<Request>(), 0) } != size_of::<Request>() as isize {
                // SAFETY: the storm has ended, and so must this child.
                unsafe { libc::_exit(0) };
            }
            answer(socket, &mut held, request);
        }
        let pulses = held.iter().filter(|held| held.pulse);
        let written = pulses.filter(|held| held.refill(&mut random)).count();
        if written == 0 && has_pulse && random.chance(30) {
            std::thread::sleep(Duration::from_micros(random.below(100) as u64));
        }
    }
}

fn answer(socket: c_int, held: &mut Vec<Held>, request: Request) {
    let Some(kind) = KINDS.get(usize::from(request.kind)) else {
        held.retain(|held| {
            let stays = held.file != request.file;
            if !stays {
                held.close();
            }
            stays
        });
        passing::send(socket, &[]);
        return;
    };
    let ends = kind.make(0);
    let fds = ends.as_ref().map_or(&[][..], |ends| if ends[0] == ends[1] { &ends[..1] } else { &ends[..] });
    passing::send(socket, fds);
    if let Some(ends) = ends {
        held.push(Held { file: request.file, kind: *kind, pulse: request.pulse != 0, ends });
    }
}

impl Held {
    /// Writes if there is nothing to read.
    fn refill(&self, random: &mut Random) -> bool {
        let (file, [reader, writer]) = (self.file, self.ends);
        if calls::readiness(reader, libc::EPOLLIN as u32) != 0 {
            return false;
        }
        let account = &accounts()[file as usize];
        account.write(self.kind.amount(false) as u64, || self.kind.put(writer, 0, file as u8, false, random));
        true
    }

    fn close(&self) {
        calls::close(self.ends[0]);
        if self.ends[1] != self.ends[0] {
            calls::close(self.ends[1]);
        }
    }
}
