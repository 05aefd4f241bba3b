//! `KernelFile` as a `Device`: asked by ppoll, watched by its source.

use glasspoll_record::event;

use crate::file::{
    Device, DrainHint, File, ItemRef, KernelFile, Marks, PollResult, PollerId, NOT_ARMED, NO_POLLER_ID,
};
use crate::mutation::is;
use crate::sync::{Arc, Ordering};
use crate::sys;
use crate::trace;
use crate::uapi::*;
use crate::watch::kernel_file::kind::FileKind;
use crate::watch::kernel_file::news::{is_regular, News};
use crate::watch::kernel_file::source::Source;
use crate::watch::poll::gaps::{Gaps, WRITE_BITS};
use crate::watch::poll::poller::Sleeper;
use crate::watch::WATCH;

impl Device for KernelFile {
    fn poll(&self, mask: u32) -> u32 {
        let kept = match self.news_kind() {
            News::Level => 0,
            _ => self.news.swap(0, Ordering::SeqCst),
        };
        self.with_news(self.ask(mask), kept) & (mask | ENDS)
    }

    fn pollfd(&self) -> Option<i32> {
        (self.news_kind() == News::Level).then(|| self.fd())
    }

    fn depends_on_thread(&self) -> bool {
        self.marks.has(Marks::SIGNALFD)
    }

    fn attach(&self, file: &Arc<File>, item: &ItemRef, events: u32) -> PollerId {
        let mut state = self.state.lock();
        state.items += 1;
        let source = self.source();
        if source == Source::Unknown {
            if self.arm(&mut state, file) {
                self.marks.set(Marks::SIGNALS);
                self.find_kind();
            } else {
                self.polls();
                if self.watch().signals.is_off() {
                    let kind = FileKind::of(self.fd());
                    if kind.may_be_asked() {
                        self.kind.store(kind as u8, Ordering::Relaxed);
                    }
                }
            }
        } else if source == Source::Signal && state.armed_as == NOT_ARMED && !self.arm(&mut state, file) {
            self.polls();
        }
        let (by_poll, gaps) = (self.is_polled(), self.gaps());
        self.note_io(gaps, events);
        if !by_poll && (gaps.only_write() || !gaps.concern(events)) {
            return NO_POLLER_ID;
        }
        if by_poll {
            trace::arm(self.fd(), event::Source::Poll);
            if self.known_kind().is_none() {
                if is_regular(self.fd()) {
                    self.marks.set(Marks::REGULAR | News::of(self.fd()).marks());
                }
                let name = anonymous_name(self.fd());
                if name.starts_with(b"anon_inode:[signalfd]") {
                    self.marks.set(Marks::SIGNALFD);
                }
                // Linux: `fs/pidfs.c:pidfs_dname` since 6.9, `kernel/fork.c:pidfd_create` before.
                if name.starts_with(b"anon_inode:[pidfd]") || name.starts_with(b"pidfd:[") {
                    self.kind.store(FileKind::Pidfd as u8, Ordering::Relaxed);
                }
            }
        }
        self.watch_by_poller(file, item, events, (!by_poll).then_some(gaps))
    }

    fn interest_changed(&self, file: &Arc<File>, item: &ItemRef, events: u32) -> PollerId {
        let _state = self.state.lock();
        let gaps = self.gaps();
        if !gaps.concern(events) {
            return NO_POLLER_ID;
        }
        self.note_io(gaps, events);
        if gaps.only_write() {
            return NO_POLLER_ID;
        }
        self.watch_by_poller(file, item, events, Some(gaps))
    }

    fn catch_up(&self) {
        self.watch().drain_signals();
    }

    fn may_have_gap(&self, events: u32) -> bool {
        events & WRITE_BITS != 0 && !self.is_polled() && self.kind().gaps().only_write()
    }

    fn has_gap(&self, result: PollResult) -> bool {
        result.revents & (WRITE_BITS | EPOLLNVAL) == 0 && self.may_have_gap(result.events)
    }

