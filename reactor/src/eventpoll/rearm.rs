//! After the eventpoll has asked a file, it gives the answer to the file's device, which then watches for what
//! comes next. Some devices keep an entry for an item (`Epitem::poller_id`) from `attach` on, others only once
//! their wakeups would leave something out.

use crate::eventpoll::scratch::Note;
use crate::eventpoll::{Eventpoll, Ready, Tree};
use crate::file::{Device, File, ItemRef, PollResult, PollerId, NO_POLLER_ID};
use crate::hot::state::NO_PLACE;
use crate::sync::Arc;

/// Notes the answer, if the device wants it.
pub(crate) fn note_result(notes: &mut Vec<Note>, ready: &Ready, id: u32, result: PollResult) {
    let Some(item) = ready.list.get(id) else { return };
    if item.poller_id != NO_POLLER_ID || item.file.device().is_some_and(|device| device.has_gap(result)) {
        notes.push(Note { file: item.file.clone(), id, poller_id: item.poller_id, result });
    }
}

impl Eventpoll {
    /// Gives the devices the answers that were noted.
    pub(crate) fn rearm_all(&self, tree: &mut Tree) {
        let mut notes = std::mem::take(&mut tree.scratch.results);
        for note in notes.drain(..) {
            self.rearm(&note.file, note.id, note.poller_id, note.result);
        }
        tree.scratch.results = notes;
    }

    /// Gives the device of an item the file's answer.
    ///
    /// Preconditions: `ep.mtx` is held, `ep.lock` is not.
    pub(crate) fn rearm(&self, file: &Arc<File>, id: u32, poller_id: PollerId, result: PollResult) {
        let Some(device) = file.device() else { return };
        let poller_id = match poller_id {
            NO_POLLER_ID if device.has_gap(result) => self.fill_gap(file, device, id, result.events),
            poller_id => poller_id,
        };
        if poller_id != NO_POLLER_ID {
            device.rearm(poller_id, result);
        }
    }

    /// Has the device look for what its wakeups leave out.
    fn fill_gap(&self, file: &Arc<File>, device: &dyn Device, id: u32, events: u32) -> u32 {
        let item = {
            let ready = self.lock.lock();
            let item =
                ready.list.get(id).filter(|item| item.poller_id == NO_POLLER_ID && item.place() == NO_PLACE);
            let Some(item) = item else { return NO_POLLER_ID };
            ItemRef { ep: self.this.clone(), id, serial: item.serial, exclusive: item.is_exclusive() }
        };
        let poller_id = device.fill_gap(file, &item, events);
        if poller_id != NO_POLLER_ID {
            self.rewatch(id, poller_id);
        }
        poller_id
    }
}
