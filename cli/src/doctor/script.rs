//! What a process does, told in a test: its events, one after the other, and what the doctor says to them.

use glasspoll_record::accept_queue::AcceptQueue;
use glasspoll_record::clock::Moment;
use glasspoll_record::event::{Ctl, Event, Known, Op, Source};
use glasspoll_record::ring::{Habits, Header, Item};
use glasspoll_record::{Entry, Sample};

use super::{Doctor, Finding, Severity};

/// EPOLLIN.
pub const IN: u32 = 1;
/// EPOLLOUT.
pub const OUT: u32 = 4;
/// EPOLLERR.
pub const ERR: u32 = 8;
/// EPOLLHUP.
pub const HUP: u32 = 0x10;
/// EPOLLONESHOT.
pub const ONESHOT: u32 = 1 << 30;
/// EPOLLET.
pub const ET: u32 = 1 << 31;

/// A process's story, or that of several. The first has its set 1 at epfd 3, and items by the numbers of their fds.
pub struct Script {
    doctor: Doctor,
    /// The process that acts.
    pub place: usize,
    /// The thread that acts.
    pub tid: u32,
    /// The set that the next events are about.
    pub epoll: u32,
    /// The present, in nanoseconds.
    pub ns: u64,
}

/// The header of a ring.
pub fn header(pid: u32, ppid: u32, forked: bool) -> Header {
    Header {
        blocks: 16,
        capacity: 16,
        pid,
        ppid,
        counts: false,
        exact: false,
        forked,
        observed: false,
        fds: 0,
        habits: Habits::default(),
        begin: Moment { ticks: 0, ns: 0 },
        realtime: 0,
        items: 0,
        left_out: 0,
        stacks: 0,
        stacks_at: 0,
        moments: Vec::new(),
    }
}

impl Script {
    pub fn new() -> Self {
        Self::of(&header(100, 1, false))
    }

    /// A loop with three items, 9 to 11, that has begun.
    pub fn looping() -> Self {
        let mut script = Self::new();
        script.add(9, IN).add(10, IN).add(11, IN);
        for _ in 0..3 {
            script.wait(&[(10, IN)]).read(10, 10, 5);
        }
        script
    }

    /// The kernel's epoll answers.
    pub fn observed() -> Self {
        Self::of(&Header { observed: true, ..header(100, 1, false) })
    }

    fn of(header: &Header) -> Self {
        let mut doctor = Doctor::new();
        let place = doctor.process(header);
        let mut script = Self { doctor, place, tid: 100, epoll: 1, ns: 1_000_000 };
        script.event(Event::Create { epoll: 1, epfd: 3, inherited: false });
        script
    }

    /// A further process.
    pub fn process(&mut self, pid: u32, ppid: u32, forked: bool) -> usize {
        self.doctor.process(&header(pid, ppid, forked))
    }

    /// The same, of a process that the kernel's epoll answers.
    pub fn observed_process(&mut self, pid: u32, ppid: u32, forked: bool) -> usize {
        self.doctor.process(&Header { observed: true, ..header(pid, ppid, forked) })
    }

    /// A set of whose making there is no record is in the table.
    pub fn knows_set(&mut self, epoll: u32, epfd: i32) {
        let set = Item {
            epoll,
            is_set: true,
            fd: epfd,
            serial: 0,
            interest: 0,
            queued: false,
            hot: false,
            disarmed: false,
            delivered: 0,
            since_ns: None,
        };
        self.doctor.items(self.place, &[set]);
    }

    /// Time passes.
    pub fn ms(&mut self, ms: u64) -> &mut Self {
        self.ns += ms * 1_000_000;
        self
    }

    /// The process has ended.
    pub fn end(&mut self) {
        let (place, ns) = (self.place, self.ns);
        self.doctor.ended(place, ns);
    }

    /// Events were lost.
    pub fn gap(&mut self) {
        self.doctor.gap(self.place);
    }

    pub fn event(&mut self, event: Event) -> &mut Self {
        self.ns += 1000;
        let entry = Entry { ns: self.ns, tid: self.tid, event };
        self.doctor.event(self.place, &entry);
        self
    }

    pub fn ctl(&mut self, op: Ctl, fd: i32, events: u32, errno: i32) -> &mut Self {
        let (epoll, item) = (self.epoll, if errno == 0 { fd as u32 } else { 0 });
        let (errno, data) = (errno as u16, fd as u64);
        self.event(Event::Ctl { epoll, op: Some(op), fd, events, data, errno, item })
    }

    pub fn add(&mut self, fd: i32, events: u32) -> &mut Self {
        self.ctl(Ctl::Add, fd, events, 0)
    }

    pub fn del(&mut self, fd: i32) -> &mut Self {
        self.ctl(Ctl::Del, fd, 0, 0)
    }

    pub fn modify(&mut self, fd: i32, events: u32) -> &mut Self {
        self.ctl(Ctl::Mod, fd, events, 0)
    }

    /// A thread goes to wait.
    pub fn enter(&mut self, maxevents: u32, timeout_ms: i64) -> &mut Self {
        let timeout_ns = if timeout_ms < 0 { -1 } else { timeout_ms * 1_000_000 };
        self.event(Event::WaitEnter { epoll: self.epoll, maxevents, timeout_ns })
    }

