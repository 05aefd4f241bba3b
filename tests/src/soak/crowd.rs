//! The clients of one server: many connections in one thread, on poll(2).
//!
//! Every answer is compared with the expected one. A connection hangs if a request waits longer than the deadline. An
//! end that no client asked for is a loss, unless the server was told to shed connections ([`Shed`]).

use super::asker::Asker;
use super::conn::{Conn, End, Habit};
use super::fault::{Fault, Report};
use super::kind::Kind;
use super::phase::Step;
use super::socket::Socket;
use crate::random::Random;
use glasspoll_record::histogram::Histogram;
use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Far more than there are connections: when a prefix is used again, nothing of the closed connection that had it is
/// still in flight.
const SLOTS: u32 = 1024;

/// When a server may close connections: a graceful reload closes idle ones, to which a request may be in flight.
#[derive(Debug, Default)]
pub struct Shed {
    /// How often it was told to shed connections.
    pub generation: AtomicU64,
    /// It is shedding now.
    pub now: AtomicBool,
}

impl Shed {
    /// Whether a connection that was opened in that generation may have been closed.
    fn excuses(&self, generation: u64) -> bool {
        self.now.load(SeqCst) || self.generation.load(SeqCst) != generation
    }
}

/// Where a server listens.
#[derive(Clone, Debug)]
pub struct Address {
    /// Which server.
    pub kind: Kind,
    /// Its TCP port.
    pub port: u16,
    /// Its unix socket.
    pub socket: Option<PathBuf>,
}

/// What was done.
#[derive(Clone, Debug, Default)]
pub struct Done {
    /// Connections opened.
    pub connections: u64,
    /// Requests sent.
    pub sent: u64,
    /// Answers that came and were right.
    pub answered: u64,
    /// Requests that the client gave up on purpose: by a reset, or because it does not read.
    pub given_up: u64,
    /// Requests on connections that the server had a right to close.
    pub shed: u64,
    /// How long answers took.
    pub times: Histogram,
}

/// The clients.
pub struct Crowd {
    address: Address,
    pages: Arc<Vec<Arc<[u8]>>>,
    /// When the server may close.
    pub shed: Arc<Shed>,
    conns: Vec<Conn>,
    /// The latest number for a prefix of keys; no other open connection has it.
    slot: u32,
    slots: HashSet<u32>,
    deadline: Duration,
    /// What was done.
    pub done: Done,
    report: Report,
    buffer: Vec<u8>,
    polled: Vec<libc::pollfd>,
    /// The name of this process, so that two processes do not share keys.
    name: String,
}

impl Crowd {
    /// No clients yet.
    pub fn new(
        address: Address,
        pages: Arc<Vec<Arc<[u8]>>>,
        deadline: Duration,
        report: Report,
        name: &str,
    ) -> Self {
        Self {
            address,
            pages,
            shed: Arc::default(),
            conns: Vec::new(),
            slot: 0,
            slots: HashSet::new(),
            deadline,
            done: Done::default(),
            report,
            buffer: vec![0; 65_536],
            polled: Vec::new(),
            name: name.to_owned(),
        }
    }

    /// How many connections are open.
    pub fn connections(&self) -> u64 {
        self.conns.len() as u64
    }

    /// Follows the steps. Then it waits for all outstanding answers, and closes all connections except `keep`.
    pub fn run(&mut self, steps: &[Step], keep: usize, seed: u64) {
        let mut random = Random(seed);
        let mut last = None;
        for step in steps {
            let end = Instant::now() + step.length;
            while Instant::now() < end {
                self.turn(step, end, &mut random);
            }
            last = Some(step);
        }
        self.finish(keep, last.map_or(0, |step| step.resets), &mut random);
    }

    /// The server has lost all its data.
    pub fn forget(&mut self) {
        self.conns.iter_mut().for_each(Conn::forget);
    }

    /// Closes all connections; returns when that is done.
    pub fn leave(&mut self) {
        self.finish(0, 0, &mut Random(0));
    }

    /// One pass over everything.
    fn turn(&mut self, step: &Step, end: Instant, random: &mut Random) {
        let now = Instant::now();
        let staying = self.conns.iter().filter(|conn| !conn.leaving).count();
        // Connections that leave are closed only when they are answered: this way, new ones do not pile up behind a
        // slow server.
        let room = (2 * step.connections).saturating_sub(self.conns.len()).min(20);
        for _ in staying..step.connections.min(staying + room) {
            if !self.open(step, end, random) {
                break;
            }
        }
        for conn in self.conns.iter_mut().filter(|conn| !conn.leaving).skip(step.connections) {
            conn.leaving = true;
        }
        let mut next = now + Duration::from_millis(20);
        for conn in &mut self.conns {
            if conn.habit == Habit::Plain && step.requests != 0 && conn.sent >= step.requests as u64 {
                conn.leaving = true;
            }
            if !conn.may_ask() {
                continue;
            }
            if conn.next > now {
                next = next.min(conn.next);
                continue;
            }
            let depth = if conn.habit == Habit::Plain { step.depth } else { 8 };
            // A connection that does not read sends one request only.
            if conn.habit != Habit::Plain && conn.sent != 0 {
                continue;
            }
            let (had, before) = (conn.under_way(), conn.sent);
            if had >= depth || (had != 0 && !step.pause.is_zero()) {
                continue;
            }
            for _ in had..depth {
                let half = conn.sent == 0 && random.chance(step.halves);
                let pause = Duration::from_millis(50 + random.below(1500) as u64);
                conn.ask(random, half.then_some(pause));
                if half {
                    break;
                }
            }
            if conn.sent != before && !step.pause.is_zero() {
                conn.next = now + step.pause.mul_f64(0.5 + random.below(101) as f64 / 100.0);
            }
        }
        self.look(next, step.resets, random);
    }

