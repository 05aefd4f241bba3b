//! A device and a watcher without the kernel: the test sets the readiness.
#![allow(dead_code, missing_docs, reason = "each test binary uses its part")]

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, LazyLock};

use glasspoll_reactor::eventpoll::event_sink::EventSink;
use glasspoll_reactor::eventpoll::timeout::Timeout;
use glasspoll_reactor::eventpoll::wait_queue::{Sleepers, Waiter};
use glasspoll_reactor::eventpoll::watcher::{Slept, Watcher};
use glasspoll_reactor::eventpoll::Eventpoll;
use glasspoll_reactor::file::{Backing, Device, File};
use glasspoll_reactor::shared::Shared;
use glasspoll_reactor::sys::Errno;
use glasspoll_reactor::uapi::*;

pub static SLEEPERS: Sleepers = Sleepers::new();
static SHARED: LazyLock<Shared> = LazyLock::new(Shared::default);

/// The device's answer to `poll`, shared with the test.
#[derive(Clone, Debug, Default)]
pub struct Readiness(Arc<AtomicU32>);

impl Device for Readiness {
    fn poll(&self, mask: u32) -> u32 {
        self.0.load(Ordering::SeqCst) & (mask | EPOLLERR | EPOLLHUP)
    }
}

/// A file whose readiness the test sets.
pub struct Fake {
    pub file: Arc<File>,
    readiness: Readiness,
}

impl Fake {
    pub fn new(fd: i32) -> Self {
        let readiness = Readiness::default();
        Self { file: File::new(fd, Backing::Device(Box::new(readiness.clone()))), readiness }
    }

    /// The level, with no wakeup.
    pub fn set(&self, bits: u32) {
        self.readiness.0.store(bits, Ordering::SeqCst);
    }

    /// The level becomes `bits`, with a wakeup for it.
    pub fn rise(&self, bits: u32) {
        self.set(bits);
        self.file.wake(bits);
    }
}

/// An epoll instance with its file.
pub struct Set {
    pub file: Arc<File>,
}

impl Set {
    pub fn new(fd: i32) -> Self {
        Self { file: File::new(fd, Backing::Epoll(Eventpoll::new(&SHARED, fd))) }
    }

    pub fn ep(&self) -> &Arc<Eventpoll> {
        self.file.eventpoll().unwrap()
    }

    pub fn ctl(&self, op: i32, file: &Arc<File>, events: u32) -> Result<(), Errno> {
        let event = EpollEvent { events, data: file.fd() as u64 };
        self.ep().ctl(op, file, file.fd(), event)
    }

    pub fn add(&self, file: &Arc<File>, events: u32) -> Result<(), Errno> {
        self.ctl(EPOLL_CTL_ADD, file, events)
    }

    /// Up to `most` events that are ready now, as (fd, events).
    pub fn take(&self, most: usize) -> Vec<(u64, u32)> {
        self.wait(most, Some(0)).unwrap()
    }

    pub fn wait(&self, most: usize, timeout_ns: Option<u64>) -> Result<Vec<(u64, u32)>, Errno> {
        let waiter = Waiter::new(&SLEEPERS);
        let mut sink = Buffer(Vec::new());
        let sent = self.ep().wait(&OnFutex, &waiter, &mut sink, most, &mut Timeout::new(timeout_ns), None)?;
        assert_eq!(sent, sink.0.len());
        Ok(sink.0)
    }
}

/// Sleeps on the waiter alone: wakeups come from other threads.
pub struct OnFutex;

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
        if !waiter.end_futex() && slept == Err(Errno::ETIMEDOUT) {
            return Slept::TimedOut;
        }
        Slept::Woken
    }
}

struct Buffer(Vec<(u64, u32)>);

impl EventSink for Buffer {
    fn put(&mut self, index: usize, event: EpollEvent) -> Result<(), Errno> {
        assert_eq!(index, self.0.len());
        self.0.push((event.data, event.events));
        Ok(())
    }
}
