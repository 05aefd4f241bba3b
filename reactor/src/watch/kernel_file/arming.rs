//! Arming: has the kernel signal a file's wakeups, or has the poller ask it instead.

use glasspoll_record::event;

use crate::eventpoll::{demote_file, finish_scans};
use crate::file::{
    Arming, Device, File, ItemRef, KernelFile, Marks, PollResult, PollerId, NOT_ARMED, NO_POLLER_ID,
};
use crate::sync::{Arc, Ordering};
use crate::sys;
use crate::trace;
use crate::uapi::*;
use crate::watch::poll::gaps::Gaps;
use crate::watch::WATCH;

impl KernelFile {
    /// Whether it signals now, so that the shim must hide O_ASYNC and the owner from the program.
    pub fn is_armed(&self) -> bool {
        self.state.lock().armed_as != NOT_ARMED
    }

    /// Changes the file's fd to `fd`: the program is about to close the old one. After the return no thread
    /// asks the old fd, which may soon stand for another file. Signals of the file still have the old fd, until
    /// another file is armed by that.
    ///
    /// Preconditions: no lock of the reactor is held.
    pub fn moved(&self, file: &Arc<File>, fd: i32) {
        file.set_fd(fd);
        self.fd.store(fd, Ordering::Release);
        // A read of the old fd may have been of another file.
        self.comes_in_pieces();
        if let Some(watch) = WATCH.get() {
            watch.fd_changed();
        }
        demote_file(file);
        finish_scans(file);
    }

    /// Another process has the file from now on, or the program uses its signals itself: polls it instead.
    pub fn share(&self, file: &Arc<File>) {
        demote_file(file);
        let was = {
            let mut state = self.state.lock();
            self.polls();
            std::mem::replace(&mut state.armed_as, NOT_ARMED)
        };
        if was != NOT_ARMED {
            self.watch().signals.disarm(self.fd());
            self.forget_armed(was);
        }
        self.rewatch(file);
    }

    /// Turns its signals on again after a failed exec. Signals have the fd by which they are turned on, which
    /// may differ from the one they had before.
    pub(in crate::watch) fn arm_again(&self, file: &Arc<File>) {
        let mut state = self.state.lock();
        let before = state.armed_as;
        if before == NOT_ARMED {
            return;
        }
        if before == self.fd() {
            let _ = sys::set_async(before, true);
            return;
        }
        self.forget_armed(before);
        state.armed_as = NOT_ARMED;
        self.arm(&mut state, file);
    }

    /// In a forked child: polls the file, whose signals go to the parent.
    pub fn forked(&self, file: &Arc<File>) {
        self.share_counter();
        {
            let mut state = self.state.lock();
            self.polls();
            state.armed_as = NOT_ARMED;
            // All items, including those that were hot.
            state.items = file.wait_head().items().len() as _;
        }
        // The ids are from the parent's poller, and may stand for entries of other files by now.
        *self.first_poller_id.lock() = NO_POLLER_ID;
        self.rewatch(file);
    }

    /// Gives every item an entry with the poller, and has it asked.
    pub(super) fn rewatch(&self, file: &Arc<File>) {
        {
            let mut first = self.first_poller_id.lock();
            while *first != NO_POLLER_ID {
                *first = self.watch().poller.detach(*first, *first);
            }
        }
        for item in file.wait_head().items() {
            let Some(ep) = item.ep.upgrade() else { continue };
            let Some(events) = ep.interest(item.id, item.serial) else { continue };
            let id = self.watch_by_poller(file, &item, events, None);
            ep.rewatch(item.id, id);
            if events & !EP_PRIVATE_BITS != 0 {
                self.rearm(id, PollResult { events, revents: 0, queued: false });
            }
            if events & EPOLLET != 0 {
                self.want(Marks::WANTS_IO);
            }
        }
    }

    pub(super) fn watch_by_poller(
        &self,
        file: &Arc<File>,
        item: &ItemRef,
        events: u32,
        gaps: Option<Gaps>,
    ) -> PollerId {
        let mut first = self.first_poller_id.lock();
        *first = self.watch().poller.attach(file, item, events, gaps, *first);
        *first
    }

    /// Arms the file by its fd. If signals of another file still have that fd (it was moved, and to arm it again
    /// would miss wakeups), arms by an alias.
    pub(super) fn arm(&self, state: &mut Arming, file: &Arc<File>) -> bool {
        let fd = self.fd();
        if fd < 0 {
            // The program has closed its last fd while a call uses the file.
            return false;
        }
        let watch = self.watch();
        // The file is in `armed` before the first signal can come.
        let claim = |fd| watch.armed.claim(fd, file);
        let alias = if claim(fd) { None } else { sys::alias(fd, claim) };
        let Some(signal_fd) = alias.or_else(|| claim(fd).then_some(fd)) else { return false };
        let armed = watch.signals.arm(signal_fd, watch.pid.load(Ordering::Relaxed));
        if let Some(alias) = alias {
            // Signals still have the alias as `si_fd`.
            let _ = sys::close(alias);
        }
        if !armed {
            self.forget_armed(signal_fd);
            return false;
        }
        state.armed_as = signal_fd;
        trace::arm(fd, event::Source::Signal);
        true
    }

    /// Signals with this fd are no longer this file's.
    pub(super) fn forget_armed(&self, fd: i32) {
        let is_this = |file: &File| file.device_as::<Self>().is_some_and(|device| std::ptr::eq(device, self));
        self.watch().armed.remove_if(fd, is_this);
    }

    pub(super) fn disarm(&self, state: &mut Arming) {
        let fd = std::mem::replace(&mut state.armed_as, NOT_ARMED);
        if fd != NOT_ARMED {
            self.watch().signals.disarm(self.fd());
            self.forget_armed(fd);
            trace::disarm(fd, event::Source::Signal);
        }
    }
}
