//! The devices: how the kernel's files tell us that they became ready, without the kernel's epoll.
//!
//! Two sources. A file that this process alone holds and that supports O_ASYNC tells each wakeup by a
//! real-time signal, read through a signalfd (`signal`). Every other file is asked by ppoll, and slept
//! on in ppoll (`poll`). `kernel_file` decides which.
//!
//! Every waiting thread takes wakeups in (`drain`) before it looks at the ready list; so a program with
//! one event loop watches for itself. While threads sleep, one of them sleeps in ppoll on the signalfd
//! and on the files that are polled, and holds the *watch* (`holder`); the others sleep on a futex. `park`
//! is what a thread sleeps in, `helper` the thread that holds the watch when no other can.
//!
//! Keeps true: while a thread sleeps on its futex, a thread or the helper holds the watch, or is on
//! its way to `drain_wakeups`.
//!
//! Locks: the pump, then a file's `WaitHead`, then the poller's set and the armed files: the third level.
//! `holder` is short, and no callback runs under it.

mod drain;
mod helper;
mod holder;
mod kernel_file;
mod park;
mod poll;
mod signal;

pub use crate::file::DrainHint;
pub use kernel_file::kind::FileKind;
pub use kernel_file::{KernelFile, Ownership};

use libc::pollfd;

use crate::eventpoll::wait::{Slept, Watcher};
use crate::eventpoll::wait_queue::{Sleepers, Waiter};
use crate::mutation::is;
use crate::sync::{Arc, AtomicBool, AtomicI32, AtomicU32, AtomicU64, Mutex, OnceCell, Ordering};
use crate::sys::{self, Errno};
use crate::trace::ready_time;
use drain::Pump;
use helper::Helper;
use holder::Holder;
use park::{Parker, ParkerPool};
use poll::poller::Poller;
use signal::armed::Armed;
use signal::signalfd::Signals;

/// What the process around us must know of a sleeping thread.
pub trait Host: Send + Sync {
    /// A thread is about to sleep, with no lock held: signal handlers and fork may go on.
    fn leave(&self);
    /// It is awake again.
    fn enter(&self);
    /// Puts the mask of a wait in force, while outside.
    fn take_mask(&self, mask: u64);
    /// Puts the thread's own back.
    fn give_mask_back(&self);
    /// Whether the last interruption of a system call came from a signal of ours alone.
    fn was_our_signal(&self) -> bool;
    /// From now on the program's reads and writes of the file are worth telling. Called before anything
    /// is reported of it that could bring them about, with locks held.
    fn wants_io(&self, device: &KernelFile);
    /// From now on the program's reads and refused writes of the file leave hints. Called as `wants_io`.
    fn wants_drain_hints(&self, device: &KernelFile);
    /// What they have told since the last time this was called.
    fn take_drain_hint(&self, fd: i32) -> DrainHint;
    /// A descriptor of ours, to be kept from the program.
    fn protect(&self, fd: i32);
    /// Says something that whoever runs the program is to know, in one line.
    fn say(&self, what: &str);
}

/// The process's watch, once there is an epoll instance.
pub static WATCH: OnceCell<Watch> = OnceCell::new();

/// The watch over all devices of this process.
pub struct Watch {
    host: &'static dyn Host,
    sleepers: &'static Sleepers,
    pid: AtomicI32,
    signals: Signals,
    poller: Poller,
    holder: Mutex<Holder>,
    /// Numbers the sleeps of holders.
    sleeps: AtomicU64,
    thread_parker: Parker,
    helper_parker: Parker,
    parkers: ParkerPool,
    /// How often in a row a thread that went to sleep was alone.
    alone: AtomicU32,
    helper: Helper,
    /// Serialises the intake of wakeups, so that one who pumps sees all that happened before.
    pump: Mutex<Pump>,
    /// The file that a signal's `si_fd` stands for.
    armed: Armed,
    /// The signal queue ran over: every armed file must be asked.
    overflow: AtomicBool,
}

impl std::fmt::Debug for Watch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watch").finish_non_exhaustive()
    }
}

