//! The kind of a file, as far as kinds differ in their signals.

use crate::sys;
use crate::uapi::*;
use crate::watch::poll::gaps::Gaps;

/// The kind of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// A pipe or FIFO.
    Pipe,
    /// A TCP socket, or another stream socket of an internet family.
    InetStream,
    /// A UDP socket.
    InetDgram,
    /// A unix stream socket, or a stream socket of another family.
    Stream,
    /// A unix datagram socket, or a datagram socket of another family.
    Dgram,
    /// An anonymous inode: inotify, fanotify.
    Anonymous,
    /// An eventfd or timerfd that another process may have. It never signals.
    Counter,
    /// An eventfd of this process alone: the shim sees all reads and writes.
    Eventfd,
    /// A timerfd of this process alone: the shim sees all calls that make a further expiry possible.
    Timerfd,
    /// A pidfd: once it is ready, it stays ready.
    Pidfd,
    /// A terminal or another device.
    Other,
}

impl FileKind {
    /// All kinds, indexed by their values.
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
    /// A stream socket signals room only if its last write failed, or poll(2) has found no room since (Linux:
    /// `SOCKWQ_ASYNC_NOSPACE`, which a successful write clears). For a unix stream not even poll(2) counts, and
    /// if its peer shuts down one half and then the other, only the first is signalled. A terminal rarely
    /// signals room, and never a hang-up.
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

    /// Whether a poll by any thread shows all of its levels, so that an item may be hot.
    pub(crate) fn may_be_asked(self) -> bool {
        !matches!(self, FileKind::Anonymous | FileKind::Pidfd | FileKind::Other)
    }

    /// Whether polls and drain hints together show all of its edges as well. For other kinds the kernel does
    /// not count the bytes that have arrived: after a read that we did not see (splice, stdio, another
    /// process), the same number of new bytes would look like a rest.
    pub(crate) fn rises(self) -> bool {
        self == FileKind::InetStream
    }

    /// The pollflags of the wakeup for a signal; None: the signal is no wakeup.
    pub(crate) fn pollflags_of_signal(self, pollflags: u32) -> Option<u32> {
        match self {
            // Urgent data is announced. When it arrives, the socket signals that it is readable.
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
            // inotify wakes without pollflags. Linux: `fs/notify/notification.c:fsnotify_insert_event`.
            FileKind::Anonymous => Some(0),
            // Linux: `fs/pipe.c:pipe_write`, `drivers/tty/n_tty.c:n_tty_receive_buf_common`.
            FileKind::Pipe | FileKind::Other => Some(pollflags & !(EPOLLPRI | EPOLLRDBAND | EPOLLWRBAND)),
        }
    }

    /// How many more signals follow the one for the end of the file.
    /// Linux: `net/ipv4/tcp_input.c:tcp_data_queue` calls `tcp_fin`, then `tcp_data_ready`.
    pub(crate) fn signals_after_end(self) -> usize {
        usize::from(self == FileKind::InetStream)
    }

    /// Whether data can arrive after a hang-up: a UDP socket that was shut down still receives.
    pub(crate) fn hears_after_hangup(self) -> bool {
        self == FileKind::InetDgram
    }
}
