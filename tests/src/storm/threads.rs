//! The threads of an era: when they rest, and what each of them is doing.

use std::sync::atomic::{AtomicI32, AtomicU64, AtomicU8, Ordering::SeqCst};
use std::sync::{Condvar, Mutex};
use std::time::{Duration, Instant};

use super::calls;
use super::world::lock;

const GUST: u8 = 0;
const LULL: u8 = 1;
const END: u8 = 2;

/// Whether the workers (writers, changers) work or rest. A waiting thread goes on in a lull.
#[derive(Debug)]
pub struct Pace {
    now: AtomicU8,
    workers: usize,
    resting: Mutex<usize>,
    changed: Condvar,
}

impl Pace {
    pub fn new(workers: usize) -> Self {
        Self { now: AtomicU8::new(GUST), workers, resting: Mutex::new(0), changed: Condvar::new() }
    }

    fn change(&self, to: u8) {
        let _resting = lock(&self.resting);
        self.now.store(to, SeqCst);
        self.changed.notify_all();
    }

    /// Makes the workers rest. False: some do not rest within the time.
    pub fn calm(&self, limit: Duration) -> bool {
        self.change(LULL);
        let end = Instant::now() + limit;
        while *lock(&self.resting) < self.workers {
            if Instant::now() > end {
                return false;
            }
            std::thread::sleep(Duration::from_micros(200));
        }
        true
    }

    pub fn go_on(&self) {
        self.change(GUST);
    }

    pub fn end(&self) {
        self.change(END);
    }

    pub fn is_lull(&self) -> bool {
        self.now.load(SeqCst) != GUST
    }

    pub fn is_over(&self) -> bool {
        self.now.load(SeqCst) == END
    }

    /// Called by workers between two steps: rests in a lull. False: the era is over.
    pub fn work(&self) -> bool {
        if self.now.load(SeqCst) == LULL {
            let mut resting = lock(&self.resting);
            *resting += 1;
            while self.now.load(SeqCst) == LULL {
                resting = self.changed.wait(resting).unwrap_or_else(|poisoned| poisoned.into_inner());
            }
            *resting -= 1;
        }
        !self.is_over()
    }
}

/// What a thread is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Deed {
    Nothing,
    Wait,
    TimedWait,
    Poll,
    TimedPoll,
    Add,
    Mod,
    Del,
    Write,
    Read,
    Make,
    Close,
    Dup,
    CloseSet,
    Nudge,
    AwaitUsers,
    Fork,
    Gone,
}

const DEEDS: [Deed; 18] = [
    Deed::Nothing,
    Deed::Wait,
    Deed::TimedWait,
    Deed::Poll,
    Deed::TimedPoll,
    Deed::Add,
    Deed::Mod,
    Deed::Del,
    Deed::Write,
    Deed::Read,
    Deed::Make,
    Deed::Close,
    Deed::Dup,
    Deed::CloseSet,
    Deed::Nudge,
    Deed::AwaitUsers,
    Deed::Fork,
    Deed::Gone,
];

/// What a thread is doing, readable by other threads.
#[derive(Debug)]
pub struct Status {
    name: String,
    pub tid: AtomicI32,
    deed: AtomicU8,
    on: AtomicI32,
    since: AtomicU64,
    start: Instant,
}

impl Status {
    pub fn new(name: String) -> Self {
        Self {
            name,
            tid: AtomicI32::new(0),
            deed: AtomicU8::new(0),
            on: AtomicI32::new(0),
            since: AtomicU64::new(0),
            start: Instant::now(),
        }
    }

    pub fn begin(&self) {
        self.tid.store(calls::gettid(), SeqCst);
    }

    pub fn now(&self, deed: Deed, on: i32) {
        self.on.store(on, SeqCst);
        self.since.store(self.start.elapsed().as_micros() as u64, SeqCst);
        self.deed.store(deed as u8, SeqCst);
    }

    pub fn deed(&self) -> Deed {
        DEEDS[self.deed.load(SeqCst) as usize]
    }

    /// How long it has been doing that.
    pub fn age(&self) -> Duration {
        self.start.elapsed().saturating_sub(Duration::from_micros(self.since.load(SeqCst)))
    }

    /// Whether it has been for so long in a call that must end by itself.
    pub fn is_stuck(&self, limit: Duration) -> bool {
        !matches!(self.deed(), Deed::Nothing | Deed::Wait | Deed::Poll | Deed::Gone) && self.age() > limit
    }

    pub fn words(&self) -> String {
        let (tid, on) = (self.tid.load(SeqCst), self.on.load(SeqCst));
        format!("thread {tid} {}: {:?} on fd {on} for {:?}", self.name, self.deed(), self.age())
    }
}