impl Watch {
    /// A watch that takes wakeups by `signal`; 0 polls every file. It has no descriptors yet (`complete`).
    pub fn new(host: &'static dyn Host, sleepers: &'static Sleepers, signal: i32) -> Self {
        Self {
            host,
            sleepers,
            pid: AtomicI32::new(0),
            signals: Signals::new(signal),
            poller: Poller::default(),
            holder: Mutex::new(Holder::Nobody),
            sleeps: AtomicU64::new(0),
            thread_parker: Parker::new(),
            helper_parker: Parker::new(),
            parkers: ParkerPool::default(),
            alone: AtomicU32::new(0),
            helper: Helper::default(),
            pump: Mutex::default(),
            armed: Armed::default(),
            overflow: AtomicBool::new(false),
        }
    }

    /// Opens what of its descriptors is not open. It can do without: with no signalfd every file is polled; who sleeps
    /// with no eventfd looks every few milliseconds whether it is to get up.
    ///
    /// # Errors
    /// What eventfd(2) and signalfd(2) give.
    pub fn complete(&self) -> Result<(), Errno> {
        let parkers = [&self.thread_parker, &self.helper_parker];
        if self.signals.is_open() && parkers.iter().all(|parker| parker.has_wake_fd()) {
            return Ok(());
        }
        // Two threads at a time would each open them.
        let pump = self.pump.lock();
        self.pid.store(sys::getpid(), Ordering::SeqCst);
        let done = sys::with_raised_limit(|| {
            let mut done = self.signals.open();
            for parker in parkers.into_iter().filter(|parker| !parker.has_wake_fd()) {
                match sys::eventfd(libc::EFD_NONBLOCK | libc::EFD_CLOEXEC) {
                    Ok(wake_fd) => parker.wake_fd.store(sys::move_high(wake_fd), Ordering::SeqCst),
                    Err(errno) => done = Err(errno),
                }
            }
            done
        });
        drop(pump);
        // Who sleeps already does so without them.
        self.poller.change();
        self.unpark_holder();
        done
    }

    /// Whether a thread that sleeps can be roused.
    pub fn can_unpark(&self) -> bool {
        self.thread_parker.has_wake_fd()
    }

    /// Whether there is no helper thread to be had.
    pub fn lacks_helper(&self) -> bool {
        self.helper.is_broken()
    }

    /// The descriptors that are ours, to be kept alive whatever the program closes.
    pub fn descriptors(&self) -> Vec<i32> {
        let wake_fd = |parker: &Parker| parker.wake_fd.load(Ordering::SeqCst);
        let mut all = vec![self.signals.fd(), wake_fd(&self.thread_parker), wake_fd(&self.helper_parker)];
        all.extend(self.parkers.all().into_iter().map(wake_fd));
        all.retain(|fd| *fd >= 0);
        all
    }

    /// One of our descriptors got another number. After the return nobody uses the old one.
    pub fn moved(&self, from: i32, to: i32) {
        let _pump = self.pump.lock();
        let others = self.parkers.all();
        let others = others.iter().map(|parker| &parker.wake_fd);
        let own = [&self.thread_parker.wake_fd, &self.helper_parker.wake_fd, self.signals.fd_cell()];
        for fd in own.into_iter().chain(others) {
            let _ = fd.compare_exchange(from, to, Ordering::SeqCst, Ordering::SeqCst);
        }
        self.poller.change();
        self.quiesce_all();
    }

    /// The signal queue ran over. Safe in a signal handler.
    pub fn overflowed(&self) {
        self.overflow.store(true, Ordering::SeqCst);
        self.unpark_holder();
    }

    fn has_overflowed(&self) -> bool {
        self.overflow.load(Ordering::SeqCst)
    }

    /// Whether SIGIO is read from our signalfd (else the program handles it itself).
    pub fn take_sigio(&self, take: bool) {
        self.signals.take_sigio(take);
    }

    /// The same for a signalfd that will be opened.
    pub fn will_take_sigio(&self, take: bool) {
        self.signals.will_take_sigio(take);
    }

    /// Ends the sleep of whoever holds the watch, so that it looks at things anew.
    fn unpark_holder(&self) {
        if is("a_change_unparks_nobody") {
            return;
        }
        for parker in [&self.thread_parker, &self.helper_parker] {
            if parker.asleep().is_some() {
                parker.unpark();
            }
        }
        self.parkers.unpark_followers();
    }

    /// Returns once no thread is inside a ppoll that began before the call. A file that was taken
    /// out of the poller before is then referenced by none of them.
    fn quiesce(&self) {
        self.thread_parker.quiesce();
        self.helper_parker.quiesce();
    }

    /// As `quiesce`, and no thread is inside a ppoll on its hot items either.
    fn quiesce_all(&self) {
        self.quiesce();
        for parker in self.parkers.all() {
            parker.quiesce();
        }
    }

