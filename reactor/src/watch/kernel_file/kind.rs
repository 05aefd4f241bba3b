//! What kind of file it is, as far as its signals differ from its wakeups.

use crate::sys;
use crate::uapi::*;
use crate::watch::poll::entry::Gaps;

/// A kind of file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nature {
    /// A pipe or FIFO.
    Pipe,
    /// A TCP socket, or another stream of the internet's.
    InetStream,
    /// A UDP socket.
    InetDgram,
    /// A unix stream, or a stream of another family.
    Stream,
    /// A unix datagram socket, or one of another family.
    Dgram,
    /// A file without a name: inotify, fanotify.
    Anonymous,
    /// An eventfd or a timerfd that another process may have: it never signals.
    Counter,
    /// An eventfd of this process alone: its reads and writes are told by the program's calls.
    Eventfd,
    /// A timerfd of this process alone: what makes a further expiry possible is told by the program's calls.
    Timerfd,
    /// A pidfd: ready once, and for ever.
    Pidfd,
    /// A terminal or another device.
    Other,
}

impl Nature {
    /// By their numbers.
    pub(crate) const ALL: [Self; 11] = [
        Nature::Pipe,
        Nature::InetStream,
        Nature::InetDgram,
        Nature::Stream,
        Nature::Dgram,
        Nature::Anonymous,
        Nature::Counter,
        Nature::Eventfd,
        Nature::Timerfd,
        Nature::Pidfd,
        Nature::Other,
    ];

    pub(crate) fn of(fd: i32) -> Self {
        let Ok(stat) = sys::fstat(fd) else { return Nature::Other };
        match stat.st_mode & libc::S_IFMT {
            libc::S_IFIFO => Nature::Pipe,
            libc::S_IFSOCK => {
                let stream = sys::getsockopt(fd, libc::SOL_SOCKET, libc::SO_TYPE) != Ok(libc::SOCK_DGRAM);
                let domain = sys::getsockopt(fd, libc::SOL_SOCKET, libc::SO_DOMAIN);
                match (matches!(domain, Ok(libc::AF_INET | libc::AF_INET6)), stream) {
                    (true, true) => Nature::InetStream,
                    (true, false) => Nature::InetDgram,
                    (false, true) => Nature::Stream,
                    (false, false) => Nature::Dgram,
                }
            }
            0 => Nature::Anonymous,
            _ => Nature::Other,
        }
    }

    /// What its signals leave out.
    ///
    /// A stream socket signals room only if its last write failed or poll(2) has said since that there is
    /// none (Linux: `SOCKWQ_ASYNC_NOSPACE`, which a write that succeeds clears). A unix stream does not
    /// even note what poll(2) says, and if its peer shuts down one half and then the other, it signals the
    /// first alone. A terminal signals room rarely and a hang-up never.
    pub(crate) fn gaps(self) -> Gaps {
        let none = Gaps::default();
        match self {
            Nature::Pipe | Nature::InetDgram | Nature::Counter => none,
            Nature::Eventfd | Nature::Timerfd | Nature::Pidfd => none,
            Nature::InetStream | Nature::Dgram => Gaps { write: true, ..none },
            Nature::Stream => Gaps { write: true, full: true, half: true, hangup: false },
            Nature::Anonymous | Nature::Other => Gaps { write: true, full: true, hangup: true, half: false },
        }
    }

    /// Whether asking tells all of its levels, whoever asks.
    pub(crate) fn may_be_asked(self) -> bool {
        !matches!(self, Nature::Anonymous | Nature::Pidfd | Nature::Other)
    }

    /// Whether that tells all of its edges, too, given what the program's reads and writes tell. Of all others
    /// nobody counts what has come, so after a read that was not seen (splice, stdio, another process) as many
    /// bytes as before would be taken for what was left.
    pub(crate) fn rises(self) -> bool {
        self == Nature::InetStream
    }

    /// The key of the wakeup that a signal stands for; None: it stands for none.
    pub(crate) fn key_of_signal(self, key: u32) -> Option<u32> {
        match self {
            // Announced; when it is there, it is told as readable.
            // Linux: `net/ipv4/tcp_input.c:tcp_check_urg`, `tcp_urg`.
            Nature::InetStream | Nature::Stream if key == URGENT => None,
            Nature::InetStream
            | Nature::InetDgram
            | Nature::Stream
            | Nature::Dgram
            | Nature::Counter
            | Nature::Eventfd
            | Nature::Timerfd
            | Nature::Pidfd => Some(key),
            // inotify wakes with no key. Linux: `fs/notify/notification.c:fsnotify_insert_event`.
            Nature::Anonymous => Some(0),
            // Linux: `fs/pipe.c:pipe_write`, `drivers/tty/n_tty.c:n_tty_receive_buf_common`.
            Nature::Pipe | Nature::Other => Some(key & !(EPOLLPRI | EPOLLRDBAND | EPOLLWRBAND)),
        }
    }

    /// How many more signals come with the one that tells the end of the file.
    /// Linux: `net/ipv4/tcp_input.c:tcp_data_queue` calls `tcp_fin`, then `tcp_data_ready`.
    pub(crate) fn signals_after_end(self) -> usize {
        usize::from(self == Nature::InetStream)
    }

    /// Whether data can come though the file has hung up: a UDP socket that was shut down hears on.
    pub(crate) fn hears_after_hangup(self) -> bool {
        self == Nature::InetDgram
    }
}
