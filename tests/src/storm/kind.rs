//! The kinds of watched file: how to make one, and how to write to it.

use std::time::Duration;

use libc::c_int;

use super::{calls, descriptors, signals};
use crate::random::Random;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Pipe,
    Unix,
    Tcp,
    Udp,
    Eventfd,
    /// An eventfd whose reads subtract 1.
    Semaphore,
    /// Expires once after each setting.
    Timerfd,
    /// A periodic timerfd. It is set when it is made.
    Ticker,
    /// For a real-time signal that only its slot uses.
    Signalfd,
    /// Watches a memfd, which is its writing end.
    Inotify,
}

pub const KINDS: [Kind; 10] = [
    Kind::Pipe,
    Kind::Unix,
    Kind::Tcp,
    Kind::Udp,
    Kind::Eventfd,
    Kind::Semaphore,
    Kind::Timerfd,
    Kind::Ticker,
    Kind::Signalfd,
    Kind::Inotify,
];

impl Kind {
    /// Whether both ends are one descriptor.
    pub fn is_single(self) -> bool {
        !self.ends() && !matches!(self, Kind::Udp | Kind::Inotify)
    }

    /// Whether each write counts as 1.
    pub fn is_counted(self) -> bool {
        self.is_single() || self == Kind::Inotify
    }

    /// Whether its reader sees the end when the writer closes.
    pub fn ends(self) -> bool {
        matches!(self, Kind::Pipe | Kind::Unix | Kind::Tcp)
    }

    pub fn is_socket(self) -> bool {
        matches!(self, Kind::Unix | Kind::Tcp | Kind::Udp)
    }

    pub fn is_timer(self) -> bool {
        matches!(self, Kind::Timerfd | Kind::Ticker)
    }

    /// Whether a read that gets less than its buffer holds has left nothing.
    pub fn short_is_dry(self) -> bool {
        !matches!(self, Kind::Udp | Kind::Semaphore)
    }

    /// How many wakeups may still come from writes that have returned: those of a network socket come later, and that
    /// of a timer when it expires.
    pub fn late(self, unread: u64) -> u64 {
        match self {
            Kind::Tcp | Kind::Udp => unread + 2,
            Kind::Timerfd | Kind::Ticker => 1,
            _ => 0,
        }
    }

    /// A new file: the end to read and the end to write. None: the system has no more.
    pub fn make(self, slot: usize) -> Option<[c_int; 2]> {
        let pair = match self {
            Kind::Pipe => descriptors::pipe(),
            Kind::Unix => descriptors::unix_streams(),
            Kind::Tcp => descriptors::inet(true),
            Kind::Udp => descriptors::inet(false),
            Kind::Eventfd => [descriptors::eventfd(0, 0); 2],
            Kind::Semaphore => [descriptors::eventfd(0, libc::EFD_SEMAPHORE); 2],
            Kind::Timerfd | Kind::Ticker => [descriptors::timerfd(); 2],
            Kind::Signalfd => [signals::signalfd(slot); 2],
            Kind::Inotify => descriptors::inotify(),
        };
        if pair.contains(&-1) {
            pair.into_iter().filter(|fd| *fd >= 0).for_each(|fd| {
                calls::close(fd);
            });
            return None;
        }
        Some(pair)
    }

    /// By how much one write changes the account.
    pub fn amount(self, flow: bool) -> usize {
        match self {
            _ if self.is_counted() => 1,
            _ if flow => 65536,
            _ => 64,
        }
    }

    /// Writes once. Returns how much, or a negative errno.
    pub fn put(self, fd: c_int, slot: usize, tag: u8, flow: bool, random: &mut Random) -> isize {
        let one = |done: isize| if done > 0 { 1 } else { done };
        match self {
            Kind::Eventfd | Kind::Semaphore => one(calls::write(fd, &1u64.to_ne_bytes())),
            Kind::Timerfd => {
                let most = random.pick(&[30, 3000]);
                let after = Duration::from_micros(1 + random.below(most) as u64);
                match descriptors::set_timer(fd, after, Duration::ZERO) {
                    0 => 1,
                    errno => errno,
                }
            }
            Kind::Ticker => 0,
            Kind::Signalfd => signals::send(slot, tag),
            Kind::Inotify => one(descriptors::change(fd, random.chance(50))),
            _ => calls::write(fd, &[tag; 65536][..self.amount(flow)]),
        }
    }
}
