//! The devices: how the kernel's files tell us that they became ready, without the kernel's epoll.
//!
//! Two sources. A file that this process alone holds and that supports O_ASYNC tells each wakeup by a
//! real-time signal, read through a signalfd (`sigio`). Every other file is asked by ppoll, and slept
//! on in ppoll (`poller`).
//!
//! # Who holds the watch
//! Wakeups are brought in by `pump`, which every waiting thread calls before it looks at the ready
//! list; so a program with one event loop watches for itself. While threads sleep, one of them sleeps
//! in ppoll on the signalfd and on the files that are polled, and holds the *watch*; the others sleep
//! on a futex.
//!
//! | holder | becomes | when |
//! |---|---|---|
//! | nobody | a thread | it is about to sleep |
//! | a thread | nobody | it wakes and no other sleeps |
//! | a thread | the helper | it wakes and others still sleep |
//! | the helper | nobody | it wakes and finds nobody asleep |
//! | the helper | a thread | the thread is about to sleep and nobody else does |
//!
//! Keeps true: while a thread sleeps on its futex, a thread or the helper holds the watch, or is on
//! its way to `pump`.

mod helper;
mod kernel_file;
mod poller;
mod sigio;

pub use kernel_file::{KernelFile, Ownership};

use dashmap::DashMap;

use crate::file::File;
use crate::poll::{Slept, Watcher};
use crate::sync::{Arc, AtomicBool, AtomicI32, AtomicU32, AtomicUsize, Mutex, Ordering};
use crate::sys::{self, Errno};
use crate::wait_queue::{Sleepers, Waiter};
use helper::Helper;
use poller::Poller;
use sigio::Signals;

/// What the process around us must know of a sleeping thread.
pub trait Host: Send + Sync {
    /// A thread is about to sleep, with no lock held: signal handlers and fork may go on.
    fn leave(&self);
    /// It is awake again.
    fn enter(&self);
    /// Whether the last interruption of a system call came from a signal of ours alone.
    fn was_our_signal(&self) -> bool;
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Holder {
    Nobody,
    Thread,
    Helper,
}

/// A place in which one thread at a time sleeps in ppoll.
#[derive(Debug)]
struct Bed {
    /// Odd while the thread is in ppoll.
    serial: AtomicU32,
    /// An eventfd that ends the sleep.
    kick: AtomicI32,
    /// The thread in ppoll, by an address of its own.
    sleeper: AtomicUsize,
    /// How many wait for it to get up.
    quiescing: AtomicU32,
}

thread_local! {
    static MARK: u8 = const { 0 };
}

/// A number that no other living thread has.
fn this_thread() -> usize {
    MARK.with(|mark| std::ptr::from_ref(mark) as usize)
}

impl Bed {
    fn new() -> Self {
        Self {
            serial: AtomicU32::new(0),
            kick: AtomicI32::new(-1),
            sleeper: AtomicUsize::new(0),
            quiescing: AtomicU32::new(0),
        }
    }

    fn kick(&self) {
        let _ = sys::write(self.kick.load(Ordering::SeqCst), &1u64.to_ne_bytes());
    }

    /// The serial number, if somebody sleeps here.
    fn asleep(&self) -> Option<u32> {
        let serial = self.serial.load(Ordering::SeqCst);
        (serial % 2 == 1).then_some(serial)
    }

    fn lie_down(&self) {
        self.sleeper.store(this_thread(), Ordering::SeqCst);
        self.serial.fetch_add(1, Ordering::SeqCst);
    }

    fn get_up(&self) {
        self.serial.fetch_add(1, Ordering::SeqCst);
        if self.quiescing.load(Ordering::SeqCst) != 0 {
            sys::futex_wake(&self.serial, i32::MAX);
        }
    }

    /// Returns once a sleep that is under way has ended. A signal handler that interrupted this
    /// thread's own sleep need not wait: the call it interrupted holds on to nothing any more.
    fn quiesce(&self) {
        let Some(serial) = self.asleep() else { return };
        if self.sleeper.load(Ordering::SeqCst) == this_thread() {
            return;
        }
        self.quiescing.fetch_add(1, Ordering::SeqCst);
        while self.asleep() == Some(serial) {
            self.kick();
            sys::relax(&self.serial, serial);
        }
        self.quiescing.fetch_sub(1, Ordering::SeqCst);
    }
}

/// The watch over all devices of this process.
pub struct Watch {
    host: &'static dyn Host,
    sleepers: &'static Sleepers,
    pid: AtomicI32,
    signals: Signals,
    poller: Poller,
    holder: Mutex<Holder>,
    thread_bed: Bed,
    helper_bed: Bed,
    helper: Helper,
    /// Serialises the intake of wakeups, so that one who pumps sees all that happened before.
    pump: Mutex<Vec<poller::Fired>>,
    /// The file that a signal's `si_fd` stands for.
    armed: DashMap<i32, Arc<File>>,
    /// The signal queue ran over: every armed file must be asked.
    overflow: AtomicBool,
}

impl std::fmt::Debug for Watch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watch").finish_non_exhaustive()
    }
}

