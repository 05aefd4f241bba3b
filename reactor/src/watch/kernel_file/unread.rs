//! How much there is to read from a file, as far as the kernel tells.

use crate::file::{KernelFile, Marks};
use crate::sys::unread::{queued_messages, unit, unread, Unit};
use crate::watch::kernel_file::kind::FileKind;

/// How much there is to read from a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::watch) enum Unread {
    /// An amount, which grows when something arrives. 0 if the file has no such amount.
    Amount(u64),
    /// The set of the pending signals.
    Signals(u64),
}

impl KernelFile {
    /// How much there is to read, as far as the kernel tells.
    pub(in crate::watch) fn unread(&self) -> Unread {
        match self.kind() {
            FileKind::Counter | FileKind::Eventfd | FileKind::Timerfd | FileKind::Pidfd => Unread::Amount(0),
            _ if self.marks.has(Marks::SIGNALFD) => Unread::Signals(self.watch().signals.pending()),
            // FIONREAD would give the distance to the end of the file. Linux: `fs/ioctl.c:do_vfs_ioctl`.
            _ if self.marks.has(Marks::REGULAR) => Unread::Amount(queued_messages(self.fd()).unwrap_or(0)),
            _ => Unread::Amount(unread(self.fd())),
        }
    }

    /// Whether it is a signalfd.
    pub fn is_signalfd(&self) -> bool {
        self.marks.has(Marks::SIGNALFD)
    }

    /// The signals that are pending for the calling thread, without ours.
    pub fn pending_signals(&self) -> u64 {
        self.watch().signals.pending()
    }

    /// Whether it is a message queue.
    pub fn is_message_queue(&self) -> bool {
        self.marks.has(Marks::REGULAR) && queued_messages(self.fd()).is_some()
    }

    /// The unit in which reads reduce `unread`.
    pub fn unit(&self) -> Unit {
        match self.kind() {
            FileKind::Counter | FileKind::Eventfd | FileKind::Timerfd => Unit::Unknown,
            _ => unit(self.fd()),
        }
    }
}
