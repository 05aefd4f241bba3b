//! What each event must say: a record of every ADD and MOD, found by the event's data.

use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::sync::OnceLock;

use libc::{epoll_event, EPOLLERR, EPOLLET, EPOLLEXCLUSIVE, EPOLLHUP, EPOLLIN, EPOLLONESHOT, EPOLLRDHUP};

use super::world::World;

pub const EDGE: u32 = EPOLLET as u32;
pub const ONESHOT: u32 = EPOLLONESHOT as u32;
pub const EXCLUSIVE: u32 = EPOLLEXCLUSIVE as u32;
pub const IN: u32 = EPOLLIN as u32;
pub const ENDS: u32 = (EPOLLHUP | EPOLLERR | EPOLLRDHUP) as u32;
const ALWAYS: u32 = (EPOLLHUP | EPOLLERR) as u32;

/// What an item watches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// The reading end of the file in a slot.
    Reader { slot: usize, file: usize },
    /// Its writing end.
    Writer { slot: usize, file: usize },
    /// A set.
    Set { set: usize, life: u32 },
    /// The eventfd that ends all waits on the set.
    Nudge,
}

/// An ADD or a MOD.
#[derive(Debug)]
pub struct Cookie {
    pub set: usize,
    /// Which epoll of the set: its life.
    pub life: u32,
    pub target: Target,
    pub mask: u32,
    /// How many wakeups the file had had at least when the call began.
    woken: u64,
    /// When the call returned that ended this item or setting; 0: no call has.
    pub dead: AtomicU64,
    pub events: AtomicU32,
}

impl Cookie {
    /// Whether the item may be reported.
    pub fn is_armed(&self) -> bool {
        self.mask & ONESHOT == 0 || self.events.load(SeqCst) == 0
    }
}

/// All cookies of an era.
#[derive(Debug)]
pub struct Cookies {
    /// The upper half of every event's data.
    tag: u32,
    all: Vec<OnceLock<Cookie>>,
    next: AtomicUsize,
}

const MOST: usize = 1 << 17;

impl Cookies {
    pub fn new(tag: u32) -> Self {
        Self { tag, all: (0..MOST).map(|_| OnceLock::new()).collect(), next: AtomicUsize::new(0) }
    }

    pub fn get(&self, at: usize) -> Option<&Cookie> {
        self.all.get(at)?.get()
    }

    pub fn len(&self) -> usize {
        self.next.load(SeqCst)
    }

    /// Whether there is room for the cookies that the threads may still be about to make.
    pub fn has_room(&self) -> bool {
        self.len() < MOST - 1000
    }

    pub fn data(&self, at: usize) -> u64 {
        u64::from(self.tag) << 32 | at as u64
    }

    fn find(&self, data: u64) -> Option<(usize, &Cookie)> {
        let at = data as u32 as usize;
        self.get(at).filter(|_| self.data(at) == data).map(|cookie| (at, cookie))
    }
}

/// A wait, with the state before it began, by which its events are judged.
#[derive(Clone, Debug, Default)]
pub struct Wait {
    pub set: usize,
    pub life: u32,
    pub began: u64,
    /// For some slots, the slot's file and how much of it had been read.
    pub read: Vec<(usize, u64)>,
}

impl World {
    /// Records an ADD or MOD before it is made.
    pub fn cookie(&self, set: usize, life: u32, target: Target, mask: u32) -> usize {
        let woken = match target {
            Target::Reader { file, .. } => {
                let file = self.file(file);
                file.ops_done.load(SeqCst).saturating_sub(file.late(self.plan.unread))
            }
            _ => 0,
        };
        let at = self.cookies.next.fetch_add(1, SeqCst);
        let cookie =
            Cookie { set, life, target, mask, woken, dead: AtomicU64::new(0), events: AtomicU32::new(0) };
        let _ = self.cookies.all[at].set(cookie);
        at
    }

    /// Records that the call that ended it has returned.
    pub fn bury(&self, at: usize) {
        if let Some(cookie) = self.cookies.get(at) {
            cookie.dead.store(self.tick(), SeqCst);
        }
    }

    /// Checks an event; returns its cookie.
    pub fn judge(&self, wait: &Wait, event: epoll_event) -> usize {
        let (events, data) = (event.events, event.u64);
        let Some((at, cookie)) = self.cookies.find(data) else {
            self.fail("foreign", &format!("data {data:#x} was never given; {wait:?}"));
        };
        let wrong = |invariant: &str, why: &str| -> ! {
            let item = self.describe(at);
            self.fail(invariant, &format!("{why}: events {events:#x}, {item}; {wait:?}"));
        };
        if (cookie.set, cookie.life) != (wait.set, wait.life) {
            wrong("foreign", "the item is of another set");
        }
        let dead = cookie.dead.load(SeqCst);
        if dead != 0 && dead < wait.began {
            wrong("stale", "the item was deleted, changed or closed before the wait began");
        }
        if events == 0 || events & !(cookie.mask | ALWAYS) != 0 {
            wrong("bits", "it has bits that were not asked for");
        }
        let before = u64::from(cookie.events.fetch_add(1, SeqCst));
        if cookie.mask & ONESHOT != 0 && before > 0 {
            wrong("oneshot", "the item was reported before");
        }
        if let Target::Reader { file: number, .. } = cookie.target {
            let file = self.file(number);
            file.told.fetch_add(1, SeqCst);
            let ended = file.ended.load(SeqCst);
            let read = wait.read.iter().find(|(file, _)| *file == number).map_or(0, |(_, read)| *read);
            if !ended && (events & ENDS != 0 || file.come() <= read) {
                wrong("idle", "there was nothing to report all the time");
            }
            // The end is a shutdown and a close; each is a wakeup for data and one for the state.
            let ends = if file.ended.load(SeqCst) { 4 } else { 0 };
            let woken = file.ops_begun.load(SeqCst) - cookie.woken + ends;
            if cookie.mask & EDGE != 0 && file.has_counted_edges() && before + 1 > woken + 1 {
                wrong("edge", "the item was reported oftener than its file was woken");
            }
        }
        at
    }

    /// A cookie in words.
    pub fn describe(&self, at: usize) -> String {
        let Some(cookie) = self.cookies.get(at) else { return "nothing".into() };
        let file = match cookie.target {
            Target::Reader { file, .. } | Target::Writer { file, .. } => format!(" {:?}", self.file(file)),
            _ => String::new(),
        };
        format!("item {at}: {} {cookie:?}{file}", words(cookie.mask))
    }
}

/// A mask in words.
pub fn words(mask: u32) -> String {
    let names = [
        (IN, "IN"),
        (libc::EPOLLOUT as u32, "OUT"),
        (EPOLLRDHUP as u32, "RDHUP"),
        (EPOLLHUP as u32, "HUP"),
        (EPOLLERR as u32, "ERR"),
        (EDGE, "ET"),
        (ONESHOT, "ONESHOT"),
        (EXCLUSIVE, "EXCLUSIVE"),
    ];
    let named: Vec<&str> = names.iter().filter(|(bit, _)| mask & bit != 0).map(|(_, name)| *name).collect();
    named.join("|")
}