impl Watch {
    /// A watch that takes wakeups by `signal`; 0 polls every file.
    ///
    /// # Errors
    /// What eventfd(2) and signalfd(2) give.
    pub fn new(host: &'static dyn Host, sleepers: &'static Sleepers, signal: i32) -> Result<Self, Errno> {
        let watch = Self {
            host,
            sleepers,
            pid: AtomicI32::new(0),
            signals: Signals::new(signal),
            poller: Poller::default(),
            holder: Mutex::new(Holder::Nobody),
            thread_bed: Bed::new(),
            helper_bed: Bed::new(),
            helper: Helper::default(),
            pump: Mutex::default(),
            armed: DashMap::with_shard_amount(4),
            overflow: AtomicBool::new(false),
        };
        watch.open()?;
        Ok(watch)
    }

    fn open(&self) -> Result<(), Errno> {
        self.pid.store(sys::getpid(), Ordering::SeqCst);
        sys::with_raised_limit(|| {
            self.signals.open()?;
            for bed in [&self.thread_bed, &self.helper_bed] {
                let kick = sys::eventfd(libc::EFD_NONBLOCK | libc::EFD_CLOEXEC)?;
                bed.kick.store(sys::move_high(kick), Ordering::SeqCst);
            }
            Ok(())
        })
    }

    /// The descriptors that are ours, to be kept alive whatever the program closes.
    pub fn descriptors(&self) -> [i32; 3] {
        let beds = [&self.thread_bed, &self.helper_bed].map(|bed| bed.kick.load(Ordering::SeqCst));
        [self.signals.fd(), beds[0], beds[1]]
    }

    /// One of our descriptors got another number. After the return nobody uses the old one.
    pub fn moved(&self, from: i32, to: i32) {
        let _pump = self.pump.lock();
        for number in [&self.thread_bed.kick, &self.helper_bed.kick, self.signals.number()] {
            let _ = number.compare_exchange(from, to, Ordering::SeqCst, Ordering::SeqCst);
        }
        self.poller.change();
        self.quiesce();
    }

    /// The signal queue ran over. Safe in a signal handler.
    pub fn overflowed(&self) {
        self.overflow.store(true, Ordering::SeqCst);
        self.rouse();
    }

    /// Whether SIGIO is read from our signalfd (else the program handles it itself).
    pub fn take_sigio(&self, take: bool) {
        self.signals.take_sigio(take);
    }

    /// Ends the sleep of whoever holds the watch, so that it looks at things anew.
    fn rouse(&self) {
        for bed in [&self.thread_bed, &self.helper_bed] {
            if bed.asleep().is_some() {
                bed.kick();
            }
        }
    }

    /// Returns once no thread is inside a ppoll that began before the call. A file that was taken
    /// out of the poller before is then referenced by none of them.
    fn quiesce(&self) {
        self.thread_bed.quiesce();
        self.helper_bed.quiesce();
    }

    /// Sleeps in ppoll on all devices, in one of the two beds, if `lie_down` still agrees then.
    /// Returns whether a device or a kick ended the sleep, not the time.
    fn sleep_in(
        &self,
        bed: &Bed,
        lie_down: impl FnOnce() -> bool,
        timeout_ns: Option<u64>,
        sigmask: Option<u64>,
    ) -> Result<bool, Errno> {
        let built = self.poller.generation();
        let kick = bed.kick.load(Ordering::SeqCst);
        let mut fds = vec![pollin(self.signals.fd()), pollin(kick)];
        let look_again = self.poller.sleep_set(&mut fds);
        let capped = look_again.filter(|most| timeout_ns.is_none_or(|ns| ns > *most));
        bed.lie_down();
        // From here on `quiesce` waits for us; what it took out before, we see as a change.
        let mut slept = Ok(1);
        let asleep = !self.poller.changed_since(built) && lie_down();
        if asleep {
            self.host.leave();
            slept = sys::ppoll(&mut fds, capped.or(timeout_ns), sigmask);
        }
        bed.get_up();
        if asleep {
            self.host.enter();
        }
        if fds[1].revents != 0 {
            // By its number now: the program may have taken the old one meanwhile.
            let _ = sys::read(bed.kick.load(Ordering::SeqCst), &mut [0; 8]);
        }
        slept.map(|ready| ready != 0 || capped.is_some())
    }

    /// Somebody is about to sleep on something else than a waiter's futex: the helper takes the watch.
    pub fn call_helper(&'static self) {
        let mut holder = self.holder.lock();
        if *holder == Holder::Nobody {
            *holder = Holder::Helper;
            drop(holder);
            self.helper.call(self);
        }
    }

    /// One more, or one less, that sleeps and depends on the helper.
    pub fn guest(&self, come: bool) {
        self.helper.guest(come);
        if !come {
            self.rouse();
        }
    }

