//! What kind of file it is, as far as its signals differ from its wakeups.

use crate::sys;
use crate::uapi::*;
use crate::watch::poll::entry::Gaps;

/// A kind of file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
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

impl FileKind {
    /// By their numbers.
    pub(crate) const ALL: [Self; 11] = [
        FileKind::Pipe,
        FileKind::InetStream,
        FileKind::InetDgram,
        FileKind::Stream,
        FileKind::Dgram,
        FileKind::Anonymous,
        FileKind::Counter,
        FileKind::Eventfd,
        FileKind::Timerfd,
        FileKind::Pidfd,
        FileKind::Other,
    ];

    pub(crate) fn of(fd: i32) -> Self {
        let Ok(stat) = sys::fstat(fd) else { return FileKind::Other };
        match stat.st_mode & libc::S_IFMT {
            libc::S_IFIFO => FileKind::Pipe,
            libc::S_IFSOCK => {
                let stream = sys::getsockopt(fd, libc::SOL_SOCKET, libc::SO_TYPE) != Ok(libc::SOCK_DGRAM);
                let domain = sys::getsockopt(fd, libc::SOL_SOCKET, libc::SO_DOMAIN);
                match (matches!(domain, Ok(libc::AF_INET | libc::AF_INET6)), stream) {
                    (true, true) => FileKind::InetStream,
                    (true, false) => FileKind::InetDgram,
                    (false, true) => FileKind::Stream,
                    (false, false) => FileKind::Dgram,
                }
            }
            0 => FileKind::Anonymous,
            _ => FileKind::Other,
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
            FileKind::Pipe | FileKind::InetDgram | FileKind::Counter => none,
            FileKind::Eventfd | FileKind::Timerfd | FileKind::Pidfd => none,
            FileKind::InetStream | FileKind::Dgram => Gaps { write: true, ..none },
            FileKind::Stream => Gaps { write: true, full: true, half: true, hangup: false },
            FileKind::Anonymous | FileKind::Other => {
                Gaps { write: true, full: true, hangup: true, half: false }
            }
        }
    }

    /// Whether asking tells all of its levels, whoever asks.
    pub(crate) fn may_be_asked(self) -> bool {
        !matches!(self, FileKind::Anonymous | FileKind::Pidfd | FileKind::Other)
    }

    /// Whether that tells all of its edges, too, given what the program's reads and writes tell. Of all others
    /// nobody counts what has come, so after a read that was not seen (splice, stdio, another process) as many
    /// bytes as before would be taken for what was left.
    pub(crate) fn rises(self) -> bool {
        self == FileKind::InetStream
    }

    /// The pollflags of the wakeup that a signal stands for; None: it stands for none.
    pub(crate) fn pollflags_of_signal(self, pollflags: u32) -> Option<u32> {
        match self {
            // Announced; when it is there, it is told as readable.
            // Linux: `net/ipv4/tcp_input.c:tcp_check_urg`, `tcp_urg`.
            FileKind::InetStream | FileKind::Stream if pollflags == URGENT => None,
            FileKind::InetStream
            | FileKind::InetDgram
            | FileKind::Stream
            | FileKind::Dgram
            | FileKind::Counter
            | FileKind::Eventfd
            | FileKind::Timerfd
            | FileKind::Pidfd => Some(pollflags),
            // inotify wakes with no pollflags. Linux: `fs/notify/notification.c:fsnotify_insert_event`.
            FileKind::Anonymous => Some(0),
            // Linux: `fs/pipe.c:pipe_write`, `drivers/tty/n_tty.c:n_tty_receive_buf_common`.
            FileKind::Pipe | FileKind::Other => Some(pollflags & !(EPOLLPRI | EPOLLRDBAND | EPOLLWRBAND)),
        }
    }

    /// How many more signals come with the one that tells the end of the file.
    /// Linux: `net/ipv4/tcp_input.c:tcp_data_queue` calls `tcp_fin`, then `tcp_data_ready`.
    pub(crate) fn signals_after_end(self) -> usize {
        usize::from(self == FileKind::InetStream)
    }

    /// Whether data can come though the file has hung up: a UDP socket that was shut down hears on.
    pub(crate) fn hears_after_hangup(self) -> bool {
        self == FileKind::InetDgram
    }
}
