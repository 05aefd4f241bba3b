//! Reads of a watched file, and what their results mean.

use std::sync::atomic::Ordering::SeqCst;

use libc::c_int;

use super::files::{File, Kind};
use super::reads::{self, ANY, HOWS};
use super::signals;
use crate::random::Random;

/// The result of a read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Read {
    /// There may be more to read.
    Some,
    /// It got all there was.
    All,
    Nothing,
    End,
}

impl File {
    /// Whether the library learns of its events by polling it.
    fn is_asked(&self) -> bool {
        self.traits.exposed || std::env::var_os("GLASSPOLL_DEVICE").is_some()
    }

    /// How many wakeups may still come from writes that have returned.
    pub fn late(&self, unread: u64) -> u64 {
        self.traits.kind.late(unread)
    }

    /// Whether data that a read has left may be reported once more. That is a listed limit for a busy TCP connection,
    /// and for a polled file whose data comes in packets.
    fn is_told_again(&self, left: bool) -> bool {
        match self.traits.kind {
            Kind::Udp => self.is_asked(),
            Kind::Tcp => left,
            _ => false,
        }
    }

    /// Reads once, at most `most` bytes.
    pub fn read(&self, fd: c_int, tag: u8, most: usize, random: &mut Random) -> Result<Read, String> {
        let kind = self.traits.kind;
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
        // After a read, a periodic timer runs again.
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
                // Changes that the kernel has merged into one.
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
            // The rest of the buffer may be too small for another event.
            Kind::Inotify => got.len() + size_of::<libc::inotify_event>() <= most,
            _ => kind.short_is_dry() && got.len() < most,
        };
        if dry && kind == Kind::Inotify {
            self.read.fetch_max(set, SeqCst);
        }
        if self.is_told_again(got.len() == most) {
            self.woke();
        }
        // The end came with the last data: it is no further edge.
        Ok(if dry && !self.ended.load(SeqCst) { Read::All } else { Read::Some })
    }

    /// Counts what was read. `set`: the `ops_done` count before the read.
    fn take(&self, got: &[u8], tag: u8, set: u64, most: usize) -> Result<(), String> {
        let word = || u64::from_ne_bytes(got[..8].try_into().expect("8 bytes"));
        match self.traits.kind {
            Kind::Semaphore if word() != 1 => return Err(format!("{} of a semaphore", word())),
            Kind::Eventfd | Kind::Semaphore | Kind::Ticker => {
                self.read.fetch_add(word(), SeqCst);
            }
            // A timer that expired was set no earlier than by the last setting that had returned.
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
