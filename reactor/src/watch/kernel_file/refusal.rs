//! Whether a call of the program for a file may be refused with EAGAIN though the file was reported as ready.

use super::KernelFile;
use crate::sys;
use crate::watch::nature::Nature;

impl KernelFile {
    /// Whether the program must expect that at any time: the file does not block, and somebody else may take what was
    /// there. Not so for a socket that connects, where the report alone says how that ended.
    pub(crate) fn may_be_refused(&self) -> bool {
        let fd = self.fd();
        if sys::fcntl(fd, libc::F_GETFL, 0).is_ok_and(|flags| flags & libc::O_NONBLOCK == 0) {
            return false;
        }
        match self.known_nature().unwrap_or_else(|| Nature::of(fd)) {
            Nature::InetStream | Nature::Stream => sys::has_peer(fd) || sys::is_listening(fd),
            Nature::Pipe | Nature::InetDgram | Nature::Dgram | Nature::Counter | Nature::Eventfd => true,
            Nature::Anonymous | Nature::Other => false,
        }
    }
}
