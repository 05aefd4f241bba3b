//! Draining wakeups: reads the signals, asks the polled files, and calls back the items.

use glasspoll_record::event::Source;

use crate::file::{KernelFile, PollerId};
use crate::mutation::is;
use crate::sync::Ordering;
use crate::trace;
use crate::trace::ready_time::Look;
use crate::uapi::{READ_SIDE, URGENT};
use crate::watch::poll::poller;
use crate::watch::Watch;

/// Buffers for draining, kept to save allocations.
#[derive(Default)]
pub(super) struct Pump {
    signals: Vec<u8>,
    pub(super) fired: Vec<poller::Fired>,
    /// The entries of polled files that are being asked.
    pub(super) asked: Vec<(PollerId, u64)>,
}

/// Calls back the items of the wakeups that a poll has found.
pub(super) fn call_back(fired: &mut Vec<poller::Fired>) {
    for fired in fired.drain(..) {
        trace::wakeup(fired.fd, Source::Poll, fired.pollflags);
        if let Some(ep) = fired.item.ep.upgrade() {
            ep.poll_callback(fired.item.id, fired.item.serial, fired.pollflags, &mut || true);
        }
    }
}

impl Watch {
    /// Calls back the items for all wakeups that have come until now.
    pub fn drain_wakeups(&self) {
        self.drain(true);
    }

    /// As `drain_wakeups`, for a thread that is about to sleep while another one holds the watch. That one sleeps on
    /// the counters of the process, whose own calls report what they change.
    pub(super) fn drain_before_following(&self) {
        self.drain(false);
    }

    fn drain(&self, counters: bool) {
        let look = Look::begins();
        let mut pump = self.pump.lock();
        self.drain_signals_locked(&mut pump);
        self.poller.ask(counters, &mut pump.fired);
        call_back(&mut pump.fired);
        look.ends(&self.shared.ready_time);
    }

    /// As `drain_wakeups`, for a thread that is about to report a wakeup itself. It asks no file, because the
    /// answer could report the same wakeup first.
    pub fn drain_signals(&self) {
        let mut pump = self.pump.lock();
        self.drain_signals_locked(&mut pump);
    }

    /// Runs `call`, in which a system call of the program is itself a wakeup and is reported as one. No thread
    /// asks files meanwhile: one that asked between the two would report the wakeup a second time.
    pub fn while_nobody_asks<T>(&self, call: impl FnOnce() -> T) -> T {
        let mut pump = self.pump.lock();
        // What is signalled although no file is armed is of files that are gone.
        if self.armed.any() || self.has_overflowed() {
            self.drain_signals_locked(&mut pump);
        }
        call()
    }

    pub(super) fn drain_signals_locked(&self, pump: &mut Pump) {
        self.signals.drain(
            &mut pump.signals,
            |fd, pollflags, later| {
                let Some(file) = self.armed.get(fd) else { return };
                let Some(device) = file.device_as::<KernelFile>() else { return };
                if pollflags == URGENT {
                    device.comes_in_pieces();
                }
                if let Some(pollflags) = device.kind().pollflags_of_signal(pollflags) {
                    trace::wakeup(file.fd(), Source::Signal, pollflags);
                    // Of several queued signals only the last reports an end of the file.
                    let last = device.kind().signals_after_end();
                    file.wake_unless(pollflags, || pollflags & READ_SIDE != 0 && later.readable(fd) > last);
                }
            },
            || self.overflow.store(true, Ordering::SeqCst),
        );
        if self.has_overflowed()
            && self.overflow.swap(false, Ordering::SeqCst)
            && !is("an_overflow_is_forgotten")
        {
            for file in self.armed.all() {
                trace::wakeup(file.fd(), Source::Overflow, 0);
                file.wake(0);
            }
        }
    }
}
