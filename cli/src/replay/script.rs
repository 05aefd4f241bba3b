//! A process that did what a test says.

use glasspoll_record::event::{Ctl, Event, Known, Op};
use glasspoll_record::layout::{self, header};
use glasspoll_record::ring::Header;
use glasspoll_record::{Entry, Process};

/// Records events, one after another.
pub struct Script {
    pub process: Process,
    /// Now, in nanoseconds.
    pub now: u64,
    /// The thread that does it.
    pub tid: u32,
}

impl Script {
    /// Begins at one second of the clock.
    pub fn new() -> Self {
        let mut page = [0; layout::HEADER];
        let mut put = |at: usize, bytes: &[u8]| page[at..at + bytes.len()].copy_from_slice(bytes);
        put(header::MAGIC, &layout::MAGIC.to_le_bytes());
        put(header::VERSION, &layout::VERSION.to_le_bytes());
        put(header::BLOCKS, &1u32.to_le_bytes());
        put(header::PID, &4711u32.to_le_bytes());
        put(header::NS, &1_000_000_000u64.to_le_bytes());
        let mut process = Process::new(Header::parse(&page).expect("a header"));
        process.comm = "tester".into();
        Self { process, now: 1_000_000_000, tid: 4711 }
    }

    /// Something happens now.
    pub fn does(&mut self, event: Event) -> &mut Self {
        self.process.events.push(Entry { ns: self.now, tid: self.tid, event });
        self.process.taken.ns = self.now;
        self
    }

    /// Some microseconds go by.
    pub fn after(&mut self, us: u64) -> &mut Self {
        self.now += us * 1000;
        self.process.taken.ns = self.now;
        self
    }

    /// An fd is added to set 1.
    pub fn add(&mut self, fd: i32, item: u32, events: u32) -> &mut Self {
        self.ctl(Ctl::Add, fd, item, events)
    }

    pub fn ctl(&mut self, op: Ctl, fd: i32, item: u32, events: u32) -> &mut Self {
        self.does(Event::Ctl { epoll: 1, op: Some(op), fd, events, data: 0, errno: 0, item })
    }

    /// The thread waits at set 1, for some microseconds, and gets events of these items: fd, serial number,
    /// and how many microseconds they have been ready.
    pub fn wait(&mut self, us: u64, items: &[(i32, u32, u64)]) -> &mut Self {
        self.does(Event::WaitEnter { epoll: 1, maxevents: 64, timeout_ns: -1 }).after(us);
        for (nth, (fd, item, ready_us)) in items.iter().enumerate() {
            self.does(Event::Deliver {
                epoll: 1,
                fd: *fd,
                item: *item,
                events: 1,
                nth: nth as u16,
                ready_ns: ready_us * 1000,
                known: Known::Exactly,
            });
        }
        self.does(Event::WaitReturn { epoll: 1, n: items.len() as i32, waited_ns: us * 1000 })
    }

    pub fn read(&mut self, fd: i32, result: i64) -> &mut Self {
        self.does(Event::Io { fd, op: Op::Read, result, asked: 1000, errno: 0 })
    }

    pub fn write(&mut self, fd: i32, result: i64) -> &mut Self {
        self.does(Event::Io { fd, op: Op::Write, result, asked: 1000, errno: 0 })
    }

    pub fn close(&mut self, fd: i32, lives_as: i32) -> &mut Self {
        self.does(Event::Close { fd, lives_as, errno: 0 })
    }
}