    /// The wait gives these events.
    pub fn give(&mut self, events: &[(i32, u32)]) -> &mut Self {
        for (nth, (fd, events)) in events.iter().enumerate() {
            self.event(Event::Deliver {
                epoll: self.epoll,
                fd: *fd,
                item: *fd as u32,
                events: *events,
                nth: nth as u16,
                ready_ns: 0,
                known: Known::NotBefore,
            });
        }
        self.back(events.len() as i32)
    }

    /// The wait ends.
    pub fn back(&mut self, n: i32) -> &mut Self {
        self.event(Event::WaitReturn { epoll: self.epoll, n, waited_ns: 0 })
    }

    /// A wait without a timeout that gives these events.
    pub fn wait(&mut self, events: &[(i32, u32)]) -> &mut Self {
        self.enter(64, -1).give(events)
    }

    /// A read or the like of `asked` bytes that moves `came` bytes. A negative `came` is an errno.
    pub fn io(&mut self, op: Op, fd: i32, asked: u64, came: i64) -> &mut Self {
        let (result, errno) = if came < 0 { (-1, -came as u16) } else { (came, 0) };
        self.event(Event::Io { fd, op, result, asked, errno })
    }

    pub fn read(&mut self, fd: i32, asked: u64, came: i64) -> &mut Self {
        self.io(Op::Read, fd, asked, came)
    }

    pub fn write(&mut self, fd: i32, came: i64) -> &mut Self {
        self.io(Op::Write, fd, came.unsigned_abs(), came)
    }

    pub fn accept(&mut self, fd: i32, came: i64) -> &mut Self {
        self.io(Op::Accept, fd, 0, came)
    }

    pub fn close(&mut self, fd: i32) -> &mut Self {
        self.event(Event::Release { fd, items: 1, shared: false });
        self.event(Event::Close { fd, lives_as: -1, errno: 0 })
    }

    pub fn close_fails(&mut self, fd: i32) -> &mut Self {
        self.event(Event::Close { fd, lives_as: -1, errno: libc::EBADF as u16 })
    }

    pub fn wakeup(&mut self, fd: i32) -> &mut Self {
        self.event(Event::Wakeup { fd, source: Source::Signal, events: IN })
    }

    /// What the thread is seen to do in ten looks, from `since_ms` before now on.
    pub fn seen(&mut self, since_ms: u64, state: u8, call: &str, starved: bool) -> &mut Self {
        self.seen_to_run(since_ms, state, call, if starved { 0 } else { 100 })
    }

    /// The same; of the time that it could run it did for this part, in percent.
    pub fn seen_to_run(&mut self, since_ms: u64, state: u8, call: &str, ran: u64) -> &mut Self {
        let since_ns = self.ns - since_ms * 1_000_000;
        for tenth in 0..=10 {
            let passed = since_ms * tenth * 100_000;
            let used = if state == b'R' { passed } else { 0 };
            let (ran_ns, waited_ns) = (used / 100 * ran, used / 100 * (100 - ran));
            let (ns, tid, call) = (since_ns + passed, self.tid, call.to_owned());
            let fd = if call.is_empty() { -1 } else { 7 };
            let sample =
                Sample { ns, since_ns, ran_ns, waited_ns, tid, fd, state, call, ..Sample::default() };
            self.doctor.sample(self.place, &sample);
        }
        self
    }

    /// All threads together, each 200 ms for so long before now: stopped, or this part of the time that they could run
    /// they did, in percent.
    pub fn all_threads(&mut self, since_ms: u64, state: u8, ran: u64) -> &mut Self {
        let begin = self.ns.saturating_sub(since_ms * 1_000_000);
        for since_ns in (begin..self.ns).step_by(200_000_000) {
            let ns = since_ns + 200_000_000;
            let used = if state == b'T' { 0 } else { 2_000_000 };
            let (ran_ns, waited_ns) = (ran * used, (100 - ran) * used);
            let (tid, fd) = (Sample::ALL, -1);
            let sample = Sample { ns, since_ns, ran_ns, waited_ns, tid, fd, state, ..Sample::default() };
            self.doctor.sample(self.place, &sample);
        }
        self
    }

    pub fn ready(&mut self, fd: i32) -> &mut Self {
        self.event(Event::Ready { epoll: self.epoll, fd, item: fd as u32, overflow: false })
    }

    /// A look at a listener's queue: how many wait, of how many, and how many were dropped so far.
    pub fn queue(&mut self, fd: i32, waiting: u32, most: u32, drops: u32) -> &mut Self {
        let queue = AcceptQueue { ns: self.ns, fd, waiting, most, drops, inode: fd as u64 };
        self.doctor.accept_queue(self.place, &queue);
        self
    }

    pub fn findings(&self) -> Vec<Finding> {
        self.doctor.findings(self.ns)
    }

    /// What is found: class and severity.
    pub fn found(&self) -> Vec<(u8, Severity)> {
        self.findings().iter().map(|finding| (finding.class, finding.severity)).collect()
    }
}

pub const EAGAIN: i64 = -(libc::EAGAIN as i64);
pub const EBADF: i64 = -(libc::EBADF as i64);
