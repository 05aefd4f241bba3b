//! The parker pool. Parkers are kept from sleep to sleep, so that a sleep takes no fd from the program.
//!
//! A thread takes a parker when it sleeps on its hot items or its signalfds while another thread holds the watch,
//! or when it is a guest: a thread in poll(2) on an epoll descriptor.
//!
//! Locks: `all`, `idle`, only for look-ups.

use crate::sync::{AtomicU32, Mutex, Ordering};
use crate::sys;
use crate::watch::park::Parker;
use crate::watch::Host;

/// The parkers of the threads that sleep in a ppoll of their own.
#[derive(Debug, Default)]
pub(super) struct ParkerPool {
    all: Mutex<Vec<&'static Parker>>,
    idle: Mutex<Vec<&'static Parker>>,
    /// How many threads sleep in a parker that `follows_poller`.
    following: AtomicU32,
}

impl ParkerPool {
    /// A parker for the calling thread. It has an eventfd, unless the kernel refuses one or `most`
    /// parkers have one.
    pub(super) fn take(&self, host: &dyn Host, most: usize) -> &'static Parker {
        let parker = self.idle.lock().pop().unwrap_or_else(|| {
            let parker: &'static Parker = Box::leak(Box::new(Parker::new()));
            self.all.lock().push(parker);
            parker
        });
        let with_wake_fd = || self.all.lock().iter().filter(|parker| parker.has_wake_fd()).count();
        if !parker.has_wake_fd() && with_wake_fd() < most {
            let made = sys::with_raised_limit(|| {
                sys::eventfd(libc::EFD_NONBLOCK | libc::EFD_CLOEXEC).map(sys::move_high)
            });
            if let Ok(wake_fd) = made {
                host.protect(wake_fd);
                parker.wake_fd.store(wake_fd, Ordering::SeqCst);
            }
        }
        parker
    }

    /// The thread is about to sleep in `parker`, and must wake when the poller changes.
    pub(super) fn follow_poller(&self, parker: &Parker) {
        parker.follows_poller.store(true, Ordering::SeqCst);
        self.following.fetch_add(1, Ordering::SeqCst);
    }

    /// The poller has changed.
    pub(super) fn unpark_followers(&self) {
        if self.following.load(Ordering::SeqCst) == 0 {
            return;
        }
        for parker in self.all() {
            if parker.follows_poller.load(Ordering::SeqCst) && parker.asleep().is_some() {
                parker.unpark();
            }
        }
    }

    /// The thread has woken, and no longer needs `parker`.
    pub(super) fn give_back(&self, parker: &'static Parker) {
        if parker.follows_poller.swap(false, Ordering::SeqCst) {
            self.following.fetch_sub(1, Ordering::SeqCst);
        }
        self.idle.lock().push(parker);
    }

    /// All parkers, in use or not.
    pub(super) fn all(&self) -> Vec<&'static Parker> {
        self.all.lock().clone()
    }

    /// In a forked child: forgets the sleepers, which exist in the parent only, and the parent's eventfds.
    pub(super) fn forget(&self) {
        let all = self.all();
        for parker in &all {
            parker.forget();
        }
        self.following.store(0, Ordering::SeqCst);
        *self.idle.lock() = all;
    }
}