    /// A file is reached by another number now. After the return nobody asks, or sleeps on, the old one.
    fn fd_changed(&self) {
        self.poller.change();
        drop(self.pump.lock());
        self.quiesce();
    }

    /// Somebody is about to sleep on something else than a waiter's futex: the helper takes the watch.
    pub fn call_helper(&'static self) {
        let mut holder = self.holder.lock();
        if *holder == Holder::Nobody {
            *holder = Holder::Helper;
            drop(holder);
            self.helper.call(self);
        } else {
            drop(holder);
            self.helper.be_there(self);
        }
    }

    /// One more, or one less, that sleeps and depends on the helper.
    pub fn guest(&self, come: bool) {
        self.helper.guest(come);
        if !come {
            self.unpark_holder();
        }
    }

    /// In a forked child: the threads are gone, every file is shared with the parent.
    ///
    /// # Errors
    /// As `complete`.
    pub fn forked(&self) -> Result<(), Errno> {
        for fd in self.descriptors() {
            let _ = sys::close(fd);
        }
        self.signals.fd_cell().store(-1, Ordering::SeqCst);
        *self.holder.lock() = Holder::Nobody;
        self.sleepers.clear();
        self.helper.forget();
        for parker in [&self.thread_parker, &self.helper_parker] {
            parker.forget();
        }
        self.parkers.forget();
        self.armed.clear();
        self.poller.clear();
        self.complete()
    }

    /// The process has become another user's: the kernel signals only for owners of the same user.
    pub fn own_anew(&self) {
        for file in self.armed.all() {
            let _ = sys::set_owner(file.fd(), self.pid.load(Ordering::Relaxed));
        }
        // What came before that was not told.
        self.overflowed();
    }

    /// The program's threads have all ended: the helper is to go as soon as nobody needs it.
    pub fn retire_helper(&self) {
        self.helper.retire();
        self.look_whether_needed();
    }

    /// One of the program's threads ends: if nobody depends on the helper any more, it is to know.
    pub fn thread_ends(&self) {
        if !self.sleepers.any() && !self.helper.has_guests() {
            self.helper.poke();
            self.look_whether_needed();
        }
    }

    /// Ends the helper's sleep, if it holds the watch, or is about to: the last who slept may have been woken by another
    /// thread than the helper.
    fn look_whether_needed(&self) {
        if *self.holder.lock() == Holder::Helper && !is("a_helper_that_nobody_needs_sleeps_on") {
            self.helper_parker.unpark();
        }
    }

    /// Before exec: no armed file may signal the new program.
    pub fn before_exec(&self) {
        for file in self.armed.all() {
            let _ = sys::set_async(file.fd(), false);
        }
    }

    /// The exec failed: arm again, and ask everything.
    pub fn exec_failed(&self) {
        for file in self.armed.all() {
            if let Some(device) = file.device_as::<KernelFile>() {
                device.arm_again(&file);
            }
        }
        self.overflow.store(true, Ordering::SeqCst);
    }
}

impl Watcher for &'static Watch {
    fn look(&self, hot: &mut Vec<pollfd>) {
        if hot.is_empty() {
            return self.drain_wakeups();
        }
        let own = hot.len();
        let asks = self.poller.is_active();
        // The last one: a file that is found ready was signalled by then.
        hot.push(pollfd { fd: self.signals.fd(), events: libc::POLLIN, revents: 0 });
        let asked = sys::poll_now(hot);
        holder::forget_unless(asked.is_ok(), hot);
        let told = asked.is_err() || hot[own].revents != 0 || self.has_overflowed();
        hot.truncate(own);
        if told || asks {
            self.drain_wakeups();
        } else {
            // Who takes in now may have read what came before.
            drop(self.pump.lock());
            ready_time::note_look();
        }
    }

    fn has_no_news(&self) -> bool {
        // Who has just read a signal has the pump until it is told.
        !self.poller.is_active()
            && !self.has_overflowed()
            && !self.signals.are_pending()
            && (self.pump.is_free() || is("no_news_asks_nobody"))
    }

    fn sleep(
        &self,
        waiter: &Arc<Waiter>,
        timeout_ns: Option<u64>,
        sigmask: Option<u64>,
        hot: &mut Vec<pollfd>,
    ) -> Slept {
        self.park(waiter, timeout_ns, sigmask, hot)
    }
}
