//! poll(2) and select(2) with an epoll descriptor of ours in the list.
//!
//! The thread puts its waiter on the wait queue of each epoll instance, as the kernel's poll(2) does with
//! `ep->poll_wait`. It sleeps on the other descriptors and on an eventfd, which wakes the waiter. The helper holds the
//! watch meanwhile. Linux: `fs/eventpoll.c:ep_eventpoll_poll`.

use std::sync::atomic::Ordering;

use glasspoll_reactor::file::File;
use glasspoll_reactor::sys::{self, Errno};
use glasspoll_reactor::watch::{Parker, Watch};
use libc::pollfd;

use crate::fdtable::{self, FdRef, Held};
use crate::process;
use crate::thread::context::{self, Part, Waiting};

/// An epoll descriptor in the list, held: if another thread closes it, the instance lives until the call is over.
struct Set {
    at: usize,
    held: Held,
}

impl Set {
    fn file(&self) -> &File {
        &self.held.0
    }
}

/// The maximum of parkers with an eventfd: as many as we can protect from the program's closes, beside our other
/// descriptors.
const MOST_PARKERS: usize = fdtable::MOST_OURS - 16;

/// A thread's stay on the wait queues. The drop ends it.
struct Stay {
    watch: &'static Watch,
    waiter: Part,
    parker: &'static Parker,
    sets: Vec<Set>,
}

impl Stay {
    fn new(watch: &'static Watch, sets: Vec<Set>) -> Self {
        let parker = watch.take_parker(MOST_PARKERS);
        let waiter = context::waiter();
        for set in &sets {
            set.file().wait_head().add_poller(waiter.clone());
            if let Some(ep) = set.file().eventpoll() {
                // From here on every wakeup of a file reaches the wait queue.
                ep.demote_hot_items();
            }
        }
        watch.guest_comes();
        Self { watch, waiter, parker, sets }
    }
}

impl Drop for Stay {
    fn drop(&mut self) {
        self.watch.guest_leaves();
        for set in &self.sets {
            set.file().wait_head().remove_poller(&self.waiter);
        }
        self.watch.give_parker_back(self.parker);
    }
}

/// Whether the list may contain an epoll descriptor of ours.
pub fn concerns_us(fds: &[pollfd]) -> bool {
    fds.iter().any(|pollfd| fdtable::may_be_epoll(pollfd.fd))
}

/// poll(2) with epoll descriptors among `fds`.
///
/// # Errors
/// As poll(2).
pub fn poll(fds: &mut [pollfd], timeout_ns: Option<u64>, sigmask: Option<u64>) -> Result<i32, Errno> {
    let _guard = context::enter();
    let watch = process::watch().ok_or(Errno::ENOMEM)?;
    let set = |(at, pollfd): (usize, &pollfd)| {
        fdtable::held_eventpoll(FdRef::of(pollfd.fd)).map(|held| Set { at, held })
    };
    let sets: Vec<Set> = fds.iter().enumerate().filter_map(set).collect();
    let stay = Stay::new(watch, sets);
    let waiter = &stay.waiter;
    waiter.take_interrupt();
    let waiting = Waiting::new(waiter, sigmask);
    if context::is_cancelled() {
        return Err(Errno::EINTR);
    }
    let deadline = timeout_ns.filter(|ns| *ns != 0).map(|ns| sys::now().saturating_add(ns));
    let mut timed_out = timeout_ns == Some(0);
    let mut signal = false;
    loop {
        watch.drain_wakeups();
        // Reset before the poll: a wakeup or an interruption after the poll must not be lost.
        waiter.reset();
        signal |= waiter.take_interrupt();
        let mut ready = ask(&stay, fds);
        let done = ready > 0 || timed_out || signal;
        let left = deadline.map(|deadline| deadline.saturating_sub(sys::now()));
        if !done {
            watch.call_helper();
        }
        let sleep = if done { Some(0) } else { left };
        // A pending signal that the mask lets in ends the call, even if the time is over.
        match sleep_on(&stay, fds, sleep, if ready > 0 { None } else { sigmask }) {
            Ok(others) => ready += others,
            Err(Errno::EINTR) if context::was_our_signal() => {}
            Err(Errno::EINTR) => signal = true,
            Err(errno) => return Err(errno),
        }
        signal |= waiter.take_interrupt();
        if ready > 0 {
            return Ok(ready);
        }
        if signal && done {
            waiting.interrupted();
            return Err(Errno::EINTR);
        }
        if timed_out {
            return Ok(0);
        }
        timed_out |= left == Some(0) || deadline.is_some_and(|deadline| sys::now() >= deadline);
    }
}

/// Polls the epoll instances; fills in their `revents`.
fn ask(stay: &Stay, fds: &mut [pollfd]) -> i32 {
    let mut ready = 0;
    for set in &stay.sets {
        let found = set.file().eventpoll().map_or(0, |ep| ep.poll(0)) as i16;
        let found = found & (fds[set.at].events | libc::POLLERR | libc::POLLHUP);
        fds[set.at].revents = found;
        ready += i32::from(found != 0);
    }
    ready
}

/// How late a wakeup may come if there is no eventfd, or no thread to hold the watch.
const LATE_NS: u64 = 5_000_000;

/// Sleeps on the other descriptors and on the stay's eventfd; fills in the `revents` of the others.
fn sleep_on(
    stay: &Stay,
    fds: &mut [pollfd],
    timeout_ns: Option<u64>,
    sigmask: Option<u64>,
) -> Result<i32, Errno> {
    let mut all: Vec<pollfd> = fds.iter().map(|pollfd| pollfd_of(pollfd.fd, pollfd.events)).collect();
    for set in &stay.sets {
        all[set.at].fd = -1;
    }
    let parker = stay.parker.wake_fd().load(Ordering::SeqCst);
    all.push(pollfd_of(parker, libc::POLLIN));
    let capped = (parker < 0 || stay.watch.lacks_helper()) && timeout_ns.is_none_or(|ns| ns > LATE_NS);
    let timeout_ns = if capped { Some(LATE_NS) } else { timeout_ns };
    // If a wakeup came since the poll, there is nothing to sleep for.
    let timeout_ns = if stay.waiter.begin_ppoll(stay.parker.wake_fd()) { timeout_ns } else { Some(0) };
    context::leave();
    let slept = sys::ppoll(&mut all, timeout_ns, sigmask);
    context::come_back();
    stay.waiter.end_ppoll();
    let woken = all.pop().is_some_and(|own| own.revents != 0);
    if woken {
        // The fd is loaded again: our descriptors may have moved meanwhile.
        let _ = sys::read(stay.parker.wake_fd().load(Ordering::SeqCst), &mut [0; 8]);
    }
    slept?;
    let mut ready = 0;
    for (pollfd, found) in fds.iter_mut().zip(&all).filter(|(_, found)| found.fd >= 0) {
        pollfd.revents = found.revents;
        ready += i32::from(found.revents != 0);
    }
    for pollfd in fds.iter_mut().filter(|pollfd| pollfd.fd < 0) {
        pollfd.revents = 0;
    }
    Ok(ready)
}

fn pollfd_of(fd: i32, events: i16) -> pollfd {
    pollfd { fd, events, revents: 0 }
}
