//! The devices: how we learn that the kernel's files became ready, without the kernel's epoll.
//!
//! There are two sources of wakeups. If only this process has the file, and the file supports O_ASYNC, the
//! kernel sends a real-time signal for each wakeup, and we read it from a signalfd (`signal`). Every other file
//! is polled by ppoll, and waiting threads sleep on it in ppoll (`poll`). `kernel_file` chooses the source.
//!
//! Every waiting thread drains wakeups (`drain`) in the look that comes before a delivery, and in its sleep
//! (`waiting`), so a program with one event loop needs no other thread. While threads sleep, one of them sleeps in
//! ppoll on the signalfd and on the polled files, and holds the *watch* (`holder`); the others sleep on a futex.
//! Threads sleep in ppoll in a parker (`park`, `parker_pool`). The `helper` thread holds the watch when no other
//! thread can.
//!
//! Keeps true: while a thread sleeps on its futex, a thread or the helper holds the watch, or is about to call
//! `drain_wakeups`.
//!
//! Locks: the pump, then a file's `WaitHead`, then the poller's set and the armed files: the third level.
//! `holder` is short, and no callback runs under it.

mod drain;
mod helper;
mod holder;
mod kernel_file;
mod park;
mod parker_pool;
mod poll;
mod signal;
mod waiting;

pub use crate::file::{DrainHint, KernelFile, Ownership};
pub use kernel_file::kind::FileKind;
pub use park::Parker;

use crate::eventpoll::wait_queue::Sleepers;
use crate::mutation::is;
use crate::shared::Shared;
use crate::sync::{AtomicBool, AtomicI32, AtomicU32, AtomicU64, Mutex, OnceCell, Ordering};
use crate::sys::{self, Errno};
use drain::Pump;
use helper::Helper;
use holder::Holder;
use parker_pool::ParkerPool;
use poll::poller::Poller;
use signal::armed::Armed;
use signal::signalfd::Signals;

/// The process around the reactor: the shim.
pub trait Host: Send + Sync {
    /// A thread is about to sleep, with no lock held: signal handlers and fork may go on.
    fn leave(&self);
    /// It is awake again.
    fn enter(&self);
    /// Sets the signal mask of a wait. Called between `leave` and `enter`.
    fn take_mask(&self, mask: u64);
    /// Restores the thread's own mask.
    fn give_mask_back(&self);
    /// Whether only a signal of ours interrupted the last system call.
    fn was_our_signal(&self) -> bool;
    /// From now on the host must report the program's reads and writes of the file. Called with locks held, and
    /// before the file is reported ready, to which the program reacts with reads and writes.
    fn wants_io(&self, device: &KernelFile);
    /// From now on the program's reads and refused writes of the file must leave hints. Called as `wants_io`.
    fn wants_drain_hints(&self, device: &KernelFile);
    /// The hints left since the last call of this.
    fn take_drain_hint(&self, fd: i32) -> DrainHint;
    /// Forgets what the calling thread has read.
    fn forget_reads(&self) {}
    /// Whether the calling thread has emptied the file by a read of `fd`, since `forget_reads`.
    fn has_emptied(&self, _fd: i32) -> bool {
        false
    }
    /// Keeps a descriptor of ours from the program.
    fn protect(&self, fd: i32);
    /// Whether a thread can be made now. While the program forks, it may hold what that needs.
    fn may_make_a_thread(&self) -> bool {
        true
    }
    /// Prints one line for the user who runs the program.
    fn say(&self, what: &str);
}

/// The process's watch. It exists once there is an epoll instance.
pub static WATCH: OnceCell<Watch> = OnceCell::new();