    /// Opens a connection, if the server accepts one now.
    fn open(&mut self, step: &Step, end: Instant, random: &mut Random) -> bool {
        let path = self.address.socket.as_ref().filter(|_| random.chance(25));
        let socket = match path {
            Some(path) => Socket::unix(path),
            None => Socket::tcp(self.address.port),
        };
        let generation = self.shed.generation.load(SeqCst);
        match socket {
            Ok(socket) => {
                while !self.slots.insert(self.slot) {
                    self.slot = (self.slot + 1) % SLOTS;
                }
                let prefix = format!("{}{}", self.name, self.slot);
                let asker = Asker::new(self.address.kind, prefix, self.pages.clone());
                let habit = match random.chance(step.stall) {
                    false => Habit::Plain,
                    true if random.chance(30) => Habit::NeverReads,
                    true => {
                        let left = end.saturating_duration_since(Instant::now());
                        Habit::Stalls(Instant::now() + left.mul_f64(random.below(100) as f64 / 100.0))
                    }
                };
                self.conns.push(Conn::new(socket, asker, generation, habit, self.slot));
                self.slot = (self.slot + 1) % SLOTS;
                self.done.connections += 1;
                true
            }
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => false,
            Err(error) => {
                if !self.shed.excuses(generation) {
                    self.report.tell(Fault::Lost, format!("connect: {error}"));
                }
                std::thread::sleep(Duration::from_millis(20));
                false
            }
        }
    }

    /// Sleeps until something comes, at most until `next`, and handles it.
    fn look(&mut self, next: Instant, resets: usize, random: &mut Random) {
        let now = Instant::now();
        self.polled.clear();
        for conn in &self.conns {
            self.polled.push(libc::pollfd { fd: conn.socket.fd(), events: conn.interest(now), revents: 0 });
        }
        let left = next.saturating_duration_since(now).max(Duration::from_micros(50));
        let ts = libc::timespec { tv_sec: 0, tv_nsec: i64::from(left.subsec_nanos()) };
        // SAFETY: the list lives, and the call gets its length.
        unsafe {
            libc::ppoll(self.polled.as_mut_ptr(), self.polled.len() as u64, &ts, std::ptr::null());
        }
        let now = Instant::now();
        for place in (0..self.conns.len()).rev() {
            let (events, conn) = (self.polled[place].revents, &mut self.conns[place]);
            let result = conn.go_on(events, &mut self.buffer, &mut self.done.times);
            let late = conn.waits(now).is_some_and(|waits| waits > self.deadline);
            let over =
                conn.leaving && (conn.is_quiet() || conn.habit == Habit::NeverReads) || conn.server_closes();
            if result.is_err() || late || over {
                let conn = self.conns.swap_remove(place);
                // The last connection moved to this place: its result of poll(2) moves too.
                self.polled.swap_remove(place);
                self.end(conn, result.err(), late, resets, random);
            }
        }
    }

    /// Counts a connection that ends, and reports it if it should not have ended.
    fn end(&mut self, conn: Conn, end: Option<End>, late: bool, resets: usize, random: &mut Random) {
        self.slots.remove(&conn.slot);
        self.done.sent += conn.sent;
        self.done.answered += conn.answered;
        let missing = conn.sent - conn.answered;
        let excused = self.shed.excuses(conn.generation);
        match end {
            _ if late => {
                let state = conn.state();
                self.report.tell(Fault::Hung, format!("no answer for {:?}: {state}", self.deadline));
            }
            Some(End::Wrong(what)) => self.report.tell(Fault::Wrong, what),
            Some(End::Lost { partly, what }) => {
                // A close with another request unread resets the connection. Then the part of the previous answer that
                // is not sent yet is lost. Linux: net/ipv4/tcp.c:__tcp_close
                if excused && (!partly || missing > 1) {
                    self.done.shed += missing;
                } else if conn.habit == Habit::NeverReads {
                    self.done.given_up += missing;
                } else {
                    self.report.tell(Fault::Lost, what);
                }
            }
            Some(End::Closed) if !excused && !conn.server_closes() => {
                self.report.tell(Fault::Lost, "closed while idle".into());
            }
            Some(End::Closed) => self.done.shed += missing,
            None if conn.server_closes() => self.done.shed += missing,
            None => self.done.given_up += missing,
        }
        if random.chance(resets) {
            conn.socket.reset();
        }
    }

    fn finish(&mut self, keep: usize, resets: usize, random: &mut Random) {
        let mut kept = 0;
        for conn in &mut self.conns {
            if conn.habit == Habit::Plain && kept < keep {
                kept += 1;
            } else {
                conn.leaving = true;
            }
        }
        // Each outstanding request ends by its answer or its deadline.
        while self.conns.iter().any(|conn| conn.leaving || !conn.is_quiet()) {
            self.look(Instant::now() + Duration::from_millis(20), resets, random);
        }
    }
}
