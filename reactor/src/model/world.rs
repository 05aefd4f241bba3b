//! The world around the reactor in a model: devices and sets without a kernel, and a process with a watch.

use std::sync::LazyLock;

use crate::eventpoll::event_sink::EventSink;
use crate::eventpoll::timeout::Timeout;
use crate::eventpoll::wait_queue::{Sleepers, Waiter};
use crate::eventpoll::watcher::{Slept, Watcher};
use crate::eventpoll::Eventpoll;
use crate::file::{Backing, Device, File};
use crate::shared::Shared;
use crate::sync::{Arc, AtomicU32, Ordering};
use crate::sys::Errno;
use crate::uapi::*;

/// A count of sleepers that lives for one execution.
pub(super) struct Count(*mut Sleepers);

impl Count {
    pub(super) fn new() -> Self {
        Self(Box::into_raw(Box::new(Sleepers::new())))
    }

    pub(super) fn get(&self) -> &'static Sleepers {
        // SAFETY: a model drops it when its threads have ended.
        unsafe { &*self.0 }
    }
}

impl Drop for Count {
    fn drop(&mut self) {
        // SAFETY: as above.
        drop(unsafe { Box::from_raw(self.0) });
    }
}

/// A device whose readiness the model sets.
#[derive(Debug)]
pub(super) struct Level(Arc<AtomicU32>);

/// The reactor must not ask it any more.
const GONE: u32 = 1 << 31;

impl Device for Level {
    fn poll(&self, mask: u32) -> u32 {
        let level = self.0.load(Ordering::SeqCst);
        assert!(level & GONE == 0, "asked after its removal");
        level & (mask | EPOLLERR | EPOLLHUP)
    }
}

/// A file on such a device.
#[derive(Clone)]
pub(super) struct Fake {
    pub(super) file: Arc<File>,
    level: Arc<AtomicU32>,
}

impl Fake {
    pub(super) fn new(fd: i32) -> Self {
        let level = Arc::new(AtomicU32::new(0));
        Self { file: File::new(fd, Backing::Device(Box::new(Level(level.clone())))), level }
    }

    pub(super) fn set(&self, bits: u32) {
        self.level.store(bits, Ordering::SeqCst);
    }

    /// From now on the model fails if the device is asked.
    pub(super) fn is_gone(&self) {
        self.set(GONE);
    }

    /// The level becomes `bits`, with a wakeup for it.
    pub(super) fn rise(&self, bits: u32) {
        self.set(bits);
        self.file.wake(bits);
    }
}

/// An epoll instance, and the count of its sleepers.
#[derive(Clone)]
pub(super) struct Set {
    pub(super) ep: Arc<Eventpoll>,
    sleepers: &'static Sleepers,
}

impl Set {
    pub(super) fn new(sleepers: &Count) -> Self {
        static SHARED: LazyLock<Shared> = LazyLock::new(Shared::default);
        Self::of(&SHARED, sleepers)
    }

    pub(super) fn of(shared: &'static Shared, sleepers: &Count) -> Self {
        Self { ep: Eventpoll::new(shared, 3), sleepers: sleepers.get() }
    }

    pub(super) fn ctl(&self, op: i32, file: &Arc<File>, events: u32) {
        self.ctl_as(op, file, events, file.fd() as u64);
    }

    pub(super) fn ctl_as(&self, op: i32, file: &Arc<File>, events: u32, data: u64) {
        self.ep.ctl(op, file, file.fd(), EpollEvent { events, data }).expect("a good call");
    }

    pub(super) fn add(&self, file: &Arc<File>, events: u32) {
        self.ctl(EPOLL_CTL_ADD, file, events);
    }

    /// What is ready now.
    pub(super) fn take(&self) -> Vec<(u64, u32)> {
        self.wait(&Waiter::new(self.sleepers), Some(0)).expect("no interruption")
    }

    pub(super) fn waiter(&self) -> Arc<Waiter> {
        Waiter::new(self.sleepers)
    }

    pub(super) fn wait(&self, waiter: &Arc<Waiter>, time: Option<u64>) -> Result<Vec<(u64, u32)>, Errno> {
        self.wait_by(&OnFutex, waiter, time)
    }

    pub(super) fn wait_by(
        &self,
        watcher: &dyn Watcher,
        waiter: &Arc<Waiter>,
        time: Option<u64>,
    ) -> Result<Vec<(u64, u32)>, Errno> {
        let mut sink = Buffer(Vec::new());
        self.ep.wait(watcher, waiter, &mut sink, 8, &mut Timeout::new(time), None)?;
        Ok(sink.0)
    }
}

/// Sleeps on the waiter alone: wakeups come from other threads.
pub(super) struct OnFutex;

impl Watcher for OnFutex {
    fn has_no_news(&self) -> bool {
        false
    }

    fn look(&self, _hot: &mut Vec<libc::pollfd>) {}

    fn sleep(
        &self,
        waiter: &Arc<Waiter>,
        timeout_ns: Option<u64>,
        _sigmask: Option<u64>,
        _hot: &mut Vec<libc::pollfd>,
    ) -> Slept {
        if !waiter.begin_futex() {
            return Slept::Woken;
        }
        let slept = waiter.sleep_futex(timeout_ns);
        let woken = waiter.end_futex();
        if waiter.take_interrupt() {
            return Slept::Signal;
        }
        if !woken && slept == Err(Errno::ETIMEDOUT) {
            return Slept::TimedOut;
        }
        Slept::Woken
    }
}

pub(super) struct Buffer(pub(super) Vec<(u64, u32)>);

impl EventSink for Buffer {
    fn put(&mut self, _index: usize, event: EpollEvent) -> Result<(), Errno> {
        self.0.push((event.data, event.events));
        Ok(())
    }
}
