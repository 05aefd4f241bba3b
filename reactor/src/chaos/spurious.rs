//! Spurious events: of a file that is not ready.

use glasspoll_record::event::Injection;
use glasspoll_record::writer::{is_on, ticks};

use crate::chaos::stirred::Stirred;
use crate::eventpoll::event_sink::EventSink;
use crate::eventpoll::rearm::note_result;
use crate::eventpoll::Eventpoll;
use crate::file::{Device, File, KernelFile, PollResult};
use crate::sync::Arc;
use crate::trace::{self, Since};
use crate::uapi::*;

impl Eventpoll {
    /// Adds one spurious event to the `sent` events, if that is drawn. Returns how many events there are.
    pub(super) fn spurious(
        &self,
        sink: &mut Stirred<'_>,
        sent: usize,
        maxevents: usize,
        drawn: Option<u32>,
    ) -> usize {
        let Some(drawn) = drawn.filter(|_| sent < maxevents) else { return 0 };
        let mut tree = self.mtx.lock();
        let candidates = self.quiet_items(sink);
        if candidates.is_empty() {
            return 0;
        }
        // Starts at a random place, and takes the first item for which it is legal.
        let first = drawn as usize % candidates.len();
        let (before, after) = candidates.split_at(first);
        let found = after.iter().chain(before).find_map(|(id, file, events)| {
            let (bits, now) = could_be_ready(file, *events);
            (bits != 0).then_some((*id, bits, now))
        });
        let Some((id, bits, revents)) = found else { return 0 };
        let now = if is_on() { ticks() } else { 0 };
        let mut ready = self.lock.lock();
        if ready.list.is_linked(id) || ready.list.is_in_ovflist(id) {
            // The file has become ready meanwhile.
            return 0;
        }
        let Some(item) = ready.list.get_mut(id) else { return 0 };
        let event = EpollEvent { events: bits, data: item.data };
        if sink.put(sent, event).is_err() {
            return 0;
        }
        sink.plan.note(Injection::Spurious, item.fd, bits);
        item.shown.delivered(now);
        let since = Since { passed: 0, exactly: false };
        trace::deliver(self.about(item.serial), item.fd, sent, event, now, since);
        if item.events & EPOLLONESHOT != 0 {
            item.events &= EP_PRIVATE_BITS;
            item.shown.interest(item.events);
            let result = PollResult { events: item.events, revents, queued: false };
            note_result(&mut tree.scratch.results, &ready, id, result);
            drop(ready);
            self.rearm_all(&mut tree);
        }
        1
    }

    /// The items that are not ready as far as we know, and that this wait has not reported.
    fn quiet_items(&self, sink: &Stirred<'_>) -> Vec<(u32, Arc<File>, u32)> {
        let ready = self.lock.lock();
        let items = ready.list.iter().filter(|(id, item)| {
            !item.is_disarmed()
                && !ready.list.is_linked(*id)
                && !ready.list.is_in_ovflist(*id)
                && !sink.plan.reported.contains(&item.serial)
        });
        items.map(|(id, item)| (id, item.file.clone(), item.events)).collect()
    }
}

/// The events for which the program must expect EAGAIN at any time, and for which the file is not ready; and
/// the events for which it is ready.
fn could_be_ready(file: &File, interest: u32) -> (u32, u32) {
    let Some(device) = file.device_as::<KernelFile>() else { return (0, 0) };
    let may_be = device.may_be_refused() & interest;
    if may_be == 0 {
        return (0, 0);
    }
    let now = device.poll((interest | EPOLLRDHUP) & POLL_BITS);
    if now & ENDS != 0 {
        return (0, now);
    }
    match may_be & !now {
        0 => (0, now),
        // Like any event, it has all bits that are ready.
        fake => (fake | now & interest, now),
    }
}
