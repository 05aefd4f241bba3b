//! Which calls of the program may fail with EAGAIN although the file was reported as ready.

use crate::file::KernelFile;
use crate::sys;
use crate::uapi::*;
use crate::watch::kernel_file::kind::FileKind;

impl KernelFile {
    /// Those of EPOLLIN and EPOLLOUT for which the program must expect EAGAIN at any time: the file does not
    /// block, can be read or written, and another process may take what was there. This excludes a connecting
    /// socket, whose report says how that ended, and a timer that does not run.
    pub(crate) fn may_be_refused(&self) -> u32 {
        let fd = self.fd();
        let flags = sys::fcntl(fd, libc::F_GETFL, 0).unwrap_or(0);
        if flags & libc::O_NONBLOCK == 0 {
            return 0;
        }
        match self.known_kind().unwrap_or_else(|| FileKind::of(fd)) {
            FileKind::InetStream | FileKind::Stream if sys::is_listening(fd) => EPOLLIN,
            FileKind::InetStream | FileKind::Stream if sys::has_peer(fd) => EPOLLINOUT_BITS,
            FileKind::InetDgram | FileKind::Dgram => EPOLLINOUT_BITS,
            FileKind::Pipe => match flags & libc::O_ACCMODE {
                libc::O_RDONLY => EPOLLIN,
                libc::O_WRONLY => EPOLLOUT,
                _ => EPOLLINOUT_BITS,
            },
            FileKind::Counter | FileKind::Timerfd if !sys::is_stopped_timer(fd) => EPOLLIN,
            _ => 0,
        }
    }
}