/// The watch over all devices of this process.
pub struct Watch {
    host: &'static dyn Host,
    sleepers: &'static Sleepers,
    shared: &'static Shared,
    pid: AtomicI32,
    signals: Signals,
    poller: Poller,
    holder: Mutex<Holder>,
    /// Numbers the sleeps of holders.
    sleeps: AtomicU64,
    thread_parker: Parker,
    helper_parker: Parker,
    parkers: ParkerPool,
    /// How often in a row a thread that went to sleep was the only one.
    alone: AtomicU32,
    helper: Helper,
    /// Serialises the draining of wakeups: a thread that has the pump sees all wakeups that came before.
    pump: Mutex<Pump>,
    /// The file for each `si_fd` of a signal.
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
    /// A watch that gets wakeups by `signal`; with 0 every file is polled. It has no descriptors yet
    /// (`complete`).
    pub fn new(
        host: &'static dyn Host,
        sleepers: &'static Sleepers,
        shared: &'static Shared,
        signal: i32,
    ) -> Self {
        Self {
            host,
            sleepers,
            shared,
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

    /// Opens those of its descriptors that are not open. The watch can work without them: with no signalfd
    /// every file is polled; with no eventfd a sleeper checks every few milliseconds whether it must wake.
    ///
    /// # Errors
    /// What eventfd(2) and signalfd(2) give.
    pub fn complete(&self) -> Result<(), Errno> {
        let parkers = [&self.thread_parker, &self.helper_parker];
        if self.signals.is_open() && parkers.iter().all(|parker| parker.has_wake_fd()) {
            return Ok(());
        }
        // The pump keeps two threads from both opening them.
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
        // A thread that sleeps already does not have them in its list.
        self.poller.change();
        self.unpark_holder();
        done
    }

    /// Whether a sleeping thread can be unparked.
    pub fn can_unpark(&self) -> bool {
        self.thread_parker.has_wake_fd()
    }

    /// Returns when the helper thread is not being made.
    pub fn await_helper_start(&self) {
        self.helper.await_start();
    }

    /// Whether the helper thread could not be started.
    pub fn lacks_helper(&self) -> bool {
        self.helper.is_broken()
    }

    /// Our descriptors, which must stay open whatever the program closes.
    pub fn descriptors(&self) -> Vec<i32> {
        let wake_fd = |parker: &Parker| parker.wake_fd.load(Ordering::SeqCst);
        let mut all = vec![self.signals.fd(), wake_fd(&self.thread_parker), wake_fd(&self.helper_parker)];
        all.extend(self.parkers.all().into_iter().map(wake_fd));
        all.retain(|fd| *fd >= 0);
        all
    }

    /// One of our descriptors moved to another fd. After the return no thread uses the old one.
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

    /// Sets whether SIGIO is read from our signalfd. If not, the program handles SIGIO itself.
    pub fn take_sigio(&self, take: bool) {
        self.signals.take_sigio(take);
    }

    /// As `take_sigio`, for a signalfd that will be opened.
    pub fn will_take_sigio(&self, take: bool) {
        self.signals.will_take_sigio(take);
    }

    /// Ends the sleep of the thread that holds the watch, and of those that follow the poller, so that they
    /// build new lists.
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

    /// Returns once every ppoll on the poller's files has ended that began before the call. If a file was taken
    /// out of the poller before, no ppoll then holds it open.
    fn quiesce(&self) {
        self.thread_parker.quiesce();
        self.helper_parker.quiesce();
    }

    /// As `quiesce`, and also for each ppoll on hot items.
    fn quiesce_all(&self) {
        self.quiesce();
        for parker in self.parkers.all() {
            parker.quiesce();
        }
    }

    /// A file has another fd now. After the return no thread asks, or sleeps on, the old one.
    fn fd_changed(&self) {
        self.poller.change();
        drop(self.pump.lock());
        self.quiesce();
    }

    /// A thread is about to sleep outside of the reactor (`guest`): if no thread holds the watch, the helper
    /// takes it.
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

    /// A parker for a guest, with an eventfd if there are at most `most` parkers.
    pub fn take_parker(&self, most: usize) -> &'static Parker {
        self.parkers.take(self.host, most)
    }

    /// The guest no longer needs its parker.
    pub fn give_parker_back(&self, parker: &'static Parker) {
        self.parkers.give_back(parker);
    }

    /// Counts one more guest: a thread that sleeps in a poll(2) of its own and depends on wakeups.
    pub fn guest_comes(&self) {
        self.helper.guest_comes();
    }

    /// Counts one guest less.
    pub fn guest_leaves(&self) {
        self.helper.guest_leaves();
        self.unpark_holder();
    }

    /// In a forked child: forgets the threads, which exist in the parent only. Every file is shared with the
    /// parent.
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

    /// The process has changed its user: sets the owner of each armed file again, because the kernel checks the user
    /// of the process that set it.
    pub fn own_anew(&self) {
        for file in self.armed.all() {
            let _ = sys::set_owner(file.fd(), self.pid.load(Ordering::Relaxed));
        }
        // The kernel may have sent no signals for what came before.
        self.overflowed();
    }

    /// All threads of the program have ended: the helper ends as soon as no thread needs it.
    pub fn retire_helper(&self) {
        self.helper.retire();
        self.look_whether_needed();
    }

    /// One of the program's threads ends: if no thread depends on the helper any more, the helper learns it.
    pub fn thread_ends(&self) {
        if !self.sleepers.any() && !self.helper.has_guests() {
            self.helper.poke();
            self.look_whether_needed();
        }
    }

    /// Ends the helper's sleep, if it holds the watch or is about to: another thread than the helper may have
    /// woken the last sleeper.
    fn look_whether_needed(&self) {
        if *self.holder.lock() == Holder::Helper && !is("a_helper_that_nobody_needs_sleeps_on") {
            self.helper_parker.unpark();
        }
    }

    /// Before exec: turns off the signals of armed files, which must not reach the new program.
    pub fn before_exec(&self) {
        for file in self.armed.all() {
            let _ = sys::set_async(file.fd(), false);
        }
    }

    /// The exec failed: arms the files again, and has every one asked.
    pub fn exec_failed(&self) {
        for file in self.armed.all() {
            if let Some(device) = file.device_as::<KernelFile>() {
                device.arm_again(&file);
            }
        }
        self.overflow.store(true, Ordering::SeqCst);
    }
}
