//! A file of the kernel's as a `Device`: the source of its wakeups, and arming.
//!
//! | source | for | wakeups by |
//! |---|---|---|
//! | `Signal` | files of this process alone that keep O_ASYNC | signals; a poller entry for what signals leave out (`Gaps`) |
//! | `Poll` | everything else | the poller |
//!
//! A file is armed with its first item and stays armed until its last item or descriptor goes.

mod device;
pub(super) mod kind;
mod news;
mod refusal;

use glasspoll_record::event;
use news::News;

use crate::eventpoll::epitem::{PollerId, NO_POLLER_ID};
use crate::eventpoll::{demote_file, finish_scans};
use crate::file::{Device, File, ItemRef, PollResult};
use crate::sync::{Arc, AtomicI32, AtomicU8, Mutex, Ordering};
use crate::sys;
use crate::sys::unread::{queued_messages, unit, unread, Unit};
use crate::trace;
use crate::uapi::*;
use crate::watch::kernel_file::kind::FileKind;
use crate::watch::poll::entry::{Gaps, WRITE_BITS};
use crate::watch::poll::poller::Poller;
use crate::watch::{Watch, WATCH};

/// Whether other processes have the open file description.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ownership {
    /// This process alone: it may set the owner of its signals.
    Alone,
    /// Inherited or received: another process may use its signals, or would lose them if we set the owner.
    Shared,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    Unknown,
    Signal,
    Poll,
}

const NOT_ARMED: i32 = -1;
const UNKNOWN: u8 = u8::MAX;

#[derive(Debug)]
struct State {
    /// The fd by which it was armed, which `si_fd` will have; negative: it is not armed.
    armed_as: i32,
    items: u32,
}

/// How much there is to read from a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unread {
    /// An amount, which grows when something arrives. 0 if the file has no such amount.
    Amount(u64),
    /// The set of the pending signals.
    Signals(u64),
}

/// A file of the kernel's.
///
/// Locks: `state`, then the pump, then `first_poller_id`. A thread that drains wakeups may take
/// `first_poller_id`, never `state`.
#[derive(Debug)]
pub struct KernelFile {
    fd: AtomicI32,
    /// Of the bits that a poll takes (`News`): those that a poll has found and no delivery has seen yet.
    news: AtomicU8,
    /// A `News`: how it reports a change.
    news_kind: AtomicU8,
    /// `SIGNALFD` and those after it.
    marks: AtomicU8,
    /// A `FileKind`; `UNKNOWN` until the file is armed.
    kind: AtomicU8,
    state: Mutex<State>,
    /// The first of its entries with the poller. Locked while one of them is changed, so that the id cannot become
    /// another file's.
    first_poller_id: Mutex<PollerId>,
}

/// It is a signalfd.
const SIGNALFD: u8 = 1;
/// Reads and refused writes of the program leave hints.
const DRAIN_HINTS: u8 = 2;
/// Its source is `Poll`; changed under the lock of `state`.
const POLLED: u8 = 4;
/// Its source is or was `Signal`; likewise.
const SIGNALS: u8 = 8;
/// The shim must report reads and writes of the program.
const WANTS_IO: u8 = 0x10;
/// A write is a wakeup for room.
const TERMINAL: u8 = 0x20;
/// The shim must report refused writes of the program.
const WANTS_REFUSALS: u8 = 0x40;
/// A regular file, of /proc or the like.
const REGULAR: u8 = 0x80;

impl KernelFile {
    /// The device behind descriptor `fd`.
    pub fn new(fd: i32, ownership: Ownership) -> Self {
        let marks = match ownership {
            Ownership::Alone => 0,
            Ownership::Shared => POLLED,
        };
        let state = State { armed_as: NOT_ARMED, items: 0 };
        Self {
            fd: AtomicI32::new(fd),
            news: AtomicU8::new(0),
            news_kind: AtomicU8::new(News::Level as u8),
            marks: AtomicU8::new(marks),
            kind: AtomicU8::new(UNKNOWN),
            state: Mutex::new(state),
            first_poller_id: Mutex::new(NO_POLLER_ID),
        }
    }

    /// As `new`, for a file of this process alone and of known kind, which saves system calls later.
    pub fn of_kind(fd: i32, kind: FileKind) -> Self {
        let polled = matches!(kind, FileKind::Counter | FileKind::Eventfd | FileKind::Timerfd);
        let ownership = if polled { Ownership::Shared } else { Ownership::Alone };
        Self { kind: AtomicU8::new(kind as u8), ..Self::new(fd, ownership) }
    }

    fn fd(&self) -> i32 {
        self.fd.load(Ordering::Acquire)
    }

