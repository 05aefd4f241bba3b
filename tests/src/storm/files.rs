//! A watched file: its traits, and writes to it, with an account of what went in and came out.

use std::ops::Deref;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

use libc::c_int;

use super::account::Account;
use super::descriptors;
use crate::random::Random;

pub use super::kind::Kind;

/// The traits of a file.
#[derive(Clone, Copy, Debug)]
pub struct Traits {
    pub kind: Kind,
    pub slot: usize,
    /// A writer fills it and a reader drains it; otherwise writes are small.
    pub flow: bool,
    /// Watched with EPOLLEXCLUSIVE, so it is never deleted from a set.
    pub exclusive: bool,
    /// A pulse: it becomes ready again each time it is drained, also in lulls.
    pub pulse: bool,
    /// Another process made it and has it too.
    pub shared: bool,
    /// Another process has it, or may have had it for a while.
    pub exposed: bool,
    /// The period of a ticker.
    pub period: Duration,
}

#[derive(Debug)]
pub struct File {
    pub traits: Traits,
    pub account: &'static Account,
    /// Its writing end is being closed.
    pub ended: AtomicBool,
    /// The last write was refused, and EPOLLOUT was not reported since then (`flow`).
    pub blocked: AtomicBool,
    /// How often it was reported.
    pub told: AtomicU64,
    setting: Mutex<()>,
    /// When a ticker was set.
    since: OnceLock<Instant>,
}

impl Deref for File {
    type Target = Account;

    fn deref(&self) -> &Account {
        self.account
    }
}

impl File {
    pub fn new(traits: Traits, account: &'static Account) -> Self {
        account.reset();
        Self {
            traits,
            account,
            ended: AtomicBool::new(false),
            blocked: AtomicBool::new(false),
            told: AtomicU64::new(0),
            setting: Mutex::new(()),
            since: OnceLock::new(),
        }
    }

    /// The most that may have come by now.
    pub fn come(&self) -> u64 {
        let ticks = |since: &Instant| (since.elapsed().as_nanos() / self.traits.period.as_nanos()) as u64;
        match self.traits.kind {
            Kind::Ticker => self.since.get().map_or(0, ticks),
            _ => self.begun.load(SeqCst),
        }
    }

    /// About how many writes have begun whose data is not read yet.
    pub fn unread(&self) -> u64 {
        match self.begun.load(SeqCst).saturating_sub(self.read.load(SeqCst)) {
            unread if self.traits.kind.is_counted() => unread,
            unread => unread.div_ceil(64),
        }
    }

    /// Whether it is reported at most once for each wakeup. A signalfd may be reported more often, because any signal
    /// wakes all signalfds of the process. So may a counter to which another process writes: that is a listed limit.
    pub fn has_counted_edges(&self) -> bool {
        let Traits { kind, flow, shared, exposed, .. } = self.traits;
        match kind {
            _ if flow => false,
            Kind::Signalfd => false,
            Kind::Eventfd => !shared,
            Kind::Semaphore => !exposed,
            _ => true,
        }
    }

    /// Starts a ticker.
    pub fn start(&self, fd: c_int) {
        self.since.get_or_init(Instant::now);
        self.woke();
        descriptors::set_timer(fd, self.traits.period, self.traits.period);
    }

    /// Writes once. False: the write was refused.
    pub fn write(&self, fd: c_int, tag: u8, random: &mut Random) -> Result<bool, isize> {
        let Traits { kind, slot, flow, .. } = self.traits;
        if kind == Kind::Ticker {
            return Ok(true);
        }
        let _setting = kind.is_timer().then(|| self.setting.lock());
        let put = self.account.write(kind.amount(flow) as u64, || kind.put(fd, slot, tag, flow, random));
        match -put as c_int {
            libc::EAGAIN => Ok(false),
            // A TCP peer that has shut down, or a UDP peer that is gone.
            libc::EPIPE | libc::ECONNRESET | libc::ECONNREFUSED if self.ended.load(SeqCst) => Ok(false),
            _ if put < 0 => Err(put),
            _ => Ok(true),
        }
    }
}
