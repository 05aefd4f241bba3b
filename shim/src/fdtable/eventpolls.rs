//! Epoll instances: how they come into the table, and how a call finds them.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::Arc;

use glasspoll_reactor::eventpoll::Eventpoll;
use glasspoll_reactor::file::{self, File};
use glasspoll_reactor::shared::Shared;

use super::closing::{sleep_while, wait_for_close};
use super::entering::enter;
use super::fd_ref::{FdRef, Held};
use super::flags::{all_fds, flags, word, CLOSING, EPOLL, KERNEL_SET, OURS};
use super::leaving::forget;

static ANY_EPOLL: AtomicBool = AtomicBool::new(false);

/// Whether this process has ever had an epoll instance.
#[inline]
pub fn any_epoll() -> bool {
    ANY_EPOLL.load(Ordering::Relaxed)
}

/// Enters a new epoll instance.
pub fn insert_eventpoll(shared: &'static Shared, fd: i32) {
    insert(fd, EPOLL, || Eventpoll::new(shared, fd));
    ANY_EPOLL.store(true, Ordering::Relaxed);
}

/// Enters an epoll instance of the kernel's. `inherited`: this process did not make it.
pub fn insert_kernel_set(shared: &'static Shared, fd: i32, inherited: bool) {
    insert(fd, KERNEL_SET, || Eventpoll::of_kernel(shared, fd, inherited));
}

fn insert(fd: i32, bit: u32, make: impl Fn() -> Arc<Eventpoll>) {
    forget(fd);
    loop {
        // Another thread's close has freed the fd, but may not be done with the table.
        wait_for_close(fd);
        let file = File::new(fd, file::Backing::Epoll(make()));
        if enter(fd, file, |_| Some(bit)).is_ok() || flags(fd) & OURS != 0 || word(fd).is_none() {
            break;
        }
    }
}

/// The epoll descriptors of the kernel's.
pub fn kernel_sets() -> Vec<i32> {
    all_fds().filter(|fd| flags(*fd) & KERNEL_SET != 0).collect()
}

/// Whether the fd may be an epoll descriptor: it is one, or another thread is closing it.
pub fn may_be_epoll(fd: i32) -> bool {
    flags(fd) & (EPOLL | CLOSING) != 0
}

/// The epoll instance behind an fd. If another thread is closing the fd, waits for the end of the close: until then the
/// eventfd beneath is still open, and the call must not reach it.
pub fn held_eventpoll(fd: FdRef) -> Option<Held> {
    let held = |fd: FdRef| fd.hold().filter(|held| held.0.eventpoll().is_some());
    held(fd).or_else(|| {
        // Looked up again: the close may have begun since the call came.
        let going = FdRef::of(fd.fd()).is(CLOSING);
        wait_for_close(fd.fd());
        if going {
            held(FdRef::of(fd.fd()))
        } else {
            None
        }
    })
}

/// How many epoll instances have an fd but no table entry yet.
#[link_section = "glasspoll_fork"]
static UNDER_WAY: AtomicU32 = AtomicU32::new(0);
/// Counts the calls of `making`.
static BEGUN: AtomicU32 = AtomicU32::new(0);

/// Makes an epoll instance and enters it.
pub fn making<T>(make: impl FnOnce() -> T) -> T {
    UNDER_WAY.fetch_add(1, Ordering::SeqCst);
    BEGUN.fetch_add(1, Ordering::SeqCst);
    let made = make();
    UNDER_WAY.fetch_sub(1, Ordering::SeqCst);
    made
}

/// Returns when every epoll instance that has an fd is in the table. The value is for `none_made_since`.
pub fn all_made() -> u32 {
    // Not for ever: programs may make one after another.
    let mut begun = BEGUN.load(Ordering::SeqCst);
    for _ in 0..100 {
        // Not for ever: this may be a child forked past libc that has not noticed that yet.
        sleep_while(|| UNDER_WAY.load(Ordering::SeqCst) != 0);
        let now = BEGUN.load(Ordering::SeqCst);
        if now == begun {
            break;
        }
        // One was begun just as none was under way.
        begun = now;
    }
    begun
}

/// Whether no epoll instance was begun since that moment.
pub fn none_made_since(moment: u32) -> bool {
    BEGUN.load(Ordering::SeqCst) == moment
}

/// In a forked child. The threads that were making epoll instances do not exist here.
pub(super) fn forked() {
    UNDER_WAY.store(0, Ordering::SeqCst);
}
