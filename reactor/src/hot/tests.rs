//! Items are promoted and demoted in a busy set, on a device and a watcher without a kernel.

use std::sync::LazyLock;

use libc::pollfd;

use super::QUIET_ROUNDS;
use crate::eventpoll::event_sink::EventSink;
use crate::eventpoll::wait_queue::Waiter;
use crate::eventpoll::watcher::{Slept, Watcher};
use crate::eventpoll::Eventpoll;
use crate::file::{Backing, Device, File, ItemRef, NO_POLLER_ID};
use crate::shared::Shared;
use crate::sync::{Arc, AtomicU32, Ordering};
use crate::sys::Errno;
use crate::uapi::*;

/// Counts calls of attach and detach.
#[derive(Clone, Debug, Default)]
struct Counting(Arc<[AtomicU32; 2]>);

impl Device for Counting {
    fn poll(&self, _mask: u32) -> u32 {
        EPOLLIN
    }

    fn attach(&self, _file: &Arc<File>, _item: &ItemRef, _events: u32) -> u32 {
        self.0[0].fetch_add(1, Ordering::SeqCst);
        NO_POLLER_ID
    }

    fn detach(&self, _key: u32) {
        self.0[1].fetch_add(1, Ordering::SeqCst);
    }

    fn can_be_hot(&self, _events: u32) -> bool {
        true
    }
}

impl Counting {
    fn counts(&self) -> [u32; 2] {
        [0, 1].map(|n| self.0[n].load(Ordering::SeqCst))
    }
}

/// Finds every file ready for these events.
struct Finds(u32);

impl Watcher for Finds {
    fn look(&self, files: &mut Vec<pollfd>) {
        files.iter_mut().for_each(|pollfd| pollfd.revents = self.0 as i16 & pollfd.events);
    }

    fn has_no_news(&self) -> bool {
        false
    }

    fn sleep(
        &self,
        _waiter: &Arc<Waiter>,
        _timeout_ns: Option<u64>,
        _sigmask: Option<u64>,
        _hot: &mut Vec<pollfd>,
    ) -> Slept {
        Slept::TimedOut
    }
}

struct Nowhere;

impl EventSink for Nowhere {
    fn put(&mut self, _index: usize, _event: EpollEvent) -> Result<(), Errno> {
        Ok(())
    }
}

static SHARED: LazyLock<Shared> = LazyLock::new(Shared::default);

/// A busy set with an item that is ready.
fn busy_set() -> (Arc<Eventpoll>, Counting, Arc<File>) {
    let (ep, device) = (Eventpoll::new(&SHARED, 3), Counting::default());
    let file = File::new(4, Backing::Device(Box::new(device.clone())));
    ep.ctl(EPOLL_CTL_ADD, &file, 4, EpollEvent { events: EPOLLIN, data: 0 }).unwrap();
    let mut tree = ep.mtx.lock();
    (0..2).for_each(|_| ep.count(&mut tree, crate::hot::BUSY_UNITS));
    drop(tree);
    (ep, device, file)
}

fn wait(ep: &Eventpoll, finds: u32) -> usize {
    ep.wait_now(&Finds(finds), &mut Nowhere, 8).unwrap()
}

#[test]
fn an_item_that_is_delivered_twice_in_a_busy_set_becomes_hot() {
    let (ep, device, _file) = busy_set();
    assert_eq!((wait(&ep, EPOLLIN), ep.mtx.count(), device.counts()), (1, 0, [1, 0]));
    assert_eq!((wait(&ep, EPOLLIN), ep.mtx.count(), device.counts()), (1, 1, [1, 1]));
    assert!(!ep.events_available(), "it is asked now");
    assert_eq!((wait(&ep, EPOLLIN), wait(&ep, 0)), (1, 0));
}

#[test]
fn a_hot_item_without_news_is_attached_again_and_asked_once_more() {
    let (ep, device, _file) = busy_set();
    (0..2).for_each(|_| assert_eq!(wait(&ep, EPOLLIN), 1));
    let quiet = (0..100).take_while(|_| ep.mtx.count() == 1 && wait(&ep, 0) == 0).count();
    assert!((QUIET_ROUNDS as usize..QUIET_ROUNDS as usize + 10).contains(&quiet), "{quiet} waits");
    assert_eq!((ep.mtx.count(), device.counts()), (0, [2, 1]));
    assert!(ep.events_available(), "it was ready when it was asked");
}

#[test]
fn in_a_set_that_is_not_busy_no_item_is_hot() {
    let (ep, device, _file) = busy_set();
    ep.mtx.lock().hot.reset_load();
    (0..20).for_each(|_| assert_eq!(wait(&ep, EPOLLIN), 1));
    assert_eq!((ep.mtx.count(), device.counts()), (0, [1, 0]));
}
