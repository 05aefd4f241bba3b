//! A watched file: writing and reading it, with an account of what went in and came out.

use std::ops::Deref;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

use libc::c_int;

use super::account::Account;
use super::reads::{self, ANY, HOWS};
use super::{calls, signals};
use crate::random::Random;

pub use super::kind::Kind;

/// What a file is like.
#[derive(Clone, Copy, Debug)]
pub struct Nature {
    pub kind: Kind,
    pub slot: usize,
    /// Filled and drained, not written to bit by bit.
    pub flow: bool,
    /// Watched with EPOLLEXCLUSIVE, so it is never deleted from a set.
    pub exclusive: bool,
    /// It becomes ready anew whenever it was drained, in lulls, too.
    pub pulse: bool,
    /// Another process made it and has it, too.
    pub shared: bool,
    /// Of a ticker.
    pub period: Duration,
}

#[derive(Debug)]
pub struct File {
    pub nature: Nature,
    account: &'static Account,
    /// Its writing end is being closed.
    pub ended: AtomicBool,
    /// The last write was refused, and EPOLLOUT was not reported since (`flow`).
    pub blocked: AtomicBool,
    /// How often it was reported.
    pub told: AtomicU64,
    setting: Mutex<()>,
    /// A ticker's setting.
    since: OnceLock<Instant>,
}

/// What a read came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Read {
    /// There may be more.
    Some,
    /// It took what there was.
    All,
    Nothing,
    End,
}

impl Deref for File {
    type Target = Account;

    fn deref(&self) -> &Account {
        self.account
    }
}

impl File {
    pub fn new(nature: Nature, account: &'static Account) -> Self {
        account.reset();
        Self {
            nature,
            account,
            ended: AtomicBool::new(false),
            blocked: AtomicBool::new(false),
            told: AtomicU64::new(0),
            setting: Mutex::new(()),
            since: OnceLock::new(),
        }
    }

    /// What may have come by now.
    pub fn come(&self) -> u64 {
        let ticks = |since: &Instant| (since.elapsed().as_nanos() / self.nature.period.as_nanos()) as u64;
        match self.nature.kind {
            Kind::Ticker => self.since.get().map_or(0, ticks),
            _ => self.begun.load(SeqCst),
        }
    }

    /// Writes that were begun and whose data was not read, about.
    pub fn unread(&self) -> u64 {
        match self.begun.load(SeqCst).saturating_sub(self.read.load(SeqCst)) {
            unread if self.nature.kind.is_counted() => unread,
            unread => unread.div_ceil(64),
        }
    }

    /// Whether its edges are no more than its wakeups. A listed limit: those of a counter that another
    /// process writes to may be.
    pub fn has_counted_edges(&self) -> bool {
        let Nature { kind, flow, shared, .. } = self.nature;
        !flow && !(shared && matches!(kind, Kind::Eventfd | Kind::Semaphore))
    }

    /// Whether what a read has left may be reported once more: listed limits, too.
    fn is_told_again(&self, full: bool) -> bool {
        match self.nature.kind {
            Kind::Signalfd => true,
            Kind::Udp => self.nature.shared || std::env::var_os("GLASSPOLL_DEVICE").is_some(),
            Kind::Tcp => full,
            _ => false,
        }
    }

    /// Has a ticker begin.
    pub fn start(&self, fd: c_int) {
        self.since.get_or_init(Instant::now);
        self.woke();
        calls::set_timer(fd, self.nature.period, self.nature.period);
    }

    /// Writes once; false: it was refused.
    pub fn write(&self, fd: c_int, tag: u8, random: &mut Random) -> Result<bool, isize> {
        let Nature { kind, slot, flow, .. } = self.nature;
        if kind == Kind::Ticker {
            return Ok(true);
        }
        let _setting = kind.is_timer().then(|| self.setting.lock());
        let put = self.account.write(kind.amount(flow) as u64, || kind.put(fd, slot, tag, flow, random));
        match -put as c_int {
            libc::EAGAIN => Ok(false),
            // A TCP peer that has shut down, a UDP one that has gone.
            libc::EPIPE | libc::ECONNRESET | libc::ECONNREFUSED if self.ended.load(SeqCst) => Ok(false),
            _ if put < 0 => Err(put),
            _ => Ok(true),
        }
    }