    fn fill_gap(&self, file: &Arc<File>, item: &ItemRef, events: u32) -> PollerId {
        let _state = self.state.lock();
        let gaps = self.gaps();
        if gaps.concern(events) {
            self.watch_by_poller(file, item, events, Some(gaps))
        } else {
            NO_POLLER_ID
        }
    }

    fn is_measured(&self) -> bool {
        self.is_polled()
    }

    fn measure(&self, id: PollerId) {
        // The pump keeps us out between a read of the program and its report, where the amount would be counted
        // twice.
        let _pump = self.wants_io().then(|| self.watch().pump.lock());
        self.watch().poller.measure(id);
    }

    fn rearm(&self, id: PollerId, result: PollResult) {
        if id == NO_POLLER_ID {
            return;
        }
        if result.events & EPOLLET != 0 {
            // A file whose source is unknown has no entry, so its source is known here.
            let gaps = if self.is_polled() { Gaps::default() } else { self.kind().gaps() };
            self.note_io(gaps, result.events);
        }
        // As in `measure`: no read or write of the program comes between.
        let _pump = self.wants_io().then(|| self.watch().pump.lock());
        if self.watch().poller.rearm(id, result) == Sleeper::MustWake {
            self.watch().unpark_holder();
        }
    }

    fn detach(&self, id: PollerId) {
        if id != NO_POLLER_ID {
            let mut first = self.first_poller_id.lock();
            *first = self.watch().poller.detach(*first, id);
        }
        let mut state = self.state.lock();
        state.items -= 1;
        if state.items == 0 {
            self.disarm(&mut state);
        }
    }

    fn release(&self) {
        let mut state = self.state.lock();
        self.disarm(&mut state);
        let by_poll = self.is_polled() || self.gaps().any();
        drop(state);
        if by_poll && WATCH.get().is_some() && !is("a_release_does_not_quiesce") {
            // A thread asleep in ppoll holds the file open, but its peer must see the end at once.
            self.watch().quiesce();
        }
    }

    fn hears_after_hangup(&self) -> bool {
        self.kind().hears_after_hangup()
    }

    fn can_be_hot(&self, events: u32) -> bool {
        // If another process reads the file as well, its reads leave no hint.
        let alone = || !self.is_polled() || self.watch().signals.is_off();
        self.known_kind()
            .is_some_and(|kind| kind.may_be_asked() && (events & EPOLLET == 0 || kind.rises() && alone()))
    }

    fn wants_drain_hints(&self) {
        if self.marks.set(Marks::DRAIN_HINTS) {
            self.watch().host.wants_drain_hints(self);
        }
    }

    fn take_drain_hint(&self, fd: i32) -> DrainHint {
        self.watch().host.take_drain_hint(fd)
    }

    fn tells_arrivals(&self) -> bool {
        let marks = self.marks.get();
        marks & (Marks::SIGNALS | Marks::POLLED | Marks::PIECES) == Marks::SIGNALS
            && self.kind() == FileKind::InetStream
    }

    fn forget_reads(&self) {
        if !self.wants_drain_hints() {
            Device::wants_drain_hints(self);
        }
        self.watch().host.forget_reads();
    }

    fn is_emptied(&self, fd: i32) -> bool {
        self.tells_arrivals() && self.fd() == fd && self.watch().host.has_emptied(fd) && self.is_whole()
    }

    fn intake(&self) -> Option<u64> {
        if self.kind() == FileKind::InetStream {
            sys::bytes_received(self.fd())
        } else {
            None
        }
    }

    fn quiesce(&self) {
        self.watch().quiesce_all();
    }
}

/// The name that /proc has for an anonymous file.
fn anonymous_name(fd: i32) -> [u8; 32] {
    let mut link = [0u8; 32];
    let path = format!("/proc/self/fd/{fd}\0");
    let _ = sys::readlink(path.as_bytes(), &mut link);
    link
}
