//! The kind of a file, as far as it is known: from the call that made the file, or since it was armed.

use crate::file::{KernelFile, Ownership};
use crate::sync::{AtomicU8, Ordering};
use crate::watch::kernel_file::kind::FileKind;
use crate::watch::kernel_file::source::Source;
use crate::watch::poll::gaps::Gaps;
use crate::watch::WATCH;

impl KernelFile {
    /// As `new`, for a file of this process alone and of known kind, which saves system calls later.
    pub fn of_kind(fd: i32, kind: FileKind) -> Self {
        let polled = matches!(kind, FileKind::Counter | FileKind::Eventfd | FileKind::Timerfd);
        let ownership = if polled { Ownership::Shared } else { Ownership::Alone };
        Self { kind: AtomicU8::new(kind as u8), ..Self::new(fd, ownership) }
    }

    /// The kind of file; `Other` before it is armed.
    pub(in crate::watch) fn kind(&self) -> FileKind {
        self.known_kind().unwrap_or(FileKind::Other)
    }

    /// What its signals leave out; nothing if it has no signals.
    pub(super) fn gaps(&self) -> Gaps {
        match self.source() {
            Source::Signal => self.kind().gaps(),
            Source::Poll | Source::Unknown => Gaps::default(),
        }
    }

    pub(super) fn known_kind(&self) -> Option<FileKind> {
        FileKind::ALL.get(usize::from(self.kind.load(Ordering::Relaxed))).copied()
    }

    /// Finds out the kind of a file that can be armed.
    pub(super) fn find_kind(&self) -> FileKind {
        self.known_kind().unwrap_or_else(|| {
            let kind = FileKind::of(self.fd());
            self.kind.store(kind as u8, Ordering::Relaxed);
            kind
        })
    }

    /// Whether no edge can be missed without polling: a call of the program reports it, or there is no edge
    /// while the file is ready.
    pub(in crate::watch) fn reports_all_edges(&self) -> bool {
        self.is_own_counter() || self.known_kind() == Some(FileKind::Pidfd)
    }

    /// Whether it is an eventfd or a timerfd that this process alone reads, writes and sets.
    pub fn is_own_counter(&self) -> bool {
        matches!(self.known_kind(), Some(FileKind::Eventfd | FileKind::Timerfd))
    }

    /// Another process may have the eventfd or timerfd from now on, and we do not see its reads and writes.
    pub fn share_counter(&self) {
        let shared = FileKind::Counter as u8;
        let share = |own: FileKind| {
            self.kind.compare_exchange(own as u8, shared, Ordering::SeqCst, Ordering::SeqCst).is_ok()
        };
        let changed = share(FileKind::Eventfd) || share(FileKind::Timerfd);
        if let Some(watch) = WATCH.get().filter(|_| changed) {
            // A sleeping holder must ask the file from time to time.
            watch.poller.change();
            watch.unpark_holder();
        }
    }
}
