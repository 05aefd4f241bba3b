//! The watched files: making, writing and reading them, and an account of what went in and came out.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::Mutex;
use std::time::Duration;

use libc::c_int;

use super::calls;
use crate::random::Random;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Pipe,
    Unix,
    Tcp,
    Udp,
    Eventfd,
    Timerfd,
}

impl Kind {
    /// Whether both ends are one descriptor.
    pub fn is_single(self) -> bool {
        matches!(self, Kind::Eventfd | Kind::Timerfd)
    }

    /// Whether its reader sees the end when the writer goes.
    pub fn ends(self) -> bool {
        matches!(self, Kind::Pipe | Kind::Unix | Kind::Tcp)
    }

    /// How many wakeups may still come of writes that have returned: those of a network come when they
    /// come, a timer's when it expires.
    pub fn late(self, unread: u64) -> u64 {
        match self {
            Kind::Tcp | Kind::Udp => unread + 2,
            Kind::Timerfd => 1,
            _ => 0,
        }
    }
}

/// The account of a file. Counts of what is begun run ahead of the truth, counts of what is done behind
/// it: so there was something to read at some time only if `begun` now is more than `read` was before.
#[derive(Debug)]
pub struct File {
    pub kind: Kind,
    /// Filled and drained, not written to bit by bit.
    pub flow: bool,
    /// Watched with EPOLLEXCLUSIVE, so it is never deleted from a set.
    pub exclusive: bool,
    /// Bytes; the value of an eventfd; the settings of a timer.
    pub begun: AtomicU64,
    pub read: AtomicU64,
    /// Writes.
    pub ops_begun: AtomicU64,
    pub ops_done: AtomicU64,
    /// Its writing end is being closed.
    pub ended: AtomicBool,
    /// The last write was refused, and EPOLLOUT was not reported since (`flow`).
    pub blocked: AtomicBool,
    setting: Mutex<()>,
}

/// What a read came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Read {
    Some,
    Nothing,
    End,
}

/// A new file: the end to read and the end to write. None: the system has no more.
pub fn make(kind: Kind) -> Option<[c_int; 2]> {
    let pair = match kind {
        Kind::Pipe => calls::pipe(),
        Kind::Unix => calls::unix_streams(),
        Kind::Tcp => calls::inet(true),
        Kind::Udp => calls::inet(false),
        Kind::Eventfd => [calls::eventfd(0); 2],
        Kind::Timerfd => [calls::timerfd(); 2],
    };
    if pair.contains(&-1) {
        pair.into_iter().filter(|fd| *fd >= 0).for_each(|fd| {
            calls::close(fd);
        });
        return None;
    }
    Some(pair)
}

impl File {
    pub fn new(kind: Kind, flow: bool, exclusive: bool) -> Self {
        Self {
            kind,
            flow,
            exclusive,
            begun: AtomicU64::new(0),
            read: AtomicU64::new(0),
            ops_begun: AtomicU64::new(0),
            ops_done: AtomicU64::new(0),
            ended: AtomicBool::new(false),
            blocked: AtomicBool::new(false),
            setting: Mutex::new(()),
        }
    }

    /// Writes that were begun and whose data was not read, about.
    pub fn unread(&self) -> u64 {
        match self.begun.load(SeqCst).saturating_sub(self.read.load(SeqCst)) {
            unread if self.kind.is_single() => unread,
            unread => unread.div_ceil(64),
        }
    }

    /// Writes once; false: it was refused.
    pub fn write(&self, fd: c_int, tag: u8, random: &mut Random) -> Result<bool, isize> {
        if self.kind == Kind::Timerfd {
            let _setting = self.setting.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
            self.begun.fetch_add(1, SeqCst);
            self.ops_begun.fetch_add(1, SeqCst);
            let after = Duration::from_micros(1 + random.below(3000) as u64);
            let set = calls::set_timer(fd, after);
            self.ops_done.fetch_add(1, SeqCst);
            return if set == 0 { Ok(true) } else { Err(set) };
        }
        let block = [tag; 65536];
        let one = 1u64.to_ne_bytes();
        let (bytes, amount): (&[u8], usize) = match self.kind {
            Kind::Eventfd => (&one, 1),
            _ if self.flow => (&block, block.len()),
            _ => (&block[..64], 64),
        };
        self.begun.fetch_add(amount as u64, SeqCst);
        self.ops_begun.fetch_add(1, SeqCst);
        let put = calls::write(fd, bytes);
        self.ops_done.fetch_add(1, SeqCst);
        let done = if self.kind == Kind::Eventfd { (put > 0) as usize } else { put.max(0) as usize };
        self.begun.fetch_sub((amount - done) as u64, SeqCst);
        match -put as c_int {
            libc::EAGAIN => Ok(false),
            // A TCP peer that has shut down, a UDP one that has gone.
            libc::EPIPE | libc::ECONNRESET | libc::ECONNREFUSED if self.ended.load(SeqCst) => Ok(false),
            _ if put < 0 => Err(put),
            _ => Ok(true),
        }
    }

    /// Reads once, at most `most` bytes.
    pub fn read(&self, fd: c_int, tag: u8, most: usize) -> Result<Read, String> {
        let set = self.ops_done.load(SeqCst);
        let mut buf = [0; 65536];
        let most = match self.kind {
            Kind::Eventfd | Kind::Timerfd => 8,
            Kind::Udp => buf.len(),
            _ => most,
        };
        let got = calls::read(fd, &mut buf[..most]);
        match -got as c_int {
            libc::EAGAIN => return Ok(Read::Nothing),
            0 => return Ok(Read::End),
            _ if got < 0 && self.ended.load(SeqCst) => return Ok(Read::End),
            _ if got < 0 => return Err(format!("read gives errno {}", -got)),
            _ => {}
        }
        let word = u64::from_ne_bytes(buf[..8].try_into().expect("8 bytes"));
        match self.kind {
            Kind::Eventfd => {
                self.read.fetch_add(word, SeqCst);
            }
            // What expired was not set before the last setting that had returned.
            Kind::Timerfd => {
                self.read.fetch_max(set, SeqCst);
            }
            _ => {
                self.read.fetch_add(got as u64, SeqCst);
                if buf[..got as usize].iter().any(|byte| *byte != tag) {
                    return Err("it has another file's bytes in it".into());
                }
            }
        }
        Ok(Read::Some)
    }
}
