//! The helper thread: it holds the watch while threads sleep that cannot hold it themselves.
//!
//! Started when first needed; sleeps on a futex while it has nothing to do. A *guest* is a thread that
//! sleeps in a poll(2) of its own and depends on wakeups: it keeps the helper at the watch.

use crate::sync::{AtomicBool, AtomicU32, Ordering};
use crate::sys;
use crate::watch::{Holder, Watch};

#[derive(Debug, Default)]
pub(super) struct Helper {
    started: AtomicBool,
    /// Counts calls; the thread sleeps while it is what it has seen.
    calls: AtomicU32,
    guests: AtomicU32,
}

impl Helper {
    /// Has the helper thread look at the watch.
    pub(super) fn call(&self, watch: &'static Watch) {
        self.calls.fetch_add(1, Ordering::SeqCst);
        if self.started.swap(true, Ordering::SeqCst) {
            sys::futex_wake(&self.calls, 1);
            return;
        }
        let all = sys::sigprocmask(libc::SIG_SETMASK, u64::MAX);
        let thread = std::thread::Builder::new().name("glasspoll".into()).stack_size(256 << 10);
        if let Err(error) = thread.spawn(move || run(watch)) {
            self.started.store(false, Ordering::SeqCst);
            tracing::error!(target: "glasspoll", %error, "no helper thread: threads that wait together may wake late");
        }
        sys::sigprocmask(libc::SIG_SETMASK, all);
    }

    pub(super) fn guest(&self, come: bool) {
        if come {
            self.guests.fetch_add(1, Ordering::SeqCst);
        } else {
            self.guests.fetch_sub(1, Ordering::SeqCst);
        }
    }

    pub(super) fn has_guests(&self) -> bool {
        self.guests.load(Ordering::SeqCst) != 0
    }

    /// In a forked child there is no helper.
    pub(super) fn forget(&self) {
        self.started.store(false, Ordering::SeqCst);
        self.guests.store(0, Ordering::SeqCst);
    }
}

fn run(watch: &'static Watch) {
    watch.host.enter();
    loop {
        let seen = watch.helper.calls.load(Ordering::SeqCst);
        let mine = *watch.holder.lock() == Holder::Helper;
        if mine {
            stand(watch);
        } else {
            watch.host.leave();
            let _ = sys::futex_wait(&watch.helper.calls, seen, None);
            watch.host.enter();
        }
    }
}

/// One round at the watch: take in, give the watch up if nobody needs it, else sleep.
fn stand(watch: &'static Watch) {
    watch.take_in();
    {
        let mut holder = watch.holder.lock();
        if *holder != Holder::Helper {
            return;
        }
        if !watch.sleepers.any() && !watch.helper.has_guests() {
            *holder = Holder::Nobody;
            return;
        }
    }
    let bed = &watch.helper_bed;
    let still_mine = || *watch.holder.lock() == Holder::Helper;
    let _ = watch.sleep_in(bed, still_mine, None, None);
}
