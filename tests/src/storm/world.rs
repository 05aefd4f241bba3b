//! What the threads of an era share.
//!
//! The order of the locks: a slot, an item (or a link), the sets it is about (the outer one first), `fds`. No thread
//! holds one of them in a wait, so a waiting thread never keeps another from changing or closing what it waits for.
//! Threads write, change and wait at the same time without a lock; only an action that could make an fd mean another
//! file takes one.

use std::io::Write as _;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Instant;

use libc::c_int;

use super::account::{accounts, FILES};
use super::cookies::{Cookies, Wait};
use super::files::{File, Kind, Traits};
use super::plan::Plan;
use super::threads::{Pace, Status};
use super::Options;

/// How many files there are at a time.
pub const SLOTS: usize = 20;

/// An item in a set, as known by the thread that added it.
#[derive(Clone, Copy, Debug)]
pub struct Item {
    pub cookie: usize,
    pub fd: c_int,
    pub set: usize,
    pub life: u32,
}

/// The file in a slot.
#[derive(Debug)]
pub struct Pair {
    pub file: usize,
    pub kind: Kind,
    pub reader: c_int,
    /// The fd of the writing end; -1: it is closed.
    pub writer: c_int,
    /// Items under an fd that was closed while the file lived on.
    pub orphans: Vec<Item>,
}

/// A place for a file.
#[derive(Debug)]
pub struct Slot {
    pub pair: RwLock<Option<Pair>>,
    /// The number of its file plus one, or 0.
    pub current: AtomicUsize,
    /// Its item in each set.
    pub items: Vec<Mutex<Option<Item>>>,
    /// The item of its writing end.
    pub out: Mutex<Option<Item>>,
}

/// The epoll of a set in one of its lives.
#[derive(Clone, Copy, Debug)]
pub struct Epoll {
    pub life: u32,
    pub fd: c_int,
    /// A duplicate of the fd.
    pub twin: c_int,
    /// An eventfd, always watched for EPOLLIN: when it is ready, all waits end.
    pub nudge: c_int,
}

/// A place for an epoll.
#[derive(Debug)]
pub struct Set {
    pub epoll: RwLock<Epoll>,
    /// How many threads wait on it, or are about to.
    pub users: AtomicU32,
    /// It is being closed: a wait that begins late finds another file behind the fd.
    pub closing: AtomicBool,
}

#[derive(Debug, Default)]
pub struct Counts {
    pub events: AtomicU64,
    pub waits: AtomicU64,
    pub writes: AtomicU64,
    pub changes: AtomicU64,
    pub closes: AtomicU64,
    pub closed_sets: AtomicU64,
    pub forks: AtomicU64,
}

pub struct World {
    pub seed: u64,
    pub plan: Plan,
    pub options: Options,
    pub start: Instant,
    clock: AtomicU64,
    pub cookies: Cookies,
    files: Vec<OnceLock<File>>,
    next_file: AtomicUsize,
    pub sets: Vec<Set>,
    pub slots: Vec<Slot>,
    /// The item of set `inner` in set `outer`, at `outer * sets + inner`; and the life of `inner`.
    pub links: Vec<Mutex<Option<(Item, u32)>>>,
    pub pace: Pace,
    /// Threads that make descriptors share it; a thread holds it alone while no fd may be used again.
    pub fds: RwLock<()>,
    /// Threads that close share it; a thread holds it alone while a child has copies of the fds.
    pub children: RwLock<()>,
    /// Items that went with their file instead of one by one: when, in milliseconds, and which.
    pub closed: Mutex<Vec<(u128, usize)>>,
    pub threads: Vec<Status>,
    pub counts: Counts,
}

/// Takes the lock even if it is poisoned: after a panic, the state matters to no thread.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

pub fn shared<T>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

pub fn alone<T>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}

impl World {
    pub fn new(seed: u64, plan: Plan, options: Options, threads: Vec<Status>, workers: usize) -> Self {
        let sets = plan.levels.len();
        let set = || Set {
            epoll: RwLock::new(Epoll { life: 0, fd: -1, twin: -1, nudge: -1 }),
            users: AtomicU32::new(0),
            closing: AtomicBool::new(false),
        };
        let slot = || Slot {
            pair: RwLock::new(None),
            current: AtomicUsize::new(0),
            items: (0..sets).map(|_| Mutex::new(None)).collect(),
            out: Mutex::new(None),
        };
        Self {
            seed,
            options,
            start: Instant::now(),
            clock: AtomicU64::new(1),
            cookies: Cookies::new(seed as u32 ^ 0x5eed_0000),
            files: (0..FILES).map(|_| OnceLock::new()).collect(),
            next_file: AtomicUsize::new(0),
            sets: (0..sets).map(|_| set()).collect(),
            slots: (0..plan.files).map(|_| slot()).collect(),
            links: (0..sets * sets).map(|_| Mutex::new(None)).collect(),
            pace: Pace::new(workers),
            fds: RwLock::new(()),
            children: RwLock::new(()),
            closed: Mutex::default(),
            threads,
            counts: Counts::default(),
            plan,
        }
    }

    /// Advances the clock.
    pub fn tick(&self) -> u64 {
        self.clock.fetch_add(1, SeqCst) + 1
    }

    pub fn file(&self, number: usize) -> &File {
        self.files[number].get().expect("files are numbered when they are made")
    }

    /// Opens the account of a new file. None: the era has no more accounts.
    pub fn new_file(&self, traits: Traits) -> Option<usize> {
        let number = self.next_file.fetch_add(1, SeqCst);
        self.files.get(number)?.set(File::new(traits, &accounts()[number])).ok()?;
        Some(number)
    }

    /// Begins a wait on a set.
    pub fn wait(&self, set: usize, life: u32) -> Wait {
        let began = self.tick();
        let files = self.slots.iter().map(|slot| slot.current.load(SeqCst));
        let files = files.filter(|current| *current != 0).map(|current| current - 1);
        let read = files.map(|file| (file, self.file(file).read.load(SeqCst))).collect();
        Wait { set, life, began, read }
    }

    pub fn link(&self, outer: usize, inner: usize) -> &Mutex<Option<(Item, u32)>> {
        &self.links[outer * self.sets.len() + inner]
    }

    /// Prints what went wrong and ends the process. With `STORM_HOLD` set the process stays, for a debugger.
    pub fn fail(&self, invariant: &str, what: &str) -> ! {
        static ONE: Mutex<()> = Mutex::new(());
        let _one = lock(&ONE);
        let mut text = format!("storm: {invariant}: era of seed {}: {what}\n  {:?}\n", self.seed, self.plan);
        for thread in &self.threads {
            text += &format!("  {}\n", thread.words());
        }
        for set in &self.sets {
            let epoll = set.epoll.try_read().map(|epoll| *epoll);
            text += &format!("  {epoll:?} users {}\n", set.users.load(SeqCst));
        }
        let _ = std::io::stderr().write_all(text.as_bytes());
        while std::env::var_os("STORM_HOLD").is_some() {
            std::thread::sleep(std::time::Duration::from_secs(1));
        }
        // SAFETY: ends the process without exit handlers, because other threads may be anywhere.
        unsafe { libc::_exit(1) }
    }
}