    /// In a forked child: the threads are gone, every file is shared with the parent.
    ///
    /// # Errors
    /// What eventfd(2) and signalfd(2) give.
    pub fn forked(&self) -> Result<(), Errno> {
        for fd in self.descriptors() {
            let _ = sys::close(fd);
        }
        *self.holder.lock() = Holder::Nobody;
        self.sleepers.clear();
        self.helper.forget();
        for bed in [&self.thread_bed, &self.helper_bed] {
            bed.serial.store(0, Ordering::SeqCst);
        }
        self.armed.clear();
        self.poller.clear();
        self.open()
    }

    /// Before exec: no armed file may signal the new program.
    pub fn before_exec(&self) {
        for armed in &self.armed {
            let _ = sys::set_async(*armed.key(), false);
        }
    }

    /// The exec failed: arm again, and ask everything.
    pub fn exec_failed(&self) {
        for armed in &self.armed {
            let _ = sys::set_async(*armed.key(), true);
        }
        self.overflow.store(true, Ordering::SeqCst);
    }
}

impl Watch {
    /// Tells the items of all that has happened to their files until now.
    pub fn take_in(&self) {
        let mut fired = self.pump.lock();
        self.signals.drain(
            |fd, key| {
                let file = self.armed.get(&fd).map(|armed| armed.value().clone());
                if let Some(file) = file {
                    crate::trace::wakeup(fd, "signal", key);
                    file.wake(key);
                }
            },
            || self.overflow.store(true, Ordering::SeqCst),
        );
        if self.overflow.swap(false, Ordering::SeqCst) {
            let files: Vec<Arc<File>> = self.armed.iter().map(|armed| armed.value().clone()).collect();
            for file in files {
                crate::trace::wakeup(file.fd(), "overflow", 0);
                file.wake(0);
            }
        }
        self.poller.ask(&mut fired);
        for fired in fired.drain(..) {
            crate::trace::wakeup(fired.fd, "poll", fired.key);
            if let Some(ep) = fired.item.ep.upgrade() {
                ep.poll_callback(fired.item.id, fired.item.serial, fired.key);
            }
        }
    }

    /// Sleeps until `waiter` is woken or a device may have something to say.
    fn lie_down(&'static self, waiter: &Arc<Waiter>, timeout_ns: Option<u64>, sigmask: Option<u64>) -> Slept {
        let mut holder = self.holder.lock();
        let free = match *holder {
            Holder::Nobody => true,
            Holder::Helper => !self.sleepers.any() && !self.helper.has_guests(),
            Holder::Thread => false,
        };
        if free {
            let stolen = std::mem::replace(&mut *holder, Holder::Thread) == Holder::Helper;
            drop(holder);
            if stolen {
                self.helper_bed.kick();
            }
            self.hold(waiter, timeout_ns, sigmask)
        } else {
            let asleep = waiter.begin_futex();
            drop(holder);
            if !asleep {
                return Slept::Woken;
            }
            self.follow(waiter, timeout_ns, sigmask)
        }
    }

    fn hold(&'static self, waiter: &Arc<Waiter>, timeout_ns: Option<u64>, sigmask: Option<u64>) -> Slept {
        let bed = &self.thread_bed;
        let slept = self.sleep_in(bed, || waiter.begin_ppoll(&bed.kick), timeout_ns, sigmask);
        waiter.end_ppoll();
        let mut holder = self.holder.lock();
        let others = self.sleepers.any() || self.helper.has_guests();
        *holder = if others { Holder::Helper } else { Holder::Nobody };
        drop(holder);
        if others {
            self.helper.call(self);
        }
        self.verdict(slept)
    }

    fn follow(&self, waiter: &Arc<Waiter>, timeout_ns: Option<u64>, sigmask: Option<u64>) -> Slept {
        // A handler that runs when the mask is swapped writes the futex, so the sleep does not begin.
        self.host.leave();
        let outer = sigmask.map(|mask| sys::sigprocmask(libc::SIG_SETMASK, mask));
        let slept = waiter.sleep_futex(timeout_ns);
        if let Some(outer) = outer {
            sys::sigprocmask(libc::SIG_SETMASK, outer);
        }
        self.host.enter();
        let woken = waiter.end_futex();
        match slept {
            _ if woken => Slept::Woken,
            Err(Errno::ETIMEDOUT) => Slept::TimedOut,
            Err(Errno::EINTR) => self.verdict(Err(Errno::EINTR)),
            _ => Slept::Woken,
        }
    }

    fn verdict(&self, slept: Result<bool, Errno>) -> Slept {
        match slept {
            Ok(true) => Slept::Woken,
            Ok(false) => Slept::TimedOut,
            Err(Errno::EINTR) if !self.host.was_our_signal() => Slept::Signal,
            Err(_) => Slept::Woken,
        }
    }
}

impl Watcher for &'static Watch {
    fn pump(&self) {
        self.take_in();
    }

    fn sleep(&self, waiter: &Arc<Waiter>, timeout_ns: Option<u64>, sigmask: Option<u64>) -> Slept {
        self.lie_down(waiter, timeout_ns, sigmask)
    }
}

fn pollin(fd: i32) -> libc::pollfd {
    libc::pollfd { fd, events: libc::POLLIN, revents: 0 }
}
