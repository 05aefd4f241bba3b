//! The kinds of files, as an fd's flags name them.

use glasspoll_reactor::watch::FileKind;
use libc::c_int;

use super::flags::{KIND, KIND_SHIFT};

/// The kinds of files that the calls make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum FdKind {
    Unknown,
    InetStream,
    InetDgram,
    UnixStream,
    UnixDgram,
    Pipe,
    Eventfd,
    Timerfd,
    /// Known to be none of these.
    Other,
}

impl FdKind {
    const ALL: [FdKind; 9] = [
        FdKind::Unknown,
        FdKind::InetStream,
        FdKind::InetDgram,
        FdKind::UnixStream,
        FdKind::UnixDgram,
        FdKind::Pipe,
        FdKind::Eventfd,
        FdKind::Timerfd,
        FdKind::Other,
    ];

    pub(super) fn bits(self) -> u32 {
        (self as u32) << KIND_SHIFT
    }

    /// The kind in an fd's flags.
    pub fn of(flags: u32) -> Self {
        Self::ALL.get(((flags & KIND) >> KIND_SHIFT) as usize).copied().unwrap_or(FdKind::Other)
    }

    /// The kind of a socket.
    pub fn of_socket(domain: c_int, kind: c_int) -> Self {
        match (domain, kind & !(libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC)) {
            (libc::AF_INET | libc::AF_INET6, libc::SOCK_STREAM) => FdKind::InetStream,
            (libc::AF_INET | libc::AF_INET6, libc::SOCK_DGRAM) => FdKind::InetDgram,
            (libc::AF_UNIX, libc::SOCK_STREAM) => FdKind::UnixStream,
            (libc::AF_UNIX, libc::SOCK_DGRAM) => FdKind::UnixDgram,
            _ => FdKind::Other,
        }
    }

    pub(super) fn is_socket(self) -> bool {
        self.device_kind().is_some() && !matches!(self, FdKind::Pipe | FdKind::Eventfd | FdKind::Timerfd)
    }

    /// The same for the device. None: the device must ask the kernel.
    pub(super) fn device_kind(self) -> Option<FileKind> {
        match self {
            FdKind::InetStream => Some(FileKind::InetStream),
            FdKind::InetDgram => Some(FileKind::InetDgram),
            FdKind::UnixStream => Some(FileKind::Stream),
            FdKind::UnixDgram => Some(FileKind::Dgram),
            FdKind::Pipe => Some(FileKind::Pipe),
            FdKind::Eventfd => Some(FileKind::Eventfd),
            FdKind::Timerfd => Some(FileKind::Timerfd),
            FdKind::Unknown | FdKind::Other => None,
        }
    }
}