    /// Preconditions: the watch has been made, as it is before anything is attached.
    fn watch(&self) -> &'static Watch {
        WATCH.wait()
    }

    fn has(&self, mark: u8) -> bool {
        self.marks.load(Ordering::SeqCst) & mark != 0
    }

    /// Makes `Poll` its source. The caller holds the lock of `state`.
    fn polls(&self) {
        self.marks.fetch_or(POLLED, Ordering::SeqCst);
    }

    /// The source of its wakeups. It changes under the lock of `state`.
    fn source(&self) -> Source {
        match self.marks.load(Ordering::SeqCst) {
            marks if marks & POLLED != 0 => Source::Poll,
            marks if marks & SIGNALS != 0 => Source::Signal,
            _ => Source::Unknown,
        }
    }

    /// Whether its source is `Poll`.
    fn is_polled(&self) -> bool {
        self.has(POLLED)
    }

    /// Whether it signals now, so that the shim must hide O_ASYNC and the owner from the program.
    pub fn is_armed(&self) -> bool {
        self.state.lock().armed_as != NOT_ARMED
    }

    /// The kind of file; `Other` before it is armed.
    pub(super) fn kind(&self) -> FileKind {
        self.known_kind().unwrap_or(FileKind::Other)
    }

    /// What its signals leave out; nothing if it has no signals.
    fn gaps(&self) -> Gaps {
        match self.source() {
            Source::Signal => self.kind().gaps(),
            Source::Poll | Source::Unknown => Gaps::default(),
        }
    }

    fn known_kind(&self) -> Option<FileKind> {
        FileKind::ALL.get(usize::from(self.kind.load(Ordering::Relaxed))).copied()
    }

    /// Finds out the kind of a file that can be armed.
    fn find_kind(&self) -> FileKind {
        self.known_kind().unwrap_or_else(|| {
            let kind = FileKind::of(self.fd());
            self.kind.store(kind as u8, Ordering::Relaxed);
            kind
        })
    }

    /// Whether the shim must report reads and writes of the program (`drained`, `File::wake`).
    pub fn wants_io(&self) -> bool {
        self.has(WANTS_IO)
    }

    /// Whether the shim must report refused writes of the program (`refused`).
    pub fn wants_refusals(&self) -> bool {
        self.has(WANTS_REFUSALS)
    }

    /// Whether reads and refused writes of the program must leave hints.
    pub fn wants_drain_hints(&self) -> bool {
        self.has(DRAIN_HINTS)
    }

    /// The program has drained `bits`.
    pub fn drained(&self, bits: u32) {
        self.for_entries(|poller, id| poller.drained(id, bits));
    }

    /// The program's own call is a wakeup of the file: wakes its items.
    pub fn tell(&self, file: &File, pollflags: u32) {
        self.for_entries(|poller, id| poller.note_woken(id, pollflags));
        file.wake(pollflags);
    }

    /// The program has read `amount`.
    pub fn took(&self, amount: u64) {
        if self.has(REGULAR) {
            // A read of an attribute takes its report of a change. Linux: `fs/kernfs/file.c:kernfs_seq_show`.
            self.drained(EPOLLPRI | EPOLLERR);
        }
        self.for_entries(|poller, id| poller.took(id, amount));
    }

    /// The program has read signals; `left` are still pending.
    pub fn left_signals(&self, left: u64) {
        self.for_entries(|poller, id| poller.left(id, left));
    }

    /// Called for a character device: if it is a terminal, each write is a wakeup of the own side.
    /// Linux: `drivers/tty/tty_io.c:iterate_tty_write`.
    pub fn look_for_terminal(&self) {
        if sys::is_terminal(self.fd()) {
            self.marks.fetch_or(TERMINAL, Ordering::SeqCst);
        }
    }

    /// Whether a write is a wakeup for room.
    pub fn is_terminal(&self) -> bool {
        self.has(TERMINAL)
    }

    /// The program has written: the file may be full now.
    pub fn written(&self) {
        self.for_entries(|poller, id| poller.written(id));
    }

    /// A write of the program was refused: it is full.
    pub fn refused(&self, file: &File) {
        self.for_entries(|poller, id| poller.refused(id));
        for item in file.wait_head().items() {
            if let Some(ep) = item.ep.upgrade() {
                ep.refused(item.id, item.serial);
            }
        }
    }

    fn for_entries(&self, change: impl Fn(&Poller, u32) -> bool) {
        let Some(watch) = WATCH.get() else { return };
        let mut unpark = false;
        let first = self.first_poller_id.lock();
        let mut id = *first;
        while id != NO_POLLER_ID {
            unpark |= change(&watch.poller, id);
            id = watch.poller.next(id);
        }
        drop(first);
        if unpark {
            watch.unpark_holder();
        }
    }

    fn note_io(&self, gaps: Gaps, events: u32) {
        let edges = events & EPOLLET != 0 && self.is_polled();
        let room = events & EPOLLET != 0 && events & WRITE_BITS != 0;
        if edges || room && gaps.full {
            self.want(WANTS_IO);
        }
        if room && gaps.write && !gaps.full {
            self.want(WANTS_REFUSALS);
        }
    }

    fn want(&self, what: u8) {
        if self.marks.fetch_or(what, Ordering::SeqCst) & what == 0 {
            self.watch().host.wants_io(self);
        }
    }

    /// Changes the file's fd to `fd`, for the program is about to close the old one. After the return no thread
    /// asks the old fd, which may soon stand for another file. Signals of the file still have the old fd, until
    /// another file is armed by that.
    ///
    /// Preconditions: no lock of the reactor is held.
    pub fn moved(&self, file: &Arc<File>, fd: i32) {
        file.set_fd(fd);
        self.fd.store(fd, Ordering::Release);
        if let Some(watch) = WATCH.get() {
            watch.fd_changed();
        }
        demote_file(file);
        finish_scans(file);
    }

    /// How it reports a change.
    fn news_kind(&self) -> News {
        News::by_number(self.news_kind.load(Ordering::Relaxed))
    }

    /// The bits that are never new.
    pub(super) fn steady(&self) -> u32 {
        self.news_kind().steady()
    }

    /// Called after a poll that delivers nothing: keeps the bits that the poll took for the next delivery.
    /// Returns all bits that are ready, with those kept before.
    pub(super) fn keep_news(&self, found: u32) -> u32 {
        match self.news_kind() {
            News::Level => found,
            kind if found & kind.steady() & EPOLLERR != 0 => found,
            kind => {
                let news = (found & kind.taken()) as u8;
                self.with_news(found, self.news.fetch_or(news, Ordering::SeqCst))
            }
        }
    }

    /// What the file says now, together with news kept before.
    fn with_news(&self, found: u32, kept: u8) -> u32 {
        match kept {
            0 => found,
            kept => found & !self.news_kind().absent() | u32::from(kept),
        }
    }

    /// The readiness now, for a caller that delivers nothing.
    pub fn look(&self, mask: u32) -> u32 {
        self.keep_news(self.ask(mask))
    }

    fn ask(&self, mask: u32) -> u32 {
        let mut fds = [libc::pollfd { fd: self.fd(), events: mask as i16, revents: 0 }];
        match sys::poll_now(&mut fds) {
            Ok(_) => fds[0].revents as u16 as u32 & !EPOLLNVAL,
            Err(_) => 0,
        }
    }

    /// How much there is to read, as far as the kernel tells.
    pub(super) fn unread(&self) -> Unread {
        match self.kind() {
            FileKind::Counter | FileKind::Eventfd | FileKind::Timerfd | FileKind::Pidfd => Unread::Amount(0),
            _ if self.has(SIGNALFD) => Unread::Signals(self.watch().signals.pending()),
            // FIONREAD would give the distance to the end of the file. Linux: `fs/ioctl.c:do_vfs_ioctl`.
            _ if self.has(REGULAR) => Unread::Amount(queued_messages(self.fd()).unwrap_or(0)),
            _ => Unread::Amount(unread(self.fd())),
        }
    }

    /// Whether it is a signalfd.
    pub fn is_signalfd(&self) -> bool {
        self.has(SIGNALFD)
    }

    /// The signals that are pending for the calling thread, without ours.
    pub fn pending_signals(&self) -> u64 {
        self.watch().signals.pending()
    }

    /// Whether it is a message queue.
    pub fn is_message_queue(&self) -> bool {
        self.has(REGULAR) && queued_messages(self.fd()).is_some()
    }

    /// The unit in which reads reduce `unread`.
    pub fn unit(&self) -> Unit {
        match self.kind() {
            FileKind::Counter | FileKind::Eventfd | FileKind::Timerfd => Unit::Unknown,
            _ => unit(self.fd()),
        }
    }

    /// Whether no edge can be missed without polling: a call of the program reports it, or there is no edge
    /// while the file is ready.
    pub(super) fn reports_all_edges(&self) -> bool {
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
    pub(super) fn arm_again(&self, file: &Arc<File>) {
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
    fn rewatch(&self, file: &Arc<File>) {
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
                self.want(WANTS_IO);
            }
        }
    }

    fn watch_by_poller(&self, file: &Arc<File>, item: &ItemRef, events: u32, gaps: Option<Gaps>) -> PollerId {
        let mut first = self.first_poller_id.lock();
        *first = self.watch().poller.attach(file, item, events, gaps, *first);
        *first
    }

    /// Arms the file by its fd. If signals of another file still have that fd (it was moved, and to arm it anew
    /// would miss wakeups), arms by an alias.
    fn arm(&self, state: &mut State, file: &Arc<File>) -> bool {
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
    fn forget_armed(&self, fd: i32) {
        let is_this = |file: &File| file.device_as::<Self>().is_some_and(|device| std::ptr::eq(device, self));
        self.watch().armed.remove_if(fd, is_this);
    }

    fn disarm(&self, state: &mut State) {
        let fd = std::mem::replace(&mut state.armed_as, NOT_ARMED);
        if fd != NOT_ARMED {
            self.watch().signals.disarm(self.fd());
            self.forget_armed(fd);
            trace::disarm(fd, event::Source::Signal);
        }
    }
}
