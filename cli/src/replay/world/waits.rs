//! What the waits of the threads do to the world.

use glasspoll_record::event::Event;
use glasspoll_record::Entry;

use super::{Delivered, World};

/// The most threads that are followed; those that were quiet for longest are forgotten first.
const THREADS: usize = 1 << 16;

impl World {
    /// Takes the part of an event that is about waits.
    pub(super) fn take_wait(&mut self, entry: &Entry) {
        if self.threads.len() >= THREADS && !self.threads.contains_key(&entry.tid) {
            self.forget_threads();
        }
        let thread = self.threads.entry(entry.tid).or_default();
        thread.seen_ns = entry.ns;
        match entry.event {
            Event::WaitEnter { epoll, maxevents, timeout_ns } => {
                self.batches += 1;
                thread.begin(self.batches);
                let before = thread.waits_since.replace(entry.ns).map(|_| thread.epoll);
                (thread.epoll, thread.maxevents, thread.timeout_ns) = (epoll, maxevents, timeout_ns);
                // The thread waits already if a signal handler interrupted its wait, or the end of the wait is in no
                // record.
                if before != Some(epoll) {
                    if let Some(set) = before.and_then(|before| self.sets.get_mut(&before)) {
                        set.leave(entry.ns);
                    }
                    self.set_entry(epoll).enter(entry.ns);
                }
                let set = self.set_entry(epoll);
                (set.turns, set.last_ns) = (set.turns + 1, entry.ns);
            }
            Event::Deliver { epoll, fd, item, nth, .. } => {
                if nth == 0 {
                    self.batches += 1;
                    thread.begin(self.batches);
                    // If the wait's begin is in no record, the thread waits all the same.
                    thread.returned = None;
                }
                thread.deliver(Delivered { fd, item });
                if thread.waits_since.is_none() {
                    self.set_entry(epoll);
                }
            }
            Event::WaitReturn { epoll, n, .. } => {
                if n <= 0 {
                    self.batches += 1;
                    thread.begin(self.batches);
                }
                thread.epoll = epoll;
                thread.returned = Some((entry.ns, n));
                let was_waiting = thread.waits_since.take().is_some();
                let set = self.set_entry(epoll);
                if was_waiting {
                    set.leave(entry.ns);
                }
            }
            _ => {}
        }
    }

    fn forget_threads(&mut self) {
        let mut seen: Vec<u64> = self.threads.values().map(|thread| thread.seen_ns).collect();
        let middle = seen.len() / 2;
        let (_, middle, _) = seen.select_nth_unstable(middle);
        let middle = *middle;
        // A thread that waits is not gone, however long it was quiet.
        self.threads.retain(|_, thread| thread.seen_ns > middle || thread.waits_since.is_some());
    }
}