    /// Reads once, at most `most` bytes.
    pub fn read(&self, fd: c_int, tag: u8, most: usize, random: &mut Random) -> Result<Read, String> {
        let kind = self.nature.kind;
        let set = self.ops_done.load(SeqCst);
        let mut buf = [0; 65536];
        let most = match kind {
            Kind::Eventfd | Kind::Semaphore | Kind::Timerfd | Kind::Ticker => 8,
            Kind::Udp => buf.len(),
            Kind::Signalfd => most.clamp(size_of::<libc::signalfd_siginfo>(), 1024),
            Kind::Inotify => most.clamp(size_of::<libc::inotify_event>(), 1024),
            _ => most,
        };
        let how = random.pick(if kind.is_socket() { &HOWS } else { &HOWS[..ANY] });
        // A read has a periodic timer run again.
        let restarts = u64::from(kind == Kind::Ticker);
        self.ops_begun.fetch_add(restarts, SeqCst);
        let got = reads::read(how, fd, &mut buf[..most]);
        if got > 0 {
            self.ops_done.fetch_add(restarts, SeqCst);
        } else {
            self.ops_begun.fetch_sub(restarts, SeqCst);
        }
        match -got as c_int {
            libc::EAGAIN => {
                // Merged changes are one.
                if kind == Kind::Inotify {
                    self.read.fetch_max(set, SeqCst);
                }
                return Ok(Read::Nothing);
            }
            0 => return Ok(Read::End),
            _ if got < 0 && self.ended.load(SeqCst) => return Ok(Read::End),
            _ if got < 0 => return Err(format!("{how:?} gives errno {}", -got)),
            _ => {}
        }
        let got = &buf[..got as usize];
        self.take(got, tag, set, most).map_err(|why| format!("{how:?} gives {why}"))?;
        let dry = match kind {
            Kind::Eventfd | Kind::Timerfd | Kind::Ticker => true,
            // Another event may not fit.
            Kind::Inotify => got.len() + size_of::<libc::inotify_event>() <= most,
            _ => kind.short_is_dry() && got.len() < most,
        };
        if dry && kind == Kind::Inotify {
            self.read.fetch_max(set, SeqCst);
        }
        if self.is_told_again(got.len() == most) {
            self.woke();
        }
        // The end that came with the last data is no further edge.
        Ok(if dry && !self.ended.load(SeqCst) { Read::All } else { Read::Some })
    }

    /// Notes what was read. `set`: what had been done before.
    fn take(&self, got: &[u8], tag: u8, set: u64, most: usize) -> Result<(), String> {
        let word = || u64::from_ne_bytes(got[..8].try_into().expect("8 bytes"));
        match self.nature.kind {
            Kind::Semaphore if word() != 1 => return Err(format!("{} of a semaphore", word())),
            Kind::Eventfd | Kind::Semaphore | Kind::Ticker => {
                self.read.fetch_add(word(), SeqCst);
            }
            // What expired was not set before the last setting that had returned.
            Kind::Timerfd => {
                self.read.fetch_max(set, SeqCst);
            }
            Kind::Inotify => {}
            Kind::Signalfd => {
                let (count, are_its) = signals::are_of(got, tag);
                self.read.fetch_add(count, SeqCst);
                if !are_its {
                    return Err("another file's signal".into());
                }
            }
            _ => {
                self.read.fetch_add(got.len() as u64, SeqCst);
                if got.iter().any(|byte| *byte != tag) {
                    return Err(format!("another file's bytes, of {most}"));
                }
            }
        }
        Ok(())
    }
}
