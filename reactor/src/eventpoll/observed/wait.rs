//! Follows epoll_wait(2) on a set of the kernel's: when the wait began, and what it returned.

use glasspoll_record::writer::{in_ns, in_ticks, is_on, ticks};

use crate::eventpoll::epitem::Epitem;
use crate::eventpoll::followed::Behind;
use crate::eventpoll::Eventpoll;
use crate::sys::{self, Errno};
use crate::trace::ready_time::{at_once, Moment};
use crate::trace::{self, About, Entered};
use crate::uapi::*;

/// A wait that the kernel answers.
#[derive(Clone, Copy, Debug)]
pub struct KernelWait {
    entered: Entered,
    maxevents: usize,
    /// It cannot sleep, and nothing is recorded before its end.
    polls: bool,
}

/// Whether each event of a wait belongs to an item that we know of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Items {
    /// Each does.
    Known,
    /// One does not: some change of the set was not seen.
    Missing,
}

impl Eventpoll {
    /// A thread is about to wait in the kernel.
    pub fn kernel_wait_begins(&self, maxevents: usize, timeout_ns: Option<u64>) -> KernelWait {
        let polls = timeout_ns == Some(0);
        let entered = if polls {
            trace::enters_later()
        } else {
            trace::wait_enter(self.about(0), maxevents, timeout_ns)
        };
        KernelWait { entered, maxevents, polls }
    }

    /// The wait has returned `events`.
    pub fn kernel_wait_returned(&self, wait: KernelWait, result: Result<&[EpollEvent], Errno>) -> Items {
        match result {
            Ok([]) if wait.polls => {
                trace::waited_for_nothing(self.about(0), wait.maxevents);
                self.kernel_delivered(wait, &[], ticks());
                return Items::Known;
            }
            _ if wait.polls => trace::entered(self.about(0), wait.maxevents, 0, wait.entered),
            _ => {}
        }
        // The clock is read once: events and return have one time.
        let now = if is_on() || trace::enabled() { ticks() } else { 0 };
        let items = self.kernel_delivered(wait, result.unwrap_or_default(), now);
        self.note_return(result.map(<[_]>::len), wait.entered, now);
        items
    }

    fn kernel_delivered(&self, wait: KernelWait, events: &[EpollEvent], now: u64) -> Items {
        let mut items = Items::Known;
        if !is_on() && !trace::enabled() {
            return items;
        }
        let mut tree = self.mtx.lock();
        let tree = &mut *tree;
        let Some(observed) = &mut tree.observed else { return items };
        let look = Look::of(wait, events.len(), now);
        if !events.is_empty() {
            let mut ready = self.lock.lock();
            for (nth, event) in events.iter().copied().enumerate() {
                let data = event.data;
                let key = |id| ready.list.get(id).map(Epitem::key);
                let behind = observed.by_data.find(|fd| tree.rbr.first(fd), key, data, event.events);
                let (fd, serial, told) = match behind {
                    Behind::Item(id) => {
                        let Some(item) = ready.list.get_mut(id) else { continue };
                        item.shown.delivered(now);
                        if item.events & EPOLLONESHOT != 0 {
                            item.events &= EP_PRIVATE_BITS;
                            item.shown.interest(item.events);
                        }
                        (item.fd, item.serial, observed.tell(id, now))
                    }
                    Behind::Gone(fd, serial) => (fd, serial, 0),
                    Behind::Several => (-1, 0, 0),
                    Behind::Unknown => {
                        items = Items::Missing;
                        (-1, 0, 0)
                    }
                };
                let moment = match look.slept {
                    true => Moment { ticks: now, exactly: true },
                    false => Moment { ticks: observed.last_look, exactly: false }.not_before(told),
                };
                let about = About { item: serial, ..self.about(0) };
                let since = moment.since(now);
                trace::deliver(about, fd, nth, event, now, since);
                if trace::enabled() {
                    let ready_at = sys::now().saturating_sub(in_ns(since.passed));
                    trace::log_delivery(about.epfd, fd, event, ready_at);
                }
            }
        }
        if events.len() < wait.maxevents {
            observed.last_look = look.at;
        }
        items
    }
}

/// The kernel's look at all files of the set, in a wait that has returned.
struct Look {
    /// The wait slept until something was ready: it became ready just now.
    slept: bool,
    /// What the wait did not report was not ready then, in ticks. The kernel looks when the sleep is over, some time
    /// before the wait returns.
    at: u64,
}

impl Look {
    fn of(wait: KernelWait, events: usize, now: u64) -> Self {
        let most = in_ticks(at_once(events));
        let slept = !wait.polls && now.saturating_sub(wait.entered.ticks) > most;
        Self { slept, at: if slept { now - most } else { wait.entered.ticks } }
    }
}
