//! `File`, an open file description with the wait queue that wakeups walk. Linux: `struct file`.

use std::any::Any;

use crate::eventpoll::Eventpoll;
use crate::file::{Device, KernelFile, WaitHead};
use crate::sync::{Arc, AtomicI32, AtomicU32, Ordering};
use crate::uapi::{ENDS, EPOLLERR, EPOLLHUP, EPOLLRDHUP};

/// What is behind a file.
#[derive(Debug)]
pub enum Backing {
    /// A file of the kernel's, stored in place.
    Kernel(KernelFile),
    /// Another device, as in tests.
    Device(Box<dyn Device>),
    /// An epoll instance. Linux: `fs/eventpoll.c:is_file_epoll`.
    Epoll(Arc<Eventpoll>),
}

/// The ends of a file, and the bits of `File::refs` for them, lowest first.
const ENDS_IN_ORDER: [u32; 3] = [EPOLLERR, EPOLLHUP, EPOLLRDHUP];
const SEEN_ENDS: u32 = 0b111 << 29;

/// The ends among `revents`, in the bits of `SEEN_ENDS`.
fn as_seen(revents: u32) -> u32 {
    let bits = ENDS_IN_ORDER.iter().enumerate().filter(|(_, end)| revents & **end != 0);
    bits.fold(0, |all, (n, _)| all | 1 << (29 + n))
}

/// An open file description that this process knows of.
#[derive(Debug)]
pub struct File {
    fd: AtomicI32,
    /// How many descriptors and calls use the file; in the bits of `SEEN_ENDS`, which ends the file had when it
    /// was last asked.
    refs: AtomicU32,
    wait: WaitHead,
    backing: Backing,
}

impl File {
    /// A file with one reference and descriptor `fd`.
    pub fn new(fd: i32, backing: Backing) -> Arc<Self> {
        let wait = WaitHead::default();
        Arc::new(Self { fd: AtomicI32::new(fd), refs: AtomicU32::new(1), backing, wait })
    }

    /// A descriptor of the file.
    pub fn fd(&self) -> i32 {
        self.fd.load(Ordering::Acquire)
    }

    /// Makes `fd` the descriptor of the file from now on.
    pub fn set_fd(&self, fd: i32) {
        self.fd.store(fd, Ordering::Release);
    }

    /// What is behind the file.
    pub fn backing(&self) -> &Backing {
        &self.backing
    }

    /// The epoll instance, if it is one.
    pub fn eventpoll(&self) -> Option<&Arc<Eventpoll>> {
        match &self.backing {
            Backing::Epoll(ep) => Some(ep),
            Backing::Kernel(_) | Backing::Device(_) => None,
        }
    }

    /// The device; None for an epoll instance.
    pub fn device(&self) -> Option<&dyn Device> {
        match &self.backing {
            Backing::Kernel(device) => Some(device),
            Backing::Device(device) => Some(&**device),
            Backing::Epoll(_) => None,
        }
    }

    /// The device, if it is of type `T`.
    pub fn device_as<T: Device>(&self) -> Option<&T> {
        self.device().and_then(|device| (device as &dyn Any).downcast_ref())
    }

    /// The wait queue head of this file.
    pub fn wait_head(&self) -> &WaitHead {
        match &self.backing {
            Backing::Epoll(ep) => &ep.poll_wait,
            Backing::Kernel(_) | Backing::Device(_) => &self.wait,
        }
    }

    /// Counts one more descriptor or call that uses the file. Linux: `fget`.
    pub fn get(&self) {
        self.refs.fetch_add(1, Ordering::AcqRel);
    }

    /// Counts one less. Returns whether it was the last; then the caller must call `release`. Linux: `fput`.
    #[must_use]
    pub fn put(&self) -> bool {
        self.refs.fetch_sub(1, Ordering::AcqRel) & !SEEN_ENDS == 1
    }

    /// How many descriptors and calls use it.
    pub fn refs(&self) -> u32 {
        self.refs.load(Ordering::Acquire) & !SEEN_ENDS
    }

    /// Notes the ends among `revents`.
    pub(crate) fn note_ends(&self, revents: u32) {
        let ends = as_seen(revents);
        if ends != 0 {
            self.refs.fetch_or(ends, Ordering::SeqCst);
        }
    }

    /// Whether the file has come to one of the ends in `pollflags` since it was last asked. Such a wakeup
    /// concerns every item, for the kernel's `sk_state_change` wakes without pollflags.
    fn has_new_end(&self, pollflags: u32) -> bool {
        let Some(device) = self.device() else { return true };
        let now = device.poll(EPOLLRDHUP) & ENDS;
        // An end that a delivery notes between `poll` and here counts as noted before.
        let before = self.refs.fetch_or(as_seen(now), Ordering::SeqCst);
        self.refs.fetch_and(!(SEEN_ENDS & !as_seen(now)), Ordering::SeqCst);
        let fresh = ENDS_IN_ORDER.into_iter().filter(|end| as_seen(*end) & !before != 0);
        let fresh = now & fresh.fold(0, |all, end| all | end);
        // After HUP no data can arrive, so this wakeup is the hang-up.
        let deaf = if device.hears_after_hangup() { 0 } else { now & EPOLLHUP };
        (fresh | deaf) & pollflags != 0
    }

    /// The device became ready for some of `pollflags`; 0: it does not know for what. Linux: `wake_up_poll`.
    pub fn wake(&self, pollflags: u32) {
        self.wake_unless(pollflags, || false);
    }

    /// As `wake`. If `goes_on` returns true, the wakeup is not for an end of the file; it is called only if the
    /// answer matters.
    pub fn wake_unless(&self, pollflags: u32, goes_on: impl Fn() -> bool) {
        let mut ended = None;
        let mut has_new_end = || *ended.get_or_insert_with(|| !goes_on() && self.has_new_end(pollflags));
        self.wait_head().wake(pollflags, &mut has_new_end);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::file::ItemRef;

    #[test]
    fn a_file_is_small() {
        assert!(size_of::<ItemRef>() <= 24);
        assert!(size_of::<WaitHead>() <= 32);
        // 96 bytes with the two counts of its Arc and a word of the heap's.
        assert!(size_of::<File>() <= 72);
    }
}
