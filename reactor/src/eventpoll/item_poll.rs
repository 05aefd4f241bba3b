//! Asking a file for its readiness, and an instance for its own.
//!
//! Linux: `fs/eventpoll.c:ep_item_poll`, `__ep_eventpoll_poll`.

use crate::eventpoll::rearm::note_result;
use crate::eventpoll::Eventpoll;
use crate::file::{Backing, Device, File, PollResult};
use crate::trace::ready_time::Moment;
use crate::uapi::*;

impl Eventpoll {
    /// Asks one file. The answer may have more bits than `events`. Linux: `fs/eventpoll.c:ep_item_poll`.
    pub(crate) fn item_poll(&self, file: &File, events: u32, depth: i32) -> u32 {
        match file.backing() {
            Backing::Kernel(device) => device.poll((events | EPOLLRDHUP) & POLL_BITS),
            Backing::Device(device) => device.poll((events | EPOLLRDHUP) & POLL_BITS),
            Backing::Epoll(inner) => inner.poll(depth),
        }
    }

    /// Whether the instance itself is readable. Items that are no longer ready leave the ready list.
    /// Linux: `fs/eventpoll.c:__ep_eventpoll_poll`.
    pub fn poll(&self, depth: i32) -> u32 {
        if depth > EP_MAX_NESTS + 1 {
            return 0;
        }
        let mut tree = self.mtx.lock();
        let results = &mut tree.scratch.results;
        self.lock.lock().list.start_scan();
        let mut revents = 0;
        loop {
            let ready = self.lock.lock();
            let Some(id) = ready.list.tx_first() else { break };
            let Some(item) = ready.list.get(id) else { break };
            let (file, events) = (item.file.clone(), item.events);
            drop(ready);
            let found = self.item_poll(&file, events, depth + 1);
            if found & events != 0 {
                revents = EPOLLIN | EPOLLRDNORM;
                break;
            }
            let mut ready = self.lock.lock();
            ready.list.unlink(id);
            if let Some(item) = ready.list.get(id) {
                item.shown.unqueued(Moment::now().ticks);
            }
            let now = PollResult { events, revents: found, queued: false };
            note_result(results, &ready, id, now);
        }
        self.done_scan(self.lock.lock());
        self.rearm_all(&mut tree);
        revents
    }
}
