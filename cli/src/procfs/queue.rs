//! What waits in the queues of a file. Only the kernel's lists are read: a copy of the fd would keep the file in its
//! epoll sets if the process closes it meanwhile, and a pipe that is opened anew may wake its other end.

use std::fmt;

use serde::Serialize;

use crate::procfs::fdinfo::field;
use crate::text::units::count;

/// What waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Queue {
    /// Bytes of a socket: received and not read; written and not yet taken by the peer.
    Bytes { unread: u32, unsent: u32 },
    /// Connections that were not accepted, and how many there may be.
    Connections { waiting: u32, most: u32 },
    /// The count of an eventfd.
    Count(u64),
    /// How often a timer has expired since the last read.
    Expirations(u64),
}

impl Queue {
    /// The queue of an eventfd or a timerfd, by its fdinfo.
    pub fn of_info(info: &str) -> Option<Self> {
        let count = field(info, "eventfd-count").and_then(|count| u64::from_str_radix(count, 16).ok());
        let ticks = || field(info, "ticks").and_then(|ticks| ticks.parse().ok());
        count.map(Self::Count).or_else(|| ticks().map(Self::Expirations))
    }
}

impl Queue {
    /// Whether something waits for the process to read it.
    pub fn is_for_reader(&self) -> bool {
        match *self {
            Self::Bytes { unread, .. } => unread != 0,
            Self::Connections { waiting, .. } => waiting != 0,
            Self::Count(value) | Self::Expirations(value) => value != 0,
        }
    }
}

impl fmt::Display for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = |number: u32| count(number.into());
        match *self {
            Self::Bytes { unread: 0, unsent: 0 } | Self::Count(0) | Self::Expirations(0) => f.write_str("-"),
            Self::Bytes { unread, unsent: 0 } => write!(f, "{} B unread", number(unread)),
            Self::Bytes { unread: 0, unsent } => write!(f, "{} B unsent", number(unsent)),
            Self::Bytes { unread, unsent } => {
                write!(f, "{} B unread, {} B unsent", number(unread), number(unsent))
            }
            Self::Connections { waiting: 0, .. } => f.write_str("-"),
            Self::Connections { waiting, most } => {
                write!(f, "{} of {} connections", number(waiting), number(most))
            }
            Self::Count(value) => write!(f, "count {}", count(value)),
            Self::Expirations(1) => f.write_str("1 expiration"),
            Self::Expirations(ticks) => write!(f, "{} expirations", count(ticks)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_is_told_by_what_is_in_it() {
        let texts = [
            (Queue::Bytes { unread: 0, unsent: 0 }, "-"),
            (Queue::Bytes { unread: 2_900, unsent: 0 }, "2,900 B unread"),
            (Queue::Bytes { unread: 1, unsent: 2 }, "1 B unread, 2 B unsent"),
            (Queue::Connections { waiting: 128, most: 128 }, "128 of 128 connections"),
            (Queue::Count(3), "count 3"),
            (Queue::Expirations(7), "7 expirations"),
            (Queue::Expirations(1), "1 expiration"),
        ];
        for (queue, text) in texts {
            assert_eq!(queue.to_string(), text);
        }
        assert_eq!(Queue::of_info("pos:\t0\neventfd-count:                a\n"), Some(Queue::Count(10)));
        assert_eq!(Queue::of_info("clockid: 1\nticks: 2\n"), Some(Queue::Expirations(2)));
        assert_eq!(Queue::of_info("pos:\t0\n"), None);
    }
}
